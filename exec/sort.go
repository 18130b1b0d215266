package exec

import (
	"bytes"
	"cmp"
	"slices"
	"unsafe"

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

// sorter keeps the rows until the input ends and emits them in order. With a limit it sorts what it has
// from time to time and drops the rest.
//
// It never joins all the rows: their texts may have no room in one column. They stay in pieces, and what
// is emitted is taken from all of these, a window at a time.
type sorter struct {
	spec   *SortSpec
	key    *state.KeyEncoder
	memory *share
	next   gather // becomes a piece
	pieces []*stream.Batch
	rows   []sortedRow // of the pieces
	arena  []byte      // scratch for a piece's keys
	bytes  int64       // of pieces and rows
	kept   int64       // bytes after the last drop
}

// sortedRow is a row of a piece.
type sortedRow struct {
	key        []byte
	piece, row int32
}

// sortedRowBytes is the size of a sortedRow.
const sortedRowBytes = int(unsafe.Sizeof(sortedRow{}))

// sortWindow is how many rows are taken from the pieces at once: from each of them enough to be worth it.
const sortWindow = 16 * stream.TargetRows

var _ stream.Operator = (*sorter)(nil)

// NewSort makes the operator; in is the schema of its input, which holds no deletes.
func NewSort(s *SortSpec, in sql.Schema) Constructor {
	return func(t *Task) (stream.Operator, error) {
		cols := make([]state.KeyColumn, len(s.Keys))
		for i, k := range s.Keys {
			cols[i] = state.KeyColumn{Type: in[k.Column].Type, Desc: k.Desc, NullsFirst: k.NullsFirst}
		}
		return &sorter{spec: s, key: state.NewKeyEncoder(cols), memory: t.Memory()}, nil
	}
}

func (s *sorter) Batch(_ int, b *stream.Batch, _ stream.Output) error {
	return s.keep(s.next.add(b))
}

// keep takes a piece, nil for none.
func (s *sorter) keep(b *stream.Batch) error {
	if b == nil {
		return nil
	}
	s.add(b)
	if err := s.drop(); err != nil {
		return err
	}
	if s.memory.set(s.bytes); s.bytes > s.memory.room() {
		return sql.Errorf("53200", "out of memory").WithDetail("The rows to sort take more than %d MB.", s.bytes>>20).
			WithHint("Use LIMIT, select fewer columns, or give the server a larger --memory-budget.")
	}
	return nil
}

// add adds a piece and the keys of its rows.
func (s *sorter) add(b *stream.Batch) {
	s.key.Bind(pickColumns(nil, b, s.columns())...)
	ends := make([]int, b.Rows+1)
	s.arena = s.arena[:0]
	for i := range b.Rows {
		s.arena = s.key.Append(s.arena, i)
		ends[i+1] = len(s.arena)
	}
	keys, piece := bytes.Clone(s.arena), int32(len(s.pieces))
	s.rows = slices.Grow(s.rows, b.Rows)
	for i := range b.Rows {
		s.rows = append(s.rows, sortedRow{keys[ends[i]:ends[i+1]], piece, int32(i)})
	}
	s.pieces = append(s.pieces, b)
	s.bytes += int64(len(keys) + b.Rows*sortedRowBytes)
	for _, c := range b.Columns {
		s.bytes += int64(c.Data().SizeInBytes())
	}
}

func (s *sorter) columns() []int {
	cols := make([]int, len(s.spec.Keys))
	for i, k := range s.spec.Keys {
		cols[i] = k.Column
	}
	return cols
}

// drop drops rows beyond the limit, once that is worth a sort.
func (s *sorter) drop() error {
	most := s.spec.Limit + s.spec.Offset
	if s.spec.Limit < 0 || most < 0 || int64(len(s.rows)) <= most {
		return nil
	}
	large := min(int64(maxTextBytes), s.memory.room()/4)
	if int64(len(s.rows)) <= 4*most+16*stream.TargetRows && s.bytes <= 2*s.kept+large {
		return nil
	}
	s.sort()
	var kept []*stream.Batch
	err := s.windows(s.rows[:most], func(b *stream.Batch) error {
		kept = append(kept, b)
		return nil
	})
	s.pieces, s.rows, s.bytes = nil, nil, 0
	for _, b := range kept {
		s.add(b)
	}
	s.kept = s.bytes
	return err
}

// sort puts the rows in order; equal ones as they came.
func (s *sorter) sort() {
	slices.SortFunc(s.rows, func(a, b sortedRow) int {
		if c := bytes.Compare(a.key, b.key); c != 0 {
			return c
		}
		return cmp.Or(cmp.Compare(a.piece, b.piece), cmp.Compare(a.row, b.row))
	})
}

// windows calls fn for the rows, as many at a time as fit a batch.
func (s *sorter) windows(rows []sortedRow, fn func(*stream.Batch) error) error {
	for n := sortWindow; len(rows) > 0; {
		n = min(len(rows), 2*n, sortWindow) // the rows to come are likely as long as those before
		at := s.byPiece(rows[:n])
		for n > 1 && s.size(at) > maxTextBytes {
			n /= 2
			at = s.byPiece(rows[:n])
		}
		if err := fn(s.take(rows[:n], at)); err != nil {
			return err
		}
		rows = rows[n:]
	}
	return nil
}

// byPiece is which rows of each piece they are.
func (s *sorter) byPiece(rows []sortedRow) [][]int32 {
	at := make([][]int32, len(s.pieces))
	for _, r := range rows {
		at[r.piece] = append(at[r.piece], r.row)
	}
	return at
}

// size is how much text these rows of the pieces have.
func (s *sorter) size(at [][]int32) (bytes int) {
	for i, idx := range at {
		for _, c := range s.pieces[i].Columns {
			bytes += stream.TakeSize(c, idx)
		}
	}
	return bytes
}

// take makes a batch of rows, which are these of the pieces.
func (s *sorter) take(rows []sortedRow, at [][]int32) *stream.Batch {
	if len(s.pieces) == 1 {
		return stream.TakeBatch(s.pieces[0], at[0])
	}
	var parts []*stream.Batch
	next := make([]int32, len(at)) // of each piece: where its next row is when the parts are joined
	joined := 0
	for i, idx := range at {
		if next[i] = int32(joined); len(idx) > 0 {
			parts = append(parts, stream.TakeBatch(s.pieces[i], idx))
			joined += len(idx)
		}
	}
	order := make([]int32, len(rows))
	for i, r := range rows {
		order[i] = next[r.piece]
		next[r.piece]++
	}
	return stream.TakeBatch(stream.ConcatBatches(parts), order)
}

func (s *sorter) Watermark(w stream.Watermark, out stream.Output) error {
	if w != stream.MaxWatermark {
		return nil
	}
	if err := s.keep(s.next.take()); err != nil {
		return err
	}
	s.sort()
	rows := s.rows[min(s.spec.Offset, int64(len(s.rows))):]
	if s.spec.Limit >= 0 {
		rows = rows[:min(s.spec.Limit, int64(len(rows)))]
	}
	err := s.windows(rows, func(b *stream.Batch) error {
		for lo := 0; lo < b.Rows; lo += stream.TargetRows {
			if err := out.Batch(stream.SliceBatch(b, lo, min(lo+stream.TargetRows, b.Rows))); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	s.pieces, s.rows = nil, nil
	s.memory.set(0)
	return out.Watermark(w)
}

func (s *sorter) Barrier(stream.Barrier, stream.Output) error { return nil }
