package expr

import (
	"slices"
	"strconv"
	"strings"

	"github.com/streamsql/streamsql/sql"
)

// jsonModifyFunctions change jsonb values: concatenation, deletion and replacement.
func jsonModifyFunctions() []Function {
	text, texts, jsonb, boolean := sql.TypeText, sql.ArrayOf(sql.TypeText), sql.TypeJSONB, sql.TypeBool
	return []Function{
		{Name: "||", Args: types(jsonb, jsonb), Result: jsonb, Kernel: Row2(jsonConcat)},
		{Name: "-", Args: types(jsonb, text), Result: jsonb, Kernel: Row2(func(_ *Context, s, key string) (string, error) { return jsonDelete(s, key) })},
		{Name: "-", Args: types(jsonb, texts), Result: jsonb, Kernel: RowN(jsonDeleteAll)},
		{Name: "-", Args: types(jsonb, sql.TypeInt4), Result: jsonb, Kernel: Row2(jsonDeleteAt)},
		{Name: "#-", Args: types(jsonb, texts), Result: jsonb, Kernel: RowN(jsonDeletePath)},
		{Name: "jsonb_delete_path", Args: types(jsonb, texts), Result: jsonb, Kernel: RowN(jsonDeletePath)},
		{Name: "jsonb_set", Args: types(jsonb, texts, jsonb), Result: jsonb, Kernel: RowN(jsonSet)},
		{Name: "jsonb_set", Args: types(jsonb, texts, jsonb, boolean), Result: jsonb, Kernel: RowN(jsonSet)},
		{Name: "jsonb_insert", Args: types(jsonb, texts, jsonb), Result: jsonb, Kernel: RowN(jsonInsert)},
		{Name: "jsonb_insert", Args: types(jsonb, texts, jsonb, boolean), Result: jsonb, Kernel: RowN(jsonInsert)},
	}
}

// jsonMember is a member of an object (with a quoted key) or of an array.
type jsonMember struct{ key, value string }

func jsonMembers(s string) []jsonMember {
	var out []jsonMember
	w := walkJSON(s)
	for {
		k, v, ok := w.next()
		if !ok {
			return out
		}
		out = append(out, jsonMember{k, v})
	}
}

// jsonOf writes the members of an array, or of an object, whose keys need not be in order.
func jsonOf(members []jsonMember, object bool) (string, error) {
	out := []byte{'['}
	if object {
		out[0] = '{'
	}
	for i, m := range members {
		if i > 0 {
			out = append(out, ", "...)
		}
		if object {
			out = append(append(out, m.key...), ": "...)
		}
		out = append(out, m.value...)
	}
	if object {
		return sql.ParseJSONB(string(append(out, '}')))
	}
	return string(append(out, ']')), nil
}

// jsonConcat merges two objects; anything else is joined as arrays.
func jsonConcat(_ *Context, a, b string) (string, error) {
	if a[0] == '{' && b[0] == '{' {
		return jsonOf(append(jsonMembers(a), jsonMembers(b)...), true)
	}
	var members []jsonMember
	for _, s := range [...]string{a, b} {
		if s[0] == '[' {
			members = append(members, jsonMembers(s)...)
		} else {
			members = append(members, jsonMember{value: s})
		}
	}
	return jsonOf(members, false)
}

var errDeleteFromScalar = sql.Errorf(sql.CodeInvalidParameter, "cannot delete from scalar")

// jsonDelete removes a key, or the strings of an array that equal it.
func jsonDelete(s, key string) (string, error) {
	if s[0] != '{' && s[0] != '[' {
		return "", errDeleteFromScalar
	}
	object := s[0] == '{'
	members := slices.DeleteFunc(jsonMembers(s), func(m jsonMember) bool {
		if object {
			return jsonKeyIs(m.key, key)
		}
		return m.value[0] == '"' && jsonKeyIs(m.value, key)
	})
	return jsonOf(members, object)
}

func jsonDeleteAll(_ *Context, _ *Input, args []sql.Datum) (sql.Datum, error) {
	s := args[0].(string)
	if s[0] != '{' && s[0] != '[' {
		return nil, errDeleteFromScalar
	}
	for _, key := range args[1].([]sql.Datum) {
		if key == nil {
			continue
		}
		var err error
		if s, err = jsonDelete(s, key.(string)); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func jsonDeleteAt(_ *Context, s string, i int32) (string, error) {
	switch s[0] {
	case '{':
		return "", sql.Errorf(sql.CodeInvalidParameter, "cannot delete from object using integer index")
	case '[':
	default:
		return "", errDeleteFromScalar
	}
	members := jsonMembers(s)
	if i < 0 {
		i += int32(len(members))
	}
	if i >= 0 && int(i) < len(members) {
		members = slices.Delete(members, int(i), int(i)+1)
	}
	return jsonOf(members, false)
}

// jsonEdit says what happens at the end of a path.
type jsonEdit struct {
	value       string // what is put there
	remove      bool
	create      bool // put a value where there is none
	insert      bool // put it beside an array's element, and fail at an object's key
	insertAfter bool
	path        []sql.Datum
}

func jsonDeletePath(_ *Context, _ *Input, args []sql.Datum) (sql.Datum, error) {
	s := args[0].(string)
	e := jsonEdit{remove: true, path: args[1].([]sql.Datum)}
	if s[0] != '{' && s[0] != '[' {
		return nil, sql.Errorf(sql.CodeInvalidParameter, "cannot delete path in scalar")
	}
	return e.run(s)
}

func jsonSet(_ *Context, _ *Input, args []sql.Datum) (sql.Datum, error) {
	s := args[0].(string)
	e := jsonEdit{value: args[2].(string), create: len(args) < 4 || args[3].(bool), path: args[1].([]sql.Datum)}
	if s[0] != '{' && s[0] != '[' {
		return nil, sql.Errorf(sql.CodeInvalidParameter, "cannot set path in scalar")
	}
	return e.run(s)
}

func jsonInsert(_ *Context, _ *Input, args []sql.Datum) (sql.Datum, error) {
	s := args[0].(string)
	e := jsonEdit{value: args[2].(string), create: true, insert: true, path: args[1].([]sql.Datum)}
	e.insertAfter = len(args) > 3 && args[3].(bool)
	if s[0] != '{' && s[0] != '[' {
		return nil, sql.Errorf(sql.CodeInvalidParameter, "cannot set path in scalar")
	}
	return e.run(s)
}

func (e jsonEdit) run(s string) (sql.Datum, error) {
	if len(e.path) == 0 || s == "[]" && !e.create || s == "{}" && !e.create {
		return s, nil
	}
	out, err := e.at(s, 0)
	if err != nil {
		return nil, err
	}
	return out, nil
}

// at edits s, which lies level steps down the path.
func (e jsonEdit) at(s string, level int) (string, error) {
	step, ok := e.path[level].(string)
	if !ok {
		return "", sql.Errorf("22004", "path element at position %d is null", level+1)
	}
	switch s[0] {
	case '{':
		return e.atKey(s, step, level)
	case '[':
		return e.atIndex(s, step, level)
	}
	return s, nil
}

func (e jsonEdit) atKey(s, name string, level int) (string, error) {
	members, last := jsonMembers(s), level == len(e.path)-1
	for i := range members {
		if !jsonKeyIs(members[i].key, name) {
			continue
		}
		switch {
		case last && e.remove:
			members = slices.Delete(members, i, i+1)
		case last && e.insert:
			return "", sql.Errorf(sql.CodeInvalidParameter, "cannot replace existing key").
				WithHint("Try using the function jsonb_set to replace key value.")
		case last:
			members[i].value = e.value
		default:
			v, err := e.at(members[i].value, level+1)
			if err != nil {
				return "", err
			}
			members[i].value = v
		}
		return jsonOf(members, true)
	}
	if last && e.create {
		members = append(members, jsonMember{string(sql.AppendJSONString(nil, name)), e.value})
	}
	return jsonOf(members, true)
}

func (e jsonEdit) atIndex(s, step string, level int) (string, error) {
	members, last := jsonMembers(s), level == len(e.path)-1
	n, err := strconv.ParseInt(strings.TrimLeft(step, " \t\n\v\f\r"), 10, 32)
	if err != nil {
		return "", sql.Errorf(sql.CodeInvalidText, "path element at position %d is not an integer: \"%s\"", level+1, step)
	}
	i := int(n)
	if i < 0 {
		i += len(members)
		if i < 0 && (e.insert || e.create && last) {
			i = -1
		}
	}
	inside := i >= 0 && i < len(members)
	switch {
	case !last && inside:
		v, err := e.at(members[i].value, level+1)
		if err != nil {
			return "", err
		}
		members[i].value = v
	case !last:
	case e.remove && inside:
		members = slices.Delete(members, i, i+1)
	case e.remove:
	case inside && e.insert:
		if e.insertAfter {
			i++
		}
		members = slices.Insert(members, i, jsonMember{value: e.value})
	case inside:
		members[i].value = e.value
	case e.create && i < 0:
		members = slices.Insert(members, 0, jsonMember{value: e.value})
	case e.create:
		members = append(members, jsonMember{value: e.value})
	}
	return jsonOf(members, false)
}
