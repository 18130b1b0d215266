package state

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/streamsql/streamsql/exec/stream"
	"github.com/streamsql/streamsql/sql"
)

func fillRowTable(t *testing.T, s *Store, rt *RowTable, n int) {
	t.Helper()
	rows := make([][]sql.Datum, n)
	for i := range rows {
		rows[i] = []sql.Datum{int64(i), fmt.Sprintf("row number %d", i)}
	}
	b := s.NewBatch()
	if err := rt.Apply(b, batchOf(rt.types, rows, nil)); err != nil {
		t.Fatal(err)
	}
	if err := b.Commit(); err != nil {
		t.Fatal(err)
	}
}

// A scan of many rows comes in batches of the usual size, in order, both ways.
func TestScanBatches(t *testing.T) {
	s := openMem(t, vfs.NewMem())
	defer s.Close()
	rt := NewRowTable(2000, []sql.Type{sql.TypeInt4, sql.TypeText}, []int{0})
	const rows = 2*stream.TargetRows + 100
	fillRowTable(t, s, rt, rows)
	for _, reverse := range []bool{false, true} {
		var got []int32
		var sizes []int
		sc := rt.Scan(s, KeyRange{}, []int{0}, reverse)
		for {
			b, err := sc.Next()
			if err != nil {
				t.Fatal(err)
			}
			if b == nil {
				break
			}
			sizes = append(sizes, b.Rows)
			got = append(got, stream.Values[int32](b.Columns[0])...)
		}
		if b, err := sc.Next(); b != nil || err != nil {
			t.Fatalf("after the end: %v %v", b, err)
		}
		sc.Close()
		if reverse {
			slices.Reverse(got)
		}
		if !slices.Equal(sizes, []int{stream.TargetRows, stream.TargetRows, 100}) || !slices.IsSorted(got) || len(got) != rows || got[0] != 0 {
			t.Fatalf("reverse %v: batches of %v, %d rows", reverse, sizes, len(got))
		}
	}
}

// Long rows end a batch too, in whichever column they are long: one that has no more room panics.
func TestScanOfLongRows(t *testing.T) {
	s := openMem(t, vfs.NewMem())
	defer s.Close()
	texts := sql.ArrayOf(sql.TypeText)
	rt := NewRowTable(2000, []sql.Type{sql.TypeInt4, sql.TypeText, texts}, []int{0})
	var rows [][]sql.Datum
	for i, size := range []int{10, 20, 500, 30, 0, 0, 70, 2000, 2000} {
		row := []sql.Datum{int64(i), strings.Repeat("x", size), nil}
		if i%2 == 1 {
			row[1], row[2] = nil, []sql.Datum{strings.Repeat("x", size/2), strings.Repeat("y", size/2)}
		}
		rows = append(rows, row)
	}
	w := s.NewBatch()
	if err := rt.Apply(w, batchOf(rt.types, rows, nil)); err != nil {
		t.Fatal(err)
	}
	if err := w.Commit(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		most    int
		reverse bool
		want    []int
	}{{1, false, []int{1, 1, 1, 1, 1, 1, 1, 1, 1}}, {400, false, []int{3, 5, 1}}, {400, true, []int{1, 1, 5, 2}}, {1 << 20, false, []int{9}}} {
		sc := rt.Scan(s, KeyRange{}, []int{0}, c.reverse)
		sc.maxBytes = c.most
		var got []int32
		var sizes []int
		for b, err := sc.Next(); b != nil || err != nil; b, err = sc.Next() {
			if err != nil {
				t.Fatal(err)
			}
			sizes = append(sizes, b.Rows)
			got = append(got, stream.Values[int32](b.Columns[0])...)
		}
		if c.reverse {
			slices.Reverse(got)
		}
		if err := sc.Close(); err != nil || !slices.Equal(sizes, c.want) || !slices.IsSorted(got) || len(got) != len(rows) {
			t.Errorf("at most %d bytes, reverse %v: batches of %v, rows %v, %v", c.most, c.reverse, sizes, got, err)
		}
	}
}

// Sessions share a table's description.
func TestRowTableIsShared(t *testing.T) {
	s := openMem(t, vfs.NewMem())
	defer s.Close()
	rt := NewRowTable(2000, []sql.Type{sql.TypeInt4, sql.TypeText}, []int{0})
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := range 100 {
				row := []sql.Datum{int64(g*100 + i), fmt.Sprint(g, i)}
				b := s.NewBatch()
				if err := rt.Apply(b, batchOf(rt.types, [][]sql.Datum{row}, nil)); err != nil {
					t.Error(err)
				}
				if err := b.Commit(); err != nil {
					t.Error(err)
				}
				if got, ok, err := rt.Get(s, row[:1]); err != nil || !ok || repr(got) != repr(row) {
					t.Errorf("got %s %v %v, want %s", repr(got), ok, err, repr(row))
				}
			}
		})
	}
	wg.Wait()
}
