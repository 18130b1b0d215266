package expr

import (
	"bytes"
	"cmp"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/decimal128"

	"github.com/streamsql/streamsql/exec/stream"
	"github.com/streamsql/streamsql/sql"
)

// ordering is a comparison operator as the results of a three-way comparison that satisfy it.
type ordering struct{ less, equal, greater bool }

var orderings = map[string]ordering{
	"=":  {equal: true},
	"<>": {less: true, greater: true},
	"<":  {less: true},
	"<=": {less: true, equal: true},
	">":  {greater: true},
	">=": {equal: true, greater: true},
}

// holds tells whether the ordering is satisfied by a comparison's result.
func (o ordering) holds(c int) bool {
	switch {
	case c < 0:
		return o.less
	case c > 0:
		return o.greater
	}
	return o.equal
}

// comparisonOperators are = <> < <= > >= over every type that has an order.
func comparisonOperators() []Function {
	same := []sql.Type{sql.TypeBool, sql.TypeText, {Kind: sql.Char}, sql.TypeName, {Kind: sql.InternalChar}, sql.TypeBytea,
		sql.TypeNumeric, sql.TypeDate, sql.TypeTime, sql.TypeTimestamp, sql.TypeTimestamptz, sql.TypeInterval,
		sql.TypeUUID, sql.TypeJSONB, sql.TypeOID, {Kind: sql.OIDVector}, AnyArray, AnyRow}
	ints := []sql.Type{sql.TypeInt2, sql.TypeInt4, sql.TypeInt8}
	floats := []sql.Type{sql.TypeFloat4, sql.TypeFloat8}
	times := []sql.Type{sql.TypeDate, sql.TypeTimestamp, sql.TypeTimestamptz}
	var fns []Function
	for op, o := range orderings {
		add := func(a, b, as sql.Type) {
			f := Function{Name: op, Args: []sql.Type{a, b}, Result: sql.TypeBool, Kernel: compareKernel(o, as)}
			if !sameType(a, as) || !sameType(b, as) {
				f.passAs = []sql.Type{as, as}
			}
			fns = append(fns, f)
		}
		for _, t := range same {
			add(t, t, t)
		}
		add(sql.TypeName, sql.TypeText, sql.TypeText)
		add(sql.TypeText, sql.TypeName, sql.TypeText)
		for _, family := range [][]sql.Type{ints, floats} {
			for i, a := range family {
				for j, b := range family {
					add(a, b, family[max(i, j)])
				}
			}
		}
		for i, a := range times {
			for j, b := range times {
				if i != j {
					fns = append(fns, Function{Name: op, Args: []sql.Type{a, b}, Result: sql.TypeBool,
						Volatility: timesVolatility[max(i, j)], Kernel: compareTimes(o)})
				}
			}
		}
	}
	return fns
}

// compareKernel compares two operands of type t.
func compareKernel(o ordering, t sql.Type) Kernel {
	switch t.Kind {
	case sql.Int2:
		return compareOrdered[int16](o)
	case sql.Int4, sql.Date:
		return compareOrdered[int32](o)
	case sql.Int8, sql.Time, sql.Timestamp, sql.Timestamptz, sql.OID:
		return compareOrdered[int64](o)
	case sql.Float4:
		return compareFloats[float32](o)
	case sql.Float8:
		return compareFloats[float64](o)
	case sql.Numeric:
		return compareNumerics(o)
	case sql.Text, sql.Name, sql.InternalChar:
		return compareText(o)
	case sql.Bool:
		return Pure2(func(a, b bool) bool { return o.holds(boolInt(a) - boolInt(b)) })
	}
	return compareAny(o)
}

// timesVolatility: comparing with a timestamptz depends on the session's time zone.
var timesVolatility = [...]Volatility{Immutable, Immutable, Stable}

// compareTimes compares a date with a timestamp, or a timestamp with one that has a time zone. A date
// past the last timestamp is above all finite ones.
func compareTimes(o ordering) Kernel {
	return func(c *Context, in *Input) arrow.Array {
		zoned := in.Args[0].Type.Kind == sql.Timestamptz || in.Args[1].Type.Kind == sql.Timestamptz
		a, b := instantReader(c, in.Args[0], zoned), instantReader(c, in.Args[1], zoned)
		out := stream.NewBitmap(in.Rows)
		packBits(out, in.Rows, func(i int) bool { return o.holds(cmp.Compare(a(i), b(i))) })
		return stream.BoolColumn(in.Rows, out, in.Valid)
	}
}

func instantReader(c *Context, v Vector, zoned bool) func(i int) sql.TimestampValue {
	zoned = zoned && v.Type.Kind != sql.Timestamptz
	at := func(t sql.TimestampValue, err error) sql.TimestampValue {
		if err == nil && zoned {
			t, err = timestampInZone(c, t)
		}
		if err != nil {
			return sql.TimestampInfinity - 1
		}
		return t
	}
	if v.Type.Kind == sql.Date {
		days := reader[sql.DateValue](v)
		return func(i int) sql.TimestampValue { return at(sql.TimestampOf(days(i))) }
	}
	ts := reader[sql.TimestampValue](v)
	return func(i int) sql.TimestampValue { return at(ts(i), nil) }
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// compareOrdered is the kernel over integers. The bitmap is built a word at a time.
func compareOrdered[T signed](o ordering) Kernel {
	return func(_ *Context, in *Input) arrow.Array {
		as, am, bs, bm := operands[T](in)
		out := stream.NewBitmap(in.Rows)
		switch o {
		case orderings["="]:
			packBits(out, in.Rows, func(i int) bool { return as[i&am] == bs[i&bm] })
		case orderings["<>"]:
			packBits(out, in.Rows, func(i int) bool { return as[i&am] != bs[i&bm] })
		case orderings["<"]:
			packBits(out, in.Rows, func(i int) bool { return as[i&am] < bs[i&bm] })
		case orderings["<="]:
			packBits(out, in.Rows, func(i int) bool { return as[i&am] <= bs[i&bm] })
		case orderings[">"]:
			packBits(out, in.Rows, func(i int) bool { return as[i&am] > bs[i&bm] })
		default:
			packBits(out, in.Rows, func(i int) bool { return as[i&am] >= bs[i&bm] })
		}
		return stream.BoolColumn(in.Rows, out, in.Valid)
	}
}

// packBits sets the bits of the rows for which test is true, a word at a time.
func packBits(out stream.Bitmap, n int, test func(i int) bool) {
	for w := range stream.Words(n) {
		var word uint64
		for i := w * 64; i < min(n, w*64+64); i++ {
			if test(i) {
				word |= 1 << (i & 63)
			}
		}
		out.SetWord(w, word)
	}
}

func compareFloats[T float](o ordering) Kernel {
	return func(_ *Context, in *Input) arrow.Array {
		as, am, bs, bm := operands[T](in)
		out := stream.NewBitmap(in.Rows)
		packBits(out, in.Rows, func(i int) bool { return o.holds(sql.CompareFloat(as[i&am], bs[i&bm])) })
		return stream.BoolColumn(in.Rows, out, in.Valid)
	}
}

func compareText(o ordering) Kernel {
	return func(_ *Context, in *Input) arrow.Array {
		ao, ad := stream.BytesValues(in.Args[0].Array)
		bo, bd := stream.BytesValues(in.Args[1].Array)
		am, bm := in.Args[0].Mask(), in.Args[1].Mask()
		out := stream.NewBitmap(in.Rows)
		if o.less == o.greater { // = and <>: lengths tell most rows apart
			packBits(out, in.Rows, func(i int) bool {
				j, k := i&am, i&bm
				return bytes.Equal(ad[ao[j]:ao[j+1]], bd[bo[k]:bo[k+1]]) == o.equal
			})
		} else {
			packBits(out, in.Rows, func(i int) bool {
				j, k := i&am, i&bm
				return o.holds(bytes.Compare(ad[ao[j]:ao[j+1]], bd[bo[k]:bo[k+1]]))
			})
		}
		return stream.BoolColumn(in.Rows, out, in.Valid)
	}
}

// compareNumerics compares fixed numerics as integers of one scale where that fits, else by value.
func compareNumerics(o ordering) Kernel {
	return func(_ *Context, in *Input) arrow.Array {
		a, b := in.Args[0], in.Args[1]
		out := stream.NewBitmap(in.Rows)
		am, bm := a.Mask(), b.Mask()
		switch t := sumType([]sql.Type{a.Type, b.Type}); {
		case t.IsFixed() && t.Precision <= 19: // one digit of headroom that a comparison does not need
			as, bs := stream.Values[int64](a.Array), stream.Values[int64](b.Array)
			au, bu := pow10[t.Scale-a.Type.Scale], pow10[t.Scale-b.Type.Scale]
			packBits(out, in.Rows, func(i int) bool {
				x, y := as[i&am]*au, bs[i&bm]*bu
				switch {
				case x < y:
					return o.less
				case x > y:
					return o.greater
				}
				return o.equal
			})
		case t.IsFixed():
			as, bs := wide(a), wide(b)
			au := decimal128.GetScaleMultiplier(int(t.Scale - a.Type.Scale))
			bu := decimal128.GetScaleMultiplier(int(t.Scale - b.Type.Scale))
			packBits(out, in.Rows, func(i int) bool {
				return o.holds(as[i&am].Mul(au).Cmp(bs[i&bm].Mul(bu)))
			})
		default:
			at, bt := decimalReader(a), decimalReader(b)
			for i := range in.Rows {
				if in.Valid.Get(i) && o.holds(sql.CompareNumeric(at(i), bt(i))) {
					out.Set(i)
				}
			}
		}
		return stream.BoolColumn(in.Rows, out, in.Valid)
	}
}

// compareAny is for types that are rarely compared.
func compareAny(o ordering) Kernel {
	return func(_ *Context, in *Input) arrow.Array {
		a, b := in.Args[0], in.Args[1]
		am, bm := a.Mask(), b.Mask()
		out := stream.NewBitmap(in.Rows)
		for i := range in.Rows {
			if in.Valid.Get(i) && o.holds(stream.CompareRows(a.Array, i&am, b.Array, i&bm, a.Type)) {
				out.Set(i)
			}
		}
		return stream.BoolColumn(in.Rows, out, in.Valid)
	}
}
