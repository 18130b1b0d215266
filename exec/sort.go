package exec

import (
	"bytes"
	"slices"

	"github.com/streamsql/streamsql/exec/stream"
	"github.com/streamsql/streamsql/sql"
	"github.com/streamsql/streamsql/state"
)

// SortKey is one key of ORDER BY.
type SortKey struct {
	Column     int
	Desc       bool
	NullsFirst bool // PostgreSQL's default is true for Desc
}

// SortSpec is ORDER BY with LIMIT and OFFSET, for bounded queries.
type SortSpec struct {
	Keys   []SortKey
	Limit  int64 // below 0 = none
	Offset int64
}

// sorter keeps the rows until the input ends and emits them in order. With a limit it keeps a few
// times that many rows at most: it sorts what it has from time to time and drops the rest.
type sorter struct {
	spec *SortSpec
	key  *state.KeyEncoder
	held []*stream.Batch
	rows int
}

var _ stream.Operator = (*sorter)(nil)

// NewSort makes the operator; in is the schema of its input, which holds no deletes.
func NewSort(s *SortSpec, in sql.Schema) Constructor {
	return func(*Task) (stream.Operator, error) {
		cols := make([]state.KeyColumn, len(s.Keys))
		for i, k := range s.Keys {
			cols[i] = state.KeyColumn{Type: in[k.Column].Type, Desc: k.Desc, NullsFirst: k.NullsFirst}
		}
		return &sorter{spec: s, key: state.NewKeyEncoder(cols)}, nil
	}
}

func (s *sorter) Batch(_ int, b *stream.Batch, _ stream.Output) error {
	s.held = append(s.held, b)
	s.rows += b.Rows
	if most := s.most(); most >= 0 && int64(s.rows) > 4*most+16*stream.TargetRows {
		kept := s.sorted()
		if int64(kept.Rows) > most {
			kept = stream.SliceBatch(kept, 0, int(most))
		}
		s.held, s.rows = append(s.held[:0], kept), kept.Rows
	}
	return nil
}

// most is how many rows are ever needed, below 0 for all.
func (s *sorter) most() int64 {
	if s.spec.Limit < 0 {
		return -1
	}
	return s.spec.Limit + s.spec.Offset
}

// sorted is the rows held, in order; equal ones as they came.
func (s *sorter) sorted() *stream.Batch {
	all := stream.ConcatBatches(s.held)
	cols := pickColumns(nil, all, s.columns())
	s.key.Bind(cols...)
	var arena []byte
	ends := make([]int, all.Rows+1)
	for i := range all.Rows {
		arena = s.key.Append(arena, i)
		ends[i+1] = len(arena)
	}
	idx := int32Range(all.Rows)
	slices.SortStableFunc(idx, func(a, b int32) int {
		return bytes.Compare(arena[ends[a]:ends[a+1]], arena[ends[b]:ends[b+1]])
	})
	return stream.TakeBatch(all, idx)
}

func (s *sorter) columns() []int {
	cols := make([]int, len(s.spec.Keys))
	for i, k := range s.spec.Keys {
		cols[i] = k.Column
	}
	return cols
}

func (s *sorter) Watermark(w stream.Watermark, out stream.Output) error {
	if w != stream.MaxWatermark {
		return nil
	}
	if s.rows > 0 {
		all := s.sorted()
		s.held, s.rows = nil, 0
		lo := min(s.spec.Offset, int64(all.Rows))
		hi := int64(all.Rows)
		if s.spec.Limit >= 0 {
			hi = min(hi, lo+s.spec.Limit)
		}
		for ; lo < hi; lo += stream.TargetRows {
			part := stream.SliceBatch(all, int(lo), int(min(lo+stream.TargetRows, hi)))
			if err := out.Batch(part); err != nil {
				return err
			}
		}
	}
	return out.Watermark(w)
}

func (s *sorter) Barrier(stream.Barrier, stream.Output) error { return nil }
