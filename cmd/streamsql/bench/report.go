package main

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
)

// line is a row of the report.
type line struct {
	work, figure string
	peer         string // what ours is compared with; empty = the goal is absolute
	ours, theirs float64

	goal string
	met  bool // of a line with a goal
}

func (l line) ratio() float64 { return l.ours / l.theirs }

// atLeast and atMost set a goal for the ratio of ours to theirs; 0 = none.
func atLeast(goal float64, l line) line {
	if goal > 0 {
		l.goal, l.met = fmt.Sprintf("≥ %.3g ×", goal), l.ratio() >= goal
	}
	return l
}

func atMost(goal float64, l line) line {
	l.goal, l.met = fmt.Sprintf("≤ %.2g ×", goal), l.ratio() <= goal
	return l
}

// below sets a goal for our figure alone.
func below(goal float64, l line) line {
	l.goal, l.met = fmt.Sprintf("≤ %.0f", goal), l.ours <= goal
	return l
}

// report is the table of docs/performance.md.
type report struct{ lines []line }

func (r *report) add(lines []line) { r.lines = append(r.lines, lines...) }

// String is the table in Markdown. "met" and "missed" are for the eye: figures of a busy machine fail nothing.
func (r *report) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d cores, %s\n\n| | | streamsql | beside it | | ratio | goal | |\n|---|---|---:|---|---:|---:|---:|---|\n", runtime.NumCPU(), runtime.Version())
	work := ""
	for _, l := range r.lines {
		label := l.work
		if label == work {
			label = ""
		}
		work = l.work
		theirs, ratio, verdict := "", "", ""
		if l.peer != "" {
			theirs, ratio = number(l.theirs), fmt.Sprintf("%.2f ×", l.ratio())
		}
		if l.goal != "" {
			verdict = "missed"
			if l.met {
				verdict = "met"
			}
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s | %s | %s |\n", label, l.figure, number(l.ours), l.peer, theirs, ratio, l.goal, verdict)
	}
	return b.String()
}

// number has three digits that count, and no more decimals than that takes.
func number(v float64) string {
	switch {
	case v >= 100:
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.2f", v)
}

// median of figures in any order.
func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	return (v[(len(v)-1)/2] + v[len(v)/2]) / 2
}

// medianOf is the median of one figure of many measurements.
func medianOf[T any](all []T, figure func(T) float64) float64 {
	v := make([]float64, len(all))
	for i, m := range all {
		v[i] = figure(m)
	}
	return median(v)
}
