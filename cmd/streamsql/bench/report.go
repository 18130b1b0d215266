package main

import (
	"fmt"
	"runtime"
	"slices"
	"time"
)

// labels are the report's rows.
var labels = [rows]string{
	bareRow:     "bare franz-go consumer, counting",
	windowRow:   "windowed view (the main job)",
	customerRow: "view by customer, 100,000 keys",
	filterRow:   "filter and project to Kafka, exactly once",
}

// goals are the least shares of the bare consumer's rate; 0 = none set.
var goals = [rows]float64{windowRow: 1, filterRow: 0.3}

// report is the table of docs/performance.md.
func (b *bench) report() []string {
	lines := []string{
		fmt.Sprintf("%d orders, %d partitions, lz4; %d rounds, medians; %d cores, %s.", b.want.orders, partitions, b.rounds, runtime.NumCPU(), runtime.Version()),
		"",
		"| | s | records/s | of bare | goal |",
		"|---|---:|---:|---:|---:|",
	}
	bare := median(b.seconds[bareRow])
	for row, label := range labels {
		s := median(b.seconds[row])
		goal := ""
		if goals[row] > 0 {
			goal = fmt.Sprintf("%.0f %%", goals[row]*100)
		}
		lines = append(lines, fmt.Sprintf("| %s | %.2f | %.2f M | %.0f %% | %s |", label, s, float64(b.want.orders)/s/1e6, bare/s*100, goal))
	}
	reads := slices.Sorted(slices.Values(b.reads))
	at := func(q float64) time.Duration { return reads[min(len(reads)-1, int(q*float64(len(reads))))] }
	return append(lines, "", "| point read of a view by key, pgx, prepared | µs | goal |", "|---|---:|---:|",
		fmt.Sprintf("| median | %d | 200 |", at(0.5).Microseconds()), fmt.Sprintf("| 99th percentile | %d | |", at(0.99).Microseconds()))
}
