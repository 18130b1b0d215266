package state

import (
	"encoding/json"

	"github.com/streamsql/streamsql/sql"
)

// Meta is a table of small named records, kept as JSON: the catalog's objects, a job's last
// committed epoch and positions. They are written with whatever they must agree with, in one batch.
type Meta struct{ id TableID }

// NewMeta describes the table id.
func NewMeta(id TableID) Meta { return Meta{id: id} }

func (m Meta) key(name string) []byte { return append(AppendPrefix(nil, m.id, 0), name...) }

// Put writes a record: v as JSON.
func (m Meta) Put(w Writer, name string, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return sql.Errorf(sql.CodeInternal, "could not encode record %q: %w", name, err)
	}
	w.Put(m.key(name), b)
	return nil
}

// Get reads a record into v.
func (m Meta) Get(r Reader, name string, v any) (ok bool, err error) {
	b, ok, err := r.Get(m.key(name))
	if err != nil || !ok {
		return false, err
	}
	if err := json.Unmarshal(b, v); err != nil {
		return false, sql.Errorf(codeDataCorrupted, "could not decode record %q: %w", name, err)
	}
	return true, nil
}

// Delete removes a record.
func (m Meta) Delete(w Writer, name string) { w.Delete(m.key(name)) }

// Scan calls f for the records whose names begin with prefix, in order. The JSON is valid during
// the call.
func (m Meta) Scan(r Reader, prefix string, f func(name string, record []byte) error) error {
	lo := m.key(prefix)
	it := r.Iter(lo, PrefixEnd(lo))
	defer it.Close()
	for ok := it.First(); ok; ok = it.Next() {
		if err := f(string(it.Key()[prefixLen:]), it.Value()); err != nil {
			return err
		}
	}
	return it.Close()
}
