package column

import (
	"github.com/apache/arrow-go/v18/arrow"

	"github.com/streamsql/streamsql/exec/stream"
	"github.com/streamsql/streamsql/sql"
)

// Bytes is a column of a variable-width type: text and its like, bytea, jsonb, variable numeric.
type Bytes struct {
	Type    sql.Type
	data    []byte
	offsets []int32 // where each row ends
	valid   validity

	rows, bytes room
}

// NewBytes makes a column of t.
func NewBytes(t sql.Type) *Bytes { return &Bytes{Type: t, offsets: []int32{0}} }

// Push appends a value. The caller keeps the sum of a batch's values below 2 GiB.
func (c *Bytes) Push(v []byte) {
	c.data = append(c.data, v...)
	c.offsets = append(c.offsets, int32(len(c.data)))
}

// Buffer is what has been appended so far; a caller may append the next value to it in place and
// end it by PushBuffer.
func (c *Bytes) Buffer() []byte { return c.data }

// PushBuffer appends the value that was appended to Buffer.
func (c *Bytes) PushBuffer(data []byte) {
	c.data = data
	c.offsets = append(c.offsets, int32(len(data)))
}

func (c *Bytes) Len() int { return len(c.offsets) - 1 }

func (c *Bytes) Null() {
	c.valid.null(c.Len())
	c.offsets = append(c.offsets, int32(len(c.data)))
}

func (c *Bytes) Append(d sql.Datum) error {
	data := c.data
	switch v := d.(type) {
	case nil:
		c.Null()
		return nil
	case string:
		if len(data)+len(v) > maxData {
			return tooLarge()
		}
		data = append(data, v...)
	case []byte:
		if len(data)+len(v) > maxData {
			return tooLarge()
		}
		data = append(data, v...)
	case *sql.Decimal:
		data = sql.AppendNumeric(data, v)
		if len(data) > maxData {
			return tooLarge()
		}
	}
	c.PushBuffer(data)
	return nil
}

func (c *Bytes) Truncate(n int) {
	c.valid.truncate(n, c.Len())
	c.offsets = c.offsets[:n+1]
	c.data = c.data[:c.offsets[n]]
}

func (c *Bytes) Finish() arrow.Array {
	n := c.Len()
	arr := stream.Bytes(c.Type, c.offsets, c.data, c.valid.finish(n))
	c.offsets = append(make([]int32, 0, c.rows.after(n, mostRows)+1), 0)
	c.data = make([]byte, 0, c.bytes.after(len(c.data), mostData))
	return arr
}
