package main

import (
	"strings"
	"testing"
)

func TestReport(t *testing.T) {
	var r report
	r.add([]line{
		atLeast(1.5, line{work: "windows", figure: "M records/s", peer: "a reader", ours: 6, theirs: 3}),
		atMost(1.0/6, line{work: "windows", figure: "CPU s", peer: "a reader", ours: 0.5, theirs: 2}),
		below(150, line{work: "latency", figure: "ms p99", ours: 149.6}),
		{work: "latency", figure: "ms p50", ours: 12.34},
	})
	_, table, _ := strings.Cut(r.String(), "|---|---|---:|---|---:|---:|---:|---|\n")
	const want = `| windows | M records/s | 6.00 | a reader | 3.00 | 2.00 × | ≥ 1.5 × | met |
|  | CPU s | 0.50 | a reader | 2.00 | 0.25 × | ≤ 0.17 × | missed |
| latency | ms p99 | 150 |  |  |  | ≤ 150 | met |
|  | ms p50 | 12.3 |  |  |  |  |  |
`
	if table != want {
		t.Errorf("got\n%s\nnot\n%s", table, want)
	}
}

func TestMedian(t *testing.T) {
	for _, c := range []struct {
		v    []float64
		want float64
	}{{[]float64{7}, 7}, {[]float64{9, 1, 2}, 2}, {[]float64{4, 1, 2, 9}, 3}} {
		if got := median(c.v); got != c.want {
			t.Errorf("median of %v is %v, not %v", c.v, got, c.want)
		}
	}
}

func TestParseTPS(t *testing.T) {
	const good = "transaction type: select.sql\nnumber of failed transactions: 0 (0.000%)\ntps = 14264.123456 (without initial connection time)\n"
	if tps, err := parseTPS([]byte(good)); err != nil || tps != 14264.123456 {
		t.Errorf("%v, %v", tps, err)
	}
	for _, bad := range []string{"", strings.Replace(good, ": 0 (", ": 3 (", 1), strings.Replace(good, "tps =", "?", 1)} {
		if _, err := parseTPS([]byte(bad)); err == nil {
			t.Errorf("%q was read", bad)
		}
	}
}
