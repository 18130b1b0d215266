package sql

import (
	"cmp"
	"strings"
)

// CompareJSONB orders two jsonb texts in canonical form as PostgreSQL's btree does:
// object > array > boolean > number > string > null; arrays and objects by size first, then member
// by member. (An empty array is below null there, by an old accident that became a rule.)
func CompareJSONB(a, b string) int {
	c, _, _ := compareJSON(a, b, true)
	return c
}

// compareJSON compares the values that a and b start with, and returns what follows them; only when
// they are equal is that defined.
func compareJSON(a, b string, top bool) (c int, restA, restB string) {
	a, b = strings.TrimLeft(a, " "), strings.TrimLeft(b, " ")
	if c := cmp.Compare(jsonRank(a, top), jsonRank(b, top)); c != 0 || a == "" {
		return c, "", ""
	}
	switch a[0] {
	case '{', '[':
		return compareJSONContainers(a, b)
	case '"':
		na, nb := jsonStringLen(a), jsonStringLen(b)
		return cmp.Compare(unquoteJSON(a[:na]), unquoteJSON(b[:nb])), a[na:], b[nb:]
	}
	na, nb := jsonWordLen(a), jsonWordLen(b)
	x, y := a[:na], b[:nb]
	if x == y {
		return 0, a[na:], b[nb:]
	}
	dx, errX := ParseNumeric(x)
	dy, errY := ParseNumeric(y)
	if errX != nil || errY != nil { // false and true
		return cmp.Compare(x, y), a[na:], b[nb:]
	}
	return CompareNumeric(dx, dy), a[na:], b[nb:]
}

func compareJSONContainers(a, b string) (c int, restA, restB string) {
	object := a[0] == '{'
	if c := cmp.Compare(jsonCount(a), jsonCount(b)); c != 0 {
		return c, "", ""
	}
	a, b = a[1:], b[1:]
	for {
		a, b = strings.TrimLeft(a, " ,"), strings.TrimLeft(b, " ,")
		if a == "" || a[0] == '}' || a[0] == ']' {
			return 0, a[min(1, len(a)):], b[min(1, len(b)):]
		}
		if object {
			// Keys are ordered as strings here, and the values follow each.
			if c, a, b = compareJSON(a, b, false); c != 0 {
				return c, "", ""
			}
			a, b = strings.TrimLeft(a, " :"), strings.TrimLeft(b, " :")
		}
		if c, a, b = compareJSON(a, b, false); c != 0 {
			return c, "", ""
		}
	}
}

func jsonRank(s string, top bool) int {
	if s == "" {
		return -1
	}
	switch s[0] {
	case '{':
		return 5
	case '[':
		if top && jsonCount(s) == 0 {
			return -1
		}
		return 4
	case 't', 'f':
		return 3
	case '"':
		return 1
	case 'n':
		return 0
	}
	return 2
}

// jsonCount is the number of members of the array or object that s starts with.
func jsonCount(s string) int {
	depth, n, empty := 0, 0, true
	for i := 0; i < len(s); i++ {
		switch c := s[i]; c {
		case '{', '[':
			empty = empty && depth == 0
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				if empty {
					return 0
				}
				return n + 1
			}
		case ',':
			if depth == 1 {
				n++
			}
		case '"':
			empty = false
			i += jsonStringLen(s[i:]) - 1
		case ' ':
		default:
			empty = false
		}
	}
	return n
}

func jsonStringLen(s string) int {
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(s)
}

func jsonWordLen(s string) int {
	if i := strings.IndexAny(s, ",]}: "); i >= 0 {
		return i
	}
	return len(s)
}

// unquoteJSON undoes the escapes that canonical jsonb text has.
func unquoteJSON(s string) string {
	s = s[1 : len(s)-1]
	if !strings.Contains(s, `\`) {
		return s
	}
	return jsonUnescaper.Replace(s)
}

var jsonUnescaper = func() *strings.Replacer {
	pairs := []string{`\\`, `\`, `\"`, `"`, `\b`, "\b", `\f`, "\f", `\n`, "\n", `\r`, "\r", `\t`, "\t"}
	const hex = "0123456789abcdef"
	for c := range byte(0x20) {
		pairs = append(pairs, `\u00`+string([]byte{hex[c>>4], hex[c&15]}), string(rune(c)))
	}
	return strings.NewReplacer(pairs...)
}()
