package planner

import (
	"fmt"
	"strings"
	"time"

	"github.com/streamsql/streamsql/exec"
	"github.com/streamsql/streamsql/sql"
	"github.com/streamsql/streamsql/sql/parser/ast"
)

// windowOp appends the bounds of its windows to each row.
type windowOp struct{ *window }

func (p *physicalPlanner) window(n *window, in *Physical) (*Physical, error) {
	if p.onClose && p.explicit {
		return nil, sql.Unsupported("EMIT ON WINDOW CLOSE without GROUP BY over the window", "Group by window_start and window_end.").At(n.pos)
	}
	c := unary(in)
	c.Schema = n.schema()
	if in.StreamKey != nil {
		c.StreamKey = append(append([]int(nil), in.StreamKey...), n.width())
	}
	if contains(in.Watermarks, n.timeCol) {
		c.Watermarks = append(append([]int(nil), in.Watermarks...), n.width()+1, n.width()+2) // see isTimed
	}
	return &Physical{Properties: c, Inputs: []*Physical{in}, op: windowOp{n}}, nil
}

func (o windowOp) name() string { return "Window" }

func (o windowOp) detail(p *Physical) string { return o.describe(p.Inputs[0].Schema) }

// describe prints the window as a call: hop(ts, 1 minute, 5 minutes).
func (n *window) describe(s sql.Schema) string {
	args := []string{sql.QuoteIdent(s[n.timeCol].Name)}
	if n.kind == ast.Hop {
		args = append(args, interval(n.slide))
	}
	args = append(args, interval(n.size))
	if n.offset != 0 {
		args = append(args, "offset "+interval(n.offset))
	}
	return fmt.Sprintf("%s(%s)", n.kind, strings.Join(args, ", "))
}

func interval(micros int64) string {
	return sql.FormatText(sql.TypeInterval, sql.IntervalValue{Days: int32(micros / sql.MicrosPerDay), Micros: micros % sql.MicrosPerDay})
}

// spec is the window as the executor takes it.
func (n *window) spec() *exec.WindowSpec {
	s := &exec.WindowSpec{Kind: exec.Tumble, Time: n.timeCol,
		Size: micros(n.size), Slide: micros(n.slide), Offset: micros(n.offset)}
	if n.kind == ast.Hop {
		s.Kind = exec.Hop
	}
	return s
}

func micros(n int64) time.Duration { return time.Duration(n) * time.Microsecond }

func (o windowOp) build(g *graph, p *Physical, ins []*exec.Fragment) (*exec.Fragment, error) {
	t := p.Inputs[0].Schema[o.timeCol].Type
	return g.operator(ins[0], p, exec.NewWindowAssign(o.spec(), t)), nil
}
