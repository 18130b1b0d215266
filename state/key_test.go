package state

import (
	"bytes"
	"cmp"
	"testing"

	"github.com/streamsql/streamsql/sql"
)

// compareKeyed orders two values as the key column shall.
func compareKeyed(c KeyColumn, a, b sql.Datum) int {
	if a == nil || b == nil {
		r := 0
		switch {
		case a == nil && b != nil:
			r = 1
		case a != nil && b == nil:
			r = -1
		}
		if c.NullsFirst {
			r = -r
		}
		return r
	}
	r := sql.CompareDatum(c.Type, a, b)
	if c.Desc {
		r = -r
	}
	return r
}

func TestKeysOrderAsSQL(t *testing.T) {
	r := newRand(t)
	for _, typ := range allTypes {
		for _, col := range []KeyColumn{{Type: typ}, {Type: typ, Desc: true, NullsFirst: true}, {Type: typ, NullsFirst: true}, {Type: typ, Desc: true}} {
			enc := NewKeyEncoder([]KeyColumn{col})
			values, keys := make([]sql.Datum, 120), make([][]byte, 120)
			for i := range values {
				values[i] = randomDatum(r, typ)
				keys[i] = enc.AppendDatums(nil, values[i:i+1])
			}
			for i := range values {
				for j := range values {
					want := compareKeyed(col, values[i], values[j])
					if got := bytes.Compare(keys[i], keys[j]); got != want {
						t.Fatalf("%s %+v: %s against %s: keys %x and %x compare as %d, want %d", typ, col, repr(values[i]), repr(values[j]), keys[i], keys[j], got, want)
					}
					if want != 0 && bytes.HasPrefix(keys[i], keys[j]) {
						t.Fatalf("%s: the key of %s is a prefix of that of %s", typ, repr(values[j]), repr(values[i]))
					}
				}
			}
		}
	}
}

func TestKeysOfSeveralColumns(t *testing.T) {
	r := newRand(t)
	for range 300 {
		var cols []KeyColumn
		for range 1 + r.IntN(3) {
			cols = append(cols, KeyColumn{Type: pick(r, allTypes...), Desc: r.IntN(2) == 0, NullsFirst: r.IntN(2) == 0})
		}
		types := make([]sql.Type, len(cols))
		for i, c := range cols {
			types[i] = c.Type
		}
		// Values repeat, so that later columns decide.
		pool := [][]sql.Datum{randomRow(r, types), randomRow(r, types), randomRow(r, types)}
		rows := make([][]sql.Datum, 20)
		for i := range rows {
			for c := range cols {
				rows[i] = append(rows[i], pick(r, pool...)[c])
			}
		}
		enc := NewKeyEncoder(cols)
		b := batchOf(types, rows, nil)
		enc.Bind(b.Columns...)
		for i := range rows {
			for j := range rows {
				want := 0
				for c := range cols {
					want = cmp.Or(want, compareKeyed(cols[c], rows[i][c], rows[j][c]))
				}
				if got := bytes.Compare(enc.Append(nil, i), enc.Append(nil, j)); got != want {
					t.Fatalf("%+v: rows %d and %d compare as %d, want %d", cols, i, j, got, want)
				}
			}
		}
	}
}

func TestKeyIsExact(t *testing.T) {
	r := newRand(t)
	for _, typ := range allTypes {
		enc, values := NewKeyEncoder(Ascending(typ)), map[string]string{}
		for range 3000 {
			d := randomDatum(r, typ)
			key := string(enc.AppendDatums(nil, []sql.Datum{d}))
			if was, ok := values[key]; ok && was != repr(d) && KeyIsExact(typ) {
				t.Fatalf("%s: %s and %s have one key", typ, was, repr(d))
			}
			values[key] = repr(d)
		}
	}
}

// The layout of keys is on disk: a change of these bytes is a change of format.
func TestKeyBytes(t *testing.T) {
	for _, c := range []struct {
		typ  sql.Type
		in   sql.Datum
		want string
	}{
		{sql.TypeInt4, int64(1), "\x80\x80\x00\x00\x01"},
		{sql.TypeInt4, int64(-1), "\x80\x7f\xff\xff\xff"},
		{sql.TypeInt4, nil, "\xff"},
		{sql.TypeText, "a\x00b", "\x80a\x00\xffb\x00\x01"},
		{sql.TypeFloat8, 1.0, "\x80\xbf\xf0\x00\x00\x00\x00\x00\x00"},
		{sql.TypeNumeric, decimal(1250, -2), "\x80\x40\x80\x00\x02\x0d\x33\x00"},  // 0.1250e2: 12, 50
		{sql.TypeNumeric, decimal(-1250, -2), "\x80\x20\x7f\xff\xfd\xf2\xcc\xff"}, // the same, flipped
		{sql.ArrayOf(sql.TypeBool), []sql.Datum{true, nil}, "\x80\x80\x01\xff\x00"},
	} {
		if got := NewKeyEncoder(Ascending(c.typ)).AppendDatums(nil, []sql.Datum{c.in}); string(got) != c.want {
			t.Errorf("%s %s: key %x, want %x", c.typ, repr(c.in), got, c.want)
		}
	}
}

func TestPrefixEnd(t *testing.T) {
	for _, c := range []struct{ in, want string }{{"a", "b"}, {"a\xff", "b"}, {"\xff\xff", ""}, {"", ""}} {
		if got := PrefixEnd([]byte(c.in)); string(got) != c.want {
			t.Errorf("after %x comes %x, want %x", c.in, got, c.want)
		}
	}
}
