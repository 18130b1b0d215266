package agg

import (
	"syscall"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/streamsql/streamsql/exec/stream"
	"github.com/streamsql/streamsql/sql"
)

// The texts of a table's keys may be more than four gigabytes together. Those before the second one
// are an address range that nothing touches, so that it takes no memory.
func TestTableOfLongTexts(t *testing.T) {
	far, err := syscall.Mmap(-1, 0, 1<<32+1<<10, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE|syscall.MAP_NORESERVE)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := syscall.Munmap(far); err != nil {
			t.Error(err)
		}
	}()
	e := NewEncoder([]sql.Type{sql.TypeText}, []bool{true})
	table, ids := NewTable(e), make([]uint32, 1)
	texts := []string{"the first of the long texts", "the second one, behind a gap", "the third one, right behind it"}
	for i, text := range texts {
		cols := []arrow.Array{stream.Strings([]string{text}, nil)}
		e.Encode(cols, 1)
		table.Lookup(cols, ids)
		if i == 0 {
			copy(far, table.arena)
			table.arena = far[:1<<32]
		}
		if table.Lookup(cols, ids); ids[0] != uint32(i) {
			t.Fatalf("text %d is not found again", i)
		}
	}
	all := []uint32{0, 1, 2}
	for _, tab := range []*Table{table, table.Keep(all)} {
		col := tab.Columns(all)[0]
		for i, want := range texts {
			if got := stream.Value(col, sql.TypeText, i); got != sql.Datum(want) {
				t.Fatalf("text %d comes back as %v", i, got)
			}
		}
	}
}
