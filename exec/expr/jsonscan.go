package expr

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/streamsql/streamsql/sql"
)

// json and jsonb are valid JSON text, so that a member is found by scanning for it: no tree is
// built, and nothing is allocated.

// jsonWalker walks through the members of an object or the elements of an array.
type jsonWalker struct {
	s      string
	pos    int
	object bool
}

// walkJSON starts a walk; over a scalar there is nothing to walk through.
func walkJSON(s string) jsonWalker {
	s = jsonTrim(s)
	w := jsonWalker{s: s, pos: 1, object: s[0] == '{'}
	if s[0] != '{' && s[0] != '[' {
		w.pos = len(s)
	}
	return w
}

// next is the next member; of an array's, key is empty. The key has its quotes and escapes.
func (w *jsonWalker) next() (key, value string, ok bool) {
	w.skip(',')
	if w.pos >= len(w.s) || w.s[w.pos] == '}' || w.s[w.pos] == ']' {
		return "", "", false
	}
	if w.object {
		end := w.pos + jsonStringEnd(w.s[w.pos:])
		key = w.s[w.pos:end]
		w.pos = end
		w.skip(':')
	}
	end := w.pos + jsonValueEnd(w.s[w.pos:])
	value = w.s[w.pos:end]
	w.pos = end
	return key, value, true
}

// skip skips white space and a separator.
func (w *jsonWalker) skip(separator byte) {
	for ; w.pos < len(w.s); w.pos++ {
		switch w.s[w.pos] {
		case separator, ' ', '\t', '\n', '\r':
		default:
			return
		}
	}
}

// jsonTrim cuts white space, which jsonb has none of.
func jsonTrim(s string) string {
	if s[0] > ' ' && s[len(s)-1] > ' ' {
		return s
	}
	return strings.Trim(s, " \t\n\r")
}

// jsonStringEnd is the length of the string that s starts with, quotes included.
func jsonStringEnd(s string) int {
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '"':
			return i + 1
		case '\\':
			i++
		}
	}
	return len(s)
}

// jsonValueEnd is the length of the value that s starts with.
func jsonValueEnd(s string) int {
	switch s[0] {
	case '"':
		return jsonStringEnd(s)
	case '{', '[':
		depth := 0
		for i := 0; i < len(s); i++ {
			switch s[i] {
			case '"':
				i += jsonStringEnd(s[i:]) - 1
			case '{', '[':
				depth++
			case '}', ']':
				if depth--; depth == 0 {
					return i + 1
				}
			}
		}
	}
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case ',', ']', '}', ' ', '\t', '\n', '\r':
			return i
		}
	}
	return len(s)
}

// appendUnquoted appends the text of a JSON string.
func appendUnquoted(dst []byte, quoted string) []byte {
	s := quoted[1 : len(quoted)-1]
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			dst = append(dst, s[i])
			continue
		}
		i++
		if s[i] != 'u' {
			if k := strings.IndexByte("bfnrt", s[i]); k >= 0 {
				dst = append(dst, "\b\f\n\r\t"[k])
			} else {
				dst = append(dst, s[i])
			}
			continue
		}
		r, _ := strconv.ParseUint(s[i+1:i+5], 16, 32)
		i += 4
		if r >= 0xD800 && r < 0xDC00 && i+6 < len(s)+1 && strings.HasPrefix(s[i+1:], `\u`) {
			low, _ := strconv.ParseUint(s[i+3:i+7], 16, 32)
			r = 0x10000 + (r-0xD800)<<10 + (low - 0xDC00)
			i += 6
		}
		dst = utf8.AppendRune(dst, rune(r))
	}
	return dst
}

// jsonKeyIs tells whether a quoted key is name.
func jsonKeyIs(quoted, name string) bool {
	if strings.IndexByte(quoted, '\\') < 0 {
		return quoted[1:len(quoted)-1] == name
	}
	return string(appendUnquoted(nil, quoted)) == name
}

// jsonField is the value of a key; the last one of a key that type json has twice.
func jsonField(s, name string, canonical bool) (value string, ok bool) {
	w := walkJSON(s)
	if !w.object {
		return "", false
	}
	for {
		k, v, more := w.next()
		if !more {
			return value, ok
		}
		if jsonKeyIs(k, name) {
			if value, ok = v, true; canonical {
				return value, true
			}
		}
	}
}

// jsonElement is an array's element, counted from the end if i is negative.
func jsonElement(s string, i int) (value string, ok bool) {
	if jsonTrim(s)[0] != '[' {
		return "", false
	}
	if i < 0 {
		if i += jsonCount(s); i < 0 {
			return "", false
		}
	}
	w := walkJSON(s)
	for {
		_, v, more := w.next()
		if !more || i == 0 {
			return v, more
		}
		i--
	}
}

func jsonCount(s string) (n int) {
	w := walkJSON(s)
	for {
		if _, _, ok := w.next(); !ok {
			return n
		}
		n++
	}
}

// jsonPath follows a path of keys and array positions; a NULL in the path leads nowhere.
func jsonPath(s string, path []sql.Datum, canonical bool) (value string, ok bool) {
	value = jsonTrim(s)
	for _, step := range path {
		name, isText := step.(string)
		if !isText {
			return "", false
		}
		if value[0] == '[' {
			i, err := strconv.ParseInt(strings.TrimLeft(name, " \t\n\v\f\r"), 10, 32)
			if err != nil {
				return "", false
			}
			value, ok = jsonElement(value, int(i))
		} else {
			value, ok = jsonField(value, name, canonical)
		}
		if !ok {
			return "", false
		}
	}
	return value, true
}

// appendJSONText appends a value as ->> gives it: the text of a string, and others as they are. ok is
// false for null.
func appendJSONText(dst []byte, value string) (out []byte, ok bool) {
	switch {
	case value == "null":
		return dst, false
	case value[0] == '"':
		return appendUnquoted(dst, value), true
	}
	return append(dst, value...), true
}
