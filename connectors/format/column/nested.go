package column

import (
	"github.com/apache/arrow-go/v18/arrow"

	"github.com/streamsql/streamsql/exec/stream"
	"github.com/streamsql/streamsql/sql"
)

// List is a column of an array type. A row is appended to Elem first and ended by Push.
type List struct {
	Type    sql.Type
	Elem    Column
	offsets []int32 // where each row ends, after a leading 0
	valid   validity
	rows    room
}

// NewList makes a column of the array type t with its elements in elem.
func NewList(t sql.Type, elem Column) *List { return &List{Type: t, Elem: elem, offsets: []int32{0}} }

// Push ends a row: its elements are those appended to Elem since the last.
func (c *List) Push() {
	c.offsets = append(c.offsets, int32(c.Elem.Len()))
}

func (c *List) Len() int { return len(c.offsets) - 1 }

func (c *List) Null() {
	c.valid.null(c.Len())
	c.Push()
}

func (c *List) Append(d sql.Datum) error {
	if d == nil {
		c.Null()
		return nil
	}
	for _, e := range d.([]sql.Datum) {
		if err := c.Elem.Append(e); err != nil {
			return err
		}
	}
	c.Push()
	return nil
}

// Truncate also undoes elements of a row that has not been ended.
func (c *List) Truncate(n int) {
	c.valid.truncate(n, c.Len())
	c.offsets = c.offsets[:n+1]
	c.Elem.Truncate(int(c.offsets[n]))
}

func (c *List) Finish() arrow.Array {
	n := c.Len()
	arr := stream.Lists(c.Type, c.offsets, c.Elem.Finish(), c.valid.finish(n))
	c.offsets = append(make([]int32, 0, c.rows.after(n, mostRows)+1), 0)
	return arr
}

// Map is a column of a map type. A row is appended to Key and Value first and ended by Push.
type Map struct {
	Type       sql.Type
	Key, Value Column
	offsets    []int32
	valid      validity
	rows       room
}

// NewMap makes a column of the map type t with its entries in key and value.
func NewMap(t sql.Type, key, value Column) *Map {
	return &Map{Type: t, Key: key, Value: value, offsets: []int32{0}}
}

// Push ends a row.
func (c *Map) Push() {
	c.offsets = append(c.offsets, int32(c.Key.Len()))
}

func (c *Map) Len() int { return len(c.offsets) - 1 }

func (c *Map) Null() {
	c.valid.null(c.Len())
	c.Push()
}

func (c *Map) Append(d sql.Datum) error {
	if d == nil {
		c.Null()
		return nil
	}
	for _, e := range d.(sql.MapValue) {
		if err := c.Key.Append(e.Key); err != nil {
			return err
		}
		if err := c.Value.Append(e.Value); err != nil {
			return err
		}
	}
	c.Push()
	return nil
}

// Truncate also undoes entries of a row that has not been ended.
func (c *Map) Truncate(n int) {
	c.valid.truncate(n, c.Len())
	c.offsets = c.offsets[:n+1]
	c.TruncateEntries(int(c.offsets[n]))
}

// TruncateEntries undoes the entries from n on, counted over all rows.
func (c *Map) TruncateEntries(n int) {
	c.Key.Truncate(n)
	c.Value.Truncate(n)
}

// Start is the first entry of the row that has not been ended.
func (c *Map) Start() int {
	return int(c.offsets[len(c.offsets)-1])
}

func (c *Map) Finish() arrow.Array {
	n := c.Len()
	arr := stream.Maps(c.Type, c.offsets, c.Key.Finish(), c.Value.Finish(), c.valid.finish(n))
	c.offsets = append(make([]int32, 0, c.rows.after(n, mostRows)+1), 0)
	return arr
}

// Row is a column of a row type. A row is appended to every one of Fields first and ended by Push.
type Row struct {
	Type   sql.Type
	Fields []Column
	rows   int
	valid  validity
}

// NewRow makes a column of the row type t.
func NewRow(t sql.Type, fields []Column) *Row { return &Row{Type: t, Fields: fields} }

// Push ends a row.
func (c *Row) Push() { c.rows++ }

func (c *Row) Len() int { return c.rows }

func (c *Row) Null() {
	c.valid.null(c.rows)
	for _, f := range c.Fields {
		f.Null()
	}
	c.rows++
}

func (c *Row) Append(d sql.Datum) error {
	if d == nil {
		c.Null()
		return nil
	}
	for i, v := range d.(sql.RowValue) {
		if err := c.Fields[i].Append(v); err != nil {
			return err
		}
	}
	c.rows++
	return nil
}

// Truncate also undoes fields of a row that has not been ended.
func (c *Row) Truncate(n int) {
	c.valid.truncate(n, c.rows)
	for _, f := range c.Fields {
		if f.Len() > n {
			f.Truncate(n)
		}
	}
	c.rows = n
}

func (c *Row) Finish() arrow.Array {
	fields := make([]arrow.Array, len(c.Fields))
	for i, f := range c.Fields {
		fields[i] = f.Finish()
	}
	arr := stream.Rows(c.Type, c.rows, fields, c.valid.finish(c.rows))
	c.rows = 0
	return arr
}
