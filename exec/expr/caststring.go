package expr

import (
	"strings"
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/streamsql/streamsql/sql"
)

// lengthKernel applies the modifiers of `to` to values of its kind; nil = nothing to do.
func lengthKernel(from, to sql.Type, how CastContext) Kernel {
	digits, limited := to.TimePrecision()
	switch to.Kind {
	case sql.Numeric:
		return numericToNumeric(from, to)
	case sql.Varchar:
		if to.Precision > 0 && (from.Precision == 0 || from.Precision > to.Precision) {
			return limitString(int(to.Precision), how, false)
		}
	case sql.Char:
		if to.Precision > 0 && from.Precision != to.Precision {
			return limitString(int(to.Precision), how, true)
		}
	case sql.Time:
		if limited && digits < 6 {
			return Pure1(func(t sql.TimeValue) sql.TimeValue { return sql.TimeValue(roundMicros(int64(t), digits)) })
		}
	case sql.Timestamp, sql.Timestamptz:
		if limited && digits < 6 {
			return Row1(func(_ *Context, t sql.TimestampValue) (sql.TimestampValue, error) { return roundTimestamp(t, digits) })
		}
	}
	return nil
}

// limitString cuts to n characters: in silence for an explicit cast, else only blanks. With pad it
// also fills up to n.
func limitString(n int, how CastContext, pad bool) Kernel {
	name := "character varying"
	if pad {
		name = "character"
	}
	return Append1(func(_ *Context, dst []byte, s string) ([]byte, error) {
		cut := charOffset(s, n)
		if cut < len(s) && how != Explicit && strings.TrimLeft(s[cut:], " ") != "" {
			return nil, sql.Errorf(sql.CodeStringTooLong, "value too long for type %s(%d)", name, n)
		}
		dst = append(dst, s[:cut]...)
		if pad && cut == len(s) {
			for range n - utf8.RuneCountInString(s) {
				dst = append(dst, ' ')
			}
		}
		return dst, nil
	})
}

// charOffset is the byte offset of character n of s, at most len(s).
func charOffset(s string, n int) int {
	if n >= len(s) {
		return len(s)
	}
	for i := range s {
		if n == 0 {
			return i
		}
		n--
	}
	return len(s)
}

func charToText(_, _ sql.Type, _ CastContext) Kernel {
	return Append1(func(_ *Context, dst []byte, s string) ([]byte, error) {
		return append(dst, sql.TrimChar(s)...), nil
	})
}

// toName cuts to the 63 bytes of a name, between characters.
func toName(from, _ sql.Type, _ CastContext) Kernel {
	return Append1(func(_ *Context, dst []byte, s string) ([]byte, error) {
		if from.Kind == sql.Char {
			s = sql.TrimChar(s)
		}
		if len(s) > 63 {
			s = s[:63]
			for !utf8.ValidString(s) {
				s = s[:len(s)-1]
			}
		}
		return append(dst, s...), nil
	})
}

func toInternalChar(_, _ sql.Type, _ CastContext) Kernel {
	return Append1(func(_ *Context, dst []byte, s string) ([]byte, error) {
		return append(dst, s[:min(1, len(s))]...), nil
	})
}

func internalCharToInt(_, _ sql.Type, _ CastContext) Kernel {
	return Pure1(func(s string) int32 {
		if s == "" {
			return 0
		}
		return int32(int8(s[0]))
	})
}

func intToInternalChar(_, _ sql.Type, _ CastContext) Kernel {
	return Row1(func(_ *Context, i int32) (string, error) {
		if i < -128 || i > 127 {
			return "", sql.Errorf(sql.CodeNumericOutOfRange, `"char" out of range`)
		}
		if i == 0 {
			return "", nil
		}
		return string([]byte{byte(i)}), nil
	})
}

func jsonToJSONB(_, _ sql.Type, _ CastContext) Kernel {
	return Row1(func(_ *Context, s string) (string, error) { return sql.ParseJSONB(s) })
}

// jsonbToScalar converts a jsonb boolean or number to one of SQL.
func jsonbToScalar(_, to sql.Type, how CastContext) Kernel {
	if to.Kind == sql.Bool {
		return Row1(func(_ *Context, s string) (bool, error) {
			if kind := jsonbKind(s); kind != "boolean" {
				return false, jsonbCastError(kind, to)
			}
			return s == "true", nil
		})
	}
	fromNumeric, _ := castKernel(sql.TypeNumeric, to, how)
	return func(c *Context, in *Input) arrow.Array {
		at := reader[string](in.Args[0])
		numbers := &Input{Rows: in.Rows, Result: sql.TypeNumeric, Valid: in.Valid}
		values := numericRows(c, numbers, func(i int) (*sql.Decimal, error) {
			if kind := jsonbKind(at(i)); kind != "numeric" {
				return nil, jsonbCastError(kind, to)
			}
			return sql.ParseNumeric(at(i))
		})
		if fromNumeric == nil {
			return values
		}
		return convert(c, Vector{Array: values, Type: sql.TypeNumeric}, to, fromNumeric, in.Rows)
	}
}

func jsonbKind(s string) string {
	switch s[0] {
	case '{':
		return "object"
	case '[':
		return "array"
	case '"':
		return "string"
	case 't', 'f':
		return "boolean"
	case 'n':
		return "null"
	}
	return "numeric"
}

func jsonbCastError(kind string, to sql.Type) error {
	return sql.Errorf(sql.CodeInvalidParameter, "cannot cast jsonb %s to type %s", kind, to.BaseName())
}
