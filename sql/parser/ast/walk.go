package ast

import "reflect"

// Walk calls fn for n and, as long as fn returns true, for the nodes under it, in the order of
// their fields. A nil n is skipped. It goes by reflection, so that no node can be forgotten: use
// it once a statement, not once a row.
func Walk(n Node, fn func(Node) bool) {
	if v := reflect.ValueOf(n); v.IsValid() {
		walk(v, fn)
	}
}

func walk(v reflect.Value, fn func(Node) bool) {
	switch v.Kind() {
	case reflect.Interface:
		walk(v.Elem(), fn)
	case reflect.Pointer:
		if v.IsNil() {
			return
		}
		if n, ok := v.Interface().(Node); ok && !fn(n) {
			return
		}
		walk(v.Elem(), fn)
	case reflect.Struct:
		for i := range v.NumField() {
			walk(v.Field(i), fn)
		}
	case reflect.Slice:
		for i := range v.Len() {
			walk(v.Index(i), fn)
		}
	}
}

var positionType = reflect.TypeFor[Position]()

// Equal tells whether two trees are the same but for positions.
func Equal(a, b Node) bool { return equal(reflect.ValueOf(a), reflect.ValueOf(b)) }

func equal(a, b reflect.Value) bool {
	if a.IsValid() != b.IsValid() {
		return false
	}
	if !a.IsValid() || a.Type() == positionType && b.Type() == positionType {
		return true
	}
	if a.Type() != b.Type() {
		return false
	}
	switch a.Kind() {
	case reflect.Interface, reflect.Pointer:
		return equal(a.Elem(), b.Elem())
	case reflect.Struct:
		for i := range a.NumField() {
			if !equal(a.Field(i), b.Field(i)) {
				return false
			}
		}
		return true
	case reflect.Slice:
		if a.Len() != b.Len() {
			return false
		}
		for i := range a.Len() {
			if !equal(a.Index(i), b.Index(i)) {
				return false
			}
		}
		return true
	}
	return a.Equal(b)
}
