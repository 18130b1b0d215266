package engine

import (
	"context"
	"fmt"

	"github.com/streamsql/streamsql/connectors"
	"github.com/streamsql/streamsql/exec"
	"github.com/streamsql/streamsql/exec/stream"
	"github.com/streamsql/streamsql/sql"
	"github.com/streamsql/streamsql/sql/engine/catalog"
	"github.com/streamsql/streamsql/sql/planner"
	"github.com/streamsql/streamsql/state"
)

// opener gives plans their sources.
type opener struct {
	e      *Engine
	snap   *catalog.Snapshot
	reader state.Reader // what a bounded read of tables sees; nil in a job
	s      *session     // for system tables; nil in a job
	given  map[*planner.Relation][]*stream.Batch
	job    string        // the job's name outside; empty in a query
	groups *groupOffsets // of a job
}

// open implements planner.Runtime.Open.
func (p *opener) open(sc *planner.Scan) (*exec.SourceSpec, int, error) {
	if rows, ok := p.given[sc.Relation]; ok {
		return p.rows(sc, func() ([]*stream.Batch, error) { return rows, nil }), 1, nil
	}
	if sc.Relation.Kind == planner.System {
		return p.system(sc)
	}
	o := p.snap.Get(sc.Relation.ID)
	if o == nil {
		return nil, 0, sql.Errorf(sql.CodeUndefinedTable, "relation %q does not exist", sc.Relation.Name)
	}
	if o.Connector != "" {
		return p.connector(o, sc)
	}
	return p.table(o, sc)
}

func (p *opener) rows(sc *planner.Scan, rows func() ([]*stream.Batch, error)) *exec.SourceSpec {
	open := func(context.Context) (connectors.Source, error) {
		return exec.NewRowsSource(func() (exec.Batches, error) {
			all, err := rows()
			if err != nil {
				return nil, err
			}
			out := make([]*stream.Batch, len(all))
			for i, b := range all {
				out[i] = &stream.Batch{Rows: b.Rows}
				for _, c := range sc.Columns {
					out[i].Columns = append(out[i].Columns, b.Columns[c])
				}
			}
			return exec.EachBatch(out), nil
		}), nil
	}
	return &exec.SourceSpec{Name: sc.Relation.Name, Bounded: true, Open: open}
}

func (p *opener) system(sc *planner.Scan) (*exec.SourceSpec, int, error) {
	if sc.Follow {
		return nil, 0, sql.Unsupported("a view or sink over system table "+sc.Relation.QualifiedName(), "Query it instead.")
	}
	view := &systemView{p.e, p.s, p.snap}
	return p.rows(sc, func() ([]*stream.Batch, error) {
		rows, err := systemRows(sc.Relation, view)
		if err != nil {
			return nil, err
		}
		types := make([]sql.Type, len(sc.Relation.Columns))
		for i, c := range sc.Relation.Columns {
			types[i] = c.Type
		}
		return datumBatches(types, rows), nil
	}), 1, nil
}

// connector opens a stream. Columns that are computed are the planner's; the connector numbers only
// its own.
func (p *opener) connector(o *catalog.Object, sc *planner.Scan) (*exec.SourceSpec, int, error) {
	c, err := p.e.connector(o.Connector)
	if err != nil {
		return nil, 0, err
	}
	at := map[int]int{} // catalog column → connector column
	for i, col := range o.Columns {
		if col.Generated == "" && !col.Hidden {
			at[i] = len(at)
		}
	}
	needed := make([]int, len(sc.Columns))
	for i, col := range sc.Columns {
		n, ok := at[col]
		if !ok {
			return nil, 0, fmt.Errorf("scan of %s reads column %d, which is computed", o.Name, col)
		}
		needed[i] = n
	}
	opts, err := readStreamOptions(o)
	if err != nil {
		return nil, 0, err
	}
	rel, err := p.e.revealed(connectorRelation(o, ""))
	if err != nil {
		return nil, 0, err
	}
	spec := &exec.SourceSpec{Name: o.Name, OnError: opts.onError, Discovery: opts.discovery, Bounded: !sc.Follow,
		Watermark: &exec.WatermarkSpec{IdleTimeout: opts.idleTimeout, MaxSkew: opts.maxSkew}}
	spec.Open = func(ctx context.Context) (connectors.Source, error) {
		source, err := c.Source(ctx, rel, needed)
		if err == nil && p.groups != nil {
			group := o.Options["properties.group.id"]
			if group == "" {
				group = "streamsql.source." + p.job
			}
			p.groups.add(spec, source, group)
		}
		return source, err
	}
	return spec, 0, nil
}

// table opens rows of our own.
func (p *opener) table(o *catalog.Object, sc *planner.Scan) (*exec.SourceSpec, int, error) {
	log := changelogOf(o)
	spec := &exec.TableSpec{Name: logName(o), Types: o.Types(), Key: o.Key, Store: p.e.store, Table: rowsOf(o), Log: log, Needed: sc.Columns,
		Epoch: func(r state.Reader) (uint64, error) { return lastEpoch(r, log) }}
	if !sc.Follow {
		spec.Reader = p.reader
		kr, empty := keyRange(sc.Range)
		if empty {
			return p.rows(sc, func() ([]*stream.Batch, error) { return nil, nil }), 1, nil
		}
		spec.Range = kr
	}
	return &exec.SourceSpec{Name: o.Name, Bounded: !sc.Follow, Open: func(context.Context) (connectors.Source, error) { return exec.NewTableSource(spec), nil }}, 1, nil
}

// lastEpoch is the last epoch that the state holds of a changelog's relation: an epoch without
// changes leaves no trace, and needs none.
func lastEpoch(r state.Reader, log *state.Changelog) (uint64, error) {
	last, err := log.Last(r)
	if err != nil {
		return 0, err
	}
	trimmed, err := log.Trimmed(r)
	return max(last, trimmed), err
}

// keyRange is the planner's range in the store's terms.
func keyRange(r *planner.KeyRange) (kr state.KeyRange, empty bool) {
	if r == nil {
		return kr, false
	}
	if r.Empty {
		return kr, true
	}
	kr = state.Prefix(r.Prefix...)
	if r.Lo != nil {
		kr.Lo = append(append([]sql.Datum(nil), r.Prefix...), r.Lo.Value)
		kr.LoExclusive = !r.Lo.Inclusive
	}
	if r.Hi != nil {
		kr.Hi = append(append([]sql.Datum(nil), r.Prefix...), r.Hi.Value)
		kr.HiExclusive = !r.Hi.Inclusive
	}
	return kr, false
}
