package expr

import (
	"bytes"
	"crypto/md5"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"strings"

	"github.com/streamsql/streamsql/sql"
)

// byteaFunctions are functions over bytea, and those that count bytes or digest them.
func byteaFunctions() []Function {
	text, bytea, int4 := sql.TypeText, sql.TypeBytea, sql.TypeInt4
	byteLen := func(s string) int32 { return int32(len(s)) }
	char := sql.Type{Kind: sql.Char}
	fns := []Function{
		{Name: "length", Args: types(bytea), Result: int4, Kernel: Pure1(func(b []byte) int32 { return int32(len(b)) })},
		{Name: "octet_length", Args: types(text), Result: int4, Kernel: Pure1(byteLen)},
		{Name: "octet_length", Args: types(char), Result: int4, Kernel: Pure1(byteLen)},
		{Name: "octet_length", Args: types(bytea), Result: int4, Kernel: Pure1(func(b []byte) int32 { return int32(len(b)) })},
		{Name: "bit_length", Args: types(text), Result: int4, Kernel: Pure1(func(s string) int32 { return int32(8 * len(s)) })},
		{Name: "bit_length", Args: types(bytea), Result: int4, Kernel: Pure1(func(b []byte) int32 { return int32(8 * len(b)) })},
		{Name: "md5", Args: types(text), Result: text, Kernel: Append1(func(_ *Context, dst []byte, s string) ([]byte, error) { return appendMD5(dst, []byte(s)), nil })},
		{Name: "md5", Args: types(bytea), Result: text, Kernel: Append1(func(_ *Context, dst []byte, b []byte) ([]byte, error) { return appendMD5(dst, b), nil })},
		{Name: "sha224", Args: types(bytea), Result: bytea, Kernel: digest(func(b []byte) []byte { s := sha256.Sum224(b); return s[:] })},
		{Name: "sha256", Args: types(bytea), Result: bytea, Kernel: digest(func(b []byte) []byte { s := sha256.Sum256(b); return s[:] })},
		{Name: "sha384", Args: types(bytea), Result: bytea, Kernel: digest(func(b []byte) []byte { s := sha512.Sum384(b); return s[:] })},
		{Name: "sha512", Args: types(bytea), Result: bytea, Kernel: digest(func(b []byte) []byte { s := sha512.Sum512(b); return s[:] })},
		{Name: "encode", Args: types(bytea, text), Result: text, Kernel: Append2(encode)},
		{Name: "decode", Args: types(text, text), Result: bytea, Kernel: Append2(decode)},
		{Name: "position", Args: types(bytea, bytea), Result: int4, Kernel: Pure2(func(b, sub []byte) int32 { return int32(bytes.Index(b, sub)) + 1 })},
		{Name: "get_byte", Args: types(bytea, int4), Result: int4, Kernel: Row2(getByte)},
		{Name: "convert_from", Args: types(bytea, text), Result: text, Kernel: Append2(convertFrom)},
		{Name: "convert_to", Args: types(text, text), Result: bytea, Kernel: Append2(convertTo)},
	}
	for _, name := range []string{"substring", "substr"} {
		fns = append(fns,
			Function{Name: name, Args: types(bytea, int4), Result: bytea, Kernel: Append2(func(_ *Context, dst, b []byte, from int32) ([]byte, error) {
				return append(dst, b[min(int(max(from, 1))-1, len(b)):]...), nil
			})},
			Function{Name: name, Args: types(bytea, int4, int4), Result: bytea, Kernel: Append3(appendBytes)})
	}
	for name, trim := range map[string]func([]byte, string) []byte{"btrim": bytes.Trim, "ltrim": bytes.TrimLeft, "rtrim": bytes.TrimRight} {
		fns = append(fns, Function{Name: name, Args: types(bytea, bytea), Result: bytea,
			Kernel: Append2(func(_ *Context, dst, b, set []byte) ([]byte, error) {
				return append(dst, trimBytes(b, set, trim)...), nil
			})})
	}
	return fns
}

func appendMD5(dst, b []byte) []byte {
	sum := md5.Sum(b)
	return hex.AppendEncode(dst, sum[:])
}

func digest(sum func([]byte) []byte) Kernel {
	return Append1(func(_ *Context, dst, b []byte) ([]byte, error) { return append(dst, sum(b)...), nil })
}

// trimBytes trims single bytes: the functions of package bytes trim characters, so bytes are passed
// as the characters of the same number.
func trimBytes(b, set []byte, trim func([]byte, string) []byte) []byte {
	wide := func(b []byte) string {
		rs := make([]rune, len(b))
		for i, c := range b {
			rs[i] = rune(c)
		}
		return string(rs)
	}
	kept := []rune(string(trim([]byte(wide(b)), wide(set))))
	out := make([]byte, len(kept))
	for i, r := range kept {
		out[i] = byte(r)
	}
	return out
}

func appendBytes(_ *Context, dst, b []byte, from, length int32) ([]byte, error) {
	if length < 0 {
		return dst, sql.Errorf("22011", "negative substring length not allowed")
	}
	lo := max(int64(from), 1) - 1
	hi := min(int64(from)+int64(length)-1, int64(len(b)))
	if lo >= hi {
		return dst, nil
	}
	return append(dst, b[lo:hi]...), nil
}

func getByte(_ *Context, b []byte, i int32) (int32, error) {
	if i < 0 || int(i) >= len(b) {
		return 0, sql.Errorf("2202E", "index %d out of valid range, 0..%d", i, len(b)-1)
	}
	return int32(b[i]), nil
}

func unknownEncoding(name string) error {
	return sql.Errorf(sql.CodeInvalidParameter, "unrecognized encoding: \"%s\"", name)
}

func encode(_ *Context, dst, b []byte, format string) ([]byte, error) {
	switch strings.ToLower(format) {
	case "hex":
		return hex.AppendEncode(dst, b), nil
	case "base64":
		text := base64.StdEncoding.EncodeToString(b)
		for len(text) > 76 { // lines as in MIME
			dst = append(append(dst, text[:76]...), '\n')
			text = text[76:]
		}
		return append(dst, text...), nil
	case "escape":
		for _, c := range b {
			switch {
			case c == 0 || c >= 0x80:
				dst = append(dst, '\\', '0'+c>>6, '0'+c>>3&7, '0'+c&7)
			case c == '\\':
				dst = append(dst, '\\', '\\')
			default:
				dst = append(dst, c)
			}
		}
		return dst, nil
	}
	return dst, unknownEncoding(format)
}

func decode(_ *Context, dst []byte, s, format string) ([]byte, error) {
	switch strings.ToLower(format) {
	case "hex":
		b, err := sql.DecodeHex(s)
		return append(dst, b...), err
	case "base64":
		return appendBase64(dst, s)
	case "escape":
		b, err := sql.ParseBytea(strings.Replace(s, `\x`, `\\x`, 1))
		if strings.HasPrefix(s, `\x`) { // no hex form here: \x is a bad escape
			err = sql.Errorf(sql.CodeInvalidText, "invalid input syntax for type bytea")
		}
		return append(dst, b...), err
	}
	return dst, unknownEncoding(format)
}

// appendBase64 decodes with white space between the symbols.
func appendBase64(dst []byte, s string) ([]byte, error) {
	var b strings.Builder
	padded := 0
	for _, r := range s {
		switch {
		case r == ' ' || r == '\t' || r == '\n' || r == '\r':
			continue
		case r == '=':
			padded++
			if b.Len()%4 < 2 {
				return dst, sql.Errorf(sql.CodeInvalidParameter, `unexpected "=" while decoding base64 sequence`)
			}
		case !(r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '+' || r == '/'):
			return dst, sql.Errorf(sql.CodeInvalidParameter, "invalid symbol \"%c\" found while decoding base64 sequence", r)
		}
		b.WriteRune(r)
	}
	out, err := base64.StdEncoding.AppendDecode(dst, []byte(b.String()))
	if err != nil {
		return dst, sql.Errorf(sql.CodeInvalidParameter, "invalid base64 end sequence").
			WithHint("Input data is missing padding, is truncated, or is otherwise corrupted.")
	}
	return out, nil
}

func isUTF8(encoding string) bool {
	name := strings.ToLower(strings.NewReplacer("-", "", "_", "").Replace(encoding))
	return name == "utf8" || name == "unicode"
}

func convertFrom(_ *Context, dst, b []byte, encoding string) ([]byte, error) {
	if !isUTF8(encoding) {
		return dst, sql.Errorf(sql.CodeInvalidParameter, "invalid source encoding name \"%s\"", encoding).WithHint("Only UTF8 is supported.")
	}
	return append(dst, b...), sql.CheckUTF8(b)
}

func convertTo(_ *Context, dst []byte, s, encoding string) ([]byte, error) {
	if !isUTF8(encoding) {
		return dst, sql.Errorf(sql.CodeInvalidParameter, "invalid destination encoding name \"%s\"", encoding).WithHint("Only UTF8 is supported.")
	}
	return append(dst, s...), nil
}
