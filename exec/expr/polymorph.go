package expr

import "github.com/streamsql/streamsql/sql"

// polymorphs is what the pseudo-types of a call stand for; nil = does not occur.
type polymorphs struct {
	element    *sql.Type // AnyElement, AnyNonArray; AnyArray is an array of it
	compatible *sql.Type // AnyCompatible; AnyCompatibleArray is an array of it
	undecided  bool      // AnyElement occurs, with untyped literals only
}

// solve finds what the declared pseudo-types stand for with arguments of the types, or returns nil
// when they don't agree. Without pseudo-types the answer is empty.
func (p polymorphs) solve(declared, types []sql.Type) *polymorphs {
	var compatible []sql.Type
	usesElement, usesCompatible := false, false
	for i, d := range declared {
		t := types[i]
		switch d.Kind {
		case kindAnyArray, kindAnyCompatibleArray:
			if t.Kind == sql.Array {
				t = *t.Elem
			} else if t.Kind == sql.Int2Vector {
				t = sql.TypeInt2
			} else if t.Kind == sql.OIDVector {
				t = sql.TypeOID
			} else if t.Kind != sql.Unknown {
				return nil
			}
		case kindAnyNonArray:
			if categoryOf(t) == catArray {
				return nil
			}
		case kindAnyRow:
			if t.Kind != sql.Row && t.Kind != sql.Record {
				return nil
			}
		}
		switch d.Kind {
		case kindAnyElement, kindAnyNonArray, kindAnyArray:
			usesElement = true
			if t.Kind == sql.Unknown {
				continue
			}
			if p.element == nil {
				p.element = &t
			} else if !sameType(*p.element, t) {
				return nil
			} else if !p.element.Equal(t) {
				plain := withoutModifiers(t)
				p.element = &plain
			}
		case kindAnyCompatible, kindAnyCompatibleArray:
			usesCompatible = true
			compatible = append(compatible, t)
		}
	}
	p.undecided = usesElement && p.element == nil
	if usesCompatible {
		t, ok := commonType(compatible)
		if !ok {
			return nil
		}
		p.compatible = &t
	}
	return &p
}

// args is the declared argument types with the pseudo-types replaced.
func (p *polymorphs) args(declared, types []sql.Type) []sql.Type {
	out := make([]sql.Type, len(declared))
	for i, d := range declared {
		out[i] = p.result(d)
		if d.Kind == kindAnyRow {
			out[i] = types[i]
		}
	}
	return out
}

// result is t with a pseudo-type replaced.
func (p *polymorphs) result(t sql.Type) sql.Type {
	switch t.Kind {
	case kindAnyElement, kindAnyNonArray:
		return *p.element
	case kindAnyArray:
		return sql.ArrayOf(*p.element)
	case kindAnyCompatible:
		return *p.compatible
	case kindAnyCompatibleArray:
		return sql.ArrayOf(*p.compatible)
	}
	return t
}
