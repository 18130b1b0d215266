package json

import (
	"encoding/binary"
	"strings"

	"github.com/streamsql/streamsql/connectors"
)

// object reads the members of objects of one schema into columns.
//
// Producers write the members of their records in the same order and spelling again and again. So
// every key remembers which one followed it last time, and that one's text is compared with the
// record in place: no scanning, no hashing. Where fields come and go, the key's first eight bytes
// find it in a small table. Only failing that is the key read and looked up.
//
// State: fields, and keys: the text of every key met, quotes included → what to do with its value.
type object struct {
	fields []field
	keys   map[string]*key
	recent [64]*key // by slot of their heads: the last key looked up
	start  key      // stands before the first key
	turn   uint64   // counts the objects read, to tell which fields an object has given
}

// slot is where a key that starts with the word head is in object.recent (Fibonacci hashing).
func slot(head uint64) uint64 { return head * 0x9e3779b97f4a7c15 >> 58 }

// field is a member that a column wants.
type field struct {
	name    string // in the record
	column  string // its column, for errors; empty in a nested row
	value   value
	notNull bool
	given   uint64 // the turn of the last object that gave it
	by      *key   // the key it was given by
}

// key is one spelling of a key.
type key struct {
	text  string // with its quotes and the colon: "amount":
	name  string // unescaped
	field *field // nil = not needed
	next  *key   // the key that followed it last; nil = none did

	// The first and the last eight bytes of text, which overlap when it is short; for texts below
	// eight bytes, both are all of it and mask tells how much that is.
	head, tail, mask uint64
}

// isAt tells whether s has k's text at i, and at least a byte more. It is a compare of two words
// for texts of up to 16 bytes.
func (k *key) isAt(s []byte, i int) bool {
	n := len(k.text)
	b := s[i:]
	if len(b) <= n {
		return false
	}
	if len(b) < 8 {
		return string(b[:n]) == k.text
	}
	diff := binary.LittleEndian.Uint64(b) ^ k.head
	if n > 8 {
		diff |= binary.LittleEndian.Uint64(b[n-8:]) ^ k.tail
	}
	return diff&k.mask == 0 && (n <= 16 || string(b[8:n-8]) == k.text[8:n-8])
}

// setText sets the text and the words that isAt compares.
func (k *key) setText(text string) {
	k.text = text
	var short [8]byte
	n := copy(short[:], text)
	k.head, k.tail = binary.LittleEndian.Uint64(short[:]), 0
	k.mask = 1<<(8*n) - 1 // a shift by 64 gives 0, and so all ones
	if len(text) > 8 {
		k.tail = binary.LittleEndian.Uint64([]byte(text[len(text)-8:]))
	}
}

// maxKeys bounds what an object remembers, since a record's keys may be data.
const maxKeys = 4096

func newObject(fields []field) *object {
	return &object{fields: fields, keys: map[string]*key{}}
}

// read reads the object at s[i] and appends a row to every field's value. rows is how many rows
// they have. After an error some have one more.
func (o *object) read(in *input, s []byte, i, rows int) int {
	o.turn++
	given := 0
	last := &o.start
	if i = space(s, i+1); i < len(s) && s[i] == '}' {
		return o.finish(in, i+1, rows, given)
	}
	for {
		k := last.next
		if k != nil && k.isAt(s, i) {
			i += len(k.text)
			if s[i] <= ' ' {
				i = space(s, i)
			}
		} else {
			if k, i = o.lookup(in, s, i); i < 0 {
				return -1
			}
			last.next = k
		}
		last = k
		switch {
		case i >= len(s):
			return in.syntax(s, i)
		case k.field == nil:
			if end := plain(s, i+1); s[i] == '"' && end < len(s) && s[end] == '"' {
				i = end + 1
			} else {
				i = in.skip(s, i)
			}
		case k.field.given != o.turn:
			k.field.given = o.turn
			if k.field.by != k { // most often it is; a store would cost a write barrier
				k.field.by = k
			}
			given++
			i = o.member(in, s, i, k, rows)
		default:
			i = o.again(in, s, i, k, rows)
		}
		if i < 0 {
			return in.within(k.name)
		}
		if i < len(s) && s[i] == ',' {
			i++
		} else if i = space(s, i); i < len(s) && s[i] == ',' {
			i++
		} else if i < len(s) && s[i] == '}' {
			return o.finish(in, i+1, rows, given)
		} else {
			return in.syntax(s, i)
		}
		if i < len(s) && s[i] <= ' ' {
			i = space(s, i)
		}
	}
}

// member reads the value of a needed field.
func (o *object) member(in *input, s []byte, i int, k *key, rows int) int {
	f := k.field
	if s[i] == 'n' {
		if i = in.literal(s, i, "null"); i < 0 {
			return -1
		}
		return f.null(in, i)
	}
	end := f.value.read(in, s, i)
	if end < 0 && in.lenient && !in.malformed() {
		if end = in.skip(s, i); end < 0 {
			return -1
		}
		f.value.Truncate(rows)
		return f.null(in, end)
	}
	return end
}

// null appends a NULL, if the column may have it, and returns i.
func (f *field) null(in *input, i int) int {
	if f.notNull {
		in.err = *connectors.NullViolation(f.column)
		in.err.Field = ""
		return -1
	}
	f.value.Null()
	return i
}

// again reads the value of a field that the object has given before: the last counts, but a key
// that equals the field's name counts more than one that does so but for case.
func (o *object) again(in *input, s []byte, i int, k *key, rows int) int {
	f := k.field
	if f.by.name == f.name && k.name != f.name {
		return in.skip(s, i)
	}
	f.by = k
	f.value.Truncate(rows)
	return o.member(in, s, i, k, rows)
}

// finish fills the fields that the object did not give, and returns i.
func (o *object) finish(in *input, i, rows, given int) int {
	if given == len(o.fields) {
		return i
	}
	for j := range o.fields {
		f := &o.fields[j]
		if f.given == o.turn {
			continue
		}
		if in.strict {
			in.fail(codeNoSuchMember, "the record has no such field")
			return in.within(f.name)
		}
		if f.null(in, i) < 0 {
			return in.within(f.name)
		}
	}
	return i
}

// lookup reads the key at s[i], and returns it and the index of its value's first byte.
func (o *object) lookup(in *input, s []byte, i int) (*key, int) {
	var recent **key
	if len(s)-i >= 8 {
		recent = &o.recent[slot(binary.LittleEndian.Uint64(s[i:]))]
		if k := *recent; k != nil && k.isAt(s, i) {
			return k, space(s, i+len(k.text))
		}
	}
	if i >= len(s) || s[i] != '"' {
		return nil, in.syntax(s, i)
	}
	end := in.skipString(s, i)
	if end < 0 {
		return nil, -1
	}
	k := o.keys[string(s[i:end])]
	if k == nil {
		k = o.newKey(in, s, i, end)
	}
	if recent != nil {
		*recent = k
	}
	return k, in.colon(s, end)
}

// newKey makes and remembers the key written at s[i:end].
func (o *object) newKey(in *input, s []byte, i, end int) *key {
	quoted := string(s[i:end])
	k := &key{}
	k.setText(quoted + ":")
	if name, ok := in.unquote(s, i); ok >= 0 {
		k.name = string(name)
		k.field = o.field(k.name)
	}
	if len(o.keys) < maxKeys {
		o.keys[quoted] = k
	}
	return k
}

// field finds the field for a key: by its exact name, or else but for case.
func (o *object) field(name string) *field {
	for i := range o.fields {
		if o.fields[i].name == name {
			return &o.fields[i]
		}
	}
	for i := range o.fields {
		if strings.EqualFold(o.fields[i].name, name) {
			return &o.fields[i]
		}
	}
	return nil
}
