package expr

import (
	"strings"

	"github.com/streamsql/streamsql/sql"
)

// Call is the application of a function. The overload is chosen as PostgreSQL's func_get_detail does;
// a type's name with one argument is a cast. Errors: 42883, 42725.
func Call(name string, args []Expr) (Expr, error) {
	types := typesOf(args)
	fns := overloads(name)
	if cand := exactMatch(fns, types); cand != nil {
		return apply(cand, args)
	}
	if len(args) == 1 {
		if t, err := sql.TypeFromName(name, nil); err == nil && isCastCall(types[0], t) {
			return CastTo(args[0], t, Explicit)
		}
	}
	cand, ambiguous := resolve(fns, types)
	switch {
	case cand != nil:
		return apply(cand, args)
	case ambiguous:
		return nil, sql.Errorf(sql.CodeAmbiguousFunction, "function %s(%s) is not unique", name, typeList(types)).
			WithHint("Could not choose a best candidate function. You might need to add explicit type casts.")
	}
	return nil, sql.Errorf(sql.CodeUndefinedFunction, "function %s(%s) does not exist", name, typeList(types)).
		WithHint("No function matches the given name and argument types. You might need to add explicit type casts.")
}

// isCastCall tells whether t(x) is taken as x::t: for literals, and where the cast needs no function
// of its own name.
func isCastCall(from, t sql.Type) bool {
	if from.Kind == sql.Unknown {
		return true
	}
	if _, ok := lookupCast(from.Kind, t.Kind); ok {
		return true
	}
	return canCoerce(from, t, Explicit) && !(categoryOf(from) == catComposite && categoryOf(t) == catString)
}

// Operator is the application of a prefix or infix operator. Rows written out are compared field by
// field. Errors: 42883, 42725.
func Operator(op string, args ...Expr) (Expr, error) {
	if op == "!=" {
		op = "<>"
	}
	if e, err, ok := rowComparison(op, args); ok {
		return e, err
	}
	types := typesOf(args)
	fns := overloads(op)
	if cand := exactMatch(fns, sameAsOther(types)); cand != nil {
		return apply(cand, args)
	}
	cand, ambiguous := resolve(fns, types)
	if cand != nil {
		return apply(cand, args)
	}
	text := op + " " + types[0].BaseName()
	if len(types) == 2 {
		text = types[0].BaseName() + " " + op + " " + types[1].BaseName()
	}
	if ambiguous {
		return nil, sql.Errorf(sql.CodeAmbiguousFunction, "operator is not unique: %s", text).
			WithHint("Could not choose a best candidate operator. You might need to add explicit type casts.")
	}
	err := sql.Errorf(sql.CodeUndefinedFunction, "operator does not exist: %s", text)
	if len(types) == 1 {
		return nil, err.WithHint("No operator matches the given name and argument type. You might need to add an explicit type cast.")
	}
	return nil, err.WithHint("No operator matches the given name and argument types. You might need to add explicit type casts.")
}

// sameAsOther takes an untyped literal beside a typed operand for one of the same type.
func sameAsOther(types []sql.Type) []sql.Type {
	if len(types) == 2 {
		if types[0].Kind == sql.Unknown {
			return []sql.Type{types[1], types[1]}
		}
		if types[1].Kind == sql.Unknown {
			return []sql.Type{types[0], types[0]}
		}
	}
	return types
}

// candidate is an overload with its argument types for the number of arguments at hand.
type candidate struct {
	fn   *Function
	args []sql.Type
}

// declaredFor is the overload's argument types for n arguments, or ok = false if it takes another
// number.
func (f *Function) declaredFor(n int) (args []sql.Type, ok bool) {
	if !f.Variadic {
		return f.Args, len(f.Args) == n
	}
	fixed, last := f.Args[:len(f.Args)-1], f.Args[len(f.Args)-1]
	if n < len(fixed) || n == len(fixed) && last.Kind != kindAny {
		return nil, false
	}
	args = append(args, fixed...)
	for len(args) < n {
		args = append(args, last)
	}
	return args, true
}

func exactMatch(fns []*Function, types []sql.Type) *candidate {
	for _, f := range fns {
		args, ok := f.declaredFor(len(types))
		for i := 0; ok && i < len(types); i++ {
			ok = types[i].Kind != sql.Unknown && sameType(types[i], args[i])
		}
		if ok {
			return &candidate{f, args}
		}
	}
	return nil
}

// resolve picks the best overload for arguments of the types (func_match_argtypes and
// func_select_candidate), or tells that several are equally good.
func resolve(fns []*Function, types []sql.Type) (best *candidate, ambiguous bool) {
	var cands []candidate
	for _, f := range fns {
		if args, ok := f.declaredFor(len(types)); ok && accepts(args, types) {
			cands = append(cands, candidate{f, args})
		}
	}
	if len(cands) == 0 {
		return nil, false
	}
	// The most exact matches, then the most exact or preferred ones.
	cands = mostMatches(cands, types, func(arg, actual sql.Type) bool { return sameType(arg, actual) })
	if len(cands) == 1 {
		return &cands[0], false
	}
	cands = mostMatches(cands, types, func(arg, actual sql.Type) bool {
		return sameType(arg, actual) || isPreferred(arg) && categoryOf(arg) == categoryOf(actual)
	})
	if len(cands) == 1 {
		return &cands[0], false
	}
	if best := resolveUnknowns(cands, types); best != nil {
		return best, false
	}
	return nil, true
}

// mostMatches keeps the candidates with the most arguments that match, not counting unknown ones.
func mostMatches(cands []candidate, types []sql.Type, match func(arg, actual sql.Type) bool) []candidate {
	most, kept := -1, []candidate(nil)
	for _, c := range cands {
		n := 0
		for i, t := range types {
			if t.Kind != sql.Unknown && match(c.args[i], t) {
				n++
			}
		}
		if n > most {
			most, kept = n, nil
		}
		if n == most {
			kept = append(kept, c)
		}
	}
	return kept
}

// resolveUnknowns chooses by what the candidates take where untyped literals stand: strings if any
// takes one there, else the one category they agree on; at last, the type of the typed arguments.
func resolveUnknowns(cands []candidate, types []sql.Type) *candidate {
	agreed, unknowns := true, 0
	slots := make([]category, len(types))
	preferred := make([]bool, len(types))
	for i, t := range types {
		if t.Kind != sql.Unknown {
			continue
		}
		unknowns++
		conflict := false
		for _, c := range cands {
			cat, pref := categoryOf(c.args[i]), isPreferred(c.args[i])
			switch {
			case slots[i] == catInvalid:
				slots[i], preferred[i] = cat, pref
			case cat == slots[i]:
				preferred[i] = preferred[i] || pref
			case cat == catString:
				slots[i], preferred[i] = cat, pref
			default:
				conflict = true
			}
		}
		if conflict && slots[i] != catString {
			agreed = false
			break
		}
	}
	if unknowns == 0 {
		return nil
	}
	if agreed {
		var kept []candidate
		for _, c := range cands {
			keep := true
			for i, t := range types {
				if t.Kind == sql.Unknown && (categoryOf(c.args[i]) != slots[i] || preferred[i] && !isPreferred(c.args[i])) {
					keep = false
				}
			}
			if keep {
				kept = append(kept, c)
			}
		}
		if len(kept) > 0 {
			cands = kept
		}
		if len(cands) == 1 {
			return &cands[0]
		}
	}
	return likeTheTyped(cands, types, unknowns)
}

// likeTheTyped assumes unknown arguments to be of the type that all typed ones have.
func likeTheTyped(cands []candidate, types []sql.Type, unknowns int) *candidate {
	if unknowns == len(types) {
		return nil
	}
	known := sql.TypeUnknown
	for _, t := range types {
		switch {
		case t.Kind == sql.Unknown:
		case known.Kind == sql.Unknown:
			known = t
		case !sameType(known, t):
			return nil
		}
	}
	all := make([]sql.Type, len(types))
	for i := range all {
		all[i] = known
	}
	var found *candidate
	for i, c := range cands {
		if accepts(c.args, all) {
			if found != nil {
				return nil
			}
			found = &cands[i]
		}
	}
	return found
}

// accepts tells whether arguments of the types can be passed as declared.
func accepts(declared, types []sql.Type) bool {
	poly := false
	for i, d := range declared {
		if d.Kind >= kindAny {
			poly = poly || d.Kind != kindAny
		} else if !canCoerce(types[i], d, Implicit) {
			return false
		}
	}
	return !poly || polymorphs{}.solve(declared, types) != nil
}

// apply coerces the arguments and makes the call.
func apply(c *candidate, args []Expr) (Expr, error) {
	types := typesOf(args)
	solved := polymorphs{}.solve(c.args, types) // not nil, since the candidate accepts the types
	if solved.undecided {
		return nil, sql.Errorf(sql.CodeDatatypeMismatch, "could not determine polymorphic type because input has type unknown")
	}
	targets := solved.args(c.args, types)
	out := make([]Expr, len(args))
	for i, a := range args {
		var err error
		if out[i], err = passArgument(a, targets[i]); err != nil {
			return nil, err
		}
		if c.fn.passAs != nil {
			if out[i], err = CastTo(out[i], c.fn.passAs[i], Assignment); err != nil {
				return nil, err
			}
		}
	}
	e := &call{fn: c.fn, args: out}
	switch {
	case c.fn.ResultOf != nil:
		e.typ = c.fn.ResultOf(typesOf(out))
	case c.fn.Result.Kind >= kindAny:
		e.typ = (polymorphs{}).solve(c.args, typesOf(out)).result(c.fn.Result)
	default:
		e.typ = c.fn.Result
	}
	return e, nil
}

// passArgument casts an argument to what a function declares. Numerics keep their storage and
// strings their length, which functions don't mind.
func passArgument(a Expr, declared sql.Type) (Expr, error) {
	t := a.Type()
	switch {
	case declared.Kind == kindAny:
		if t.Kind == sql.Unknown {
			return CastTo(a, sql.TypeText, Implicit)
		}
		return a, nil
	case sameType(t, declared) && (declared.Kind != sql.Array || t.Equal(declared)):
		return a, nil
	case declared.Kind == sql.Text && (t.Kind == sql.Varchar || t.Kind == sql.Name):
		return a, nil
	case declared.Kind == sql.Numeric && declared.Precision == 0:
		return passNumeric(a)
	}
	return CastTo(a, declared, Implicit)
}

// passNumeric casts an integer to a fixed numeric and a literal to that of its digits, so that
// arithmetic with fixed numerics stays fixed.
func passNumeric(a Expr) (Expr, error) {
	if digits, ok := integerDigits[a.Type().Kind]; ok {
		return CastTo(a, sql.FixedNumeric(digits, 0), Implicit)
	}
	e, err := CastTo(a, sql.TypeNumeric, Implicit)
	if err != nil {
		return nil, err
	}
	if l, ok := e.(*literal); ok && a.Type().Kind == sql.Unknown {
		return Literal(l.vec.Datum(0), sql.TypeNumeric), nil
	}
	return e, nil
}

// integerDigits is how many digits hold any value of an integer type.
var integerDigits = map[sql.Kind]int32{sql.Int2: 5, sql.Int4: 10, sql.Int8: 19}

func typesOf(es []Expr) []sql.Type {
	types := make([]sql.Type, len(es))
	for i, e := range es {
		types[i] = e.Type()
	}
	return types
}

func typeList(types []sql.Type) string {
	names := make([]string, len(types))
	for i, t := range types {
		names[i] = t.BaseName()
	}
	return strings.Join(names, ", ")
}
