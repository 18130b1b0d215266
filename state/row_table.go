package state

import (
	"bytes"
	"sync"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/streamsql/streamsql/exec/stream"
	"github.com/streamsql/streamsql/sql"
)

// RowTable keeps rows in the order of their key: an ordinary table, or the contents of a view. It is
// safe for concurrent use.
//
// State: key columns → whole row, because a key does not keep every detail of its values.
type RowTable struct {
	id    TableID
	types []sql.Type
	key   []int
	cols  []KeyColumn
	pool  sync.Pool // *rowEncoders
}

// rowEncoders is what one call to Apply or Get needs.
type rowEncoders struct {
	key        *KeyEncoder
	row        *RowEncoder
	all        *RowDecoder
	keyArrays  []arrow.Array
	buf, next  []byte
	value, dst []byte
}

// NewRowTable describes the table id: its columns, and those of them that are its key. The key must
// identify a row. A table without one gets a column of the caller's that does, such as a bigint from
// a sequence.
func NewRowTable(id TableID, columns []sql.Type, key []int) *RowTable {
	t := &RowTable{id: id, types: columns, key: key}
	for _, c := range key {
		t.cols = append(t.cols, KeyColumn{Type: columns[c]})
	}
	t.pool.New = func() any {
		return &rowEncoders{
			key:       NewKeyEncoder(t.cols),
			row:       NewRowEncoder(t.types),
			all:       NewRowDecoder(t.types, nil),
			keyArrays: make([]arrow.Array, len(key)),
		}
	}
	return t
}

// Apply writes changes, whole rows: an insert puts a row in place of any other with its key, a delete
// removes the row with its key. It looks at nothing that is stored: uniqueness is the caller's.
func (t *RowTable) Apply(w Writer, changes *stream.Batch) error {
	e := t.pool.Get().(*rowEncoders)
	defer t.pool.Put(e)
	for i, c := range t.key {
		e.keyArrays[i] = changes.Columns[c]
	}
	e.key.Bind(e.keyArrays...)
	e.row.Bind(changes.Columns)
	for i := range changes.Rows {
		if i == 0 {
			e.buf = e.appendKey(e.buf[:0], t.id, 0)
		}
		// An update is a delete and an insert of one key in a row: the put is enough.
		more := i+1 < changes.Rows
		if more {
			e.next = e.appendKey(e.next[:0], t.id, i+1)
		}
		switch {
		case changes.Op(i) == stream.Insert:
			e.value = e.row.Append(e.value[:0], i)
			w.Put(e.buf, e.value)
		case more && changes.Op(i+1) == stream.Insert && bytes.Equal(e.buf, e.next):
		default:
			w.Delete(e.buf)
		}
		e.buf, e.next = e.next, e.buf
	}
	return nil
}

func (e *rowEncoders) appendKey(dst []byte, id TableID, i int) []byte {
	return e.key.Append(AppendPrefix(dst, id, 0), i)
}

// AppendKey appends the store's key of the row with these key values; fewer of them make the prefix
// that such rows have in common.
func (t *RowTable) AppendKey(dst []byte, key []sql.Datum) []byte {
	e := t.pool.Get().(*rowEncoders)
	defer t.pool.Put(e)
	return e.key.AppendDatums(AppendPrefix(dst, t.id, 0), key)
}

// Get returns the row with the key.
func (t *RowTable) Get(r Reader, key []sql.Datum) (row []sql.Datum, ok bool, err error) {
	e := t.pool.Get().(*rowEncoders)
	e.buf = e.key.AppendDatums(AppendPrefix(e.buf[:0], t.id, 0), key)
	if e.dst, ok, err = r.AppendGet(e.dst[:0], e.buf); ok && err == nil {
		row, err = e.all.DecodeRow(e.dst)
	}
	if err != nil {
		return nil, false, err // and drop e: its decoder may hold half a row
	}
	t.pool.Put(e)
	return row, ok, nil
}

// Finder looks up rows of a table by their whole key, one after the other. One goroutine uses it.
type Finder struct {
	table  *RowTable
	needed []int
	enc    *KeyEncoder
	dec    *RowDecoder
	key    []byte
	value  []byte
}

// NewFinder makes a finder whose rows have the columns `needed`, nil for all.
func (t *RowTable) NewFinder(needed []int) *Finder {
	return &Finder{table: t, needed: needed, enc: NewKeyEncoder(t.cols), dec: NewRowDecoder(t.types, needed)}
}

// Find returns the row with the key as a batch, nil when there is none.
func (f *Finder) Find(r Reader, key []sql.Datum) (*stream.Batch, error) {
	f.key = f.enc.AppendDatums(AppendPrefix(f.key[:0], f.table.id, 0), key)
	var ok bool
	var err error
	if f.value, ok, err = r.AppendGet(f.value[:0], f.key); !ok || err != nil {
		return nil, err
	}
	if err := f.dec.Append(f.value); err != nil {
		f.dec = NewRowDecoder(f.table.types, f.needed) // this one may hold half a row
		return nil, err
	}
	return f.dec.Flush(), nil
}

// DeleteAll removes every row.
func (t *RowTable) DeleteAll(w Writer) { w.DeleteRange(TableRange(t.id)) }

// KeyRange is a range of rows by their leading key columns. The zero KeyRange is all rows. NULL is a
// value like others here, above them all: a range that is open above includes it.
type KeyRange struct {
	Lo, Hi                   []sql.Datum // values of the first key columns; nil = open
	LoExclusive, HiExclusive bool
}

// Prefix is the range of the rows whose first key columns have these values.
func Prefix(values ...sql.Datum) KeyRange { return KeyRange{Lo: values, Hi: values} }

// bounds is the range as keys [lo, hi).
func (t *RowTable) bounds(kr KeyRange) (lo, hi []byte) {
	lo, hi = TableRange(t.id)
	if kr.Lo != nil {
		lo = t.AppendKey(nil, kr.Lo)
		if kr.LoExclusive {
			lo = PrefixEnd(lo)
		}
	}
	if kr.Hi != nil {
		hi = t.AppendKey(nil, kr.Hi)
		if !kr.HiExclusive {
			hi = PrefixEnd(hi)
		}
	}
	if bytes.Compare(lo, hi) > 0 {
		lo = hi
	}
	return lo, hi
}

// Scan reads the rows of a range in the order of the key, or against it. The batches have the
// columns `needed`, nil for all. The scanner must be closed.
func (t *RowTable) Scan(r Reader, kr KeyRange, needed []int, reverse bool) *Scanner {
	lo, hi := t.bounds(kr)
	return &Scanner{it: r.Iter(lo, hi), dec: NewRowDecoder(t.types, needed), reverse: reverse, max: stream.TargetRows, maxBytes: maxScanBytes}
}

// maxScanBytes ends a batch of long rows: they have no room in a column, whose offsets have 32 bits, nor
// in memory. A value takes about as much in a row as in a column.
const maxScanBytes = 64 << 20

// Scanner reads a range of a row table batch by batch. One goroutine uses it.
type Scanner struct {
	it       *Iter
	dec      *RowDecoder
	reverse  bool
	started  bool
	ended    bool
	max      int
	maxBytes int // of stored rows; the last one may exceed it
}

// Limit makes batches of at most n rows.
func (s *Scanner) Limit(n int) { s.max = max(1, min(n, stream.TargetRows)) }

// Next returns the next rows, all inserts; nil at the end.
func (s *Scanner) Next() (*stream.Batch, error) {
	for bytes := 0; !s.ended && s.dec.Rows() < s.max && bytes < s.maxBytes; {
		if !s.move() {
			s.ended = true
			break
		}
		row := s.it.Value()
		if err := s.dec.Append(row); err != nil {
			return nil, err
		}
		bytes += len(row)
	}
	if err := s.it.Error(); err != nil {
		return nil, err
	}
	return s.dec.Flush(), nil
}

func (s *Scanner) move() bool {
	first := !s.started
	s.started = true
	switch {
	case first && s.reverse:
		return s.it.Last()
	case first:
		return s.it.First()
	case s.reverse:
		return s.it.Prev()
	}
	return s.it.Next()
}

// Close gives the scanner up.
func (s *Scanner) Close() error { return s.it.Close() }
