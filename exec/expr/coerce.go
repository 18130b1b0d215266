package expr

import (
	"github.com/streamsql/streamsql/exec/stream"
	"github.com/streamsql/streamsql/sql"
)

// CastContext says where a cast stands, and so which casts are allowed.
type CastContext uint8

// The contexts; each allows what the ones before it do.
const (
	Implicit   CastContext = iota // operands, arguments, UNION and CASE branches
	Assignment                    // INSERT, UPDATE, sinks, column defaults
	Explicit                      // CAST(x AS t), x::t
)

// castKey and castEntry are the counterpart of PostgreSQL's pg_cast.
type castKey struct{ from, to sql.Kind }

type castEntry struct {
	context    CastContext // the least that allows it
	volatility Volatility
	// kernel makes the conversion to the type `to`, modifiers included; nil = the same storage and
	// value, only the type's name changes.
	kernel func(from, to sql.Type, how CastContext) Kernel
}

// CanCast tells whether a value of type `from` may be cast to `to` in the context.
func CanCast(from, to sql.Type, how CastContext) bool { return canCoerce(from, to, how) }

func canCoerce(from, to sql.Type, how CastContext) bool {
	if from.Kind == sql.Unknown {
		return true
	}
	if entry, ok := lookupCast(from.Kind, to.Kind); ok {
		return entry.context <= how
	}
	switch {
	case isList(from) && to.Kind == sql.Array && from.Kind != sql.Array:
		return sameType(stream.ElemType(from), *to.Elem)
	case from.Kind == sql.Array && to.Kind == sql.Array:
		return canCoerce(stream.ElemType(from), stream.ElemType(to), how)
	case isRow(from) && isRow(to):
		return canCoerceRow(from, to, how)
	case from.Kind == sql.Map && to.Kind == sql.Map:
		return canCoerce(*from.Key, *to.Key, how) && canCoerce(*from.Elem, *to.Elem, how)
	case from.Kind == to.Kind:
		return true
	case categoryOf(to) == catString: // through its text form
		return how >= Assignment && from.Kind != sql.Void
	case categoryOf(from) == catString:
		return how == Explicit && to.Kind < kindAny && to.Kind != sql.Void
	}
	return false
}

func canCoerceRow(from, to sql.Type, how CastContext) bool {
	if len(from.Fields) != len(to.Fields) {
		return false
	}
	for i, f := range from.Fields {
		if !canCoerce(f.Type, to.Fields[i].Type, how) {
			return false
		}
	}
	return true
}

func isList(t sql.Type) bool {
	return t.Kind == sql.Array || t.Kind == sql.Int2Vector || t.Kind == sql.OIDVector
}

func isRow(t sql.Type) bool { return t.Kind == sql.Row || t.Kind == sql.Record }

// CastTo is e as a value of exactly type t. Untyped literals are read at once, with the errors of
// t's input; parameters of unknown type become t's. Errors: 42846, and 42804 in an assignment.
func CastTo(e Expr, t sql.Type, how CastContext) (Expr, error) {
	from := e.Type()
	if from.Equal(t) {
		return e, nil
	}
	if from.Kind == sql.Unknown {
		return castUnknown(e, t, how)
	}
	if row, ok := e.(*rowCtor); ok && isRow(t) && canCoerceRow(from, t, how) {
		return castRowCtor(row, t, how)
	}
	if arr, ok := e.(*arrayCtor); ok && t.Kind == sql.Array && how == Explicit {
		return castArrayCtor(arr, t, how)
	}
	if !canCoerce(from, t, how) {
		if how == Assignment {
			return nil, sql.Errorf(sql.CodeDatatypeMismatch, "expression is of type %s but type %s is required", from.BaseName(), t.BaseName()).
				WithHint("You will need to rewrite or cast the expression.")
		}
		return nil, sql.Errorf(sql.CodeCannotCoerce, "cannot cast type %s to %s", from.BaseName(), t.BaseName())
	}
	return newCast(e, t, how), nil
}

// newCast makes the cast that canCoerce allows: the conversion to t's base type, then to its length.
func newCast(e Expr, t sql.Type, how CastContext) Expr {
	from := e.Type()
	if t.Precision > 0 && t.Kind != sql.Numeric && from.Kind != t.Kind {
		base := t
		base.Precision = 0
		inner := newCast(e, base, how).(*cast)
		inner.hidden = true
		e, from = inner, base
	}
	kernel, volatility := castKernel(from, t, how)
	return &cast{arg: e, typ: t, how: how, kernel: kernel, volatility: volatility}
}

// castKernel finds the conversion; nil = the storage is the same.
func castKernel(from, to sql.Type, how CastContext) (Kernel, Volatility) {
	if from.Kind == to.Kind && !isNested(from) {
		return lengthKernel(from, to, how), Immutable
	}
	if entry, ok := lookupCast(from.Kind, to.Kind); ok {
		if entry.kernel == nil {
			return nil, entry.volatility
		}
		return entry.kernel(from, to, how), entry.volatility
	}
	switch {
	case isList(from) && isList(to):
		elem, v := castKernel(stream.ElemType(from), stream.ElemType(to), how)
		return listCast(elem), v
	case isRow(from) && isRow(to):
		return rowCast(from, to, how)
	case from.Kind == sql.Map && to.Kind == sql.Map:
		keys, v := castKernel(*from.Key, *to.Key, how)
		values, w := castKernel(*from.Elem, *to.Elem, how)
		return mapCast(keys, values), max(v, w)
	case categoryOf(to) == catString:
		return textOutput(from), textVolatility(from)
	}
	return textInput(to), textVolatility(to)
}

func isNested(t sql.Type) bool {
	return t.Kind == sql.Array || t.Kind == sql.Row || t.Kind == sql.Record || t.Kind == sql.Map
}

// textVolatility is that of a type's text form: those with a time zone, and names of catalog
// objects, depend on the session.
func textVolatility(t sql.Type) Volatility {
	v := Immutable
	switch t.Kind {
	case sql.Timestamptz, sql.Timestamp, sql.Date, sql.Time, sql.Regclass, sql.Regtype, sql.Regproc, sql.Regnamespace:
		v = Stable
	case sql.Array:
		v = textVolatility(*t.Elem)
	case sql.Map:
		v = max(textVolatility(*t.Key), textVolatility(*t.Elem))
	case sql.Row, sql.Record:
		for _, f := range t.Fields {
			v = max(v, textVolatility(f.Type))
		}
	}
	return v
}

// castUnknown gives a type to an untyped literal or parameter.
func castUnknown(e Expr, t sql.Type, how CastContext) (Expr, error) {
	base := t
	if t.Kind != sql.Array && t.Kind != sql.Row {
		base.Precision, base.Scale = 0, 0
	}
	switch n := e.(type) {
	case *param:
		p, err := n.setType(withoutModifiers(base))
		if err != nil || base.Equal(t) && p.Type().Equal(t) {
			return p, err
		}
		return newCast(p, t, how), nil
	case *literal:
		d := n.vec.Datum(0)
		if d == nil {
			return Literal(nil, t), nil
		}
		lit, err := parseLiteral(d.(string), base)
		if err != nil || base.Equal(t) {
			return lit, err
		}
		return foldCast(newCast(lit, t, how))
	}
	return newCast(newCast(e, sql.TypeText, Explicit), t, Explicit), nil
}

// parseLiteral reads an untyped literal as a t. One whose value depends on the session ('now', a
// timestamptz without a zone) is checked now and read at run time.
func parseLiteral(s string, t sql.Type) (Expr, error) {
	if t.Kind >= sql.Regclass && t.Kind <= sql.Regnamespace {
		return newCast(&literal{constant(s, sql.TypeText)}, t, Explicit), nil
	}
	d, err := sql.ParseTextIn(t, s, probeEnvs[0])
	if err != nil {
		return nil, err
	}
	if textVolatility(t) != Immutable {
		if other, err := sql.ParseTextIn(t, s, probeEnvs[1]); err != nil || sql.CompareDatum(t, d, other) != 0 {
			return newCast(&literal{constant(s, sql.TypeText)}, t, Explicit), nil
		}
	}
	return &literal{constant(d, t)}, nil
}

// foldCast computes the cast of a literal at once, so that its error is one of planning.
func foldCast(e Expr) (Expr, error) {
	if VolatilityOf(e) != Immutable {
		return e, nil
	}
	var c Context
	d, err := EvalDatum(&c, e)
	if err != nil {
		return nil, err
	}
	return &literal{constant(d, e.Type())}, nil
}

// CommonType is the type that the branches of a UNION, CASE and the like have in common, as
// PostgreSQL's select_common_type finds it. `what` names the construct in the error, 42804.
func CommonType(what string, es []Expr) (sql.Type, error) {
	return CommonTypeOf(what, typesOf(es))
}

// CommonTypeOf is CommonType over types.
func CommonTypeOf(what string, types []sql.Type) (sql.Type, error) {
	t, a, b := selectCommonType(types)
	if a.Kind != sql.Unknown {
		return t, sql.Errorf(sql.CodeDatatypeMismatch, "%s types %s and %s cannot be matched", what, a.BaseName(), b.BaseName())
	}
	return t, nil
}

// commonType is selectCommonType plus the check that all types can be coerced to the result.
func commonType(types []sql.Type) (sql.Type, bool) {
	t, mismatch, _ := selectCommonType(types)
	if mismatch.Kind != sql.Unknown {
		return t, false
	}
	for _, u := range types {
		if !canCoerce(u, t, Implicit) {
			return t, false
		}
	}
	return t, true
}

// selectCommonType returns the type, or the two types that don't match.
func selectCommonType(types []sql.Type) (t, mismatchA, mismatchB sql.Type) {
	t = types[0]
	same := true
	for _, u := range types[1:] {
		same = same && t.Equal(u)
		if u.Kind == sql.Unknown || sameType(t, u) {
			continue
		}
		switch {
		case t.Kind == sql.Unknown:
			t = u
		case categoryOf(t) != categoryOf(u):
			return t, t, u
		case !isPreferred(t) && canCoerce(t, u, Implicit) && !canCoerce(u, t, Implicit):
			t = u
		}
	}
	if t.Kind == sql.Unknown {
		return sql.TypeText, sql.Type{}, sql.Type{}
	}
	if !same {
		t = withoutModifiers(t)
	}
	return t, sql.Type{}, sql.Type{}
}

// coerceAll casts es to their common type.
func coerceAll(what string, es []Expr) ([]Expr, sql.Type, error) {
	t, err := CommonType(what, es)
	if err != nil {
		return nil, t, err
	}
	out := make([]Expr, len(es))
	for i, e := range es {
		if e.Type().Kind != sql.Unknown && !canCoerce(e.Type(), t, Implicit) {
			if what == "CASE" {
				what = "CASE/WHEN"
				if i == 0 { // Case puts it first
					what = "CASE/ELSE"
				}
			}
			return nil, t, sql.Errorf(sql.CodeCannotCoerce, "%s could not convert type %s to %s", what, e.Type().BaseName(), t.BaseName())
		}
		if out[i], err = CastTo(e, t, Implicit); err != nil {
			return nil, t, err
		}
	}
	return out, t, nil
}
