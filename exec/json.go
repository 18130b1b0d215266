package exec

import (
	"strconv"
	"strings"

	"github.com/streamsql/streamsql/exec/stream"
	"github.com/streamsql/streamsql/sql"
)

// rowJSON is row i of b as a JSON object, for dead letters and late rows: it is to be read by people and
// to be repaired, so every value is in its text form, numbers and booleans bare.
func rowJSON(b *stream.Batch, schema sql.Schema, i int) []byte {
	dst := []byte{'{'}
	for c, col := range schema {
		if c > 0 {
			dst = append(dst, ',')
		}
		dst = append(appendJSONString(dst, col.Name), ':')
		d := stream.Value(b.Columns[c], col.Type, i)
		switch {
		case d == nil:
			dst = append(dst, "null"...)
		case col.Type.IsInteger() || col.Type.Kind == sql.Bool || col.Type.IsFixed():
			dst = appendPlain(dst, col.Type, d)
		default:
			dst = appendJSONString(dst, sql.FormatText(col.Type, d))
		}
	}
	return append(dst, '}')
}

func appendPlain(dst []byte, t sql.Type, d sql.Datum) []byte {
	if v, ok := d.(bool); ok {
		return strconv.AppendBool(dst, v)
	}
	return sql.AppendText(dst, t, d)
}

// appendJSONString quotes s; invalid UTF-8 becomes the replacement character.
func appendJSONString(dst []byte, s string) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	for _, r := range strings.ToValidUTF8(s, "\uFFFD") {
		switch {
		case r == '"' || r == '\\':
			dst = append(dst, '\\', byte(r))
		case r == '\n':
			dst = append(dst, `\n`...)
		case r < ' ':
			dst = append(dst, '\\', 'u', '0', '0', hex[r>>4], hex[r&15])
		default:
			dst = append(dst, string(r)...)
		}
	}
	return append(dst, '"')
}

func itoa(i int) string { return strconv.Itoa(i) }
