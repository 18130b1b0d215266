// Package expr holds typed, vectorised expressions over batches, with PostgreSQL 15's semantics.
//
//	Column(0,"x",int4)  Literal("2",unknown)
//	          \           /
//	        Operator("+")            resolve.go picks the Function, coerce.go casts the operands
//	             |
//	   Eval(ctx, e, batch) ──▶ arrow.Array of batch.Rows values, and row errors in ctx
//
// An Expr is immutable and safe for concurrent use: what changes during evaluation lives in the
// Context, of which each task has its own. Results are fresh memory, or columns of the batch.
//
// # Errors
//
// A kernel never stops at a bad row: it calls Context.Fail for it, leaves NULL there, and goes on.
// Whoever evaluates takes the errors from the Context and makes dead letters of them, or one query
// error. CASE, COALESCE, AND and OR evaluate all branches over the whole batch and drop the errors
// of rows for which PostgreSQL would not have got there, so `x <> 0 AND 1/x > 2` is safe.
//
// # Constants
//
// A constant subexpression yields a Vector of one row with Const set. Kernels index it by i & mask
// instead of having it spread out, see Vector.Mask.
//
// # Numerics
//
// A numeric is fixed (an Arrow decimal of one scale) or variable (each value with its own scale);
// see sql.Type. Functions declare plain numeric and get either: Vector.Type tells which. + - * and
// comparisons stay fixed while the result has at most 38 digits.
//
// # Adding a function
//
// A scalar function or operator is one Function in one of the lists that catalog.go joins. Most are
// written for one row, as plain Go, and lifted by an adapter (adapters.go):
//
//	{Name: "upper", Args: []sql.Type{text}, Result: text, Kernel: Pure1(strings.ToUpper)},
//	{Name: "chr", Args: []sql.Type{int4}, Result: text, Kernel: Row1(func(c *Context, n int32) (string, error) {…})},
//	{Name: "reverse", Args: []sql.Type{text}, Result: text, Kernel: Append1(appendReversed)}, // no allocation
//
// Adapters see only rows without NULL arguments, save for those of CalledOnNull functions, which take
// Datums (RowN). A function returns the error Null to make the row NULL. Hot ones are kernels over
// typed slices (arith.go).
package expr
