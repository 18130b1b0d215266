package expr

import (
	"strings"

	"github.com/streamsql/streamsql/sql"
)

// jsonFunctions take json and jsonb apart; jsonbuild.go and jsonmodify.go put them together.
func jsonFunctions() []Function {
	text, int4, boolean, texts := sql.TypeText, sql.TypeInt4, sql.TypeBool, sql.ArrayOf(sql.TypeText)
	jsonb := sql.TypeJSONB
	fns := []Function{
		{Name: "@>", Args: types(jsonb, jsonb), Result: boolean, Kernel: Pure2(jsonContains)},
		{Name: "<@", Args: types(jsonb, jsonb), Result: boolean, Kernel: Pure2(func(a, b string) bool { return jsonContains(b, a) })},
		{Name: "jsonb_contains", Args: types(jsonb, jsonb), Result: boolean, Kernel: Pure2(jsonContains)},
		{Name: "?", Args: types(jsonb, text), Result: boolean, Kernel: Pure2(jsonExists)},
		{Name: "jsonb_exists", Args: types(jsonb, text), Result: boolean, Kernel: Pure2(jsonExists)},
		{Name: "?|", Args: types(jsonb, texts), Result: boolean, Kernel: RowN(jsonExistsAny(true))},
		{Name: "?&", Args: types(jsonb, texts), Result: boolean, Kernel: RowN(jsonExistsAny(false))},
		{Name: "jsonb_pretty", Args: types(jsonb), Result: text, Kernel: Append1(func(_ *Context, dst []byte, s string) ([]byte, error) { return appendPretty(dst, s, 0), nil })},
		{Name: "jsonb_strip_nulls", Args: types(jsonb), Result: jsonb, Kernel: Append1(func(_ *Context, dst []byte, s string) ([]byte, error) { return appendStripped(dst, s, ", ", ": "), nil })},
		{Name: "json_strip_nulls", Args: types(sql.TypeJSON), Result: sql.TypeJSON, Kernel: Append1(func(_ *Context, dst []byte, s string) ([]byte, error) { return appendStripped(dst, s, ",", ":"), nil })},
	}
	for _, t := range []sql.Type{jsonb, sql.TypeJSON} {
		canonical := t.Kind == sql.JSONB
		name := t.String()
		field := func(s, key string) (string, bool) { return jsonField(s, key, canonical) }
		element := func(s string, i int32) (string, bool) {
			if canonical && (i == 0 || i == -1) && s[0] != '[' && s[0] != '{' {
				return s, true // jsonb keeps a scalar as an array of one, and it shows here
			}
			return jsonElement(s, int(i))
		}
		fns = append(fns,
			Function{Name: "->", Args: types(t, text), Result: t, Kernel: jsonGet(field)},
			Function{Name: "->", Args: types(t, int4), Result: t, Kernel: jsonGet(element)},
			Function{Name: "->>", Args: types(t, text), Result: text, Kernel: jsonGetText(field)},
			Function{Name: "->>", Args: types(t, int4), Result: text, Kernel: jsonGetText(element)},
			Function{Name: "#>", Args: types(t, texts), Result: t, Kernel: RowN(jsonGetPath(canonical, false))},
			Function{Name: "#>>", Args: types(t, texts), Result: text, Kernel: RowN(jsonGetPath(canonical, true))},
			Function{Name: name + "_extract_path", Args: types(t, text), Variadic: true, Result: t, Kernel: RowN(jsonExtractPath(canonical, false))},
			Function{Name: name + "_extract_path_text", Args: types(t, text), Variadic: true, Result: text, Kernel: RowN(jsonExtractPath(canonical, true))},
			Function{Name: name + "_typeof", Args: types(t), Result: text, Kernel: Pure1(jsonTypeof)},
			Function{Name: name + "_array_length", Args: types(t), Result: int4, Kernel: Row1(jsonArrayLength)})
	}
	return fns
}

// jsonGet is ->, with get finding the member.
func jsonGet[K any](get func(s string, key K) (string, bool)) Kernel {
	return Append2(func(_ *Context, dst []byte, s string, key K) ([]byte, error) {
		v, ok := get(s, key)
		if !ok {
			return dst, Null
		}
		return append(dst, v...), nil
	})
}

// jsonGetText is ->>.
func jsonGetText[K any](get func(s string, key K) (string, bool)) Kernel {
	return Append2(func(_ *Context, dst []byte, s string, key K) ([]byte, error) {
		v, ok := get(s, key)
		if !ok {
			return dst, Null
		}
		out, ok := appendJSONText(dst, v)
		if !ok {
			return dst, Null
		}
		return out, nil
	})
}

func jsonGetPath(canonical, asText bool) func(*Context, *Input, []sql.Datum) (sql.Datum, error) {
	return func(_ *Context, _ *Input, args []sql.Datum) (sql.Datum, error) {
		return jsonAt(args[0].(string), args[1].([]sql.Datum), canonical, asText), nil
	}
}

func jsonExtractPath(canonical, asText bool) func(*Context, *Input, []sql.Datum) (sql.Datum, error) {
	return func(_ *Context, _ *Input, args []sql.Datum) (sql.Datum, error) {
		return jsonAt(args[0].(string), args[1:], canonical, asText), nil
	}
}

func jsonAt(s string, path []sql.Datum, canonical, asText bool) sql.Datum {
	v, ok := jsonPath(s, path, canonical)
	if !ok {
		return nil
	}
	if !asText {
		return v
	}
	out, ok := appendJSONText(nil, v)
	if !ok {
		return nil
	}
	return string(out)
}

func jsonTypeof(s string) string {
	if kind := jsonbKind(jsonTrim(s)); kind != "numeric" {
		return kind
	}
	return "number"
}

func jsonArrayLength(_ *Context, s string) (int32, error) {
	switch jsonTrim(s)[0] {
	case '[':
		return int32(jsonCount(s)), nil
	case '{':
		return 0, sql.Errorf(sql.CodeInvalidParameter, "cannot get array length of a non-array")
	}
	return 0, sql.Errorf(sql.CodeInvalidParameter, "cannot get array length of a scalar")
}

// jsonExists tells whether name is a key of an object, a string in an array, or the string itself.
func jsonExists(s, name string) bool {
	switch s[0] {
	case '{':
		_, ok := jsonField(s, name, true)
		return ok
	case '"':
		return jsonKeyIs(s, name)
	}
	w := walkJSON(s)
	for {
		_, v, ok := w.next()
		if !ok {
			return false
		}
		if v[0] == '"' && jsonKeyIs(v, name) {
			return true
		}
	}
}

func jsonExistsAny(any bool) func(*Context, *Input, []sql.Datum) (sql.Datum, error) {
	return func(_ *Context, _ *Input, args []sql.Datum) (sql.Datum, error) {
		for _, name := range args[1].([]sql.Datum) {
			if name != nil && jsonExists(args[0].(string), name.(string)) == any {
				return any, nil
			}
		}
		return !any, nil
	}
}

// jsonContains is a @> b: every part of b is found in a at the same place, where arrays count as sets.
// An array also contains a scalar that is one of its elements.
func jsonContains(a, b string) bool {
	if a[0] == '[' && b[0] != '[' && b[0] != '{' {
		return jsonHasElement(a, b)
	}
	return jsonContainsValue(a, b)
}

func jsonContainsValue(a, b string) bool {
	switch {
	case a[0] == '{' && b[0] == '{':
		w := walkJSON(b)
		for {
			k, v, ok := w.next()
			if !ok {
				return true
			}
			have, found := jsonField(a, string(appendUnquoted(nil, k)), true)
			if !found || !jsonContainsValue(have, v) {
				return false
			}
		}
	case a[0] == '[' && b[0] == '[':
		w := walkJSON(b)
		for {
			_, v, ok := w.next()
			if !ok {
				return true
			}
			if !jsonHasElement(a, v) {
				return false
			}
		}
	case a[0] == '{' || a[0] == '[' || b[0] == '{' || b[0] == '[':
		return false
	}
	return a == b || sql.CompareJSONB(a, b) == 0
}

func jsonHasElement(a, b string) bool {
	w := walkJSON(a)
	for {
		_, v, ok := w.next()
		if !ok {
			return false
		}
		if jsonContainsValue(v, b) {
			return true
		}
	}
}

// appendPretty prints with four spaces for each level.
func appendPretty(dst []byte, s string, level int) []byte {
	w := walkJSON(s)
	if s[0] != '{' && s[0] != '[' {
		return append(dst, s...)
	}
	indent := func(n int) {
		dst = append(append(dst, '\n'), strings.Repeat("    ", n)...)
	}
	dst = append(dst, s[0])
	for first := true; ; first = false {
		k, v, ok := w.next()
		if !ok {
			break
		}
		if !first {
			dst = append(dst, ',')
		}
		indent(level + 1)
		if w.object {
			dst = append(append(dst, k...), ": "...)
		}
		dst = appendPretty(dst, v, level+1)
	}
	indent(level)
	return append(dst, s[len(s)-1])
}

// appendStripped leaves out object members that are null.
func appendStripped(dst []byte, s, comma, colon string) []byte {
	s = jsonTrim(s)
	if s[0] != '{' && s[0] != '[' {
		return append(dst, s...)
	}
	w := walkJSON(s)
	dst = append(dst, s[0])
	for first := true; ; {
		k, v, ok := w.next()
		if !ok {
			return append(dst, s[len(s)-1])
		}
		if w.object && v == "null" {
			continue
		}
		if !first {
			dst = append(dst, comma...)
		}
		first = false
		if w.object {
			dst = append(append(dst, k...), colon...)
		}
		dst = appendStripped(dst, v, comma, colon)
	}
}
