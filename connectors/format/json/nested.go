package json

import (
	"strconv"

	"github.com/streamsql/streamsql/connectors/format/column"
	"github.com/streamsql/streamsql/sql"
)

// list reads arrays.
type list struct {
	column.List
	elem value
}

func newList(t sql.Type) *list {
	elem := sql.TypeInt8
	switch {
	case t.Elem != nil:
		elem = *t.Elem
	case t.Kind == sql.Int2Vector:
		elem = sql.TypeInt2
	}
	v := newValue(elem)
	return &list{*column.NewList(t, v), v}
}

func (c *list) read(in *input, s []byte, i int) int {
	if s[i] != '[' {
		return in.mismatch(s, i, c.Type)
	}
	first := c.elem.Len()
	if i = space(s, i+1); i < len(s) && s[i] == ']' {
		c.Push()
		return i + 1
	}
	for {
		if i >= len(s) {
			return in.syntax(s, i)
		}
		if i = readElement(in, c.elem, s, i); i < 0 {
			return in.within("[" + strconv.Itoa(c.elem.Len()-first) + "]")
		}
		i = space(s, i)
		switch {
		case i < len(s) && s[i] == ',':
			i = space(s, i+1)
		case i < len(s) && s[i] == ']':
			c.Push()
			return i + 1
		default:
			return in.syntax(s, i)
		}
	}
}

// readElement reads a value or null. In a lenient decoder, one that does not fit is NULL.
func readElement(in *input, v value, s []byte, i int) int {
	if s[i] == 'n' {
		end := in.literal(s, i, "null")
		if end >= 0 {
			v.Null()
		}
		return end
	}
	rows := v.Len()
	end := v.read(in, s, i)
	if end < 0 && in.lenient && !in.malformed() {
		if end = in.skip(s, i); end >= 0 {
			v.Truncate(rows)
			v.Null()
		}
	}
	return end
}

// row reads objects into a row type.
type row struct {
	column.Row
	object *object
}

func newRow(t sql.Type) *row {
	fields := make([]field, len(t.Fields))
	columns, names := make([]column.Column, len(t.Fields)), make([]string, len(t.Fields))
	for i, f := range t.Fields {
		v := newValue(f.Type)
		fields[i], columns[i], names[i] = field{name: f.Name, value: v}, v, f.Name
	}
	return &row{*column.NewRow(t, columns), newObject(fields, names)}
}

func (c *row) read(in *input, s []byte, i int) int {
	if s[i] != '{' {
		return in.mismatch(s, i, c.Type)
	}
	if i = c.object.read(in, s, i, c.Len()); i >= 0 {
		c.Push()
	}
	return i
}
