package expr

import (
	"strconv"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/streamsql/streamsql/exec/stream"
	"github.com/streamsql/streamsql/sql"
)

// cast is a conversion to another type.
type cast struct {
	arg        Expr
	typ        sql.Type
	how        CastContext
	volatility Volatility
	hidden     bool   // one step of a cast that is written as one
	kernel     Kernel // nil: the same values under another type
}

func (e *cast) Type() sql.Type   { return e.typ }
func (e *cast) children() []Expr { return []Expr{e.arg} }

func (e *cast) with(kids []Expr) Expr {
	c := *e
	c.arg = kids[0]
	return &c
}

func (e *cast) String() string {
	if e.how != Explicit || e.hidden {
		return e.arg.String()
	}
	return parens(e.arg) + "::" + e.typ.String()
}

func (e *cast) vector(c *Context, b *stream.Batch) Vector {
	v := e.arg.vector(c, b)
	if e.kernel == nil {
		v.Type = e.typ
		return v
	}
	mark := c.mark()
	out := convert(c, v, e.typ, e.kernel, v.Array.Len())
	if v.Const {
		c.spread(mark, b.Rows)
	}
	return Vector{Array: out, Type: e.typ, Const: v.Const}
}

// convert runs a cast's kernel over the n values of v.
func convert(c *Context, v Vector, to sql.Type, kernel Kernel, n int) arrow.Array {
	in := &Input{Rows: n, Args: []Vector{{Array: v.Array, Type: v.Type}}, Result: to}
	in.Valid = owned(stream.Validity(v.Array))
	return kernel(c, in)
}

// probeEnvs are two sessions that agree on nothing: a text that reads alike in both is a constant.
var probeEnvs = [2]sql.TextEnv{
	{Loc: time.UTC, Now: func() sql.TimestampValue { return 0 }},
	{Loc: time.FixedZone("", 37*60), Now: func() sql.TimestampValue { return 1e15 + 1 }},
}

// relabel is the kernel of casts between types of one storage, where a kernel is needed.
func relabel(_ *Context, in *Input) arrow.Array { return in.Args[0].Array }

// textOutput converts to text by the type's output.
func textOutput(from sql.Type) Kernel {
	switch {
	case from.Kind == sql.JSON || from.Kind == sql.JSONB:
		return relabel
	case from.Kind >= sql.Regclass && from.Kind <= sql.Regnamespace:
		return RowN(func(c *Context, in *Input, args []sql.Datum) (sql.Datum, error) {
			return catalogFunction(c, from.BaseName()+"out", args)
		})
	}
	switch from.Kind {
	case sql.Int2:
		return appendInts[int16]()
	case sql.Int4:
		return appendInts[int32]()
	case sql.Int8:
		return appendInts[int64]()
	case sql.Float8:
		return Append1(func(_ *Context, dst []byte, f float64) ([]byte, error) { return sql.AppendFloat(dst, f, 64), nil })
	case sql.Numeric:
		return Append1(func(_ *Context, dst []byte, d *sql.Decimal) ([]byte, error) {
			return sql.AppendNumericText(dst, d), nil
		})
	case sql.Timestamp:
		return Append1(func(_ *Context, dst []byte, t sql.TimestampValue) ([]byte, error) {
			return sql.AppendTimestamp(dst, t), nil
		})
	}
	return appends(func(c *Context, in *Input) func([]byte, int) ([]byte, error) {
		v := in.Args[0]
		return func(dst []byte, i int) ([]byte, error) {
			return sql.AppendTextIn(dst, v.Type, v.Datum(i), c.Location), nil
		}
	})
}

func appendInts[T signed]() Kernel {
	return Append1(func(_ *Context, dst []byte, n T) ([]byte, error) { return strconv.AppendInt(dst, int64(n), 10), nil })
}

// textInput converts text by the type's input.
func textInput(to sql.Type) Kernel {
	if to.Kind >= sql.Regclass && to.Kind <= sql.Regnamespace {
		return RowN(func(c *Context, in *Input, args []sql.Datum) (sql.Datum, error) {
			return catalogFunction(c, to.BaseName()+"in", args)
		})
	}
	return Row1(func(c *Context, s string) (sql.Datum, error) {
		return sql.ParseTextIn(to, s, c.textEnv())
	})
}

func catalogFunction(c *Context, name string, args []sql.Datum) (sql.Datum, error) {
	if c.Session == nil {
		return nil, sql.Unsupported(name+" outside a session", "")
	}
	d, err := c.Session.CatalogFunction(name, args)
	if err == nil && d == nil {
		err = Null
	}
	return d, err
}

// textEnv is the environment of type inputs.
func (c *Context) textEnv() sql.TextEnv {
	return sql.TextEnv{Loc: c.Location, Now: func() sql.TimestampValue { return c.Now }}
}

// listCast converts the elements of arrays; elem nil = the elements' storage stays.
func listCast(elem Kernel) Kernel {
	return func(c *Context, in *Input) arrow.Array {
		v := in.Args[0]
		offsets, elems := stream.ListValues(v.Array)
		elemType := stream.ElemType(in.Result)
		if elem != nil {
			mark := c.mark()
			elems = convert(c, Vector{Array: elems, Type: stream.ElemType(v.Type)}, elemType, elem, elems.Len())
			elemErrors(c, in, mark, offsets)
		}
		return stream.Lists(in.Result, offsets, elems, in.Valid)
	}
}

func mapCast(key, value Kernel) Kernel {
	return func(c *Context, in *Input) arrow.Array {
		m := in.Args[0].Array.(*array.Map)
		offsets, _ := stream.ListValues(m)
		cols := [2]arrow.Array{m.Keys(), m.Items()}
		from := [2]sql.Type{*in.Args[0].Type.Key, *in.Args[0].Type.Elem}
		to := [2]sql.Type{*in.Result.Key, *in.Result.Elem}
		for k, kernel := range [2]Kernel{key, value} {
			if kernel != nil {
				mark := c.mark()
				cols[k] = convert(c, Vector{Array: cols[k], Type: from[k]}, to[k], kernel, cols[k].Len())
				elemErrors(c, in, mark, offsets)
			}
		}
		return stream.Maps(in.Result, offsets, cols[0], cols[1], in.Valid)
	}
}

// elemErrors turns the errors of elements, recorded since mark, into those of the rows they are in.
func elemErrors(c *Context, in *Input, mark int, offsets []int32) {
	if c.mark() == mark {
		return
	}
	failed := map[int]*sql.Error{}
	for _, e := range c.errs[mark:] {
		failed[e.Row] = e.Err
	}
	c.errs = c.errs[:mark]
	for row := range in.Rows {
		for k := int(offsets[row]); k < int(offsets[row+1]); k++ {
			if err := failed[k]; err != nil && in.Valid.Get(row) {
				in.Fail(c, row, err)
				break
			}
		}
	}
}

// rowCast converts rows field by field.
func rowCast(from, to sql.Type, how CastContext) (Kernel, Volatility) {
	kernels := make([]Kernel, len(from.Fields))
	volatility := Immutable
	for i, f := range from.Fields {
		if target := to.Fields[i].Type; !f.Type.Equal(target) {
			var v Volatility
			kernels[i], v = castKernel(f.Type, target, how)
			volatility = max(volatility, v)
		}
	}
	return func(c *Context, in *Input) arrow.Array {
		s := in.Args[0].Array.(*array.Struct)
		fields := make([]arrow.Array, len(kernels))
		for i, kernel := range kernels {
			fields[i] = s.Field(i)
			if kernel == nil {
				continue
			}
			mark := c.mark()
			fields[i] = convert(c, Vector{Array: fields[i], Type: from.Fields[i].Type}, to.Fields[i].Type, kernel, in.Rows)
			c.keep(mark, in.Valid.Get)
			for _, e := range c.errs[mark:] {
				in.Null(e.Row)
			}
		}
		return stream.Rows(in.Result, in.Rows, fields, in.Valid)
	}, volatility
}
