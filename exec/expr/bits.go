package expr

import "github.com/streamsql/streamsql/sql"

// bitOperators are & | # ~ << >> over integers. Shifts count modulo the width, as on x86, where
// PostgreSQL leaves them to C.
func bitOperators() []Function {
	fns := bitOps[int16](sql.TypeInt2)
	fns = append(fns, bitOps[int32](sql.TypeInt4)...)
	return append(fns, bitOps[int64](sql.TypeInt8)...)
}

func bitOps[T signed](t sql.Type) []Function {
	two := []sql.Type{t, t}
	shift := []sql.Type{t, sql.TypeInt4}
	// Smallint is shifted as an int in C, hence modulo 32.
	mask := int32(31)
	if t.Kind == sql.Int8 {
		mask = 63
	}
	return []Function{
		{Name: "&", Args: two, Result: t, Kernel: Pure2(func(a, b T) T { return a & b })},
		{Name: "|", Args: two, Result: t, Kernel: Pure2(func(a, b T) T { return a | b })},
		{Name: "#", Args: two, Result: t, Kernel: Pure2(func(a, b T) T { return a ^ b })},
		{Name: "~", Args: []sql.Type{t}, Result: t, Kernel: Pure1(func(a T) T { return ^a })},
		{Name: "<<", Args: shift, Result: t, Kernel: Pure2(func(a T, n int32) T { return T(int64(a) << (n & mask)) })},
		{Name: ">>", Args: shift, Result: t, Kernel: Pure2(func(a T, n int32) T { return a >> (n & mask) })},
	}
}
