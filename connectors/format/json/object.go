package json

import (
	"encoding/binary"
	"slices"
	"strings"

	"github.com/streamsql/streamsql/connectors"
)

// object reads the members of objects of one schema into columns.
//
// Producers write the members of their records in the same order and spelling again and again. So
// the object remembers one record as its line: what stood before each value, from the end of the
// value before it. Where a record goes on as the line does, that text is compared in place: no
// scanning, no hashing. Members of the line may be missing. Any other key is found by its first
// eight bytes in a small table, and only failing that it is read and looked up.
//
// State: fields, and keys: the text of every key met, quotes included → what to do with its value.
type object struct {
	fields []field
	names  []string // of all fields there are, read or not
	keys   map[string]*key
	recent [64]*key // by slot of their heads: the last key looked up
	line   []step
	strays int    // members that were not on the line since it was learned
	turn   uint64 // counts the objects read, to tell which fields an object has given
}

// step is a member on the line.
type step struct {
	phrase // as in ,"amount": or { "id" :
	key    *key
}

const (
	// maxSteps bounds the line: what a record has beyond it is looked up.
	maxSteps = 256
	// maxMissing is how far ahead on the line the next member is looked for.
	maxMissing = 4
	// maxStrays is after how many members that are not on it another record becomes the line.
	maxStrays = 500
)

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
	phrase        // with its quotes and the colon: "amount":
	name   string // unescaped
	field  *field // nil = not needed
}

// phrase is a text that is compared with what a record has in some place.
type phrase struct {
	text string
	// The first and the last eight bytes of text, and where the last begin; they overlap when it is
	// short. For texts below eight bytes both are all of it, and mask tells how much that is.
	head, tail, mask uint64
	tailAt           int
	room             int // that the words and a byte behind the text need
}

func newPhrase(text string) phrase {
	var short [8]byte
	n := copy(short[:], text)
	word := binary.LittleEndian.Uint64(short[:])
	p := phrase{text: text, head: word, tail: word, mask: 1<<(8*n) - 1, room: max(8, len(text)+1)} // a shift by 64 gives 0, and so all ones
	if len(text) > 8 {
		p.tailAt = len(text) - 8
		p.tail = binary.LittleEndian.Uint64([]byte(text[p.tailAt:]))
	}
	return p
}

// isAt tells whether s has the text at i, and at least a byte more. It is a compare of two words
// for texts of up to 16 bytes.
func (p *phrase) isAt(s []byte, i int) bool {
	n := len(p.text)
	if len(s)-i < p.room {
		return len(s)-i > n && string(s[i:i+n]) == p.text
	}
	diff := (word(s, i) ^ p.head) | (word(s, i+p.tailAt) ^ p.tail)
	return diff&p.mask == 0 && (n <= 16 || string(s[i+8:i+n-8]) == p.text[8:n-8])
}

// maxKeys bounds what an object remembers, since a record's keys may be data.
const maxKeys = 4096

func newObject(fields []field, names []string) *object {
	return &object{fields: fields, names: names, keys: map[string]*key{}, strays: maxStrays} // the first record is the line
}

// read reads the object at s[i] and appends a row to every field's value. rows is how many rows
// they have. After an error some have one more.
func (o *object) read(in *input, s []byte, i, rows int) int {
	o.turn++
	start, given := i, 0 // where the object begins, and the fields given
	rest := o.line
	for {
		var k *key
		if len(rest) > 0 && rest[0].isAt(s, i) {
			k = rest[0].key
			i += len(rest[0].text)
			rest = rest[1:]
		} else {
			if i < len(s) && s[i] == '}' && i > start {
				return o.finish(in, s, start, i+1, given)
			}
			if k, i, rest = o.stray(in, s, i, rest, i == start); k == nil {
				return o.finish(in, s, start, i, given)
			}
		}
		if s[i] <= ' ' {
			if i = space(s, i); i == len(s) {
				return in.syntax(s, i)
			}
		}
		f, at := k.field, i
		if f == nil {
			if s[i] == '"' {
				if end := plain(s, i+1); end < len(s) && s[end] == '"' {
					i = end + 1
					continue
				}
			}
			i = in.skip(s, i)
		} else if f.given != o.turn {
			f.given = o.turn
			if f.by != k { // most often it is; a store would cost a write barrier
				f.by = k
			}
			given++
			i = o.member(in, s, i, k, rows)
		} else {
			i = o.again(in, s, i, k, rows)
		}
		if i < 0 {
			if i = o.superseded(in, s, at, f, rows); i < 0 {
				return in.within(k.name)
			}
		}
	}
}

// superseded decides on the value at s[i], which its field has refused: if the object gives the field
// again, that one counts, and it returns the index behind this one.
func (o *object) superseded(in *input, s []byte, i int, f *field, rows int) int {
	if in.malformed() {
		return -1
	}
	refusal := in.err
	end := in.skip(s, i)
	for i = end; i >= 0; {
		if i = space(s, i); i == len(s) || s[i] != ',' {
			break
		}
		var k *key
		if k, i = o.lookup(in, s, space(s, i+1)); k == nil {
			break
		}
		if k.field == f && f.takes(k) {
			f.value.Truncate(rows)
			return end
		}
		if i = space(s, i); i == len(s) {
			break
		}
		i = in.skip(s, i)
	}
	in.err = refusal
	return -1
}

// stray finds the next member where the record does not go on as the line does, of which rest is
// left. i is where the value before it ended or, for the first one, the object begins. It returns the
// key, the index behind its colon, where there is another byte, and how the line may go on. No key is
// the end of the object, or an error.
func (o *object) stray(in *input, s []byte, i int, rest []step, first bool) (_ *key, _ int, _ []step) {
	for n := 1; n < min(maxMissing, len(rest)); n++ {
		if rest[n].isAt(s, i) {
			return rest[n].key, i + len(rest[n].text), rest[n+1:]
		}
	}
	if first {
		i++
	}
	if i = space(s, i); i < len(s) && s[i] == '}' {
		return nil, i + 1, rest
	}
	if !first {
		if i == len(s) || s[i] != ',' {
			return nil, in.syntax(s, i), rest
		}
		i = space(s, i+1)
	}
	o.strays++
	k, i := o.lookup(in, s, i)
	if first && len(rest) > 0 {
		rest = rest[1:] // which begins with the brace
	}
	return k, i, rest
}

// learn makes the object at s[i], which is sound, the line.
func (o *object) learn(in *input, s []byte, i int) {
	o.strays, o.line = 0, nil
	from := i
	for i = space(s, i+1); s[i] != '}' && len(o.line) < maxSteps; i = space(s, i+1) {
		k, value := o.lookup(in, s, i)
		value = space(s, value)
		o.line = append(o.line, step{newPhrase(string(s[from:value])), k})
		from = in.skip(s, value)
		if i = space(s, from); s[i] == '}' {
			return
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

// takes tells whether a value under k counts beside the one that the object has given: the last does, but
// a key that equals the field's name counts more than one that does so but for case.
func (f *field) takes(k *key) bool { return k.name == f.name || f.by.name != f.name }

// again reads the value of a field that the object has given before.
func (o *object) again(in *input, s []byte, i int, k *key, rows int) int {
	f := k.field
	if !f.takes(k) {
		return in.skip(s, i)
	}
	f.by = k
	f.value.Truncate(rows)
	return o.member(in, s, i, k, rows)
}

// finish fills the fields that the object at s[start] did not give, and returns i. It is an error
// already if i is below 0.
func (o *object) finish(in *input, s []byte, start, i, given int) int {
	if i >= 0 && o.strays >= maxStrays {
		o.learn(in, s, start)
	}
	if given == len(o.fields) || i < 0 {
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

// lookup reads the key at s[i], and returns it and the index behind its colon, where there is
// another byte. Without a key it has failed.
func (o *object) lookup(in *input, s []byte, i int) (*key, int) {
	var recent **key
	if len(s)-i >= 8 {
		recent = &o.recent[slot(binary.LittleEndian.Uint64(s[i:]))]
		if k := *recent; k != nil && k.isAt(s, i) {
			return k, i + len(k.text)
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
	if i = in.colon(s, end); i < 0 {
		return nil, -1
	}
	return k, i
}

// newKey makes and remembers the key written at s[i:end].
func (o *object) newKey(in *input, s []byte, i, end int) *key {
	quoted := string(s[i:end])
	k := &key{phrase: newPhrase(quoted + ":")}
	if name, ok := in.unquote(s, i); ok >= 0 {
		k.name = string(name)
		k.field = o.field(k.name)
	}
	if len(o.keys) < maxKeys {
		o.keys[quoted] = k
	}
	return k
}

// field finds the field for a key: by its exact name, or else but for case; nil if it is none that is read.
func (o *object) field(name string) *field {
	i := slices.Index(o.names, name)
	if i < 0 {
		i = slices.IndexFunc(o.names, func(n string) bool { return strings.EqualFold(n, name) })
	}
	for f := range o.fields {
		if i >= 0 && o.fields[f].name == o.names[i] {
			return &o.fields[f]
		}
	}
	return nil
}
