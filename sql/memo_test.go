package sql

import (
	"fmt"
	"strings"
	"testing"
)

// A memo holds the values asked for, and no more than so many.
func TestMemo(t *testing.T) {
	var m Memo[int, string]
	if _, ok := m.Load(0); ok {
		t.Error("an empty memo has 0")
	}
	for i := range 10 * memoEntries {
		m.Store(i, fmt.Sprint(i))
		if v, ok := m.Load(i); !ok || v != fmt.Sprint(i) {
			t.Fatalf("%d: %q, %v", i, v, ok)
		}
	}
	if n := len(*m.entries.Load()); n > memoEntries {
		t.Errorf("%d entries", n)
	}
}

// Ever new names of zones take no more memory.
func TestZonesAreForgotten(t *testing.T) {
	for i := range 10 * memoEntries {
		if _, err := LookupZone(strings.Repeat(" ", i) + "Europe/Berlin"); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(*zoneMemo.entries.Load()); n > memoEntries {
		t.Errorf("%d zones are remembered", n)
	}
}
