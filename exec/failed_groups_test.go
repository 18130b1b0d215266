package exec

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/streamsql/streamsql/exec/agg"
	"github.com/streamsql/streamsql/exec/stream"
	"github.com/streamsql/streamsql/sql"
	"github.com/streamsql/streamsql/sql/seedtest"
	"github.com/streamsql/streamsql/state"
)

// Groups whose sums go out of range and come back, by inserts and deletes, while the job is killed now
// and then and goes on at another parallelism: at each epoch a group has its row or it has none, and it
// is a dead letter in just those epochs in which it comes to have none.
func TestFailedGroupsOnce(t *testing.T) {
	for _, budget := range []int64{0, 1} {
		rng := rand.New(rand.NewPCG(seedtest.Seed(t), uint64(budget)))
		f := &failedRun{t: t, rng: rng, log: newFakeLog(2), store: openStore(t), net: map[string]int{}, rows: map[string]int{}}
		f.spec = &AggregateSpec{Input: failedInput, Keys: []int{1}, Retract: true, Source: "t", Calls: []agg.Call{
			{Func: mustFunc(t, "count"), Filter: -1},
			{Func: mustFunc(t, "sum", sql.TypeFloat8), Args: []int{2}, Filter: -1}}}
		f.table = state.NewRowTable(2000, f.spec.OutputSchema().Types(), []int{0})
		f.changes = state.NewChangelog(2001, f.spec.OutputSchema().Types())
		f.memory = func() *Memory {
			if budget == 0 {
				return nil
			}
			return NewMemory(budget)
		}
		f.run()
		f.check()
	}
}

var failedInput = sql.Schema{{Name: "ts", Type: sql.TypeTimestamp}, {Name: "k", Type: sql.TypeText}, {Name: "v", Type: sql.TypeFloat8}}

const lettersTable = 2009

type failedRun struct {
	t       *testing.T
	rng     *rand.Rand
	spec    *AggregateSpec
	log     *fakeLog
	store   *state.Store
	table   *state.RowTable
	changes *state.Changelog
	memory  func() *Memory
	there   [2][]signedRow // of each split: what may be deleted
	net     map[string]int // of each group: how many times 1.5e308
	rows    map[string]int // of each split and group
}

type signedRow struct {
	k    string
	sign int
}

// batch inserts rows and deletes some of those before. Each group keeps a row in each split, so that it
// is never gone.
func (f *failedRun) batch(split int) *stream.Batch {
	b := &stream.Batch{Rows: 1 + f.rng.IntN(8)}
	var keys []string
	var vs []float64
	for range b.Rows {
		row, op := signedRow{fmt.Sprint("k", f.rng.IntN(6)), f.rng.IntN(2)*2 - 1}, int8(stream.Insert)
		switch there := f.there[split]; {
		case f.rows[fmt.Sprint(split, row.k)] == 0:
			row.sign = 0
		case len(there) > 0 && f.rng.IntN(2) == 0:
			i := f.rng.IntN(len(there))
			row, op = there[i], stream.Delete
			f.there[split] = slices.Delete(there, i, i+1)
		default:
			f.there[split] = append(there, row)
		}
		f.net[row.k] += int(op) * row.sign
		f.rows[fmt.Sprint(split, row.k)] += int(op)
		keys, vs, b.Ops = append(keys, row.k), append(vs, 1.5e308*float64(row.sign)), append(b.Ops, op)
	}
	b.Columns = []arrow.Array{stream.Timestamps(make([]int64, b.Rows), nil), stream.Strings(keys, nil), stream.Float64s(vs, nil)}
	return b
}

func (f *failedRun) run() {
	for left := 400; ; {
		ctx, cancel := context.WithCancel(context.Background())
		j := NewJob(aggregateGraph(f.spec, f.log, 1+f.rng.IntN(3), f.table, f.changes), JobConfig{Store: f.store, Meta: 2002,
			Tables: map[string]state.TableID{"agg": 2003, "view": 2004}, CheckpointInterval: time.Millisecond, Memory: f.memory(),
			BeforeCommit: func(e *Epoch) error {
				for i, d := range e.Dead {
					for k, l := range d.Letters {
						key := binary.BigEndian.AppendUint64(state.AppendPrefix(nil, lettersTable, 0), e.Number)
						e.Batch.Put(append(key, byte(i), byte(k)), l.Payload)
					}
				}
				return nil
			}})
		done := make(chan error, 1)
		go func() { done <- j.Run(ctx) }()
		for n := 20 + f.rng.IntN(100); n > 0 && left > 0; n, left = n-1, left-1 {
			split := f.rng.IntN(2)
			f.log.append(split, f.batch(split))
			time.Sleep(time.Duration(f.rng.IntN(800)) * time.Microsecond)
		}
		if left > 0 {
			cancel() // a crash
			if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
				f.t.Fatal(err)
			}
			continue
		}
		waitIdle(f.t, f.log, f.store, 2)
		j.Stop()
		if err := <-done; err != nil {
			f.t.Fatal(err)
		}
		cancel()
		return
	}
}

// letters are the groups that became dead letters, by epoch.
func (f *failedRun) letters() map[uint64][]string {
	out := map[uint64][]string{}
	it := f.store.Iter(state.TableRange(lettersTable))
	defer it.Close()
	for ok := it.First(); ok; ok = it.Next() {
		key := it.Key()
		epoch := binary.BigEndian.Uint64(key[len(key)-10:])
		out[epoch] = append(out[epoch], string(it.Value()))
	}
	return out
}

func (f *failedRun) check() {
	r, err := f.changes.Read(f.store, 1, nil)
	if err != nil {
		f.t.Fatal(err)
	}
	defer r.Close()
	change := map[uint64]map[string]int{} // of a group's number of rows in an epoch
	for {
		epoch, b, err := r.Next()
		if err != nil {
			f.t.Fatal(err)
		}
		if b == nil {
			break
		}
		if change[epoch] == nil {
			change[epoch] = map[string]int{}
		}
		for i := range b.Rows {
			change[epoch][stream.Value(b.Columns[0], sql.TypeText, i).(string)] += int(b.Op(i))
		}
	}
	letters := f.letters()
	last, err := ReadEpoch(f.store, 2002)
	if err != nil {
		f.t.Fatal(err)
	}
	has, known, count := map[string]bool{}, map[string]bool{}, 0
	for epoch := uint64(1); epoch <= last; epoch++ {
		for k := range f.net {
			letter := slices.Contains(letters[epoch], `{"k":"`+k+`"}`)
			d := change[epoch][k]
			if letter {
				count++
			}
			if gone := d < 0 || letter && !known[k]; letter != gone {
				f.t.Errorf("epoch %d: %s changes by %d rows, known %v, dead letter: %v", epoch, k, d, known[k], letter)
			}
			known[k] = known[k] || letter || d != 0
			has[k] = (has[k] || d > 0) && d >= 0
		}
	}
	total := 0
	for _, l := range letters {
		total += len(l)
	}
	if count != total || count == 0 {
		f.t.Errorf("%d dead letters, of them %d once each", total, count)
	}
	for k, net := range f.net {
		if want := net >= -1 && net <= 1; has[k] != want {
			f.t.Errorf("%s with a sum of %d × 1.5e308 has a row: %v", k, net, has[k])
		}
	}
}
