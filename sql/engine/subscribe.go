package engine

import (
	"context"
	"strings"

	"github.com/streamsql/streamsql/sql"
	"github.com/streamsql/streamsql/sql/engine/catalog"
	"github.com/streamsql/streamsql/sql/parser/ast"
	"github.com/streamsql/streamsql/sql/planner"
	"github.com/streamsql/streamsql/wire"
)

// subscribeColumns stand before a subscription's own: the epoch of a change, and what it is.
var subscribeColumns = sql.Schema{{Name: "epoch", Type: sql.TypeInt8, NotNull: true}, {Name: "op", Type: sql.TypeText, NotNull: true}}

// subscribe is SUBSCRIBE TO name | (query): the rows as they are, then every change, for ever. A
// table or a materialized view is followed by its changelog; any other query gets a job of its own
// that lives as long as the subscription.
func (s *session) subscribe(n *ast.Subscribe) (*runnable, error) {
	snapshot, err := subscribeOptions(n)
	if err != nil {
		return nil, err
	}
	if o := s.followed(n); o != nil {
		columns := append(subscribeColumns[:2:2], o.RowSchema()...)
		return &runnable{columns: columns, run: func(context.Context, []sql.Datum) (wire.Result, error) {
			rows, err := s.e.tail(o, snapshot)
			return wire.Result{Rows: rows, Columns: columns, Tag: countTag("SUBSCRIBE")}, err
		}}, nil
	}
	if !snapshot {
		return nil, sql.Unsupported("SUBSCRIBE to a query without its snapshot", "Create a materialized view of the query and subscribe to that.").At(n.Pos())
	}
	plan, err := s.planSubscribe(n)
	if err != nil {
		return nil, err
	}
	columns := append(subscribeColumns[:2:2], shown(plan.Columns)...)
	return &runnable{columns: columns, run: func(context.Context, []sql.Datum) (wire.Result, error) {
		rows, err := s.e.tailQuery(plan, s.set)
		return wire.Result{Rows: rows, Columns: columns, Tag: countTag("SUBSCRIBE")}, err
	}}, nil
}

// followed is the relation whose changelog a SUBSCRIBE can read as it is, or nil.
func (s *session) followed(n *ast.Subscribe) *catalog.Object {
	if n.Name == nil {
		return nil
	}
	o, err := s.relation(n.Name)
	if err != nil || !o.Rows() {
		return nil
	}
	return o
}

func (s *session) planSubscribe(n *ast.Subscribe) (*planner.Plan, error) {
	q := n.Query
	if q == nil {
		q = selectAll(n.Name)
	}
	return planner.PlanQuery(s.env(nil), q, planner.Purpose{Target: planner.Subscribe})
}

func subscribeOptions(n *ast.Subscribe) (snapshot bool, err error) {
	snapshot = true
	for _, o := range n.With {
		switch strings.ToLower(o.Name) {
		case "snapshot":
			v, err := checkBool(o.Value)
			if o.Value != "" && err != nil {
				return false, sql.Errorf(sql.CodeInvalidParameter, "snapshot requires a Boolean value").At(o.Pos())
			}
			snapshot = v != "off"
		default:
			return false, sql.Errorf(sql.CodeInvalidParameter, "unrecognized SUBSCRIBE option %q", o.Name).
				WithHint("%s", didYouMean(o.Name, []string{"snapshot"})).At(o.Pos())
		}
	}
	return snapshot, nil
}
