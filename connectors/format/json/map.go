package json

import (
	"github.com/streamsql/streamsql/connectors/format/column"
	"github.com/streamsql/streamsql/sql"
)

// mapping reads objects into a map type.
//
// State: seen: every key met → in which object last, and where its value was there.
type mapping struct {
	column.Map
	value value
	seen  map[string]*place
	turn  uint64 // counts the objects read
}

// place is where the value of a key begins.
type place struct {
	turn uint64
	at   int
}

func newMap(t sql.Type) *mapping {
	v := newValue(*t.Elem)
	return &mapping{Map: *column.NewMap(t, column.New(*t.Key), v), value: v, seen: map[string]*place{}}
}

// read reads the entries as they come. Only when a key turns out to come twice are they read once
// more: by then the place of each key's last value, which counts, is known.
func (c *mapping) read(in *input, s []byte, i int) int {
	if s[i] != '{' {
		return in.mismatch(s, i, c.Type)
	}
	if len(c.seen) > maxKeys {
		clear(c.seen)
	}
	c.turn++
	end, twice := c.entries(in, s, i, false)
	if end >= 0 && twice {
		c.TruncateEntries(c.Start())
		end, _ = c.entries(in, s, i, true)
	}
	if end >= 0 {
		c.Push()
	}
	return end
}

// entries reads the entries of the object at s[i], or only the last of each key, and tells whether
// a key came twice.
func (c *mapping) entries(in *input, s []byte, i int, lastOnly bool) (end int, twice bool) {
	if i = space(s, i+1); i < len(s) && s[i] == '}' {
		return i + 1, false
	}
	for {
		if i >= len(s) || s[i] != '"' {
			return in.syntax(s, i), false
		}
		name, next := in.unquote(s, i)
		if next < 0 {
			return -1, false
		}
		if i = in.colon(s, next); i < 0 {
			return -1, false
		}
		p := c.seen[string(name)]
		switch {
		case lastOnly && p.at != i:
			i = in.skip(s, i)
		default:
			if p == nil {
				p = &place{}
				c.seen[string(name)] = p
			}
			twice = twice || p.turn == c.turn
			p.turn, p.at = c.turn, i
			i = c.entry(in, name, s, i)
		}
		if i < 0 {
			return -1, false
		}
		i = space(s, i)
		switch {
		case i < len(s) && s[i] == ',':
			i = space(s, i+1)
		case i < len(s) && s[i] == '}':
			return i + 1, twice
		default:
			return in.syntax(s, i), false
		}
	}
}

// entry appends a key, and the value at s[i].
func (c *mapping) entry(in *input, name, s []byte, i int) int {
	if k, ok := c.Key.(*column.Bytes); ok && k.Type.Kind == sql.Text {
		k.Push(name)
	} else {
		d, err := sql.ParseText(*c.Type.Key, string(name))
		if err == nil {
			err = c.Key.Append(d)
		}
		if err != nil {
			return in.failWith(err)
		}
	}
	end := readElement(in, c.value, s, i)
	if end < 0 {
		return in.within(c.seenName(i))
	}
	return end
}

// seenName is the key whose value is at i in the object being read.
func (c *mapping) seenName(i int) string {
	for name, p := range c.seen {
		if p.turn == c.turn && p.at == i {
			return name
		}
	}
	return ""
}
