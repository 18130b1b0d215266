package kafka

import (
	"bytes"
)

// folder nets the changes of an upsert sink per key: what a key holds after them is one record, or a
// tombstone.
//
// The changes of one key may come from several tasks, so an insert can stand before the delete of the
// row that it replaces. Within an epoch they are therefore no sequence but a bag: a row inserted as
// often as deleted was not there before and is not after; of what remains, the row inserted
// last is the key's new one, and without one a delete is a tombstone.
type folder struct {
	index  map[string]int // of the key's first change
	rows   []foldedRow    // in order of arrival; a key's rows are chained
	keys   []string       // by first arrival
	values []byte         // all values, one after the other
	added  int            // changes
}

// foldedRow is a value of a key and how many more inserts than deletes of it there were.
type foldedRow struct {
	from, to int // in values
	net      int
	last     int // which change inserted it last
	next     int // another row of the key, −1 = none
}

func newFolder() *folder { return &folder{index: map[string]int{}} }

// add notes a change; it copies key and value.
func (f *folder) add(key, value []byte, op int8) {
	f.added++
	inserted := 0
	if op > 0 {
		inserted = f.added
	}
	first, ok := f.index[string(key)]
	last := -1
	if ok {
		for i := first; i >= 0; i = f.rows[i].next {
			if r := &f.rows[i]; bytes.Equal(f.values[r.from:r.to], value) {
				r.net += int(op)
				r.last = max(r.last, inserted)
				return
			}
			last = i
		}
	}
	at := len(f.rows)
	f.rows = append(f.rows, foldedRow{from: len(f.values), to: len(f.values) + len(value), net: int(op), last: inserted, next: -1})
	f.values = append(f.values, value...)
	if ok {
		f.rows[last].next = at
		return
	}
	k := string(key)
	f.index[k] = at
	f.keys = append(f.keys, k)
}

// drain emits the net change of each key, nil being a tombstone, and starts anew.
func (f *folder) drain(emit func(key, value []byte) error) error {
	for _, k := range f.keys {
		insert, deleted := -1, false
		for i := f.index[k]; i >= 0; i = f.rows[i].next {
			switch r := f.rows[i]; {
			case r.net > 0 && (insert < 0 || r.last > f.rows[insert].last): // of a stream without deletes there are many
				insert = i
			case r.net < 0:
				deleted = true
			}
		}
		var err error
		switch {
		case insert >= 0:
			err = emit([]byte(k), f.values[f.rows[insert].from:f.rows[insert].to])
		case deleted:
			err = emit([]byte(k), nil)
		}
		if err != nil {
			return err
		}
	}
	clear(f.index)
	f.rows, f.keys, f.values, f.added = f.rows[:0], f.keys[:0], f.values[:0], 0
	return nil
}
