package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"runtime/metrics"
	"slices"
	"time"
)

// The soak runs steady jobs of every kind that keeps state: an updating view of many keys, windows that
// close, windows that are emitted on update, DISTINCT in windows, and a view over a view. Event time
// goes as fast as the rows come, so that a minute sees the windows of half a day.
var soakJobs = []string{
	fmt.Sprintf(table, "text"),
	byKey,
	`CREATE MATERIALIZED VIEW closed AS SELECT window_end, count(*) AS n, count(DISTINCT k) AS d, sum(x) AS s
		FROM TUMBLE(orders, ts, INTERVAL '1 minute') GROUP BY window_end EMIT ON WINDOW CLOSE`,
	`CREATE MATERIALIZED VIEW hops AS SELECT x % 10 AS g, window_end, count(*) AS n, max(x) AS hi
		FROM HOP(orders, ts, INTERVAL '1 minute', INTERVAL '5 minutes') GROUP BY 1, window_end`,
	`CREATE MATERIALIZED VIEW total AS SELECT n % 100 AS g, count(*) AS keys, min(s) AS least FROM v GROUP BY 1`,
}

// sample is what must not grow.
type sample struct {
	memory, heap, goroutines, files, disk float64
}

func (n *node) sample() sample {
	m := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(m)
	files, _ := os.ReadDir("/proc/self/fd") // none elsewhere
	return sample{memory: float64(memory()), heap: float64(m[0].Value.Uint64()), goroutines: float64(runtime.NumGoroutine()),
		files: float64(len(files)), disk: float64(diskBytes(n.c.dir))}
}

// soak compares the second and the last quarter of the run, by medians. What the views hold grows: each
// closed window is a row of a hundred bytes or less, so a little is allowed.
func (n *node) soak(ctx context.Context) error {
	if err := n.exec(ctx, soakJobs...); err != nil {
		return err
	}
	var all []sample
	const samples = 80
	for i := range samples {
		if err := pause(ctx, n.c.soak/samples); err != nil {
			return err
		}
		s := n.sample()
		if all = append(all, s); i%8 == 7 {
			fmt.Printf("%3.0f %%: %.1f simulated hours; memory %.0f MiB, heap %.0f MiB, %.0f goroutines, %.0f files, disk %.0f MiB\n", float64(i+1)/samples*100,
				n.simulated().Hours(), s.memory/(1<<20), s.heap/(1<<20), s.goroutines, s.files, s.disk/(1<<20))
		}
	}
	second, last := all[samples/4:samples/2], all[samples*3/4:]
	var errs []error
	for _, c := range []struct {
		name         string
		of           func(sample) float64
		factor, more float64
	}{
		{"memory", func(s sample) float64 { return s.memory }, 1.25, 32 << 20},
		{"live heap", func(s sample) float64 { return s.heap }, 1.25, 32 << 20},
		{"goroutines", func(s sample) float64 { return s.goroutines }, 1.1, 5},
		{"open files", func(s sample) float64 { return s.files }, 1.5, 32},
		{"disk", func(s sample) float64 { return s.disk }, 1.5, 128 << 20},
	} {
		before, after := median(second, c.of), median(last, c.of)
		fmt.Printf("%-10s %14.0f -> %14.0f\n", c.name, before, after)
		if after > before*c.factor+c.more {
			errs = append(errs, fmt.Errorf("%s grew from %.0f to %.0f", c.name, before, after))
		}
	}
	var failing int64
	if err := n.conn.QueryRow(ctx, `SELECT count(*) FROM streamsql.jobs WHERE restarts > 0`).Scan(&failing); err != nil || failing > 0 {
		errs = append(errs, fmt.Errorf("%d jobs restarted: %w", failing, err))
	}
	fmt.Printf("%.1f simulated hours, %d rows\n", n.simulated().Hours(), n.gen.read.Load())
	return errors.Join(errs...)
}

// simulated is how far event time has come, about: the jobs over the table read it one by one.
func (n *node) simulated() time.Duration {
	return time.Duration(n.gen.read.Load()/int64(len(soakJobs)-2)) * n.c.step
}

func median(samples []sample, of func(sample) float64) float64 {
	vs := make([]float64, len(samples))
	for i, s := range samples {
		vs[i] = of(s)
	}
	slices.Sort(vs)
	return vs[len(vs)/2]
}
