package json

import (
	"github.com/apache/arrow-go/v18/arrow"

	"github.com/streamsql/streamsql/connectors"
	"github.com/streamsql/streamsql/sql"
)

// Decoder decodes the values of records, JSON objects, into columns.
type Decoder struct {
	in     input
	root   *object
	values []value
	rows   int
	bytes  int // of the records in the rows held
}

// maxBatchBytes bounds the records in a batch: the columns' offsets are int32.
const maxBatchBytes = 1 << 30

// NewDecoder makes a decoder of cols, none of which is metadata. The names are those of all columns of the
// relation: a field that is another one's is not taken for one that differs in case only, whether that is
// read or not.
func NewDecoder(cols []connectors.Column, names []string, o *connectors.Options) (*Decoder, error) {
	d := &Decoder{in: input{options: readOptions(o)}}
	fields := make([]field, len(cols))
	for i, c := range cols {
		v := newValue(c.Type)
		fields[i] = field{name: c.Field(), column: c.Name, value: v, notNull: c.NotNull}
		d.values = append(d.values, v)
	}
	d.root = newObject(fields, names)
	return d, nil
}

// Decode appends one row, or none and says why.
func (d *Decoder) Decode(s []byte) *connectors.DecodeError {
	if d.bytes += len(s); d.bytes > maxBatchBytes && d.rows > 0 {
		d.bytes -= len(s)
		return &connectors.DecodeError{Code: "54000", Reason: "a batch of rows exceeds 1 GiB"}
	}
	i := space(s, 0)
	switch {
	case s == nil:
		i = d.in.fail(codeNoValue, "the record has no value")
	case i >= len(s):
		i = d.in.syntax(s, i)
	case s[i] != '{':
		i = d.notObject(s, i)
	default:
		if i = d.root.read(&d.in, s, i, d.rows); i >= 0 && i < len(s) {
			if i = space(s, i); i < len(s) {
				i = d.in.syntax(s, i)
			}
		}
	}
	if i < 0 {
		for _, v := range d.values {
			v.Truncate(d.rows)
		}
		err := d.in.err
		return &err
	}
	d.rows++
	return nil
}

// notObject refuses a record that is another value than an object, if it is a value at all.
func (d *Decoder) notObject(s []byte, i int) int {
	end := d.in.skip(s, i)
	if end < 0 {
		return -1
	}
	if end = space(s, end); end < len(s) {
		return d.in.syntax(s, end)
	}
	return d.in.fail(sql.CodeInvalidText, "the record is not a JSON object")
}

// Finish returns the columns held and starts anew.
func (d *Decoder) Finish() []arrow.Array {
	columns := make([]arrow.Array, len(d.values))
	for i, v := range d.values {
		columns[i] = v.Finish()
	}
	d.rows, d.bytes = 0, 0
	return columns
}
