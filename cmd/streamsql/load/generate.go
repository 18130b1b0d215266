package main

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/streamsql/streamsql/connectors"
	"github.com/streamsql/streamsql/exec/stream"
	"github.com/streamsql/streamsql/sql"
)

// generator is a connector of rows that nobody has to store: each is a function of its split and its
// offset, so that a restarted job reads the same ones again, and totals are known beforehand.
//
//	k   bigint     a key below keys, scattered; text: the same as 'customer-00000042'
//	x   bigint     the offset, modulo 1000
//	ts  timestamp  rises with the offset, by step a row
type generator struct {
	keys, rows int64 // rows is of all splits
	splits     int64
	step       time.Duration
	rate       int64        // rows a second of all splits, 0 = as fast as they are taken
	read       atomic.Int64 // rows handed over, before a restart as well
}

var _ connectors.Connector = (*generator)(nil)

func (g *generator) Name() string { return "generate" }

func (g *generator) Validate(r connectors.Relation, sink bool) error {
	o := connectors.NewOptions(r.Options)
	o.Prefix("watermark.") // the engine's
	return o.Err()
}

func (g *generator) Source(_ context.Context, r connectors.Relation, needed []int) (connectors.Source, error) {
	s := &generated{g: g}
	for _, c := range needed {
		s.columns = append(s.columns, r.Columns[c].Column)
	}
	return s, nil
}

func (g *generator) Sink(context.Context, connectors.Relation, connectors.Notice) (connectors.Sink, error) {
	return nil, fmt.Errorf("%s writes nowhere", g.Name())
}

func (g *generator) Writer(context.Context, connectors.Relation, connectors.Notice) (connectors.Writer, error) {
	return nil, fmt.Errorf("%s writes nowhere", g.Name())
}

func (g *generator) AppendOnly(connectors.Relation) bool { return true }

// key is the key of row n of all: every key comes once in each run of `keys` rows.
func (g *generator) key(n int64) int64 { return int64(uint64(n%g.keys) * 2654435761 % uint64(g.keys)) }

type generated struct {
	g       *generator
	columns []sql.Column
}

func (s *generated) Splits(context.Context, bool) (out []connectors.Split, err error) {
	for i := range s.g.splits {
		out = append(out, connectors.Split{Topic: "generated", Partition: int32(i), Start: connectors.Position{LeaderEpoch: -1}, End: -1})
	}
	return out, nil
}

func (s *generated) Open(_ context.Context, splits []connectors.Split) (connectors.Reader, error) {
	r := &generatedReader{generated: s, ready: make(chan struct{}, 1), splits: splits, began: time.Now()}
	for _, sp := range splits {
		r.start += sp.Start.Offset
	}
	s.g.read.Add(r.start)
	return r, nil
}

func (s *generated) Close() error { return nil }

type generatedReader struct {
	*generated
	splits []connectors.Split
	turn   int
	ready  chan struct{}
	began  time.Time
	start  int64 // rows before it began
}

func (r *generatedReader) Ready() <-chan struct{} { return r.ready }

func (r *generatedReader) Poll() (*connectors.Chunk, error) {
	if r.ahead() {
		return nil, nil
	}
	for range r.splits {
		s := &r.splits[r.turn]
		r.turn = (r.turn + 1) % len(r.splits)
		left := r.g.rows/r.g.splits - s.Start.Offset
		if left <= 0 {
			continue
		}
		b := r.rowsAt(int64(s.Partition), s.Start.Offset, int(min(left, stream.TargetRows)))
		s.Start.Offset += int64(b.Rows)
		r.g.read.Add(int64(b.Rows))
		return &connectors.Chunk{Topic: s.Topic, Partition: s.Partition, Batch: b, Records: int64(b.Rows), Bytes: 133 * int64(b.Rows), Next: s.Start}, nil
	}
	return nil, nil
}

// ahead tells whether as many rows as the rate allows have been read.
func (r *generatedReader) ahead() bool {
	if r.g.rate == 0 {
		return false
	}
	read := -r.start
	for _, s := range r.splits {
		read += s.Start.Offset
	}
	due := int64(time.Since(r.began).Seconds() * float64(r.g.rate) * float64(len(r.splits)) / float64(r.g.splits))
	if read < due {
		return false
	}
	time.AfterFunc(5*time.Millisecond, func() {
		select {
		case r.ready <- struct{}{}:
		default:
		}
	})
	return true
}

// epochStart is the event time of the first rows.
var epochStart = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).UnixMicro()

// rowsAt makes the rows of a split from an offset on.
func (r *generatedReader) rowsAt(split, offset int64, n int) *stream.Batch {
	b := &stream.Batch{Rows: n}
	for _, c := range r.columns {
		b.Columns = append(b.Columns, r.column(c, split, offset, n))
	}
	return b
}

func (r *generatedReader) column(c sql.Column, split, offset int64, n int) arrow.Array {
	switch c.Name {
	case "ts":
		ts := make([]int64, n)
		for i := range ts {
			ts[i] = epochStart + (offset+int64(i))*r.g.splits*r.g.step.Microseconds()
		}
		return stream.Timestamps(ts, nil)
	case "x":
		xs := make([]int64, n)
		for i := range xs {
			xs[i] = (offset + int64(i)) % 1000
		}
		return stream.Int64s(xs, nil)
	}
	ks := make([]int64, n)
	for i := range ks {
		ks[i] = r.g.key((offset+int64(i))*r.g.splits + split)
	}
	if c.Type.Kind == sql.Int8 {
		return stream.Int64s(ks, nil)
	}
	offs, data := make([]int32, n+1), make([]byte, 0, 17*n)
	for i, k := range ks {
		data = appendName(data, k)
		offs[i+1] = int32(len(data))
	}
	return stream.Bytes(c.Type, offs, data, nil)
}

// appendName appends customer-00000042.
func appendName(dst []byte, k int64) []byte {
	dst = append(dst, "customer-00000000"...)
	for at := len(dst) - 1; k > 0; at, k = at-1, k/10 {
		dst[at] = byte('0' + k%10)
	}
	return dst
}

func (r *generatedReader) Add(s connectors.Split) error {
	r.splits = append(r.splits, s)
	return nil
}

func (r *generatedReader) Status() (out []connectors.SplitStatus) {
	for _, s := range r.splits {
		out = append(out, connectors.SplitStatus{Topic: s.Topic, Partition: s.Partition, Position: s.Start.Offset, End: r.g.rows / r.g.splits})
	}
	return out
}

func (r *generatedReader) Close() error { return nil }
