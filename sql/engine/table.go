package engine

import (
	"github.com/streamsql/streamsql/sql"
	"github.com/streamsql/streamsql/sql/engine/catalog"
	"github.com/streamsql/streamsql/state"
)

// rowsOf is where the rows of a table or materialized view are.
func rowsOf(o *catalog.Object) *state.RowTable {
	return state.NewRowTable(state.TableID(o.RowsTable), o.Types(), o.Key)
}

// changelogOf is the log of a table, a materialized view or a sink.
func changelogOf(o *catalog.Object) *state.Changelog {
	return state.NewChangelog(state.TableID(o.Changelog), o.Types())
}

// sequenceBlock is how many values of a sequence are reserved at a time: a crash loses at most so
// many, as in PostgreSQL.
const sequenceBlock = 32

func sequenceRecord(table uint32, column string) string {
	return recordSequence + itoa(table) + "/" + column
}

// sequences hands out the values of serial, identity and row id columns. They are never given
// back: a transaction that rolls back leaves a gap.
type sequences struct {
	next map[string]sequence
}

type sequence struct{ value, limit int64 }

// take reserves n values in a row and returns the first.
func (e *Engine) take(table uint32, column string, n int64) (int64, error) {
	e.seqMu.Lock()
	defer e.seqMu.Unlock()
	if e.seq.next == nil {
		e.seq.next = map[string]sequence{}
	}
	name := sequenceRecord(table, column)
	s, ok := e.seq.next[name]
	if !ok {
		s.value = 1
		if _, err := e.meta.Get(e.store, name, &s.value); err != nil {
			return 0, err
		}
		s.limit = s.value
	}
	first := s.value
	if first > first+n {
		return 0, sql.Errorf("2200H", "nextval: reached maximum value of sequence")
	}
	s.value += n
	if s.value > s.limit {
		s.limit = s.value + sequenceBlock
		b := e.store.NewBatch()
		if err := e.meta.Put(b, name, s.limit); err != nil {
			return 0, err
		}
		if err := b.Commit(); err != nil {
			return 0, err
		}
	}
	e.seq.next[name] = s
	return first, nil
}

// restart sets the sequences of a table back: TRUNCATE … RESTART IDENTITY.
func (e *Engine) restart(o *catalog.Object) error {
	e.seqMu.Lock()
	defer e.seqMu.Unlock()
	b := e.store.NewBatch()
	for _, c := range o.Columns {
		if c.Identity != "" {
			delete(e.seq.next, sequenceRecord(o.ID, c.Name))
			e.meta.Delete(b, sequenceRecord(o.ID, c.Name))
		}
	}
	return b.Commit()
}
