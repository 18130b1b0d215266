package expr

import (
	"math"

	"github.com/cockroachdb/apd/v3"

	"github.com/streamsql/streamsql/sql"
)

// jsonBuildFunctions make json and jsonb of values.
func jsonBuildFunctions() []Function {
	json, jsonb, boolean := sql.TypeJSON, sql.TypeJSONB, sql.TypeBool
	return []Function{
		{Name: "to_json", Args: types(AnyElement), Result: json, Volatility: Stable, Kernel: RowN(toJSON(false))},
		{Name: "to_jsonb", Args: types(AnyElement), Result: jsonb, Volatility: Stable, Kernel: RowN(toJSON(true))},
		{Name: "row_to_json", Args: types(AnyRow), Result: json, Volatility: Stable, Kernel: RowN(toJSON(false))},
		{Name: "array_to_json", Args: types(AnyArray), Result: json, Volatility: Stable, Kernel: RowN(toJSON(false))},
		{Name: "row_to_json", Args: types(AnyRow, boolean), Result: json, Volatility: Stable, Kernel: RowN(toJSONPretty)},
		{Name: "array_to_json", Args: types(AnyArray, boolean), Result: json, Volatility: Stable, Kernel: RowN(toJSONPretty)},
		{Name: "json_build_array", Args: types(Any), Variadic: true, Result: json, Volatility: Stable, CalledOnNull: true, Kernel: RowN(buildArray(false))},
		{Name: "jsonb_build_array", Args: types(Any), Variadic: true, Result: jsonb, Volatility: Stable, CalledOnNull: true, Kernel: RowN(buildArray(true))},
		{Name: "json_build_object", Args: types(Any), Variadic: true, Result: json, Volatility: Stable, CalledOnNull: true, Kernel: RowN(buildObject(false))},
		{Name: "jsonb_build_object", Args: types(Any), Variadic: true, Result: jsonb, Volatility: Stable, CalledOnNull: true, Kernel: RowN(buildObject(true))},
	}
}

// jsonEncoder appends values as JSON text.
type jsonEncoder struct {
	c     *Context
	comma string // between the elements of arrays
	field string // between the fields of rows
}

func toJSON(canonical bool) func(*Context, *Input, []sql.Datum) (sql.Datum, error) {
	return func(c *Context, in *Input, args []sql.Datum) (sql.Datum, error) {
		enc := jsonEncoder{c, ",", ","}
		return finishJSON(enc.append(nil, in.Args[0].Type, args[0]), canonical)
	}
}

// toJSONPretty has a line feed between the fields or elements of the outermost value if asked for.
func toJSONPretty(c *Context, in *Input, args []sql.Datum) (sql.Datum, error) {
	enc := jsonEncoder{c, ",", ","}
	if args[1].(bool) {
		outer := jsonEncoder{c, ",\n ", ",\n "}
		return string(outer.appendOuter(nil, in.Args[0].Type, args[0], enc)), nil
	}
	return string(enc.append(nil, in.Args[0].Type, args[0])), nil
}

func finishJSON(text []byte, canonical bool) (sql.Datum, error) {
	if !canonical {
		return string(text), nil
	}
	return sql.ParseJSONB(string(text))
}

func (enc jsonEncoder) append(dst []byte, t sql.Type, d sql.Datum) []byte {
	return enc.appendOuter(dst, t, d, enc)
}

// appendOuter appends d with this encoder's separators, and what is inside it with another's.
func (enc jsonEncoder) appendOuter(dst []byte, t sql.Type, d sql.Datum, inner jsonEncoder) []byte {
	switch v := d.(type) {
	case nil:
		return append(dst, "null"...)
	case bool:
		if v {
			return append(dst, "true"...)
		}
		return append(dst, "false"...)
	case int64:
		if t.IsInteger() {
			return sql.AppendText(dst, t, d)
		}
	case float64:
		if !math.IsNaN(v) && !math.IsInf(v, 0) {
			return sql.AppendText(dst, t, d)
		}
	case *sql.Decimal:
		if v.Form == apd.Finite {
			return sql.AppendText(dst, t, d)
		}
	case string:
		if t.Kind == sql.JSON || t.Kind == sql.JSONB {
			return append(dst, v...)
		}
		return sql.AppendJSONString(dst, v)
	case sql.TimestampValue:
		dst = append(dst, '"')
		if t.Kind == sql.Timestamptz {
			dst = sql.AppendTimestamptzISO(dst, v, enc.c.Location)
		} else {
			dst = sql.AppendTimestampISO(dst, v)
		}
		return append(dst, '"')
	case []sql.Datum:
		dst = append(dst, '[')
		for i, e := range v {
			if i > 0 {
				dst = append(dst, enc.comma...)
			}
			dst = inner.append(dst, elementType(t), e)
		}
		return append(dst, ']')
	case sql.RowValue:
		dst = append(dst, '{')
		for i, f := range v {
			if i > 0 {
				dst = append(dst, enc.field...)
			}
			dst = append(sql.AppendJSONString(dst, t.Fields[i].Name), ':')
			dst = inner.append(dst, t.Fields[i].Type, f)
		}
		return append(dst, '}')
	case sql.MapValue:
		dst = append(dst, '{')
		for i, e := range v {
			if i > 0 {
				dst = append(dst, enc.field...)
			}
			dst = append(sql.AppendJSONString(dst, outputText(enc.c, *t.Key, e.Key)), ':')
			dst = inner.append(dst, *t.Elem, e.Value)
		}
		return append(dst, '}')
	}
	return sql.AppendJSONString(dst, string(sql.AppendTextIn(nil, t, d, enc.c.Location)))
}

func elementType(t sql.Type) sql.Type {
	switch t.Kind {
	case sql.Int2Vector:
		return sql.TypeInt2
	case sql.OIDVector:
		return sql.TypeOID
	}
	return *t.Elem
}

func buildArray(canonical bool) func(*Context, *Input, []sql.Datum) (sql.Datum, error) {
	return func(c *Context, in *Input, args []sql.Datum) (sql.Datum, error) {
		enc, out := jsonEncoder{c, ",", ","}, []byte{'['}
		for i, d := range args {
			if i > 0 {
				out = append(out, ", "...)
			}
			out = enc.append(out, in.Args[i].Type, d)
		}
		return finishJSON(append(out, ']'), canonical)
	}
}

func buildObject(canonical bool) func(*Context, *Input, []sql.Datum) (sql.Datum, error) {
	name := "json_build_object()"
	if canonical {
		name = "jsonb_build_object()"
	}
	return func(c *Context, in *Input, args []sql.Datum) (sql.Datum, error) {
		if len(args)%2 != 0 {
			return nil, sql.Errorf(sql.CodeInvalidParameter, "argument list must have even number of elements").
				WithHint("The arguments of %s must consist of alternating keys and values.", name)
		}
		enc, out := jsonEncoder{c, ",", ","}, []byte{'{'}
		for i := 0; i < len(args); i += 2 {
			if i > 0 {
				out = append(out, ", "...)
			}
			var err error
			if out, err = appendKey(c, out, in.Args[i].Type, args[i], i+1, canonical); err != nil {
				return nil, err
			}
			out = append(out, " : "...)
			out = enc.append(out, in.Args[i+1].Type, args[i+1])
		}
		return finishJSON(append(out, '}'), canonical)
	}
}

// appendKey appends a key of any scalar type.
func appendKey(c *Context, dst []byte, t sql.Type, key sql.Datum, position int, canonical bool) ([]byte, error) {
	if key == nil {
		if canonical {
			return dst, sql.Errorf(sql.CodeInvalidParameter, "argument %d: key must not be null", position)
		}
		return dst, sql.Errorf(sql.CodeInvalidParameter, "argument %d cannot be null", position).
			WithHint("Object keys should be text.")
	}
	switch t.Kind {
	case sql.Array, sql.Row, sql.Record, sql.JSON, sql.JSONB, sql.Map:
		return dst, sql.Errorf(sql.CodeInvalidParameter, "key value must be scalar, not array, composite, or json")
	}
	var text []byte
	if v, ok := key.(sql.TimestampValue); ok {
		text = jsonEncoder{c: c}.append(nil, t, v)
		return append(dst, text...), nil
	}
	if b, ok := key.(bool); ok {
		text = []byte(map[bool]string{true: "true", false: "false"}[b])
	} else {
		text = sql.AppendTextIn(nil, t, key, c.Location)
	}
	return sql.AppendJSONString(dst, string(text)), nil
}
