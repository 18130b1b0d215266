package exec

import (
	"cmp"
	"context"
	"slices"

	"github.com/streamsql/streamsql/connectors"
	"github.com/streamsql/streamsql/exec/stream"
	"github.com/streamsql/streamsql/sql"
	"github.com/streamsql/streamsql/state"
)

// TableSpec is a table or a view as a source: its rows, then its changelog.
type TableSpec struct {
	Name  string
	Types []sql.Type // of all columns
	Key   []int
	Store *state.Store
	Table *state.RowTable
	// Needed are the columns to read, ascending; nil = all.
	Needed []int

	// Log and Epoch are for unbounded reading. Epoch is the last epoch that the rows hold, or the last
	// of them that changed any, read from the same state as they are.
	Log   *state.Changelog
	Epoch func(r state.Reader) (uint64, error)

	// Range and Reader are for bounded reading: which rows, and the state that is read; nil = that
	// of the moment.
	Range  state.KeyRange
	Reader state.Reader

	stepRows int // backfillStep, less in tests; 0 = that
}

// tableSource has one split. Its offset is the next epoch of the changelog to read.
type tableSource struct{ spec *TableSpec }

var _ cursorSource = tableSource{}

// NewTableSource makes the source of a SourceSpec.
func NewTableSource(s *TableSpec) connectors.Source { return tableSource{s} }

func (s tableSource) Splits(_ context.Context, bounded bool) ([]connectors.Split, error) {
	end := int64(-1)
	if bounded {
		end = 0
	}
	return []connectors.Split{{Topic: s.spec.Name, Start: connectors.Position{LeaderEpoch: -1}, End: end}}, nil
}

func (s tableSource) Close() error { return nil }

func (s tableSource) Open(ctx context.Context, splits []connectors.Split) (connectors.Reader, error) {
	return s.OpenAt(ctx, splits[0], nil)
}

func (s tableSource) OpenAt(_ context.Context, split connectors.Split, cursor []byte) (connectors.Reader, error) {
	if split.End >= 0 {
		return newScanReader(s.spec), nil
	}
	return newTableReader(s.spec, split, cursor)
}

// scanReader reads the rows of a table once.
type scanReader struct {
	spec *TableSpec
	snap *state.Snapshot // of its own, or nil
	scan *state.Scanner
	done bool
}

func newScanReader(s *TableSpec) *scanReader {
	r := &scanReader{spec: s}
	from := s.Reader
	if from == nil {
		r.snap = s.Store.Snapshot()
		from = r.snap
	}
	r.scan = s.Table.Scan(from, s.Range, s.Needed, false)
	return r
}

func (r *scanReader) Ready() <-chan struct{} { return nil }

func (r *scanReader) Poll() (*connectors.Chunk, error) {
	if r.done {
		return nil, nil
	}
	b, err := r.scan.Next()
	if err != nil {
		return nil, err
	}
	c := &connectors.Chunk{Topic: r.spec.Name, Batch: b, Next: connectors.Position{LeaderEpoch: -1}}
	if r.done = b == nil; r.done {
		c.Done = true
	} else {
		c.Records = int64(b.Rows)
	}
	return c, nil
}

func (r *scanReader) Add(connectors.Split) error { return nil }

func (r *scanReader) Status() []connectors.SplitStatus { return nil }

func (r *scanReader) Close() error {
	err := r.scan.Close()
	if r.snap != nil {
		err = cmp.Or(err, r.snap.Close())
	}
	return err
}

// tableReader reads a table for ever: first its rows (the backfill), then its changelog. The backfill
// goes through the table in the order of its key while the table changes, in steps:
//
//  1. Look at the newest state S, of epoch E.
//  2. Bring what was read up to date: from the changelog, the changes up to E of rows with keys up
//     to the cursor. Those beyond it will be read as of S or later.
//  3. Read some rows from S beyond the cursor, and move it.
//
// Invariant: what was handed over is the table as of epoch next-1, restricted to the keys up to the
// cursor. So the backfill can be committed after any chunk, and goes on after a restart from there,
// however the table has changed meanwhile. Only between the batches of one epoch of the changelog
// this does not hold: see Midway.
type tableReader struct {
	spec   *TableSpec
	needed []int // what is decoded: the needed columns and, during the backfill, the key's
	key    []int // indexes into needed
	out    []int // indexes into needed of the columns to hand over

	next   int64       // the epoch of the changelog to read next
	cursor []sql.Datum // the key of the last row read; nil = none yet
	bound  []byte      // the cursor as the store's key
	filled bool        // the backfill is over

	snap  *state.Snapshot // S
	upto  int64           // E
	scan  *state.Scanner
	step  int // rows read in this step
	log   *state.LogReader
	ahead *stream.Batch // the log's next batch
	at    int64         // its epoch
	// midway: batches of the epoch whose batch was handed over last are still to come
	midway bool

	changed <-chan struct{}
	cancel  func()
}

// backfillStep is how many rows are read from one snapshot. It bounds what the changelog has to be
// asked for between steps.
const backfillStep = 64 * stream.TargetRows

func newTableReader(s *TableSpec, split connectors.Split, cursor []byte) (*tableReader, error) {
	r := &tableReader{spec: s, next: split.Start.Offset}
	switch {
	case len(cursor) > 0:
		var err error
		if r.cursor, err = state.NewRowDecoder(s.keyTypes(), nil).DecodeRow(cursor); err != nil {
			return nil, err
		}
		r.bound = s.Table.AppendKey(nil, r.cursor)
	case r.next > 0:
		r.filled = true
	}
	r.chooseColumns()
	r.changed, r.cancel = s.Store.Watch(s.Log.ID())
	return r, nil
}

func (s *TableSpec) keyTypes() []sql.Type {
	ts := make([]sql.Type, len(s.Key))
	for i, k := range s.Key {
		ts[i] = s.Types[k]
	}
	return ts
}

func (r *tableReader) chooseColumns() {
	wanted := r.spec.Needed
	if wanted == nil {
		for i := range r.spec.Types {
			wanted = append(wanted, i)
		}
	}
	r.needed = slices.Clone(wanted)
	r.key = nil
	if !r.filled {
		for _, k := range r.spec.Key {
			if !slices.Contains(r.needed, k) {
				r.needed = append(r.needed, k)
			}
		}
		slices.Sort(r.needed)
		for _, k := range r.spec.Key {
			r.key = append(r.key, slices.Index(r.needed, k))
		}
	}
	r.out = nil
	for _, c := range wanted {
		r.out = append(r.out, slices.Index(r.needed, c))
	}
}

// Cursor is where the backfill is, empty before and after it. With the position it is all there is
// to go on from.
func (r *tableReader) Cursor() []byte {
	if r.filled || r.cursor == nil {
		return nil
	}
	return state.NewRowEncoder(r.spec.keyTypes()).AppendDatums(nil, r.cursor)
}

// Midway tells that the last chunk was not the last of its epoch, so that no barrier may follow it.
// It also keeps epochs of the table whole: a view over it never shows half of one.
func (r *tableReader) Midway() bool { return r.midway }

func (r *tableReader) Ready() <-chan struct{} { return r.changed }

func (r *tableReader) Poll() (*connectors.Chunk, error) {
	if !r.filled {
		return r.fill()
	}
	b, err := r.pollLog(r.spec.Store)
	if b == nil || err != nil {
		return nil, err
	}
	return r.chunk(b), nil
}

func (r *tableReader) chunk(b *stream.Batch) *connectors.Chunk {
	c := &connectors.Chunk{Topic: r.spec.Name, Next: connectors.Position{Offset: r.next, LeaderEpoch: -1}}
	if b != nil && b.Rows > 0 {
		out := &stream.Batch{Rows: b.Rows, Ops: b.Ops}
		out.Columns = pickColumns(nil, b, r.out)
		c.Batch, c.Records = out, int64(b.Rows)
	}
	return c
}

// fill does a part of the backfill.
func (r *tableReader) fill() (*connectors.Chunk, error) {
	if r.snap == nil {
		r.snap = r.spec.Store.Snapshot()
		epoch, err := r.spec.Epoch(r.snap)
		if err != nil {
			return nil, err
		}
		r.upto, r.step = int64(epoch), 0
		if r.cursor == nil { // nothing was read that could have changed
			r.next = r.upto + 1
		}
	}
	if r.next <= r.upto {
		b, err := r.pollLog(r.snap)
		if err != nil {
			return nil, err
		}
		if b != nil {
			return r.chunk(r.read(b)), nil
		}
		r.next = r.upto + 1 // the other epochs changed nothing
	}
	if r.scan == nil {
		r.scan = r.spec.Table.Scan(r.snap, state.KeyRange{Lo: r.cursor, LoExclusive: r.cursor != nil}, r.needed, false)
		r.scan.Limit(r.stepRows())
	}
	b, err := r.scan.Next()
	if err != nil {
		return nil, err
	}
	if b == nil {
		r.filled = true
	} else {
		r.moveCursor(b)
		r.step += b.Rows
	}
	if b == nil || r.step >= r.stepRows() {
		if err := r.endStep(); err != nil {
			return nil, err
		}
	}
	c := r.chunk(b)
	if r.filled {
		r.chooseColumns()
	}
	return c, nil
}

func (r *tableReader) stepRows() int { return cmp.Or(r.spec.stepRows, backfillStep) }

func (r *tableReader) moveCursor(b *stream.Batch) {
	r.cursor = r.cursor[:0:0]
	for i, k := range r.key {
		r.cursor = append(r.cursor, stream.Value(b.Columns[k], r.spec.Types[r.spec.Key[i]], b.Rows-1))
	}
	r.bound = r.spec.Table.AppendKey(r.bound[:0], r.cursor)
}

// read is the rows of b with keys up to the cursor.
func (r *tableReader) read(b *stream.Batch) *stream.Batch {
	var idx []int32
	var key []byte
	row := make([]sql.Datum, len(r.key))
	for i := range b.Rows {
		for j, k := range r.key {
			row[j] = stream.Value(b.Columns[k], r.spec.Types[r.spec.Key[j]], i)
		}
		key = r.spec.Table.AppendKey(key[:0], row)
		if string(key) <= string(r.bound) {
			idx = append(idx, int32(i))
		}
	}
	return stream.TakeBatch(b, idx)
}

// pollLog returns the next batch of the changelog, nil if there is none yet. next moves once the
// last batch of an epoch is out.
func (r *tableReader) pollLog(from state.Reader) (*stream.Batch, error) {
	if r.log == nil {
		log, err := r.spec.Log.Read(from, uint64(r.next), r.needed)
		if err != nil {
			return nil, err
		}
		r.log = log
		if err := r.advanceLog(); err != nil {
			return nil, err
		}
	}
	b, epoch := r.ahead, r.at
	if b == nil {
		err := r.log.Close()
		r.log = nil
		return nil, err
	}
	if err := r.advanceLog(); err != nil {
		return nil, err
	}
	if r.next, r.midway = epoch, r.ahead != nil && r.at == epoch; !r.midway {
		r.next = epoch + 1
	}
	return b, nil
}

func (r *tableReader) advanceLog() error {
	epoch, b, err := r.log.Next()
	r.ahead, r.at = b, int64(epoch)
	return err
}

func (r *tableReader) endStep() error {
	err := r.scan.Close()
	err = cmp.Or(err, r.snap.Close())
	r.scan, r.snap = nil, nil
	return err
}

func (r *tableReader) Add(connectors.Split) error { return nil }

// Status counts in epochs, as the changelog does. The backfill has not brought one whole epoch yet, so
// its position is 0: behind by all there are, until it is over. The end is that of now, not of when the
// log was opened: what is read from it may take minutes.
func (r *tableReader) Status() []connectors.SplitStatus {
	st := connectors.SplitStatus{Topic: r.spec.Name, End: -1}
	if r.filled {
		st.Position = r.next
	}
	last, err := r.spec.Epoch(r.spec.Store)
	if err != nil {
		st.Error = err.Error()
	} else {
		st.End = int64(last) + 1
	}
	return []connectors.SplitStatus{st}
}

func (r *tableReader) Close() error {
	r.cancel()
	var err error
	if r.log != nil {
		err = r.log.Close()
	}
	if r.scan != nil {
		err = cmp.Or(err, r.scan.Close())
	}
	if r.snap != nil {
		err = cmp.Or(err, r.snap.Close())
	}
	return err
}
