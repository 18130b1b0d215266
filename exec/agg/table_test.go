package agg

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/streamsql/streamsql/exec/stream"
	"github.com/streamsql/streamsql/sql"
)

// Keys of every type, NULLs and equal values with different forms included, get the ids that a map
// of canonical texts gives them, and come back as they were first seen.
func TestTable(t *testing.T) {
	types := []sql.Type{sql.TypeText, sql.TypeInt8, sql.TypeBool, sql.TypeNumeric, sql.FixedNumeric(30, 2), sql.TypeInt2,
		sql.TypeFloat8, sql.TypeUUID, sql.TypeInterval, sql.ArrayOf(sql.TypeInt4), sql.FixedNumeric(60, 2), sql.TypeDate,
		sql.TypeJSONB, {Kind: sql.Char, Precision: 20}, sql.ArrayOf(sql.TypeFloat8), sql.ArrayOf(sql.TypeJSONB)}
	texts := [][]string{
		{"", "a", "exactly8", "fifteen bytes !", "sixteen bytes ..", "sixteen bytes ...", "sixteen bytes ..,", "\xff"[:0]},
		{"0", "-1", "9223372036854775807", "-9223372036854775808"},
		{"true", "false"},
		{"1.0", "1.00", "0", "0.000", "NaN", "-5", "123456789012345678901234567890.10", "123456789012345678901234567890.1"},
		{"1.00", "-1.00", "99999999999999999999999999.99"},
		{"1", "-1"},
		{"0", "-0", "NaN", "1.5"},
		{"00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff"},
		{"1 day", "24:00", "1 mon", "30 days", "-1 day"},
		{"{1,2}", "{}", "{NULL}", "{2,1}"},
		{"1.00", "-1.00"},
		{"2024-01-01", "infinity"},
		{`{"a": 1}`, `{"a": 1.0}`, `{"a": 1.00}`, `{"a": "1.0"}`, `{"a": 1.5, "long enough for a hash": [1, 2.50]}`,
			`{"a": 1.50, "long enough for a hash": [1.0, 2.5]}`, `{}`, `[]`, `null`, `"text"`, `0.0`},
		{"ab", "ab  ", "sixteen bytes .. ", "sixteen bytes .."},
		{"{-0,1}", "{0,1}", "{NaN}", "{}"},
		{`{"1.0",NULL}`, `{1,NULL}`, `{"[1.0]"}`},
	}
	// Which texts are one value.
	same := map[string]string{"1.00": "1.0", "0.000": "0", "-0": "0", "24:00": "1 day", "30 days": "1 mon",
		"123456789012345678901234567890.10": "123456789012345678901234567890.1",
		`{"a": 1.0}`:                        `{"a": 1}`, `{"a": 1.00}`: `{"a": 1}`, "ab  ": "ab", "sixteen bytes .. ": "sixteen bytes ..", "{-0,1}": "{0,1}", `{1,NULL}`: `{"1.0",NULL}`,
		`{"a": 1.50, "long enough for a hash": [1.0, 2.5]}`: `{"a": 1.5, "long enough for a hash": [1, 2.50]}`}
	r := rand.New(rand.NewPCG(1, 1))
	for range 300 {
		var cols []int
		for c := range types {
			if r.IntN(3) == 0 {
				cols = append(cols, c)
			}
		}
		keyTypes := make([]sql.Type, len(cols))
		for i, c := range cols {
			keyTypes[i] = types[c]
		}
		e := NewEncoder(keyTypes, nil)
		table := NewTable(e)
		ids, firsts := map[string]uint32{}, []string{}
		for range 4 {
			n := 1 + r.IntN(100)
			arrays := make([]arrow.Array, len(cols))
			keys, shown := make([]string, n), make([]string, n)
			for i, c := range cols {
				b := stream.NewBuilder(types[c])
				for row := range n {
					text := texts[c][r.IntN(len(texts[c]))]
					if r.IntN(8) == 0 {
						b.Append(nil)
						keys[row] += "|NULL"
						shown[row] += "|NULL"
						continue
					}
					d, err := sql.ParseText(types[c], text)
					if err != nil {
						t.Fatal(err)
					}
					b.Append(d)
					shown[row] += "|=" + sql.FormatText(types[c], d)
					if s, ok := same[text]; ok {
						text = s
					}
					keys[row] += "|=" + text
				}
				arrays[i] = b.Finish()
			}
			e.Encode(arrays, n)
			got := make([]uint32, n)
			table.Lookup(arrays, got)
			for row, key := range keys {
				want, ok := ids[key]
				if !ok {
					want = uint32(len(ids))
					ids[key] = want
					firsts = append(firsts, shown[row])
				}
				if got[row] != want {
					t.Fatalf("%v: key %s has id %d, want %d", keyTypes, key, got[row], want)
				}
				if id, ok := table.Find(row); !ok || id != want {
					t.Fatalf("Find does not find %s", key)
				}
			}
		}
		all := make([]uint32, table.Len())
		for i := range all {
			all[i] = uint32(i)
		}
		back := table.Columns(all)
		for id := range all {
			text := ""
			for i, kt := range keyTypes {
				if d := stream.Value(back[i], kt, id); d == nil {
					text += "|NULL"
				} else {
					text += "|=" + sql.FormatText(kt, d)
				}
			}
			if want := firsts[id]; text != want && !floatZero(keyTypes) {
				t.Fatalf("%v: key %d comes back as %s, was %s", keyTypes, id, text, want)
			}
		}
	}
}

// floatZero tells whether a key may hold -0, which comes back as 0.
func floatZero(ts []sql.Type) bool {
	for _, t := range ts {
		if t.Kind == sql.Float8 {
			return true
		}
	}
	return false
}

// A table grows well beyond its first size.
func TestTableGrows(t *testing.T) {
	e := NewEncoder([]sql.Type{sql.TypeInt8, sql.TypeText}, []bool{true, true})
	table := NewTable(e)
	ids := make([]uint32, 1000)
	for base := 0; base < 200_000; base += 1000 {
		ints, strs := make([]int64, 1000), make([]string, 1000)
		for i := range ints {
			ints[i], strs[i] = int64((base+i)%150_000), fmt.Sprint("a long enough string ", (base+i)%150_000)
		}
		cols := []arrow.Array{stream.Int64s(ints, nil), stream.Strings(strs, nil)}
		e.Encode(cols, 1000)
		table.Lookup(cols, ids)
		for i, id := range ids {
			if int(id) != (base+i)%150_000 {
				t.Fatalf("key %d has id %d", base+i, id)
			}
		}
	}
	if table.Len() != 150_000 {
		t.Fatal(table.Len())
	}
}

// TestFit: of keys with long texts, as many are asked for at once as fit.
func TestFit(t *testing.T) {
	table := NewTable(NewEncoder([]sql.Type{sql.TypeInt8, sql.TypeText}, nil))
	texts := []string{"short", strings.Repeat("a", 100), "", strings.Repeat("b", 100), strings.Repeat("c", 100)}
	valid := stream.FullBitmap(len(texts))
	valid.Clear(2)
	cols := []arrow.Array{stream.Int64s([]int64{1, 2, 3, 4, 5}, nil), stream.Strings(texts, valid)}
	table.enc.Encode(cols, len(texts))
	ids := make([]uint32, len(texts))
	table.Lookup(cols, ids)
	for most, want := range map[int]int{1: 1, 150: 3, 240: 4, 290: 4, 300: 5, 1000: 5} {
		if n := table.Fit(ids, most); n != want {
			t.Errorf("%d keys fit %d bytes, want %d", n, most, want)
		}
	}
}
