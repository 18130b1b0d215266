package state

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// model is a map with what a transaction shall see.
type model map[string]string

func (m model) keys(lo, hi string) (out []string) {
	for k := range m {
		if k >= lo && k < hi {
			out = append(out, k)
		}
	}
	slices.Sort(out)
	return out
}

// A transaction under random reads, writes, savepoints, rollbacks and iterators in any direction
// behaves as a map, and commits what the map holds.
func TestTxAgainstModel(t *testing.T) {
	r := newRand(t)
	s := openMem(t, vfs.NewMem())
	defer s.Close()
	committed := model{}
	key := func() string { return fmt.Sprintf("k%02d", r.IntN(30)) }
	for range 60 {
		tx := s.NewTx()
		now := maps.Clone(committed)
		type mark struct {
			point Savepoint
			m     model
		}
		var marks []mark
		for step := range 1 + r.IntN(60) {
			switch r.IntN(9) {
			case 0, 1, 2:
				k, v := key(), fmt.Sprint(step)
				tx.Put([]byte(k), []byte(v))
				now[k] = v
			case 3:
				k := key()
				tx.Delete([]byte(k))
				delete(now, k)
			case 4:
				lo, hi := key(), key()
				if r.IntN(3) == 0 {
					tx.DeleteRange([]byte(lo), []byte(hi))
					for _, k := range now.keys(lo, hi) {
						delete(now, k)
					}
				}
			case 5:
				marks = append(marks, mark{tx.Mark(), maps.Clone(now)})
			case 6:
				if len(marks) > 0 {
					i := r.IntN(len(marks))
					marks = marks[:i+1]
					tx.RollbackTo(marks[i].point)
					now = maps.Clone(marks[i].m)
				}
			case 7:
				k := key()
				v, ok, err := tx.Get([]byte(k))
				if want, wantOK := now[k]; err != nil || ok != wantOK || string(v) != want {
					t.Fatalf("get %s: %q %v %v, want %q %v", k, v, ok, err, want, wantOK)
				}
			case 8:
				lo, hi := key(), key()
				it := tx.Iter([]byte(lo), []byte(hi))
				walk(t, r.IntN, it, now.keys(lo, hi), now, func(k string) { // writes that it must not see
					tx.Put([]byte(k), []byte("later"))
					tx.Delete([]byte(key()))
				})
				if err := it.Close(); err != nil {
					t.Fatal(err)
				}
				now = contents(t, tx)
			}
		}
		if r.IntN(4) > 0 {
			b := s.NewBatch()
			tx.ToBatch(b)
			if err := b.Commit(); err != nil {
				t.Fatal(err)
			}
			committed = now
		}
		tx.Close()
		if got := contents(t, s); !maps.Equal(got, committed) {
			t.Fatalf("committed %v, want %v", got, committed)
		}
	}
}

// walk moves an iterator at random over keys that it shall see.
func walk(t *testing.T, intN func(int) int, it *Iter, keys []string, values model, disturb func(string)) {
	t.Helper()
	at := -1 // no position
	for range 20 {
		var ok bool
		move := intN(5)
		if at < 0 && move >= 3 {
			move = 0
		}
		switch move {
		case 0:
			ok, at = it.First(), 0
		case 1:
			ok, at = it.Last(), len(keys)-1
		case 2:
			k := fmt.Sprintf("k%02d", intN(30))
			at, _ = slices.BinarySearch(keys, k)
			ok = it.SeekGE([]byte(k))
		case 3:
			ok, at = it.Next(), at+1
		case 4:
			ok, at = it.Prev(), at-1
		}
		if want := at >= 0 && at < len(keys); ok != want {
			t.Fatalf("move %d: at a key is %v, want %v (%d of %d)", move, ok, want, at, len(keys))
		}
		if !ok {
			at = -1
			continue
		}
		if k := string(it.Key()); k != keys[at] || string(it.Value()) != values[k] {
			t.Fatalf("move %d: at %s = %s, want %s = %s", move, k, it.Value(), keys[at], values[keys[at]])
		}
		if intN(4) == 0 {
			disturb(keys[at])
		}
	}
	for _, k := range []string{"k00", "k15", "k29"} {
		v, ok := it.Get([]byte(k))
		if want := slices.Contains(keys, k); ok != want || ok && string(v) != values[k] {
			t.Fatalf("lookup of %s: %q %v, want %v", k, v, ok, want)
		}
	}
}

// contents are all keys that begin with k.
func contents(t *testing.T, r Reader) model {
	t.Helper()
	m := model{}
	it := r.Iter([]byte("k"), []byte("l"))
	for ok := it.First(); ok; ok = it.Next() {
		m[string(it.Key())] = string(it.Value())
	}
	if err := it.Close(); err != nil {
		t.Fatal(err)
	}
	return m
}
