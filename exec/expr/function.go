package expr

import (
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/streamsql/streamsql/exec/stream"
	"github.com/streamsql/streamsql/sql"
)

// Function is one overload of a scalar function, or of an operator if Name is not a word.
type Function struct {
	Name string
	// Args are the declared argument types: plain types or the pseudo-types below. Numerics of
	// either storage, and strings that differ only in name, are passed as they are.
	Args []sql.Type
	// Variadic: the last of Args stands for one or more arguments of that type, or, when it is Any,
	// for none or more of any type.
	Variadic bool
	// Result is the result type, unless ResultOf is set. A pseudo-type stands for what the
	// arguments resolved it to.
	Result sql.Type
	// ResultOf derives the result from the types of the arguments as they are passed.
	ResultOf   func(args []sql.Type) sql.Type
	Volatility Volatility
	// CalledOnNull: the function sees NULL arguments. Otherwise (strict, in PostgreSQL's words) one
	// NULL makes the result NULL, without a call for that row.
	CalledOnNull bool
	// OfSession: the function asks Context.Session, which a job does not have.
	OfSession bool
	Kernel    Kernel
	// passAs, if set, are the types the arguments are cast to after the overload was chosen by Args:
	// PostgreSQL's float48 operators are float8 ones with a cast.
	passAs []sql.Type
}

// Volatility says when a function may give another result for the same arguments.
type Volatility uint8

// The volatilities, as in PostgreSQL.
const (
	Immutable Volatility = iota // never: calls with constants are computed at planning
	Stable                      // not within a statement (or an epoch of a job): now(), current_setting
	Volatile                    // with every row: random()
)

// Kernel computes a function over a batch: a column of in.Rows rows of type in.Result. Row errors
// go to c.
type Kernel func(c *Context, in *Input) arrow.Array

// Input is what a kernel gets.
type Input struct {
	Rows   int
	Args   []Vector      // not all constant, unless Rows is 1
	Valid  stream.Bitmap // rows to compute, and the result's validity as far as the kernel adds no NULLs; nil = all
	Result sql.Type
}

// Null marks row i of the result as NULL.
func (in *Input) Null(i int) {
	if in.Valid == nil {
		in.Valid = stream.FullBitmap(in.Rows)
	}
	in.Valid.Clear(i)
}

// Fail records err for row i; the error Null only makes the row NULL.
func (in *Input) Fail(c *Context, i int, err error) {
	in.Null(i)
	if err != Null {
		c.Fail(i, sql.AsError(err))
	}
}

// Null, returned by a row function, makes the result of the row NULL.
var Null error = &sql.Error{Code: sql.CodeInternal, Message: "null"}

// Pseudo-types of arguments and results, as in PostgreSQL.
var (
	Any                = sql.Type{Kind: kindAny}                // each argument of a type of its own
	AnyElement         = sql.Type{Kind: kindAnyElement}         // all of the same type
	AnyNonArray        = sql.Type{Kind: kindAnyNonArray}        // AnyElement that is not an array
	AnyArray           = sql.Type{Kind: kindAnyArray}           // an array of AnyElement
	AnyCompatible      = sql.Type{Kind: kindAnyCompatible}      // of types with a common type
	AnyCompatibleArray = sql.Type{Kind: kindAnyCompatibleArray} // an array of AnyCompatible
	AnyRow             = sql.Type{Kind: kindAnyRow}             // a row of any fields
)

const (
	kindAny sql.Kind = iota + 128
	kindAnyElement
	kindAnyNonArray
	kindAnyArray
	kindAnyCompatible
	kindAnyCompatibleArray
	kindAnyRow
)

var pseudoNames = map[sql.Kind]string{
	kindAny: `"any"`, kindAnyElement: "anyelement", kindAnyNonArray: "anynonarray", kindAnyArray: "anyarray",
	kindAnyCompatible: "anycompatible", kindAnyCompatibleArray: "anycompatiblearray", kindAnyRow: "record",
}

// Signature is the function's name and argument types, as PostgreSQL lists them.
func (f *Function) Signature() string {
	names := make([]string, len(f.Args))
	for i, t := range f.Args {
		if t.Kind >= kindAny {
			names[i] = pseudoNames[t.Kind]
		} else {
			names[i] = t.BaseName()
		}
		if f.Variadic && i == len(f.Args)-1 {
			names[i] = "VARIADIC " + names[i]
		}
	}
	return f.Name + "(" + strings.Join(names, ", ") + ")"
}

// call is the application of a Function.
type call struct {
	fn   *Function
	args []Expr
	typ  sql.Type
}

func (e *call) Type() sql.Type   { return e.typ }
func (e *call) children() []Expr { return e.args }
func (e *call) with(kids []Expr) Expr {
	return &call{fn: e.fn, args: kids, typ: e.typ}
}

func (e *call) vector(c *Context, b *stream.Batch) Vector {
	in := &Input{Rows: 1, Args: make([]Vector, len(e.args)), Result: e.typ}
	if e.fn.Volatility == Volatile {
		in.Rows = b.Rows
	}
	isConst, null := e.fn.Volatility != Volatile, false
	for i, a := range e.args {
		v := a.vector(c, b)
		in.Args[i] = v
		null = null || !e.fn.CalledOnNull && v.isNullConst()
		isConst = isConst && v.Const
	}
	if null {
		return constant(nil, e.typ)
	}
	if !isConst {
		in.Rows = b.Rows
	}
	if !e.fn.CalledOnNull && !isConst {
		for _, v := range in.Args {
			if !v.Const {
				in.Valid = stream.And(in.Rows, in.Valid, stream.Validity(v.Array))
			}
		}
		in.Valid = owned(in.Valid)
	}
	mark := c.mark()
	out := e.fn.Kernel(c, in)
	if isConst {
		c.spread(mark, b.Rows)
	}
	return Vector{Array: out, Type: e.typ, Const: isConst}
}

// owned copies a validity that may be an argument's own, so that the kernel may clear bits of it.
func owned(m stream.Bitmap) stream.Bitmap {
	if m == nil {
		return nil
	}
	return append(make(stream.Bitmap, 0, len(m)), m...)
}
