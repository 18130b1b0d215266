package exec

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/streamsql/streamsql/exec/stream"
	"github.com/streamsql/streamsql/sql"
)

var sortSchema = sql.Schema{{Name: "id", Type: sql.TypeInt8}, {Name: "t", Type: sql.TypeText}}

// sortedTexts is what the operator emits of rows (its index, text), which come in batches of some rows.
func sortedTexts(task *Task, spec *SortSpec, texts []string, batchRows int) (batches, error) {
	op, err := NewSort(spec, sortSchema)(task)
	if err != nil {
		return nil, err
	}
	var out batches
	for lo := 0; lo < len(texts); lo += batchRows {
		part := texts[lo:min(lo+batchRows, len(texts))]
		ids := make([]int64, len(part))
		for i := range ids {
			ids[i] = int64(lo + i)
		}
		b := ints(ids...)
		b.Columns = append(b.Columns, stream.Strings(part, nil))
		if err := op.Batch(0, b, &out); err != nil {
			return out, err
		}
	}
	return out, op.Watermark(stream.MaxWatermark, &out)
}

// Texts that have no room in one column are sorted, and come in batches that have; with a limit, what
// can't be among the first is dropped on the way.
func TestSortOfLongTexts(t *testing.T) {
	defer func(n int) { maxTextBytes = n }(maxTextBytes)
	maxTextBytes = 1000
	r := rand.New(rand.NewPCG(1, 2))
	texts := make([]string, 8*stream.TargetRows)
	for i := range texts {
		if texts[i] = fmt.Sprint(r.IntN(1000)); i%1000 == 0 {
			texts[i] += strings.Repeat("x", r.IntN(3000))
		}
	}
	want := make([]int64, len(texts))
	for i := range want {
		want[i] = int64(i)
	}
	slices.SortStableFunc(want, func(a, b int64) int { return cmp.Compare(texts[b], texts[a]) })
	for _, c := range []SortSpec{{Limit: -1}, {Limit: -1, Offset: 20_000}, {Limit: 10}, {Limit: 0}, {Limit: 5000, Offset: 3000},
		{Limit: 1e6}, {Limit: math.MaxInt64, Offset: 20_000}, {Limit: 1, Offset: 1e6}} {
		c.Keys = []SortKey{{Column: 1, Desc: true}}
		task := benchTask()
		out, err := sortedTexts(task, &c, texts, 3000)
		if err != nil {
			t.Fatal(err)
		}
		var got []int64
		for _, b := range out {
			if got = append(got, stream.Values[int64](b.Columns[0])...); b.Rows > stream.TargetRows || b.Rows > 1 && stream.BatchSize(b) > maxTextBytes {
				t.Fatalf("a batch of %d rows has %d bytes", b.Rows, stream.BatchSize(b))
			}
		}
		all := want[min(int(c.Offset), len(want)):]
		if c.Limit >= 0 {
			all = all[:min(int(c.Limit), len(all))]
		}
		if !slices.Equal(got, all) {
			t.Errorf("limit %d, offset %d: %d rows, not the right ones", c.Limit, c.Offset, len(got))
		}
	}
}

// A sort keeps to the memory that is left for it; one of a few rows does with little.
func TestSortKeepsToMemory(t *testing.T) {
	const limit = 1 << 20
	texts := make([]string, 5000)
	for i := range texts {
		texts[i] = fmt.Sprint(i, strings.Repeat("x", 1000))
	}
	defer func(n int) { maxTextBytes = n }(maxTextBytes)
	maxTextBytes = limit / 10
	for most, want := range map[int64]string{-1: "53200", 4000: "53200", 100: ""} {
		task := benchTask()
		task.env.query.Memory = NewMemory(limit)
		out, err := sortedTexts(task, &SortSpec{Keys: []SortKey{{Column: 1}}, Limit: most}, texts, 16)
		var e *sql.Error
		if errors.As(err, &e); (e == nil) != (want == "") || e != nil && (e.Code != want || e.Hint == "") {
			t.Errorf("limit %d: %v", most, err)
		}
		if want == "" && (len(out) != 1 || out[0].Rows != int(most)) {
			t.Errorf("limit %d: %d batches", most, len(out))
		}
		if want != "" {
			task.env.releaseMemory() // as the end of the query does
		}
		if held := task.env.query.Memory.Held(); held != 0 {
			t.Errorf("limit %d: %d bytes are held for ever", most, held)
		}
	}
}

func BenchmarkSort(b *testing.B) {
	schema, orders := ordersBatches(64, 100)
	for _, c := range []struct {
		name  string
		keys  []SortKey
		limit int64
	}{{"all", []SortKey{{Column: 1}, {Column: 0, Desc: true}}, -1}, {"all-by-number", []SortKey{{Column: 2}}, -1}, {"first-10", []SortKey{{Column: 2}}, 10}} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			var out discard
			for b.Loop() {
				op, err := NewSort(&SortSpec{Keys: c.keys, Limit: c.limit}, schema)(benchTask())
				if err != nil {
					b.Fatal(err)
				}
				for _, batch := range orders {
					if err := op.Batch(0, batch, &out); err != nil {
						b.Fatal(err)
					}
				}
				if err := op.Watermark(stream.MaxWatermark, &out); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(64*stream.TargetRows), "ns/row")
		})
	}
}
