package expr

import "sync"

// catalog joins the lists of functions and operators. A new file of functions adds its list here.
func catalog() [][]Function {
	return [][]Function{
		arithmeticOperators(),
		bitOperators(),
		comparisonOperators(),
		datetimeOperators(),
		textOperators(),
		stringFunctions(),
		byteaFunctions(),
		formatFunctions(),
		regexFunctions(),
		timeFunctions(),
		extractFunctions(),
		truncFunctions(),
		toCharTimeFunctions(),
		toCharNumberFunctions(),
		toTimestampFunctions(),
		mathFunctions(),
		numericFunctions(),
		jsonFunctions(),
		jsonBuildFunctions(),
		jsonModifyFunctions(),
		arrayFunctions(),
		sessionFunctions(),
	}
}

// functions is filled on first use: kernels refer back to it, which package initialisation forbids.
var functions struct {
	once   sync.Once
	all    []*Function
	byName map[string][]*Function
}

func loadFunctions() {
	functions.byName = map[string][]*Function{}
	for _, list := range catalog() {
		for i := range list {
			f := &list[i]
			functions.all = append(functions.all, f)
			functions.byName[f.Name] = append(functions.byName[f.Name], f)
		}
	}
}

// overloads are the functions, or the operators, of a name.
func overloads(name string) []*Function {
	functions.once.Do(loadFunctions)
	return functions.byName[name]
}

// FunctionExists tells whether there is a scalar function of that name, with any arguments.
func FunctionExists(name string) bool { return len(overloads(name)) > 0 }

// Functions calls yield for every function and operator, in no particular order: to compare them with the
// documentation.
func Functions(yield func(*Function) bool) {
	functions.once.Do(loadFunctions)
	for _, f := range functions.all {
		if !yield(f) {
			return
		}
	}
}
