package json

import (
	"encoding/base64"
	"encoding/hex"
	"math"
	"unsafe"

	"github.com/streamsql/streamsql/connectors/format/column"
	"github.com/streamsql/streamsql/sql"
)

// text reads strings; any other value gives its JSON text, as in Flink.
type text struct {
	column.Bytes
	limit int // characters of a varchar(n); 0 = no limit
}

func (c *text) read(in *input, s []byte, i int) int {
	if s[i] == '"' {
		if end := plain(s, i+1); end < len(s) && s[end] == '"' && (c.limit == 0 || end-i-1 <= c.limit) {
			c.Push(s[i+1 : end])
			return end + 1
		}
	}
	v, end := in.textOf(s, i)
	if end < 0 {
		return -1
	}
	if c.limit == 0 || len(v) <= c.limit {
		c.Push(v)
		return end
	}
	return in.general(s, i, &c.Bytes, c.Type) // counts characters
}

// textOf is the string at i, or the text of another value.
func (in *input) textOf(s []byte, i int) ([]byte, int) {
	if s[i] == '"' {
		return in.unquote(s, i)
	}
	end := in.skip(s, i)
	if end < 0 {
		return nil, -1
	}
	return s[i:end], end
}

// document reads any value into a json column as it is, and into a jsonb column in its canonical form.
type document struct{ column.Bytes }

func (c *document) read(in *input, s []byte, i int) int {
	end := in.skip(s, i)
	if end < 0 {
		return -1
	}
	if c.Type.Kind == sql.JSON {
		c.Push(s[i:end])
		return end
	}
	canonical, err := sql.ParseJSONB(unsafe.String(&s[i], end-i))
	if err == nil {
		err = c.Append(canonical)
	}
	if err != nil {
		return in.failWith(err)
	}
	return end
}

// byteString reads bytea from base64, as in Flink, or from PostgreSQL's \x form, which can't be base64.
type byteString struct{ column.Bytes }

func (c *byteString) read(in *input, s []byte, i int) int {
	if s[i] != '"' {
		return in.mismatch(s, i, c.Type)
	}
	v, end := in.unquote(s, i)
	if end < 0 {
		return -1
	}
	var err error
	var out []byte
	if len(v) >= 2 && v[0] == '\\' && v[1] == 'x' {
		out, err = hex.AppendDecode(c.Buffer(), v[2:])
	} else {
		out, err = base64.StdEncoding.AppendDecode(c.Buffer(), v)
	}
	if err != nil || len(out) > math.MaxInt32 {
		return in.fail(sql.CodeInvalidText, "invalid input syntax for type bytea: %q is not base64", clip(v))
	}
	c.PushBuffer(out)
	return end
}

// clip shortens what an error message quotes.
func clip(v []byte) []byte {
	if len(v) > 100 {
		return append(v[:100:100], "…"...)
	}
	return v
}
