package agg

import (
	"fmt"

	"github.com/streamsql/streamsql/sql"
)

// functions are the aggregates by name. Each resolves the types of the arguments; nil means that
// there is no such function. An argument of unknown type, a bare literal, counts as text.
var functions = map[string]func(args []sql.Type) *Func{
	"count":       resolveCount,
	"sum":         resolveSum,
	"avg":         resolveAvg,
	"min":         resolveExtreme(false),
	"max":         resolveExtreme(true),
	"bool_and":    resolveBool(andResult),
	"every":       resolveBool(andResult),
	"bool_or":     resolveBool(orResult),
	"stddev":      resolveVariance(stddevSampResult),
	"stddev_samp": resolveVariance(stddevSampResult),
	"stddev_pop":  resolveVariance(stddevPopResult),
	"variance":    resolveVariance(varSampResult),
	"var_samp":    resolveVariance(varSampResult),
	"var_pop":     resolveVariance(varPopResult),
	"array_agg":   resolveArrayAgg,
	"string_agg":  resolveStringAgg,
}

func resolveCount(args []sql.Type) *Func {
	if len(args) != 1 {
		return nil
	}
	return countFunc()
}

// share names the accumulator of a function over one argument.
func share(kind string, t sql.Type) string { return fmt.Sprintf("%s(%s)", kind, t) }

func resolveSum(args []sql.Type) *Func {
	if len(args) != 1 {
		return nil
	}
	t := args[0]
	switch {
	case t.IsInteger() || t.IsFixed() && t.Precision <= 38:
		return &Func{Result: sumType(t), make: newSums(t), share: share("sum", t), result: sumResult}
	case t.Kind == sql.Numeric:
		return &Func{Result: sql.TypeNumeric, make: newNumerics(t, false), share: share("numeric", t), result: sumResult}
	case t.Kind == sql.Float4 || t.Kind == sql.Float8:
		return &Func{Result: t, make: newFloats(t), share: share("float", t), result: sumResult}
	}
	return nil
}

func resolveAvg(args []sql.Type) *Func {
	f := resolveSum(args)
	if f == nil {
		return nil
	}
	f.result, f.Result = avgResult, sql.TypeNumeric
	if k := args[0].Kind; k == sql.Float4 || k == sql.Float8 {
		f.Result = sql.TypeFloat8
	}
	return f
}

func resolveExtreme(largest bool) func([]sql.Type) *Func {
	kind := "min"
	if largest {
		kind = "max"
	}
	return func(args []sql.Type) *Func {
		if len(args) != 1 {
			return nil
		}
		t := args[0]
		switch t.Kind {
		case sql.Unknown, sql.Varchar, sql.Name:
			t = sql.TypeText
		case sql.Bool, sql.UUID, sql.JSON, sql.JSONB, sql.Bytea, sql.Row, sql.Record, sql.Map, sql.InternalChar, sql.Void:
			return nil
		}
		return &Func{Result: t, make: newExtreme(t, largest), share: share(kind, t), keepsValues: true}
	}
}

func resolveBool(result int) func([]sql.Type) *Func {
	return func(args []sql.Type) *Func {
		if len(args) != 1 || args[0].Kind != sql.Bool {
			return nil
		}
		return &Func{Result: sql.TypeBool, make: newBools, share: "bool", result: result}
	}
}

func resolveVariance(result int) func([]sql.Type) *Func {
	return func(args []sql.Type) *Func {
		if len(args) != 1 || !args[0].IsNumber() {
			return nil
		}
		t := args[0]
		if t.Kind == sql.Float4 || t.Kind == sql.Float8 {
			return &Func{Result: sql.TypeFloat8, make: newMoments(t), share: share("moments", t), result: result, needsGroup: true}
		}
		return &Func{Result: sql.TypeNumeric, make: newNumerics(t, true), share: share("squares", t), result: result}
	}
}

func resolveArrayAgg(args []sql.Type) *Func {
	if len(args) != 1 || args[0].Kind == sql.Array {
		return nil
	}
	t := args[0]
	if t.Kind == sql.Unknown {
		t = sql.TypeText
	}
	return &Func{Result: sql.ArrayOf(t), order: true, keepsNulls: true, share: "array_agg",
		make: func(m makeArgs) Accumulator { return newValues(m, t, arrayOf(t)) }}
}

func resolveStringAgg(args []sql.Type) *Func {
	if len(args) != 2 {
		return nil
	}
	t := sql.TypeText
	for _, a := range args {
		switch {
		case a.Kind == sql.Bytea:
			t = sql.TypeBytea
		case !a.IsString():
			return nil
		}
	}
	for _, a := range args { // bytea goes with bytea only
		if t.Kind == sql.Bytea && a.Kind != sql.Bytea && a.Kind != sql.Unknown {
			return nil
		}
	}
	return &Func{Result: t, order: true, share: "string_agg",
		make: func(m makeArgs) Accumulator { return newValues(m, t, joined(t)) }}
}
