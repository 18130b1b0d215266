package agg

import (
	"strings"

	"github.com/streamsql/streamsql/sql"
)

// Func is an aggregate function resolved for the types of its arguments.
type Func struct {
	Name   string
	Result sql.Type

	make   func(makeArgs) Accumulator
	share  string // calls of equal share and arguments have one accumulator
	result int    // which of the accumulator's results it is

	order       bool // the result depends on the order of the rows
	keepsValues bool // with deletes in the input, all values are kept
	needsGroup  bool // a delete can be added to the group's state only, not to a partial one
	keepsNulls  bool // rows whose first argument is NULL count
}

// makeArgs is what an accumulator is made for.
type makeArgs struct {
	call    Call
	types   []sql.Type // of the input's columns
	retract bool       // rows may be deletes
}

// Call is one aggregate of a GROUP BY over columns of the operator's input.
type Call struct {
	Func     *Func
	Args     []int
	Filter   int // FILTER (WHERE …) as a boolean column, -1 = none
	Distinct bool
	OrderBy  []Order // array_agg(x ORDER BY …) and the like
}

// Order is one key of an ORDER BY.
type Order struct {
	Column     int
	Desc       bool
	NullsFirst bool
}

// Mergeable tells whether partial states of the call can be merged: if so it can be computed in two
// phases and over slices of windows. DISTINCT is not, since a value may be in both parts; nor is what
// keeps single values, or needs what a value is taken from, when deletes of a value and its insert may
// be in different parts.
func (c Call) Mergeable(retract bool) bool {
	return !c.Distinct && !c.Func.order && !(retract && (c.Func.keepsValues || c.Func.needsGroup))
}

// CountsNulls tells whether rows whose first argument is NULL count, as for array_agg.
func (c Call) CountsNulls() bool { return c.Func.keepsNulls }

// IsAggregate tells whether name is an aggregate function's.
func IsAggregate(name string) bool {
	_, ok := functions[name]
	return ok
}

// Lookup resolves an aggregate function; star is count(*). The error is PostgreSQL's (42883).
func Lookup(name string, args []sql.Type, star bool) (*Func, error) {
	if star && name == "count" {
		return countFunc(), nil
	}
	if resolve, ok := functions[name]; ok && !star {
		if f := resolve(args); f != nil {
			f.Name = name
			return f, nil
		}
	}
	list := make([]string, len(args))
	for i, t := range args {
		list[i] = t.BaseName()
	}
	if star {
		list = []string{"*"}
	}
	return nil, sql.Errorf(sql.CodeUndefinedFunction, "function %s(%s) does not exist", name, strings.Join(list, ", ")).
		WithHint("No function matches the given name and argument types. You might need to add explicit type casts.")
}
