package postgres

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"slices"
	"time"

	"github.com/streamsql/streamsql/connectors"
	"github.com/streamsql/streamsql/connectors/format"
	"github.com/streamsql/streamsql/exec/stream"
	"github.com/streamsql/streamsql/sql"
)

// rows are the changes of one delivery, encoded. Those of a sink with a key are netted per key.
//
// The changes of one key within an epoch may come from several tasks, so an insert can stand before the
// delete of the row that it replaces. They are therefore a bag: a row inserted as often as deleted was
// not there before and is not after. Of what remains, the row inserted last is the key's new one, and
// without one a delete deletes. So is it over several epochs.
type rows struct {
	cfg     *config
	enc     *rowEncoder
	keyed   bool
	data    []byte         // all rows, one after the other
	list    []row          // in order of arrival; those of a key are chained
	first   map[string]int // a key's first row in list
	firsts  []int          // the keys' first rows, in order of arrival
	key     []byte         // scratch
	arrived int
	dead    []connectors.DeadLetter
}

// row is a row of data, and of the batch that it came in.
type row struct {
	from, to int
	batch    *stream.Batch
	at       int
	net      int  // how many more inserts than deletes of it there were
	last     int  // when it was inserted last
	next     int  // another row of the key, −1 = none
	replaces bool // the key's old row, which was deleted
}

func newRows(cfg *config, t *target) (*rows, error) {
	enc, err := newRowEncoder(cfg.columns, t.columns)
	return &rows{cfg: cfg, enc: enc, keyed: cfg.key != nil, first: map[string]int{}}, err
}

// keptBytes is how much memory of encoded rows is used again; wide ones were an exception.
const keptBytes = 64 << 20

// reset forgets all rows.
func (r *rows) reset() {
	clear(r.list) // of the batches
	if cap(r.data) > keptBytes {
		r.data = nil
	}
	clear(r.first)
	r.data, r.list, r.firsts, r.arrived, r.dead = r.data[:0], r.list[:0], r.firsts[:0], 0, nil
}

func (r *rows) add(b *stream.Batch) error {
	r.enc.bind(b)
	for i := range b.Rows {
		if b.Op(i) == stream.Delete && !r.keyed {
			return sql.Errorf(sql.CodeInternal, "a delete reached the append-only sink of %s", r.cfg.where())
		}
		if err := r.addRow(b, i); err != nil {
			return err
		}
	}
	return nil
}

func (r *rows) addRow(b *stream.Batch, i int) error {
	from := len(r.data)
	data, field, err := r.enc.append(r.data, i)
	r.data = data
	if err == nil && r.keyed {
		field, err = r.readKey()
	}
	if err != nil {
		r.data = r.data[:from]
		if b.Op(i) == stream.Delete {
			return nil // the row was refused when it was inserted
		}
		return r.refuse(row{batch: b, at: i}, r.cfg.columns[field].Name, sql.AsError(err))
	}
	r.arrived++
	new := row{from: from, to: len(r.data), batch: b, at: i, net: int(b.Op(i)), next: -1}
	if new.net > 0 {
		new.last = r.arrived
	}
	if r.keyed {
		r.fold(new)
	} else {
		r.list = append(r.list, new)
	}
	return nil
}

// readKey leaves the key of the row encoded last in r.key.
func (r *rows) readKey() (field int, err error) {
	r.key = r.key[:0]
	for _, k := range r.cfg.key {
		f := r.data[r.enc.starts[k]:r.enc.starts[k+1]]
		if binary.BigEndian.Uint32(f) == nullLength {
			name := r.cfg.columns[k].Name
			return k, sql.Errorf(sql.CodeNotNullViolation, "null value in key column %q", name)
		}
		r.key = append(r.key, f...)
	}
	return 0, nil
}

// fold adds a change of the key in r.key.
func (r *rows) fold(new row) {
	first, ok := r.first[string(r.key)]
	last := -1
	for i := first; ok && i >= 0; i = r.list[i].next {
		old := &r.list[i]
		if bytes.Equal(r.data[old.from:old.to], r.data[new.from:new.to]) {
			old.net += new.net
			old.last = max(old.last, new.last)
			r.data = r.data[:new.from]
			return
		}
		last = i
	}
	at := len(r.list)
	r.list = append(r.list, new)
	if ok {
		r.list[last].next = at
		return
	}
	r.first[string(r.key)] = at
	r.firsts = append(r.firsts, at)
}

// net is what is left of the changes: rows whose keys are to be deleted, and rows to be put in their
// keys' places. Without keys it is all rows. Keys that differ here may be one to PostgreSQL: 1.0 and 1.00,
// or what its column rounds. So the rows are in the order in which they came, and the last one stays.
func (r *rows) net() (deletes, puts []row) {
	if !r.keyed {
		return nil, r.list
	}
	for _, first := range r.firsts {
		put, gone := -1, -1
		for i := first; i >= 0; i = r.list[i].next {
			switch n := &r.list[i]; {
			case n.net > 0 && (put < 0 || n.last > r.list[put].last):
				put = i
			case n.net < 0:
				gone = i
			}
		}
		switch {
		case put >= 0:
			row := r.list[put]
			row.replaces = gone >= 0
			puts = append(puts, row)
		case gone >= 0:
			deletes = append(deletes, r.list[gone])
		}
	}
	slices.SortFunc(puts, func(a, b row) int { return cmp.Compare(a.last, b.last) })
	return deletes, puts
}

// refuse does with a row that can't be written what on-error says.
func (r *rows) refuse(w row, field string, why *sql.Error) error {
	switch r.cfg.onError {
	case onErrorSkip:
		return nil
	case onErrorFail:
		e := *why
		e.Hint = "Set the option \"on-error\" to 'dead-letter' or 'skip' to go on without such rows."
		return &e
	}
	enc, err := format.NewEncoder("json", r.cfg.columns, nil)
	if err != nil {
		return err
	}
	enc.Bind(w.batch)
	payload, err := enc.Append(nil, w.at)
	if err != nil {
		return err
	}
	reason := why.Message
	if why.Detail != "" {
		reason += ": " + why.Detail
	}
	r.dead = append(r.dead, connectors.DeadLetter{Time: time.Now(), Payload: payload, Field: field, Code: why.Code, Reason: reason})
	return nil
}
