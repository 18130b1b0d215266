package exec

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/streamsql/streamsql/exec/agg"
	"github.com/streamsql/streamsql/exec/stream"
	"github.com/streamsql/streamsql/sql"
	"github.com/streamsql/streamsql/sql/seedtest"
	"github.com/streamsql/streamsql/state"
)

// hotGroup is one group of min(v) and max(v) over so many different values, all of them committed.
func hotGroup(t testing.TB, values int) *valuesRun {
	call := func(name string) agg.Call {
		return agg.Call{Func: mustFunc(t, name, sql.TypeInt4), Args: []int{2}, Filter: -1}
	}
	s := &valuesRun{t: t, r: rand.New(rand.NewPCG(seedtest.Seed(t), 0)), store: openStore(t), pool: NewMemory(64 << 20),
		spec: &AggregateSpec{Input: valuesInput, Calls: []agg.Call{call("min"), call("max")}, Retract: true, Source: "t"}}
	s.saved.view = map[string]int{}
	s.start()
	for from := 0; from < values; from += 50_000 {
		var rows []valueRow
		for v := from; v < min(from+50_000, values); v++ {
			rows = append(rows, valueRow{v: int64(v), d: "1"})
		}
		s.send(rows, nil)
		s.epochOf()
	}
	return s
}

// epochOf ends and commits the epoch, and returns how many bytes it wrote.
func (s *valuesRun) epochOf() (bytes int) {
	for i, op := range s.ops {
		s.must(op.Barrier(stream.Barrier{Epoch: s.epoch}, s))
		bytes += s.tasks[i].batch.Size()
		s.staged = append(s.staged, s.tasks[i].batch)
		s.tasks[i].batch, s.tasks[i].epoch = s.store.NewBatch(), s.epoch+1
	}
	s.epoch, s.next = s.epoch+1, savedRun{view: s.view}
	s.commit(true)
	return bytes
}

// hotChanges are changes of a hot group, one an epoch. at is the number of the change; below, values
// from lo to hi are there.
var hotChanges = []struct {
	name   string
	change func(s *valuesRun, lo, hi *int64, at int64) (row valueRow, op int8)
}{
	{"insert in the middle", func(s *valuesRun, lo, hi *int64, at int64) (valueRow, int8) {
		return valueRow{v: *lo + (*hi-*lo)/2 + at}, stream.Insert
	}},
	{"delete in the middle", func(s *valuesRun, lo, hi *int64, at int64) (valueRow, int8) {
		return valueRow{v: *lo + (*hi-*lo)/4 + at}, stream.Delete
	}},
	{"insert the largest", func(s *valuesRun, lo, hi *int64, at int64) (valueRow, int8) {
		*hi++
		return valueRow{v: *hi}, stream.Insert
	}},
	{"delete the largest", func(s *valuesRun, lo, hi *int64, at int64) (valueRow, int8) {
		*hi--
		return valueRow{v: *hi + 1}, stream.Delete
	}},
	{"delete the smallest", func(s *valuesRun, lo, hi *int64, at int64) (valueRow, int8) {
		*lo++
		return valueRow{v: *lo - 1}, stream.Delete
	}},
}

// What a change of a large group costs does not depend on how large it is: it writes a few cells, and
// memory holds a few values.
func TestHotGroup(t *testing.T) {
	const values = 20_000
	s := hotGroup(t, values)
	lo, hi := int64(0), int64(values-1)
	for _, c := range hotChanges {
		for at := range int64(50) {
			row, op := c.change(s, &lo, &hi, at)
			row.d = "1"
			s.send([]valueRow{row}, []int8{op})
			if n := s.epochOf(); n > 500 {
				t.Fatalf("%s: an epoch of one change writes %d bytes", c.name, n)
			}
			if want := fmt.Sprint(lo, " ", hi); s.view[want] != 1 || len(s.view) != 1 {
				t.Fatalf("%s: %v, want %s", c.name, s.view, want)
			}
			held := int64(0)
			for _, op := range s.ops {
				held += op.(*groupAggregate).bytes()
			}
			if held > 64<<10 {
				t.Fatalf("%s: %d bytes are held", c.name, held)
			}
			if at == 25 {
				s.start()
			}
		}
	}
}

// One change of a group of a million values, and its epoch; without the sync of a disk.
func BenchmarkHotGroup(b *testing.B) {
	const values = 1_000_000
	for _, c := range hotChanges {
		b.Run(c.name, func(b *testing.B) {
			s := hotGroup(b, values)
			lo, hi := int64(0), int64(values-1)
			b.ResetTimer()
			cpu := cpuSeconds()
			for at := range min(int64(b.N), values/2) {
				row, op := c.change(s, &lo, &hi, at)
				row.d = "1"
				s.send([]valueRow{row}, []int8{op})
				s.epochOf()
			}
			b.ReportMetric((cpuSeconds()-cpu)*1e6/float64(b.N), "cpu-µs/op")
		})
	}
}

// checkLongValues adds a group of two long values: they are in cells of their own.
func (s *valuesRun) checkLongValues() {
	const long = 1 << 16
	rows := []valueRow{{k: 100, v: int64(1), s: strings.Repeat("x", long), f: true, d: "1"}, {k: 100, v: int64(1), s: strings.Repeat("y", long), f: true, d: "1"}}
	s.rows = append(s.rows, rows...)
	s.send(rows, nil)
	s.barrier()
	s.commit(true)
	it := s.store.Iter(state.TableRange(2000))
	defer it.Close()
	for ok := it.First(); ok; ok = it.Next() {
		if n := len(it.Value()); n > 2*long {
			s.t.Errorf("a cell has %d bytes", n)
		}
	}
}
