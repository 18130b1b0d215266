package sql

import (
	"encoding/hex"
	"unicode/utf8"
)

// ParseBytea reads a bytea in its hex form (\x0aff, white space between the bytes) or its escape
// form (a\\b\000).
func ParseBytea(s string) ([]byte, error) {
	if len(s) >= 2 && s[0] == '\\' && s[1] == 'x' {
		return DecodeHex(s[2:])
	}
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); {
		switch {
		case s[i] != '\\':
			out = append(out, s[i])
			i++
		case i+1 < len(s) && s[i+1] == '\\':
			out = append(out, '\\')
			i += 2
		case i+3 < len(s) && s[i+1] >= '0' && s[i+1] <= '3' && isOctal(s[i+2]) && isOctal(s[i+3]):
			out = append(out, (s[i+1]-'0')<<6|(s[i+2]-'0')<<3|(s[i+3]-'0'))
			i += 4
		default:
			return nil, Errorf(CodeInvalidText, "invalid input syntax for type bytea")
		}
	}
	return out, nil
}

// DecodeHex reads hexadecimal digits with white space between the bytes.
func DecodeHex(s string) ([]byte, error) {
	out := make([]byte, 0, len(s)/2)
	for i := 0; i < len(s); {
		if s[i] == ' ' || s[i] == '\n' || s[i] == '\t' || s[i] == '\r' {
			i++
			continue
		}
		hi, ok := hexDigit(s[i])
		if !ok {
			return nil, badHexDigit(s[i:])
		}
		if i+1 == len(s) {
			return nil, Errorf(CodeInvalidParameter, "invalid hexadecimal data: odd number of digits")
		}
		lo, ok := hexDigit(s[i+1])
		if !ok {
			return nil, badHexDigit(s[i+1:])
		}
		out = append(out, hi<<4|lo)
		i += 2
	}
	return out, nil
}

func badHexDigit(rest string) *Error {
	_, n := utf8.DecodeRuneInString(rest)
	return Errorf(CodeInvalidParameter, "invalid hexadecimal digit: \"%s\"", rest[:n])
}

func hexDigit(c byte) (byte, bool) {
	switch {
	case c >= '0' && c <= '9':
		return c - '0', true
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10, true
	case c >= 'A' && c <= 'F':
		return c - 'A' + 10, true
	}
	return 0, false
}

func isOctal(c byte) bool { return c >= '0' && c <= '7' }

// AppendBytea appends b in hex form: \x0aff.
func AppendBytea(dst, b []byte) []byte {
	return hex.AppendEncode(append(dst, '\\', 'x'), b)
}

// ParseUUID reads a UUID: 32 digits, a hyphen allowed after every four, braces allowed around.
func ParseUUID(s string) (UUIDValue, error) {
	var u UUIDValue
	rest, braces := s, false
	if len(rest) > 0 && rest[0] == '{' {
		rest, braces = rest[1:], true
	}
	for i := range u {
		if len(rest) < 2 {
			return UUIDValue{}, invalidSyntax("uuid", s)
		}
		hi, ok1 := hexDigit(rest[0])
		lo, ok2 := hexDigit(rest[1])
		if !ok1 || !ok2 {
			return UUIDValue{}, invalidSyntax("uuid", s)
		}
		u[i] = hi<<4 | lo
		rest = rest[2:]
		if i%2 == 1 && i < 15 && rest != "" && rest[0] == '-' {
			rest = rest[1:]
		}
	}
	if braces && rest == "}" || !braces && rest == "" {
		return u, nil
	}
	return UUIDValue{}, invalidSyntax("uuid", s)
}

// AppendUUID appends u: a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11.
func AppendUUID(dst []byte, u UUIDValue) []byte {
	for i, from := range [...]int{0, 4, 6, 8, 10} {
		if i > 0 {
			dst = append(dst, '-')
		}
		dst = hex.AppendEncode(dst, u[from:[...]int{4, 6, 8, 10, 16}[i]])
	}
	return dst
}
