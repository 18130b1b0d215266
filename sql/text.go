package sql

import (
	"strings"
	"time"
	"unicode/utf8"
)

// Text input and output of all types, as PostgreSQL's type input and output functions have them
// (DateStyle ISO, IntervalStyle postgres, extra_float_digits 1). The reg types but regtype are read
// and printed as numbers here: their names need a catalog. Types that PostgreSQL lacks have forms of our own,
// in text_nested.go.

// TextEnv is what reading a value from text depends on besides the text.
type TextEnv struct {
	Loc *time.Location        // the session's time zone; nil = UTC
	Now func() TimestampValue // the transaction's start, for 'now' and 'today'; nil = the wall clock
}

func (env TextEnv) now() TimestampValue {
	if env.Now != nil {
		return env.Now()
	}
	return TimestampValue(time.Now().UnixMicro())
}

// ParseText reads a value of type t as PostgreSQL's type input does, modifiers included, in UTC.
func ParseText(t Type, s string) (Datum, error) { return ParseTextIn(t, s, TextEnv{}) }

// ParseTextIn is ParseText in an environment. Errors are PostgreSQL's: 22P02, 22003, 22007, 22008,
// 22001, 22023.
func ParseTextIn(t Type, s string, env TextEnv) (Datum, error) {
	switch t.Kind {
	case Bool:
		return boxed(ParseBool(s))
	case Int2, Int4, Int8, OID, Regclass, Regproc, Regnamespace:
		return boxed(ParseInteger(t, s))
	case Regtype:
		return boxed(parseRegtype(s))
	case Float4:
		return boxed(ParseFloat(s, 32))
	case Float8:
		return boxed(ParseFloat(s, 64))
	case Numeric:
		d, err := ParseNumeric(s)
		if err == nil {
			d, err = t.FitNumeric(d)
		}
		return boxed(d, err)
	case Text, Unknown, Void:
		return s, nil
	case Varchar, Char, Name, InternalChar:
		return boxed(t.FitString(s))
	case Bytea:
		return boxed(ParseBytea(s))
	case Date:
		return boxed(ParseDateIn(s, env))
	case Time:
		v, err := ParseTimeIn(s, env)
		return boxed(t.FitTime(v), err)
	case Timestamp:
		v, err := ParseTimestampIn(s, env)
		return boxed(t.FitTimestamp(v), err)
	case Timestamptz:
		v, err := ParseTimestamptz(s, env)
		return boxed(t.FitTimestamp(v), err)
	case Interval:
		return boxed(ParseInterval(s))
	case UUID:
		return boxed(ParseUUID(s))
	case JSON:
		return s, CheckJSON(s)
	case JSONB:
		return boxed(ParseJSONB(s))
	case Array:
		return parseArray(t, s, env)
	case Int2Vector, OIDVector:
		return parseVector(t, s)
	case Row, Record:
		return parseRow(t, s, env)
	case Map:
		return parseMap(t, s, env)
	}
	return nil, Unsupported("reading a value of type "+t.String(), "")
}

// parseRegtype reads a type's name or OID.
func parseRegtype(s string) (int64, error) {
	if s != "" && isDigit(s[0]) {
		return ParseInteger(Type{Kind: Regtype}, s)
	}
	t, err := TypeFromName(trimSpace(s), nil)
	return int64(t.OID()), err
}

// boxed keeps a failed parse from returning a typed zero value beside its error.
func boxed[T any](v T, err error) (Datum, error) {
	if err != nil {
		return nil, err
	}
	return v, nil
}

// AppendText appends PostgreSQL's text output of d, with timestamptz in UTC. d is not nil: NULL
// has no text form of its own.
func AppendText(dst []byte, t Type, d Datum) []byte { return AppendTextIn(dst, t, d, nil) }

// AppendTextIn is AppendText with timestamptz printed in loc.
func AppendTextIn(dst []byte, t Type, d Datum, loc *time.Location) []byte {
	switch v := d.(type) {
	case bool:
		if v {
			return append(dst, 't')
		}
		return append(dst, 'f')
	case int64:
		if t.Kind == Regtype {
			if named, ok := TypeByOID(uint32(v)); ok && v != 0 {
				return append(dst, named.BaseName()...)
			}
		}
		return appendInt(dst, v)
	case float64:
		if t.Kind == Float4 {
			return AppendFloat(dst, v, 32)
		}
		return AppendFloat(dst, v, 64)
	case *Decimal:
		return AppendNumericText(dst, v)
	case string:
		return append(dst, v...)
	case []byte:
		return AppendBytea(dst, v)
	case DateValue:
		return AppendDate(dst, v)
	case TimeValue:
		return AppendTime(dst, v)
	case TimestampValue:
		if t.Kind == Timestamptz {
			return AppendTimestamptz(dst, v, loc)
		}
		return AppendTimestamp(dst, v)
	case IntervalValue:
		return AppendInterval(dst, v)
	case UUIDValue:
		return AppendUUID(dst, v)
	case []Datum:
		if t.Kind == Array {
			return appendArray(dst, t, v, loc)
		}
		return appendVector(dst, v)
	case RowValue:
		return appendRow(dst, t, v, loc)
	case MapValue:
		return appendMap(dst, t, v, loc)
	}
	return dst
}

// FormatText is AppendText as a string.
func FormatText(t Type, d Datum) string {
	if s, ok := d.(string); ok {
		return s
	}
	return string(AppendText(nil, t, d))
}

// invalidSyntax is the error of every type input that can't make sense of s.
func invalidSyntax(typeName, s string) *Error {
	return Errorf(CodeInvalidText, "invalid input syntax for type %s: \"%s\"", typeName, s)
}

// isSpace is C's isspace, which PostgreSQL's type inputs skip.
func isSpace(c byte) bool { return c == ' ' || c >= '\t' && c <= '\r' }

func trimSpace(s string) string {
	for len(s) > 0 && isSpace(s[0]) {
		s = s[1:]
	}
	for len(s) > 0 && isSpace(s[len(s)-1]) {
		s = s[:len(s)-1]
	}
	return s
}

// ParseBool reads a boolean: any prefix of true, false, yes, no, on or off that is not ambiguous.
func ParseBool(s string) (bool, error) {
	word := trimSpace(s)
	if n := len(word); n > 0 && n <= 5 {
		switch w := strings.ToLower(word); {
		case w == "1", w == "on", strings.HasPrefix("true", w), strings.HasPrefix("yes", w):
			return true, nil
		case w == "0", n > 1 && strings.HasPrefix("off", w), strings.HasPrefix("false", w), strings.HasPrefix("no", w):
			return false, nil
		}
	}
	return false, invalidSyntax("boolean", s)
}

// FitString applies the length of a varchar(n), a char(n) or a name to an input value: spaces
// beyond the end are cut, anything else there is 22001; char(n) is padded.
func (t Type) FitString(s string) (string, error) { return t.fitString(s, false) }

// CutString is FitString as an explicit cast does it: what is too long is cut.
func (t Type) CutString(s string) string {
	s, _ = t.fitString(s, true)
	return s
}

func (t Type) fitString(s string, explicit bool) (string, error) {
	switch t.Kind {
	case Name:
		return cutBytes(s, 63), nil
	case InternalChar:
		return s[:min(len(s), 1)], nil
	case Varchar, Char:
	default:
		return s, nil
	}
	n := int(t.Precision)
	if n == 0 {
		return s, nil
	}
	if len(s) > n { // may be too many characters as well
		if end := runeOffset(s, n); end < len(s) {
			if !explicit && strings.Trim(s[end:], " ") != "" {
				return "", Errorf(CodeStringTooLong, "value too long for type %s", t.String())
			}
			return s[:end], nil
		}
	}
	if t.Kind == Char {
		if pad := n - utf8.RuneCountInString(s); pad > 0 {
			return s + strings.Repeat(" ", pad), nil
		}
	}
	return s, nil
}

// runeOffset is the byte offset of the n-th character, or len(s).
func runeOffset(s string, n int) int {
	for i := range s {
		if n == 0 {
			return i
		}
		n--
	}
	return len(s)
}

// cutBytes cuts s to at most n bytes without splitting a character.
func cutBytes(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}
