package expr

import (
	"github.com/streamsql/streamsql/exec/stream"
	"github.com/streamsql/streamsql/sql"
)

// Fold computes the constant immutable parts of e, and drops what constants decide: the rest of an
// AND with false, CASE branches not taken, strict calls with NULL. A part whose evaluation fails
// stays, and fails at run time for the rows that get there.
func Fold(e Expr) Expr {
	return Rewrite(e, func(e Expr) Expr {
		switch n := e.(type) {
		case *literal, *column, *param:
			return e
		case *boolOp:
			e = foldBoolOp(n)
		case *caseExpr:
			e = foldCase(n)
		case *coalesce:
			e = foldCoalesce(n)
		case *call:
			args := n.args
			if n.fn.Variadic { // a variadic NULL is one element of an array, which is not NULL
				args = args[:len(n.fn.Args)-1]
			}
			if !n.fn.CalledOnNull && hasNull(args) {
				return Literal(nil, n.typ)
			}
		case *cast: // even one that is not immutable
			if hasNull(n.children()) {
				return Literal(nil, n.Type())
			}
		}
		if !isFoldable(e) {
			return e
		}
		var c Context
		v := e.vector(&c, oneRow)
		if c.Failed() {
			return e
		}
		return &literal{vec: Vector{Array: v.Array, Type: e.Type(), Const: true}}
	})
}

// isFoldable tells whether e, whose operands are folded already, is a constant.
func isFoldable(e Expr) bool {
	switch n := e.(type) {
	case *column, *param, *literal:
		return false
	case *call:
		if n.fn.Volatility != Immutable {
			return false
		}
	case *cast:
		if n.volatility != Immutable {
			return false
		}
	case *anyAll:
		if VolatilityOf(n.test) != Immutable {
			return false
		}
	}
	for _, k := range e.children() {
		if _, ok := k.(*literal); !ok {
			return false
		}
	}
	return true
}

func hasNull(es []Expr) bool {
	for _, e := range es {
		if l, ok := e.(*literal); ok && l.vec.isNullConst() {
			return true
		}
	}
	return false
}

// literalBool is the value of a boolean literal; ok is false for NULL and for anything else.
func literalBool(e Expr) (v, ok bool) {
	l, isLiteral := e.(*literal)
	if !isLiteral || l.vec.isNullConst() || l.vec.Type.Kind != sql.Bool {
		return false, false
	}
	return stream.Bools(l.vec.Array).Get(0), true
}

func foldBoolOp(e *boolOp) Expr {
	var args []Expr
	for _, a := range e.args {
		if v, ok := literalBool(a); ok {
			if v == e.or {
				return a
			}
			continue
		}
		args = append(args, a)
	}
	folded, err := newBoolOp(e.or, "", args)
	if err != nil { // the operands were boolean before
		panic(err)
	}
	return folded
}

func foldCase(e *caseExpr) Expr {
	last := len(e.args) - 1
	var args []Expr
	els := e.args[last]
	for i := 0; i < last; i += 2 {
		v, ok := literalBool(e.args[i])
		if ok && v {
			els = e.args[i+1]
			break
		}
		if l, isLiteral := e.args[i].(*literal); ok || isLiteral && l.vec.isNullConst() {
			continue
		}
		args = append(args, e.args[i], e.args[i+1])
	}
	if len(args) == 0 {
		return els
	}
	return &caseExpr{append(args, els), e.typ}
}

func foldCoalesce(e *coalesce) Expr {
	var args []Expr
	for _, a := range e.args {
		l, ok := a.(*literal)
		if ok && l.vec.isNullConst() {
			continue
		}
		if args = append(args, a); ok {
			break
		}
	}
	switch len(args) {
	case 0:
		return Literal(nil, e.typ)
	case 1:
		return args[0]
	}
	return &coalesce{args, e.typ}
}
