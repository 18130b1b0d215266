package planner

import (
	"math"
	"testing"
	"time"

	"github.com/cockroachdb/apd/v3"

	"github.com/streamsql/streamsql/sql"
)

func TestIntegerSeries(t *testing.T) {
	for _, c := range []struct{ start, stop, step, n, last int64 }{
		{1, 3, 1, 3, 3},
		{1, 1, -5, 1, 1},
		{1, 0, 1, 0, 0},
		{1, 2, -1, 0, 0},
		{5, 1, -2, 3, 1},
		{1, 10, 4, 3, 9},
		{math.MaxInt64 - 1, math.MaxInt64, 3, 1, math.MaxInt64 - 1},
		{math.MinInt64 + 1, math.MinInt64, -1, 2, math.MinInt64},
		{math.MinInt64, math.MaxInt64, math.MaxInt64, 3, math.MaxInt64 - 1},
		{math.MaxInt64, math.MinInt64, math.MinInt64, 2, -1},
	} {
		out, err := all(integers(c.start, c.stop, c.step))
		if err != nil || int64(len(out)) != c.n || c.n > 0 && out[c.n-1] != sql.Datum(c.last) {
			t.Errorf("generate_series(%d, %d, %d): %v %v, want %d rows to %d", c.start, c.stop, c.step, out, err, c.n, c.last)
		}
	}
	for _, stop := range []int64{maxSeries + 1, math.MaxInt64} {
		if _, err := integers(1, stop, 1); err != errLongSeries {
			t.Errorf("generate_series(1, %d): %v", stop, err)
		}
	}
}

func all(s series, err error) (out []sql.Datum, _ error) {
	if err != nil {
		return nil, err
	}
	for {
		v, ok, err := s()
		if err != nil || !ok {
			return out, err
		}
		out = append(out, v)
	}
}

// TestLongSeries: where the number of rows is not known before, the limit ends them.
func TestLongSeries(t *testing.T) {
	for name, make := range map[string]func() (series, error){
		"decimals": func() (series, error) { return decimals(apd.New(0, 0), apd.New(1, 9), apd.New(1, 0)) },
		"timestamps": func() (series, error) {
			return timestamps(0, math.MaxInt64, sql.IntervalValue{Micros: 1}, time.UTC)
		},
	} {
		s, err := make()
		if err != nil {
			t.Fatal(err)
		}
		rows := 0
		for ; err == nil; rows++ {
			var ok bool
			if _, ok, err = s(); err == nil && !ok {
				break
			}
		}
		if err != errLongSeries || rows != maxSeries+1 {
			t.Errorf("%s: %v after %d rows", name, err, rows)
		}
	}
}
