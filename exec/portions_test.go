package exec

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/streamsql/streamsql/connectors"
	"github.com/streamsql/streamsql/exec/expr"
	"github.com/streamsql/streamsql/exec/stream"
	"github.com/streamsql/streamsql/sql"
)

// portionTaker passes rows on, and notes how many it gets at a time.
type portionTaker struct {
	take  func(rows int)
	sizes *[]int
}

func (p *portionTaker) Batch(_ int, b *stream.Batch, out stream.Output) error {
	*p.sizes = append(*p.sizes, b.Rows)
	p.take(b.Rows)
	return out.Batch(b)
}

func (p *portionTaker) Watermark(w stream.Watermark, out stream.Output) error {
	return out.Watermark(w)
}

func (p *portionTaker) Barrier(stream.Barrier, stream.Output) error { return nil }

// takePortions runs a query over batches of numbers from 0 on, and returns what its operator got at a
// time and the rows that came out.
func takePortions(ctx context.Context, batches []*stream.Batch, take func(rows int)) (sizes []int, rows []int64, err error) {
	src := &SourceSpec{ID: "src", Name: "t", Schema: intSchema, Bounded: true, Open: func(context.Context) (connectors.Source, error) {
		return NewRowsSource(func() (Batches, error) { return EachBatch(batches), nil }), nil
	}}
	op := OperatorSpec{Name: "take", Out: intSchema, New: func(*Task) (stream.Operator, error) { return &portionTaker{take, &sizes}, nil }}
	g := &Graph{Fragments: []*Fragment{{Name: "source", Parallelism: 1, Source: src, Operators: []OperatorSpec{op}}}}
	err = RunQuery(ctx, g, QueryEnv{}, func(b *stream.Batch) error {
		rows = append(rows, stream.Values[int64](b.Columns[0])...)
		return nil
	})
	return sizes, rows, err
}

func numbers(n int) *stream.Batch {
	values := make([]int64, n)
	for i := range values {
		values[i] = int64(i)
	}
	return ints(values...)
}

func TestPortions(t *testing.T) {
	many := numbers(stream.TargetRows)
	t.Run("a cancelled query does not see the rest of a batch", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		sizes, _, err := takePortions(ctx, []*stream.Batch{many}, func(int) { cancel() })
		if !errors.Is(err, context.Canceled) || len(sizes) != 1 || sizes[0] > firstPortion {
			t.Error(sizes, err)
		}
	})
	t.Run("what takes long is given little of", func(t *testing.T) {
		sizes, rows, err := takePortions(t.Context(), []*stream.Batch{numbers(500)}, func(n int) { time.Sleep(time.Duration(n) * time.Millisecond) })
		if err != nil || !slices.Equal(rows, stream.Values[int64](numbers(500).Columns[0])) {
			t.Error(rows, err)
		}
		if time.Duration(slices.Max(sizes))*time.Millisecond > patience {
			t.Errorf("portions of %v", sizes)
		}
	})
	t.Run("an update stays together", func(t *testing.T) {
		update := &stream.Batch{Columns: many.Columns, Rows: many.Rows, Ops: make([]int8, many.Rows)}
		for i := range update.Ops {
			update.Ops[i] = []int8{stream.Delete, stream.Insert}[i&1]
		}
		sizes, _, err := takePortions(t.Context(), []*stream.Batch{update}, func(int) {})
		if err != nil || len(sizes) != 1 {
			t.Error(sizes, err)
		}
	})
}

func TestNextPortion(t *testing.T) {
	for _, tt := range []struct {
		portion, n int
		took       time.Duration
		want       int
	}{
		{16, 16, 0, 64},                 // light: four times as many
		{16, 16, patience / 8, 64},      //
		{4096, 1, 0, 4096},              // few rows tell nothing
		{16, 16, patience / 2, 32},      // as many as patience allows
		{4096, 4096, 8 * patience, 512}, //
		{16, 16, 100 * patience, 1},     // one at least
		{16, 1, 1000 * time.Hour, 1},    //
		{4096, 8, patience, 8},          // the few are heavy
		{1 << 20, 1 << 20, 0, 4 << 20},  // a source's batches can be larger than the usual
	} {
		if got := nextPortion(tt.portion, tt.n, tt.took); got != tt.want {
			t.Errorf("after %d rows (of %d) that took %s: %d, want %d", tt.n, tt.portion, tt.took, got, tt.want)
		}
	}
}

// batches keeps what an operator emits.
type batches []*stream.Batch

func (o *batches) Batch(b *stream.Batch) error {
	*o = append(*o, b)
	return nil
}

func (o *batches) Watermark(stream.Watermark) error { return nil }

// TestOutgrown: a batch of which an expression makes more text than a column holds is computed in parts.
// No row is lost or fails, and updates stay together.
func TestOutgrown(t *testing.T) {
	const rows, most = 1000, 2000
	texts, ops := make([]string, rows), make([]int8, rows)
	for i := range texts {
		texts[i], ops[i] = fmt.Sprintf("%03d%s", i, strings.Repeat("x", i%150)), stream.Insert
		if i > 0 && i%3 == 0 { // rows 2 and 3, 5 and 6 … are updates
			ops[i-1] = stream.Delete
		}
	}
	b := &stream.Batch{Rows: rows, Columns: []arrow.Array{stream.Strings(texts, nil)}, Ops: ops}
	schema := sql.Schema{{Name: "t", Type: sql.TypeText}}
	upper, err := expr.Call("upper", []expr.Expr{expr.Column(0, "t", sql.TypeText)})
	if err != nil {
		t.Fatal(err)
	}
	pred, err := expr.Operator(">", upper, expr.Literal("5", sql.TypeText))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		op    Constructor
		first int
		want  func(string) string
	}{
		"project": {NewProject([]expr.Expr{upper}, schema), 0, strings.ToUpper},
		"filter":  {NewFilter(pred, schema), 500, func(s string) string { return s }},
	} {
		t.Run(name, func(t *testing.T) {
			task := &Task{Context: t.Context(), Parallelism: 1, Eval: &expr.Context{Most: most}}
			op, err := c.op(task)
			if err != nil {
				t.Fatal(err)
			}
			var out batches
			if err := op.Batch(0, b, &out); err != nil {
				t.Fatal(err)
			}
			at := c.first
			for _, part := range out {
				if name == "project" && part.Rows > 2 && stream.BatchSize(part) > most {
					t.Errorf("%d bytes in %d rows", stream.BatchSize(part), part.Rows)
				}
				for i := range part.Rows {
					if got := stream.Value(part.Columns[0], sql.TypeText, i); got != c.want(texts[at]) || part.Op(i) != ops[at] {
						t.Fatalf("row %d is %v, operation %d", at, got, part.Op(i))
					}
					if part.Op(i) == stream.Delete && i == part.Rows-1 {
						t.Errorf("the update of row %d is cut in two", at)
					}
					at++
				}
			}
			if at != rows || len(out) < 10 || len(task.dead) > 0 {
				t.Errorf("%d rows in %d batches, %v", at, len(out), task.dead)
			}
		})
	}
}
