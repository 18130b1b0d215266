package engine

import (
	"cmp"
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/streamsql/streamsql/connectors"
	"github.com/streamsql/streamsql/exec"
	"github.com/streamsql/streamsql/exec/expr"
	"github.com/streamsql/streamsql/sql"
	"github.com/streamsql/streamsql/sql/engine/catalog"
	"github.com/streamsql/streamsql/sql/parser"
	"github.com/streamsql/streamsql/sql/parser/ast"
	"github.com/streamsql/streamsql/sql/planner"
	"github.com/streamsql/streamsql/state"
)

// jobBuild is a job made ready to run.
type jobBuild struct {
	graph   *exec.Graph
	tables  map[string]state.TableID
	meta    state.TableID
	sink    connectors.Sink // exactly-once target, nil when there is none
	log     *state.Changelog
	visible int // the log's first columns, which are the target's; the others are hidden
	groups  *groupOffsets
	zone    *time.Location // of expressions
	e       *Engine
}

func (b *jobBuild) close() {
	if b.sink != nil {
		if err := b.sink.Close(); err != nil {
			b.e.log.Warn("sink not closed", "error", err)
		}
	}
}

// jobTables is the record of the state tables of a job's operators.
type jobTables struct {
	Meta   state.TableID            `json:"meta"`
	Tables map[string]state.TableID `json:"tables"`
}

const recordJobTables = "job-tables/" // + job id: jobTables

// buildJob plans the job's query anew and binds its target.
func (e *Engine) buildJob(ctx context.Context, o *catalog.Object) (*jobBuild, error) {
	snap := e.catalog.Load()
	plan, err := e.planJob(o, snap)
	if err != nil {
		return nil, err
	}
	b := &jobBuild{e: e}
	if b.zone, err = sql.SessionZone(cmp.Or(o.TimeZone, "UTC")); err != nil {
		return nil, err
	}
	out, err := e.jobOutput(ctx, o, snap, plan, b)
	if err != nil {
		b.close()
		return nil, err
	}
	ec := expr.Context{Now: nowMicros(), Location: b.zone}
	b.groups = &groupOffsets{}
	open := &opener{e: e, snap: snap, job: jobName(o), groups: b.groups}
	b.graph, err = plan.Graph(&planner.Runtime{Parallelism: e.jobParallelism(o), Context: &ec, Open: open.open, Output: out})
	if err == nil {
		err = e.jobState(o.ID, b)
	}
	if err != nil {
		b.close()
		return nil, err
	}
	return b, nil
}

// planJob plans what a view, a sink or an INSERT job runs. Names are qualified in what is stored.
func (e *Engine) planJob(o *catalog.Object, snap *catalog.Snapshot) (*planner.Plan, error) {
	env := &planner.Env{Catalog: &planCatalog{e, snap, []string{catalog.PGCatalog, catalog.PublicSchema}}, Params: nil}
	if o.Kind == catalog.Job {
		st, err := parser.ParseOne(o.Query)
		if err != nil {
			return nil, err
		}
		ins, ok := st.(*ast.Insert)
		if !ok {
			return nil, sql.Errorf(sql.CodeInternal, "stored statement of job %q is no INSERT", o.Name)
		}
		purpose, err := e.sinkPurpose(snap.Get(o.Target))
		if err != nil {
			return nil, err
		}
		plan, err := planner.PlanInsert(env, ins, purpose)
		if err != nil {
			return nil, err
		}
		return plan.Query, nil
	}
	q, err := parseQuery(o.Query)
	if err != nil {
		return nil, err
	}
	if o.Kind == catalog.MaterializedView {
		return planner.PlanQuery(env, q, planner.Purpose{Target: planner.ToView})
	}
	c, err := e.connector(o.Connector)
	if err != nil {
		return nil, err
	}
	return planner.PlanQuery(env, q, purposeOf(c, o))
}

// sinkPurpose is what a query is planned for that feeds a connector table.
func (e *Engine) sinkPurpose(target *catalog.Object) (planner.Purpose, error) {
	if target == nil {
		return planner.Purpose{}, sql.Errorf(sql.CodeUndefinedTable, "the job's target does not exist any more")
	}
	c, err := e.connector(target.Connector)
	if err != nil {
		return planner.Purpose{}, err
	}
	return purposeOf(c, target), nil
}

// purposeOf is what a query is planned for whose rows go to a sink or a connector table: what that can
// take decides how the query emits.
func purposeOf(c connectors.Connector, o *catalog.Object) planner.Purpose {
	return planner.Purpose{Target: planner.ToSink, AppendOnly: c.AppendOnly(connectorRelation(o, ""))}
}

// jobOutput is the end of the job's graph, and its target.
func (e *Engine) jobOutput(ctx context.Context, o *catalog.Object, snap *catalog.Snapshot, plan *planner.Plan, b *jobBuild) (planner.Output, error) {
	if o.Kind == catalog.MaterializedView {
		op := exec.OperatorSpec{Name: "Materialize", Out: plan.Schema(), New: exec.NewMaterialize(rowsOf(o), changelogOf(o))}
		return planner.Output{Operators: []exec.OperatorSpec{op}, Spread: exec.Hash}, nil
	}
	rel, c, err := e.sinkTarget(o, snap)
	if err != nil {
		return planner.Output{}, err
	}
	notice := func(message string) { e.log.Info(message, "job", o.Name) }
	if deliveryOf(rel.Options) == "at-least-once" {
		open := func(ctx context.Context) (connectors.Writer, error) { return c.Writer(ctx, rel, notice) }
		op := exec.OperatorSpec{Name: writeOperator, Out: plan.Schema(), New: exec.NewWriter(open)}
		return planner.Output{Operators: []exec.OperatorSpec{op}, Spread: exec.Hash}, nil
	}
	b.log = state.NewChangelog(state.TableID(o.Changelog), plan.Schema().Types())
	b.visible = len(plan.Columns)
	if rel.Epoch, err = e.jobEpoch(o.ID); err != nil {
		return planner.Output{}, err
	}
	if rel.Confirmed, err = b.log.Trimmed(e.store); err != nil {
		return planner.Output{}, err
	}
	if b.sink, err = c.Sink(ctx, rel, notice); err != nil {
		return planner.Output{}, err
	}
	op := exec.OperatorSpec{Name: "SinkLog", Out: plan.Schema(), New: exec.NewMaterialize(nil, b.log)}
	return planner.Output{Operators: []exec.OperatorSpec{op}, Spread: exec.Hash}, nil
}

func deliveryOf(options map[string]string) string {
	if strings.EqualFold(options["delivery"], "at-least-once") || strings.EqualFold(options["sink.delivery-guarantee"], "at-least-once") {
		return "at-least-once"
	}
	return "exactly-once"
}

// sinkTarget is the relation that a sink or an INSERT job writes to, as its connector sees it.
func (e *Engine) sinkTarget(o *catalog.Object, snap *catalog.Snapshot) (connectors.Relation, connectors.Connector, error) {
	if o.Kind == catalog.Sink {
		c, err := e.connector(o.Connector)
		if err != nil {
			return connectors.Relation{}, nil, err
		}
		rel, err := e.revealed(connectorRelation(o, jobName(o)))
		return rel, c, err
	}
	target := snap.Get(o.Target)
	if target == nil {
		return connectors.Relation{}, nil, sql.Errorf(sql.CodeUndefinedTable, "the target of job %q does not exist any more", o.Name)
	}
	c, err := e.connector(target.Connector)
	if err != nil {
		return connectors.Relation{}, nil, err
	}
	rel, err := e.revealed(writableRelation(target, o.TargetColumns, jobName(o)))
	return rel, c, err
}

// writableRelation is a connector table with the columns that are written, in their order.
func writableRelation(target *catalog.Object, columns []int, job string) connectors.Relation {
	r := connectors.Relation{Name: target.Name, Options: target.Options, Job: job}
	for _, c := range columns {
		col := target.Columns[c]
		r.Columns = append(r.Columns, connectors.Column{Column: sql.Column{Name: col.Name, Type: col.Type, NotNull: col.NotNull}, Metadata: col.Metadata, Path: col.Path})
	}
	for _, k := range target.Key {
		for i, c := range columns {
			if c == k {
				r.Key = append(r.Key, i)
			}
		}
	}
	return r
}

// jobName names the job in transactional ids and consumer groups. It holds a random part made at
// CREATE, so that a new job of an old name never takes over the old one's marks.
func jobName(o *catalog.Object) string { return o.Name + "-" + o.JobKey }

// jobState gives the graph's operators their state tables; new ones get new tables.
func (e *Engine) jobState(id uint32, b *jobBuild) error {
	var t jobTables
	ok, err := e.meta.Get(e.store, recordJobTables+itoa(id), &t)
	if err != nil {
		return err
	}
	changed := !ok
	if !ok {
		t = jobTables{Meta: state.TableID(e.newID()), Tables: map[string]state.TableID{}}
	}
	for _, op := range b.graph.StateIDs() {
		if _, ok := t.Tables[op]; !ok {
			t.Tables[op] = state.TableID(e.newID())
			changed = true
		}
	}
	b.meta, b.tables = t.Meta, t.Tables
	if !changed {
		return nil
	}
	w := e.store.NewBatch()
	if err := e.meta.Put(w, recordJobTables+itoa(id), t); err != nil {
		return err
	}
	if err := e.meta.Put(w, recordNextID, e.nextID.Load()); err != nil {
		return err
	}
	return w.Commit()
}

// jobEpoch is the last epoch that a job has committed, 0 before its first run.
func (e *Engine) jobEpoch(id uint32) (uint64, error) {
	var t jobTables
	if ok, err := e.meta.Get(e.store, recordJobTables+itoa(id), &t); err != nil || !ok {
		return 0, err
	}
	return exec.ReadEpoch(e.store, t.Meta)
}

// dropJobState deletes the state of a job's operators, its positions and its record.
func (e *Engine) dropJobState(w *state.Batch, id uint32) error {
	var t jobTables
	if ok, err := e.meta.Get(e.store, recordJobTables+itoa(id), &t); err != nil || !ok {
		return err
	}
	w.DeleteRange(state.TableRange(t.Meta))
	for _, table := range t.Tables {
		w.DeleteRange(state.TableRange(table))
	}
	e.meta.Delete(w, recordJobTables+itoa(id))
	e.meta.Delete(w, recordRefusals+itoa(id))
	e.meta.Delete(w, recordSinkTarget+itoa(id))
	e.meta.Delete(w, recordEventCount+itoa(id))
	e.meta.Delete(w, recordRefusedCount+itoa(id))
	return nil
}

// config is what the job runs with.
func (j *job) config(b *jobBuild, before func(*exec.Epoch) error) exec.JobConfig {
	interval := time.Duration(0)
	if v := j.obj.Options["checkpoint_interval"]; v != "" && !strings.EqualFold(v, "auto") {
		interval, _ = parseDuration(v) // checked at CREATE
	}
	return exec.JobConfig{Store: j.e.store, Meta: b.meta, Tables: b.tables, CheckpointInterval: interval,
		Memory: j.e.memory, Location: b.zone, BeforeCommit: before, AfterCommit: j.committed}
}

// committed notes a job's progress.
func (j *job) committed(ep *exec.Epoch) {
	j.e.counters.epoch(j.obj.Name, ep)
	if d := j.currentDelivery(); d != nil {
		d.committed(ep.Number, ep.Logged)
	}
	j.set(func(st *jobStatus) {
		st.epoch, st.progressAt = ep.Number, time.Now()
		if st.state == jobStarting || st.state == jobRestarting {
			st.state = jobRunning
		}
		if st.state == jobRunning { // else its target is still away
			j.goesOn(st)
		}
	})
}

func (j *job) currentDelivery() *delivery {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.delivery
}

func (e *Engine) jobParallelism(o *catalog.Object) int {
	n, _ := strconv.Atoi(o.Options["parallelism"]) // checked at CREATE; none is 0
	if n == 0 {
		n = e.cfg.Parallelism
	}
	return n
}

func (e *Engine) parallelism(set *settingsStack) int {
	v, _ := set.get("parallelism")
	n, _ := strconv.Atoi(v) // checked by SET
	if n == 0 {
		n = e.cfg.Parallelism
	}
	return n
}
