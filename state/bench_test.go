package state

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/cockroachdb/apd/v3"

	"github.com/streamsql/streamsql/exec/stream"
	"github.com/streamsql/streamsql/sql"
)

// orders is a batch as a windowed aggregate over orders emits it: window, category, count, sum,
// average.
var ordersTypes = []sql.Type{sql.TypeTimestamp, sql.TypeText, sql.TypeInt8, sql.FixedNumeric(18, 2), sql.TypeNumeric}

func ordersBatch(n int) *stream.Batch {
	r := rand.New(rand.NewPCG(1, 2))
	rows := make([][]sql.Datum, n)
	for i := range rows {
		rows[i] = []sql.Datum{
			sql.TimestampValue(1_760_000_000_000_000 + int64(i/100)*300_000_000),
			fmt.Sprintf("category-%02d", i%100),
			r.Int64N(10_000),
			apd.New(r.Int64N(100_000_000), -2),
			apd.New(r.Int64N(1e15), -12),
		}
	}
	return batchOf(ordersTypes, rows, nil)
}

func perRow(b *testing.B, rows int) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(rows), "ns/row")
}

func BenchmarkKeyEncode(b *testing.B) {
	batch := ordersBatch(stream.TargetRows)
	for _, c := range []struct {
		name string
		cols []int
	}{{"timestamp+text", []int{0, 1}}, {"bigint", []int{2}}, {"numeric", []int{4}}} {
		b.Run(c.name, func(b *testing.B) {
			var arrs []arrow.Array
			for _, i := range c.cols {
				arrs = append(arrs, batch.Columns[i])
			}
			enc := NewKeyEncoder(Ascending(pickTypes(ordersTypes, c.cols)...))
			dst := make([]byte, 0, 1<<10)
			b.ReportAllocs()
			for b.Loop() {
				enc.Bind(arrs...)
				for i := range batch.Rows {
					dst = enc.Append(dst[:0], i)
				}
			}
			perRow(b, batch.Rows)
		})
	}
}

func BenchmarkRowEncode(b *testing.B) {
	batch := ordersBatch(stream.TargetRows)
	enc := NewRowEncoder(ordersTypes)
	dst := make([]byte, 0, 1<<10)
	b.ReportAllocs()
	for b.Loop() {
		enc.Bind(batch.Columns)
		for i := range batch.Rows {
			dst = enc.Append(dst[:0], i)
		}
	}
	perRow(b, batch.Rows)
}

func BenchmarkRowDecode(b *testing.B) {
	batch := ordersBatch(stream.TargetRows)
	enc := NewRowEncoder(ordersTypes)
	enc.Bind(batch.Columns)
	rows := make([][]byte, batch.Rows)
	for i := range rows {
		rows[i] = enc.Append(nil, i)
	}
	for _, needed := range [][]int{{0, 1, 2, 3, 4}, {2}} {
		b.Run(fmt.Sprint(len(needed), "-columns"), func(b *testing.B) {
			dec := NewRowDecoder(ordersTypes, needed)
			b.ReportAllocs()
			for b.Loop() {
				for _, row := range rows {
					if err := dec.Append(row); err != nil {
						b.Fatal(err)
					}
				}
				dec.Flush()
			}
			perRow(b, batch.Rows)
		})
	}
}

func BenchmarkBatchCodec(b *testing.B) {
	batch := ordersBatch(stream.TargetRows)
	enc, dec := NewBatchEncoder(ordersTypes), NewBatchDecoder(ordersTypes, nil)
	encoded := enc.Append(nil, batch)
	b.Run("encode", func(b *testing.B) {
		dst := make([]byte, 0, len(encoded))
		b.ReportAllocs()
		for b.Loop() {
			dst = enc.Append(dst[:0], batch)
		}
		perRow(b, batch.Rows)
		b.ReportMetric(float64(len(encoded))/float64(batch.Rows), "bytes/row")
	})
	b.Run("decode", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := dec.Decode(encoded); err != nil {
				b.Fatal(err)
			}
		}
		perRow(b, batch.Rows)
	})
}

func openBench(b *testing.B) *Store {
	s, err := Open(Options{Dir: b.TempDir(), Logger: quiet})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { s.Close() })
	return s
}

// BenchmarkRowTable works on 200,000 rows, flushed and compacted.
func BenchmarkRowTable(b *testing.B) {
	const rows = 200_000
	s := openBench(b)
	t := NewRowTable(2000, ordersTypes, []int{0, 1})
	batch := ordersBatch(rows)
	w := s.NewBatch()
	if err := t.Apply(w, batch); err != nil {
		b.Fatal(err)
	}
	if err := w.Commit(); err != nil {
		b.Fatal(err)
	}
	if err := s.db.Flush(); err != nil {
		b.Fatal(err)
	}
	keys := make([][]sql.Datum, 1000)
	r := rand.New(rand.NewPCG(3, 4))
	for i := range keys {
		at := r.IntN(rows)
		keys[i] = []sql.Datum{stream.Value(batch.Columns[0], ordersTypes[0], at), stream.Value(batch.Columns[1], ordersTypes[1], at)}
	}
	b.Run("get", func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			if _, ok, err := t.Get(s, keys[i%len(keys)]); !ok || err != nil {
				b.Fatal(ok, err)
			}
		}
	})
	b.Run("scan", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			n := 0
			sc := t.Scan(s, KeyRange{}, nil, false)
			for {
				got, err := sc.Next()
				if err != nil {
					b.Fatal(err)
				}
				if got == nil {
					break
				}
				n += got.Rows
			}
			sc.Close()
			if n != rows {
				b.Fatal(n)
			}
		}
		perRow(b, rows)
	})
	b.Run("apply", func(b *testing.B) {
		part := stream.SliceBatch(batch, 0, stream.TargetRows)
		w := s.NewBatch()
		b.ReportAllocs()
		for b.Loop() {
			if err := t.Apply(w, part); err != nil {
				b.Fatal(err)
			}
			w.b.Reset()
		}
		perRow(b, part.Rows)
	})
}

func BenchmarkState(b *testing.B) {
	s := openBench(b)
	st := NewState(2000)
	w := s.NewBatch()
	const cells = 200_000
	key := func(dst []byte, i int) []byte { return fmt.Appendf(dst[:0], "key-%08d", i) }
	var buf []byte
	for i := range cells {
		buf = key(buf, i)
		st.Put(w, uint8(i), buf, make([]byte, 40))
	}
	if err := w.Commit(); err != nil {
		b.Fatal(err)
	}
	if err := s.db.Flush(); err != nil {
		b.Fatal(err)
	}
	b.Run("lookup-new", func(b *testing.B) {
		look := st.Lookup(s)
		defer look.Close()
		b.ReportAllocs()
		for i := 0; b.Loop(); i += 7919 {
			buf = key(buf, cells+i%cells)
			if _, ok := look.Get(uint8(i), buf); ok {
				b.Fatal("found")
			}
		}
	})
	b.Run("lookup-old", func(b *testing.B) {
		look := st.Lookup(s)
		defer look.Close()
		b.ReportAllocs()
		for i := 0; b.Loop(); i += 7919 {
			buf = key(buf, i%cells)
			if _, ok := look.Get(uint8(i%cells), buf); !ok {
				b.Fatal("not found")
			}
		}
	})
	b.Run("put", func(b *testing.B) {
		w := s.NewBatch()
		value := make([]byte, 40)
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			buf = key(buf, i%cells)
			st.Put(w, uint8(i), buf, value)
			if w.Len() == 100_000 {
				w.b.Reset()
			}
		}
	})
}

// BenchmarkCommit is an epoch: 1000 cells, synced to the disk.
func BenchmarkCommit(b *testing.B) {
	s := openBench(b)
	st := NewState(2000)
	w := s.NewBatch()
	value := make([]byte, 40)
	for i := 0; b.Loop(); i++ {
		for c := range 1000 {
			st.Put(w, uint8(c), fmt.Appendf(nil, "key-%08d", c), value)
		}
		if err := w.Commit(); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkConcurrentCommit is epochs of several jobs at once, 1000 cells of each.
func BenchmarkConcurrentCommit(b *testing.B) {
	for _, jobs := range []int{1, 4, 16} {
		b.Run(fmt.Sprint(jobs), func(b *testing.B) {
			s := openBench(b)
			value := make([]byte, 40)
			var left atomic.Int64
			left.Store(int64(b.N))
			var wg sync.WaitGroup
			for j := range jobs {
				wg.Go(func() {
					st, w := NewState(TableID(2000+j)), s.NewBatch()
					for left.Add(-1) >= 0 {
						for c := range 1000 {
							st.Put(w, uint8(c), fmt.Appendf(nil, "key-%08d", c), value)
						}
						if err := w.Commit(); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			wg.Wait()
		})
	}
}

func BenchmarkChangelog(b *testing.B) {
	s := openBench(b)
	l := NewChangelog(3000, ordersTypes)
	batch := ordersBatch(stream.TargetRows)
	w := s.NewBatch()
	epoch := uint64(0)
	b.Run("append", func(b *testing.B) { // with its commit
		app := l.Appender(0)
		for b.Loop() {
			epoch++
			if err := app.Append(w, epoch, batch); err != nil {
				b.Fatal(err)
			}
			if err := w.Commit(); err != nil {
				b.Fatal(err)
			}
		}
		perRow(b, batch.Rows)
	})
	b.Run("read", func(b *testing.B) {
		rows := 0
		for b.Loop() {
			r, err := l.Read(s, max(epoch, 100)-99, nil)
			if err != nil {
				b.Fatal(err)
			}
			for {
				_, got, err := r.Next()
				if err != nil {
					b.Fatal(err)
				}
				if got == nil {
					break
				}
				rows += got.Rows
			}
			r.Close()
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(max(rows, 1)), "ns/row")
	})
}
