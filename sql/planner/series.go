package planner

import (
	"time"

	"github.com/cockroachdb/apd/v3"

	"github.com/streamsql/streamsql/exec"
	"github.com/streamsql/streamsql/exec/stream"
	"github.com/streamsql/streamsql/sql"
)

// maxSeries bounds how many rows a generate_series can make: they come from nowhere, and what reads
// them, a sort say, may have to keep them all.
const maxSeries = 10_000_000

// series yields the rows of a set-returning function one after the other; not ok is the end. Millions
// of them take a while: they are made as they are read.
type series func() (v sql.Datum, ok bool, err error)

// series is the function's result for its argument values, none of them NULL.
func (f *tableFunc) series(args []sql.Datum, loc *time.Location) (series, error) {
	if f.name == "unnest" {
		return elements(args[0].([]sql.Datum)), nil
	}
	start, stop := args[0], args[1]
	switch v := start.(type) {
	case int64:
		step := int64(1)
		if len(args) > 2 {
			step = args[2].(int64)
		}
		return integers(v, stop.(int64), step)
	case *sql.Decimal:
		step := apd.New(1, 0)
		if len(args) > 2 {
			step = args[2].(*sql.Decimal)
		}
		return decimals(v, stop.(*sql.Decimal), step)
	}
	return timestamps(start.(sql.TimestampValue), stop.(sql.TimestampValue), args[2].(sql.IntervalValue), loc)
}

// batches gathers the rows, which are of one column.
func (s series) batches(t sql.Type) exec.Batches {
	return func() (*stream.Batch, error) {
		col, rows := stream.NewBuilder(t), 0
		for ; rows < stream.TargetRows; rows++ {
			v, ok, err := s()
			if err != nil {
				return nil, err
			}
			if !ok {
				break
			}
			col.Append(v)
		}
		if rows == 0 {
			return nil, nil
		}
		b := &stream.Batch{Rows: rows}
		b.Columns = append(b.Columns, col.Finish())
		return b, nil
	}
}

var (
	errZeroStep   = sql.Errorf(sql.CodeInvalidParameter, "step size cannot equal zero")
	errLongSeries = sql.Errorf("54000", "generate_series of more than %d rows", maxSeries)
)

func elements(array []sql.Datum) series {
	return func() (sql.Datum, bool, error) {
		if len(array) == 0 {
			return nil, false, nil
		}
		v := array[0]
		array = array[1:]
		return v, true, nil
	}
}

func integers(start, stop, step int64) (series, error) {
	if step == 0 {
		return nil, errZeroStep
	}
	if (start > stop) == (step > 0) && start != stop {
		return elements(nil), nil
	}
	span, stride := uint64(stop)-uint64(start), uint64(step) // modulo 2^64: no overflow
	if step < 0 {
		span, stride = -span, -stride
	}
	if span/stride >= maxSeries {
		return nil, errLongSeries
	}
	v, left := start, span/stride+1
	return func() (sql.Datum, bool, error) {
		if left == 0 {
			return nil, false, nil
		}
		out := v
		v += step // past the last it may overflow
		left--
		return out, true, nil
	}, nil
}

func decimals(start, stop, step *sql.Decimal) (series, error) {
	for _, d := range []*sql.Decimal{start, stop, step} {
		if d.Form != apd.Finite {
			return nil, sql.Errorf(sql.CodeInvalidParameter, "the bounds and the step size of a series must be finite")
		}
	}
	if step.IsZero() {
		return nil, errZeroStep
	}
	v, rows := start, 0
	return func() (sql.Datum, bool, error) {
		if v.Cmp(stop)*step.Sign() > 0 {
			return nil, false, nil
		}
		if rows++; rows > maxSeries {
			return nil, false, errLongSeries
		}
		out, next := v, new(sql.Decimal)
		if _, err := apd.BaseContext.Add(next, v, step); err != nil {
			return nil, false, err
		}
		v = next
		return out, true, nil
	}, nil
}

func timestamps(start, stop sql.TimestampValue, step sql.IntervalValue, loc *time.Location) (series, error) {
	sign := step.Compare(sql.IntervalValue{})
	if sign == 0 {
		return nil, errZeroStep
	}
	v, rows, stuck := start, 0, false
	return func() (sql.Datum, bool, error) {
		if stuck || sign > 0 && v > stop || sign < 0 && v < stop {
			return nil, false, nil
		}
		if rows++; rows > maxSeries {
			return nil, false, errLongSeries
		}
		out := v
		next, err := sql.AddInterval(v, step, loc)
		if err != nil {
			return nil, false, err
		}
		v, stuck = next, next == v // infinity
		return out, true, nil
	}, nil
}
