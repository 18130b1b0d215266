package planner

import (
	"time"

	"github.com/cockroachdb/apd/v3"

	"github.com/streamsql/streamsql/sql"
)

// maxSeries bounds how many rows a generate_series can make: they are made at once.
const maxSeries = 10_000_000

// elements are the rows of the function's result for its argument values, none of them NULL.
func (f *tableFunc) elements(args []sql.Datum, loc *time.Location) ([]sql.Datum, error) {
	if f.name == "unnest" {
		return args[0].([]sql.Datum), nil
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

var (
	errZeroStep   = sql.Errorf(sql.CodeInvalidParameter, "step size cannot equal zero")
	errLongSeries = sql.Errorf("54000", "generate_series of more than %d rows", maxSeries)
)

func integers(start, stop, step int64) ([]sql.Datum, error) {
	if step == 0 {
		return nil, errZeroStep
	}
	if (start > stop) == (step > 0) && start != stop {
		return nil, nil
	}
	span, stride := uint64(stop)-uint64(start), uint64(step) // modulo 2^64: no overflow
	if step < 0 {
		span, stride = -span, -stride
	}
	if span/stride >= maxSeries {
		return nil, errLongSeries
	}
	out := make([]sql.Datum, span/stride+1)
	for i := range out {
		out[i] = start
		start += step // past the last it may overflow
	}
	return out, nil
}

func decimals(start, stop, step *sql.Decimal) ([]sql.Datum, error) {
	for _, d := range []*sql.Decimal{start, stop, step} {
		if d.Form != apd.Finite {
			return nil, sql.Errorf(sql.CodeInvalidParameter, "the bounds and the step size of a series must be finite")
		}
	}
	if step.IsZero() {
		return nil, errZeroStep
	}
	var out []sql.Datum
	for v := start; v.Cmp(stop)*step.Sign() <= 0; {
		if len(out) == maxSeries {
			return nil, errLongSeries
		}
		out = append(out, v)
		next := new(sql.Decimal)
		if _, err := apd.BaseContext.Add(next, v, step); err != nil {
			return nil, err
		}
		v = next
	}
	return out, nil
}

func timestamps(start, stop sql.TimestampValue, step sql.IntervalValue, loc *time.Location) ([]sql.Datum, error) {
	sign := step.Compare(sql.IntervalValue{})
	if sign == 0 {
		return nil, errZeroStep
	}
	var out []sql.Datum
	for v := start; sign > 0 && v <= stop || sign < 0 && v >= stop; {
		if len(out) == maxSeries {
			return nil, errLongSeries
		}
		out = append(out, v)
		next, err := sql.AddInterval(v, step, loc)
		if err != nil {
			return nil, err
		}
		if next == v { // infinity
			break
		}
		v = next
	}
	return out, nil
}
