package engine

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"strconv"

	"github.com/streamsql/streamsql/connectors"
	"github.com/streamsql/streamsql/sql"
	"github.com/streamsql/streamsql/sql/engine/catalog"
	"github.com/streamsql/streamsql/sql/parser/ast"
	"github.com/streamsql/streamsql/sql/planner"
	"github.com/streamsql/streamsql/wire"
)

// insertJob is INSERT INTO a connector table SELECT …: a job that goes on for ever. The statement
// returns at once with a NOTICE that names it.
func (s *session) insertJob(n *ast.Insert, target *catalog.Object, source string) (*runnable, error) {
	purpose, err := s.e.sinkPurpose(target)
	if err != nil {
		return nil, err
	}
	if n.Returning != nil || n.OnConflict != nil {
		return nil, sql.Unsupported("RETURNING or ON CONFLICT in an INSERT job", "").At(n.Pos())
	}
	plan, _, rel, err := s.planInto(target, n, purpose, nil)
	if err != nil {
		return nil, err
	}
	return s.command(func(ctx context.Context) (string, error) {
		if err := followable(s.tx.catalog(), deps(plan.Query)); err != nil {
			return "", err
		}
		o := &catalog.Object{Kind: catalog.Job, Schema: target.Schema, Name: s.freeJobName("insert_" + target.Name), SQL: source, Query: ast.SQL(s.qualified(n)),
			Target: target.ID, TargetColumns: plan.Columns, Options: map[string]string{}, Deps: append(deps(plan.Query), target.ID), AppendOnly: plan.Query.Mode() == planner.Append}
		if err := s.jobOptions(o); err != nil {
			return "", err
		}
		if o.Columns, err = viewColumns(plan.Query.Columns, nil); err != nil {
			return "", err
		}
		s.warnOfSharedKeys(target.Name, plan.Query, rel.Key)
		if err := s.startSink(ctx, o, false); err != nil {
			return "", err
		}
		s.client.Notice("NOTICE", (&sql.Error{Code: "00000", Message: fmt.Sprintf("job %q started", o.Name)}).
			WithHint("See it in streamsql.jobs; DROP JOB %s stops it.", sql.QuoteIdent(o.Name)))
		return "INSERT 0 0", nil
	}), nil
}

// planInto plans an INSERT into a connector table, and checks that the columns can be written there. The
// relation is the target with these columns.
func (s *session) planInto(target *catalog.Object, n *ast.Insert, purpose planner.Purpose, types []sql.Type) (*planner.Insert, connectors.Connector, connectors.Relation, error) {
	var rel connectors.Relation
	plan, err := planner.PlanInsert(s.env(types), n, purpose)
	if err != nil {
		return nil, nil, rel, err
	}
	c, err := s.e.connector(target.Connector)
	if err != nil {
		return nil, nil, rel, err
	}
	if rel, err = s.e.revealed(writableRelation(target, plan.Columns, "")); err != nil {
		return nil, nil, rel, err
	}
	return plan, c, rel, c.Validate(rel, true)
}

// freeJobName numbers the name when it is taken.
func (s *session) freeJobName(base string) string {
	name := base
	for i := 2; ; i++ {
		taken := false
		for _, o := range s.catalog().All() {
			taken = taken || o.IsRelation() && o.Name == name
		}
		if !taken {
			return name
		}
		name = base + "_" + strconv.Itoa(i)
	}
}

// newJobKey makes the random part of a job's names outside.
func newJobKey() (string, error) {
	var b [4]byte
	_, err := rand.Read(b[:])
	return hex.EncodeToString(b[:]), err
}

// probeSink connects to the target and creates what is missing there, so that what is wrong is told
// at CREATE and not only in streamsql.jobs.
func (s *session) probeSink(ctx context.Context, o *catalog.Object) error {
	key, err := newJobKey()
	if err != nil {
		return err
	}
	o.JobKey = key
	rel, c, err := s.e.sinkTarget(o, s.catalog())
	if err != nil {
		return err
	}
	notice := func(message string) { s.notice("%s", message) }
	if check, ok := c.(connectors.Checker); ok {
		forget := s.e.forgetter(o, s.catalog())
		s.tx.after(func(bool) {
			if s.e.catalog.Load().Get(o.ID) == nil { // rolled back, or the name was taken
				forget()
			}
		})
		return check.Check(ctx, rel, notice)
	}
	if deliveryOf(rel.Options) == "at-least-once" {
		w, err := c.Writer(ctx, rel, notice)
		if err != nil {
			return err
		}
		return w.Close()
	}
	sink, err := c.Sink(ctx, rel, notice)
	if err != nil {
		return err
	}
	return sink.Close()
}

// insertIntoConnector is INSERT INTO a connector table VALUES …: the rows are sent and confirmed
// before the statement returns. It is not part of the transaction.
func (s *session) insertIntoConnector(n *ast.Insert, target *catalog.Object, types []sql.Type) (*runnable, error) {
	plan, c, rel, err := s.planInto(target, n, planner.Purpose{Target: planner.Batch}, types)
	if err != nil {
		return nil, err
	}
	return &runnable{params: plan.Query.Params, run: func(ctx context.Context, params []sql.Datum) (wire.Result, error) {
		batches, err := s.collect(ctx, plan.Query, params)
		if err != nil {
			return wire.Result{}, err
		}
		w, err := c.Writer(ctx, rel, func(message string) { s.notice("%s", message) })
		if err != nil {
			return wire.Result{}, err
		}
		defer w.Close()
		count := int64(0)
		for _, b := range batches {
			if err := refusedRow(w.Write(ctx, b)); err != nil {
				return wire.Result{}, err
			}
			count += int64(b.Rows)
		}
		return wire.Result{Tag: func(int64) string { return "INSERT 0 " + strconv.FormatInt(count, 10) }}, refusedRow(w.Flush(ctx))
	}}, nil
}

// refusedRow makes the first row that a target refuses the statement's error.
func refusedRow(refused []connectors.DeadLetter, err error) error {
	if err == nil && len(refused) > 0 {
		return &sql.Error{Code: refused[0].Code, Message: refused[0].Reason}
	}
	return err
}
