package parser

import (
	"fmt"
	"sort"
	"strings"
	"sync"

	tidb "github.com/pingcap/tidb/pkg/parser"
	tidbast "github.com/pingcap/tidb/pkg/parser/ast"

	"github.com/streamsql/streamsql/sql"
	"github.com/streamsql/streamsql/sql/parser/ast"
)

// fragment is a chain of operands joined by operators, whose tree TiDB finds. For
//
//	a + b * 2 LIKE c IS NULL
//
// TiDB sees `?+?*?|?<=>?`: only markers and carriers. A carrier is TiDB's operator of the same rank
// as the operator it stands for (see level.carrier), so the markers come back as a tree of the
// right shape; each marker's offset tells which item it is, and each item knows the operator that
// stood before it.
//
// LIKE c and IS NULL above are suffixes: operators complete but for their left operand. A suffix
// takes one marker like an operand.
type fragment struct {
	items []*item
	dst   *ast.Expr // where the tree goes
}

// item is an operand or a suffix of a fragment, and the operator in front of it.
type item struct {
	x     ast.Expr
	left  *ast.Expr // of a suffix: where its left operand goes
	level level     // of the operator; levelNone for the first item
	op    operator
}

// value is a parsed expression: its tree, or the fragment whose tree it will be.
type value struct {
	x ast.Expr
	f *fragment
}

// into puts the tree to dst, now or when the fragments are filled. dst must not move.
func (v value) into(dst *ast.Expr) {
	if v.f != nil {
		v.f.dst = dst
		return
	}
	*dst = v.x
}

// carrier is the TiDB operator that stands for all operators of a level. They are left-associative
// there, as in PostgreSQL; those that don't associate were checked by the caller.
func (l level) carrier() string {
	switch l {
	case levelOr:
		return " OR "
	case levelAnd:
		return " AND "
	case levelIs, levelCompare: // IS ends its left side, whatever that is: one rank will do
		return "<=>"
	case levelLike:
		return "|"
	case levelOther:
		return "&"
	case levelAdd:
		return "+"
	case levelMultiply:
		return "*"
	}
	return "^"
}

// filler turns TiDB's trees back into ours.
type filler struct {
	items   []*item
	offsets []int // of each item's marker in the text
}

// fill parses all fragments in one TiDB call and puts their trees where they belong. Inner
// fragments come before those that hold them.
func fill(fragments []*fragment) *sql.Error {
	if len(fragments) == 0 {
		return nil
	}
	f := &filler{}
	fields, err := f.parse(f.text(fragments))
	if err != nil {
		return err
	}
	if len(fields) != len(fragments) {
		return sql.Errorf(sql.CodeInternal, "%d operator chains became %d trees", len(fragments), len(fields))
	}
	for k, frag := range fragments {
		if *frag.dst = f.tree(fields[k].Expr); *frag.dst == nil {
			return sql.Errorf(sql.CodeInternal, "unexpected operator tree")
		}
	}
	return nil
}

func (f *filler) text(fragments []*fragment) string {
	var sb strings.Builder
	sep := "SELECT "
	for _, frag := range fragments {
		sb.WriteString(sep)
		sep = ","
		for k, it := range frag.items {
			if k > 0 {
				sb.WriteString(it.level.carrier())
			}
			f.items = append(f.items, it)
			f.offsets = append(f.offsets, sb.Len())
			sb.WriteByte('?')
		}
	}
	return sb.String()
}

// parsers holds idle TiDB parsers, which are large and must not be shared.
var parsers = sync.Pool{New: func() any {
	installDriver()
	return tidb.New()
}}

// parse returns the fields of the one SELECT in text. A panic of TiDB's is reported as XX000, and
// its parser is dropped.
func (f *filler) parse(text string) (fields []*tidbast.SelectField, err *sql.Error) {
	defer func() {
		if r := recover(); r != nil {
			err = sql.Errorf(sql.CodeInternal, "expression parser: %v", r)
		}
	}()
	p := parsers.Get().(*tidb.Parser)
	stmts, _, perr := p.ParseSQL(text)
	if perr != nil {
		return nil, sql.Errorf(sql.CodeInternal, "expression parser: %w", perr)
	}
	sel, ok := stmts[0].(*tidbast.SelectStmt)
	if !ok {
		return nil, sql.Errorf(sql.CodeInternal, "expression parser: %s", fmt.Sprintf("%T", stmts[0]))
	}
	p.Reset() // it would keep the trees alive
	parsers.Put(p)
	return sel.Fields.Fields, nil
}

// tree is the tree of e, nil if it has a shape that no fragment can have.
func (f *filler) tree(e tidbast.ExprNode) ast.Expr {
	b, ok := e.(*tidbast.BinaryOperationExpr)
	if !ok {
		if it := f.item(e); it != nil {
			return it.x
		}
		return nil
	}
	left, right := f.tree(b.L), f.leftmost(b.R)
	if left == nil || right == nil {
		return nil
	}
	if right.left != nil {
		// A suffix is complete as soon as it is read, but in `a IS NULL + b` the marker of IS NULL is
		// the left operand of the tighter +. So the suffix takes its operand and becomes one.
		*right.left, right.left = left, nil
		return f.tree(b.R)
	}
	x := &ast.Binary{Position: right.op.position, Op: right.op.name, Schema: right.op.schema, L: left}
	x.R = f.tree(b.R)
	return x
}

func (f *filler) leftmost(e tidbast.ExprNode) *item {
	for {
		b, ok := e.(*tidbast.BinaryOperationExpr)
		if !ok {
			return f.item(e)
		}
		e = b.L
	}
}

func (f *filler) item(e tidbast.ExprNode) *item {
	m, ok := e.(*marker)
	if !ok {
		return nil
	}
	k := sort.SearchInts(f.offsets, m.offset)
	if k == len(f.offsets) || f.offsets[k] != m.offset {
		return nil
	}
	return f.items[k]
}
