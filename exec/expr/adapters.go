package expr

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/streamsql/streamsql/exec/stream"
	"github.com/streamsql/streamsql/sql"
)

// The adapters lift a function of one row to a Kernel. The type parameters are the Go types of
// arguments and result; each must fit the declared SQL type:
//
//	boolean bool, smallint int16, integer int32, bigint and oid int64, real float32,
//	double precision float64, numeric *sql.Decimal, strings and json(b) string, bytea []byte,
//	date sql.DateValue, time sql.TimeValue, timestamp(tz) sql.TimestampValue,
//	interval sql.IntervalValue, uuid sql.UUIDValue; anything as a sql.Datum.
//
// A string, []byte or *sql.Decimal argument is valid only during the call. The function may return
// its *sql.Decimal argument, changed or not.

// Pure1 lifts a function that can't fail.
func Pure1[A, R any](fn func(A) R) Kernel {
	return func(c *Context, in *Input) arrow.Array {
		a, out := reader[A](in.Args[0]), newWriter[R](c, in)
		for i := range in.Rows {
			if in.Valid.Get(i) {
				out.put(i, fn(a(i)))
			} else {
				out.skip(i)
			}
		}
		return out.finish()
	}
}

// Pure2 is Pure1 for two arguments.
func Pure2[A, B, R any](fn func(A, B) R) Kernel {
	return func(c *Context, in *Input) arrow.Array {
		a, b, out := reader[A](in.Args[0]), reader[B](in.Args[1]), newWriter[R](c, in)
		for i := range in.Rows {
			if in.Valid.Get(i) {
				out.put(i, fn(a(i), b(i)))
			} else {
				out.skip(i)
			}
		}
		return out.finish()
	}
}

// Row0 lifts a function without arguments.
func Row0[R any](fn func(c *Context) (R, error)) Kernel {
	return rows(func(c *Context, in *Input) func(int) (R, error) {
		return func(int) (R, error) { return fn(c) }
	})
}

// Row1 lifts a function that may fail, or return Null.
func Row1[A, R any](fn func(*Context, A) (R, error)) Kernel {
	return rows(func(c *Context, in *Input) func(int) (R, error) {
		a := reader[A](in.Args[0])
		return func(i int) (R, error) { return fn(c, a(i)) }
	})
}

// Row2 is Row1 for two arguments.
func Row2[A, B, R any](fn func(*Context, A, B) (R, error)) Kernel {
	return rows(func(c *Context, in *Input) func(int) (R, error) {
		a, b := reader[A](in.Args[0]), reader[B](in.Args[1])
		return func(i int) (R, error) { return fn(c, a(i), b(i)) }
	})
}

// Row3 is Row1 for three arguments.
func Row3[A, B, C, R any](fn func(*Context, A, B, C) (R, error)) Kernel {
	return rows(func(c *Context, in *Input) func(int) (R, error) {
		a, b, d := reader[A](in.Args[0]), reader[B](in.Args[1]), reader[C](in.Args[2])
		return func(i int) (R, error) { return fn(c, a(i), b(i), d(i)) }
	})
}

// Row4 is Row1 for four arguments.
func Row4[A, B, C, D, R any](fn func(*Context, A, B, C, D) (R, error)) Kernel {
	return rows(func(c *Context, in *Input) func(int) (R, error) {
		a, b := reader[A](in.Args[0]), reader[B](in.Args[1])
		d, e := reader[C](in.Args[2]), reader[D](in.Args[3])
		return func(i int) (R, error) { return fn(c, a(i), b(i), d(i), e(i)) }
	})
}

// RowN lifts a function over Datums: any number of arguments, NULLs as nil if the Function is
// CalledOnNull. in gives the types of arguments and result. args is reused between calls.
func RowN(fn func(c *Context, in *Input, args []sql.Datum) (sql.Datum, error)) Kernel {
	return rows(func(c *Context, in *Input) func(int) (sql.Datum, error) {
		args := make([]sql.Datum, len(in.Args))
		return func(i int) (sql.Datum, error) {
			for k, v := range in.Args {
				args[k] = v.Datum(i)
			}
			return fn(c, in, args)
		}
	})
}

// Append1 lifts a function that appends its text or bytea result to dst, without allocating.
func Append1[A any](fn func(c *Context, dst []byte, a A) ([]byte, error)) Kernel {
	return appends(func(c *Context, in *Input) func([]byte, int) ([]byte, error) {
		a := reader[A](in.Args[0])
		return func(dst []byte, i int) ([]byte, error) { return fn(c, dst, a(i)) }
	})
}

// Append2 is Append1 for two arguments.
func Append2[A, B any](fn func(c *Context, dst []byte, a A, b B) ([]byte, error)) Kernel {
	return appends(func(c *Context, in *Input) func([]byte, int) ([]byte, error) {
		a, b := reader[A](in.Args[0]), reader[B](in.Args[1])
		return func(dst []byte, i int) ([]byte, error) { return fn(c, dst, a(i), b(i)) }
	})
}

// Append3 is Append1 for three arguments.
func Append3[A, B, C any](fn func(c *Context, dst []byte, a A, b B, d C) ([]byte, error)) Kernel {
	return appends(func(c *Context, in *Input) func([]byte, int) ([]byte, error) {
		a, b, d := reader[A](in.Args[0]), reader[B](in.Args[1]), reader[C](in.Args[2])
		return func(dst []byte, i int) ([]byte, error) { return fn(c, dst, a(i), b(i), d(i)) }
	})
}

// rows runs a row function over the valid rows.
func rows[R any](bind func(c *Context, in *Input) func(i int) (R, error)) Kernel {
	return func(c *Context, in *Input) arrow.Array {
		fn, out := bind(c, in), newWriter[R](c, in)
		for i := range in.Rows {
			if !in.Valid.Get(i) {
				out.skip(i)
				continue
			}
			v, err := fn(i)
			if err != nil {
				in.Fail(c, i, err)
				out.skip(i)
				continue
			}
			out.put(i, v)
		}
		return out.finish()
	}
}

func appends(bind func(c *Context, in *Input) func(dst []byte, i int) ([]byte, error)) Kernel {
	return func(c *Context, in *Input) arrow.Array {
		fn := bind(c, in)
		offsets, data := make([]int32, in.Rows+1), make([]byte, 0, textSize(in))
		room := c.room(in.Rows)
		for i := range in.Rows {
			if in.Valid.Get(i) {
				next, err := fn(data, i)
				if err == nil && len(next) > room {
					err = c.size(in.Rows, len(next), len(next)-len(data))
				}
				if err != nil {
					in.refuse(c, i, err)
				} else {
					data = next
				}
			}
			offsets[i+1] = int32(len(data))
		}
		return stream.Bytes(in.Result, offsets, data, in.Valid)
	}
}

// textSize guesses the bytes of a text result: as many as the columns of text that go in, and a bit.
func textSize(in *Input) int {
	size := in.Rows * 2
	for _, v := range in.Args {
		switch a := v.Array.(type) {
		case *array.String:
			size += len(a.ValueBytes())
		case *array.Binary:
			size += len(a.ValueBytes())
		default:
			size += in.Rows * 4
		}
	}
	return size
}

// reader gives typed access to the rows of a vector.
func reader[T any](v Vector) func(i int) T {
	mask := v.Mask()
	var get any
	switch any((*T)(nil)).(type) {
	case *bool:
		m := stream.Bools(v.Array)
		get = func(i int) bool { i &= mask; return m[i>>3]>>(i&7)&1 != 0 }
	case *string:
		arr := v.Array.(*array.String)
		get = func(i int) string { return arr.Value(i & mask) }
	case *[]byte:
		offsets, data := stream.BytesValues(v.Array)
		get = func(i int) []byte { i &= mask; return data[offsets[i]:offsets[i+1]] }
	case **sql.Decimal:
		get = decimalReader(v)
	case *sql.Datum:
		get = func(i int) sql.Datum { return v.Datum(i) }
	default:
		vs := stream.Values[T](v.Array)
		return func(i int) T { return vs[i&mask] }
	}
	return get.(func(i int) T)
}

func decimalReader(v Vector) func(i int) *sql.Decimal {
	mask, d := v.Mask(), new(sql.Decimal)
	return func(i int) *sql.Decimal {
		stream.DecimalAt(v.Array, v.Type, i&mask, d)
		return d
	}
}

// writer collects a kernel's results; put and skip are called once for each row, in order.
type writer[T any] struct {
	put    func(i int, v T)
	skip   func(i int) // for a row that is NULL
	finish func() arrow.Array
}

func newWriter[T any](c *Context, in *Input) writer[T] {
	var w any
	switch any((*T)(nil)).(type) {
	case *bool:
		w = boolWriter(in)
	case *string:
		w = bytesWriter[string](c, in)
	case *[]byte:
		w = bytesWriter[[]byte](c, in)
	case **sql.Decimal:
		b := stream.NewBuilder(in.Result)
		w = writer[*sql.Decimal]{
			put:    func(i int, v *sql.Decimal) { b.Append(v) },
			skip:   func(i int) { b.Append(nil) },
			finish: b.Finish,
		}
	case *sql.Datum:
		w = datumWriter(c, in)
	default:
		out := make([]T, in.Rows)
		return writer[T]{
			put:    func(i int, v T) { out[i] = v },
			skip:   func(i int) {},
			finish: func() arrow.Array { return stream.Fixed(in.Result, out, in.Valid) },
		}
	}
	return w.(writer[T])
}

func boolWriter(in *Input) writer[bool] {
	out := stream.NewBitmap(in.Rows)
	return writer[bool]{
		put: func(i int, v bool) {
			if v {
				out.Set(i)
			}
		},
		skip:   func(i int) {},
		finish: func() arrow.Array { return stream.BoolColumn(in.Rows, out, in.Valid) },
	}
}

func bytesWriter[T string | []byte](c *Context, in *Input) writer[T] {
	offsets, data := make([]int32, 1, in.Rows+1), []byte{}
	room := c.room(in.Rows)
	return writer[T]{
		put: func(i int, v T) {
			if total := len(data) + len(v); total > room {
				if err := c.size(in.Rows, total, len(v)); err != nil {
					in.refuse(c, i, err)
					v = *new(T)
				}
			}
			data = append(data, v...)
			offsets = append(offsets, int32(len(data)))
		},
		skip:   func(i int) { offsets = append(offsets, int32(len(data))) },
		finish: func() arrow.Array { return stream.Bytes(in.Result, offsets, data, in.Valid) },
	}
}

func datumWriter(c *Context, in *Input) writer[sql.Datum] {
	b, total, room := stream.NewBuilder(in.Result), 0, c.room(in.Rows)
	return writer[sql.Datum]{
		put: func(i int, v sql.Datum) {
			_, size := stream.DatumSize(v)
			if total+size > room {
				if err := c.size(in.Rows, total+size, size); err != nil {
					in.refuse(c, i, err)
					v, size = nil, 0
				}
			}
			total += size
			b.Append(v)
		},
		skip:   func(i int) { b.Append(nil) },
		finish: b.Finish,
	}
}
