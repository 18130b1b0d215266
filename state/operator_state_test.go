package state

import (
	"fmt"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

func TestState(t *testing.T) {
	s := openMem(t, vfs.NewMem())
	defer s.Close()
	st, other := NewState(2000), NewState(2001)
	b := s.NewBatch()
	for shard := range 4 {
		for slice := range byte(5) {
			for key := range byte(3) {
				st.Put(b, uint8(shard), []byte{slice, key}, fmt.Append(nil, shard, slice, key))
			}
		}
	}
	other.Put(b, 0, []byte{1}, []byte("other"))
	if err := b.Commit(); err != nil {
		t.Fatal(err)
	}
	look := st.Lookup(s)
	for range 2 {
		if v, ok := look.Get(3, []byte{4, 2}); !ok || string(v) != "3 4 2" {
			t.Fatalf("looked up %q %v", v, ok)
		}
		if _, ok := look.Get(200, []byte{4, 2}); ok {
			t.Fatal("found a cell of an empty shard")
		}
	}
	if err := look.Close(); err != nil {
		t.Fatal(err)
	}

	count := func(it *Iter) (n int) {
		t.Helper()
		for ok := it.First(); ok; ok = it.Next() {
			n++
		}
		if err := it.Close(); err != nil {
			t.Fatal(err)
		}
		return n
	}
	check := func(what string, it *Iter, want int) {
		t.Helper()
		if got := count(it); got != want {
			t.Fatalf("%s: %d cells, want %d", what, got, want)
		}
	}
	check("shard", shardOf(s, 2000, 1), 15)

	// Windows close one after the other, on the shards of one task.
	st.DeleteRange(b, 1, 2, nil, []byte{1})
	st.DeleteRange(b, 1, 2, []byte{1}, []byte{3})
	st.DeleteRange(b, 1, 2, []byte{3}, []byte{3})
	st.Delete(b, 3, []byte{0, 0})
	if err := b.Commit(); err != nil {
		t.Fatal(err)
	}
	for shard, want := range []int{15, 6, 6, 14} {
		check(fmt.Sprint("after closing, shard ", shard), shardOf(s, 2000, uint8(shard)), want)
	}
	it := shardOf(s, 2000, 2)
	it.First()
	if CellShard(it) != 2 || string(CellKey(it)) != "\x03\x00" {
		t.Fatalf("first cell left is %d %x", CellShard(it), CellKey(it))
	}
	it.Close()
	check("the table beside it", s.Iter(TableRange(2001)), 1)
}

// shardOf reads the cells of a shard.
func shardOf(s *Store, id TableID, shard uint8) *Iter {
	lo := AppendPrefix(nil, id, shard)
	return s.Iter(lo, PrefixEnd(lo))
}

func TestShards(t *testing.T) {
	for n := 1; n <= Shards; n++ {
		next := 0
		for task := range n {
			first, last := ShardsOf(task, n)
			if int(first) != next || last < first {
				t.Fatalf("task %d of %d has shards %d to %d", task, n, first, last)
			}
			for s := int(first); s <= int(last); s++ {
				if TaskOf(uint8(s), n) != task {
					t.Fatalf("shard %d of %d tasks belongs to %d, and %d thinks so", s, n, TaskOf(uint8(s), n), task)
				}
			}
			next = int(last) + 1
		}
		if next != Shards {
			t.Fatalf("%d tasks cover %d shards", n, next)
		}
	}
}
