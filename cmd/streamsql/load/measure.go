package main

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// query is a job to run over the generated rows, and what must come of them.
type query struct {
	setup []string
	// check is a query of one row and one text column, and want is what it must say in the end.
	check string
	want  func(c *config) string
}

const table = `CREATE TABLE orders (k %s NOT NULL, x bigint NOT NULL, ts timestamp NOT NULL, WATERMARK FOR ts AS ts - INTERVAL '5' SECOND)
	WITH (connector = 'generate', "watermark.max-skew" = 'none')`

const byKey = `CREATE MATERIALIZED VIEW v AS SELECT k, count(*) AS n, sum(x) AS s FROM orders GROUP BY k`

// queries are the loads by their names.
var queries = map[string]query{
	"keys": {
		setup: []string{fmt.Sprintf(table, "bigint"), byKey},
		check: `SELECT count(*) || ' ' || sum(n) || ' ' || sum(s) FROM v`,
		want:  wantGroups,
	},
	"text": {
		setup: []string{fmt.Sprintf(table, "text"), byKey},
		check: `SELECT count(*) || ' ' || sum(n) || ' ' || sum(s) FROM v`,
		want:  wantGroups,
	},
	// Windows of a year: none of them closes while it runs.
	"windows": {
		setup: []string{fmt.Sprintf(table, "text"),
			`CREATE MATERIALIZED VIEW v AS SELECT k, window_end, count(*) AS n, sum(x) AS s FROM TUMBLE(orders, ts, INTERVAL '365 days') GROUP BY k, window_end`},
		check: `SELECT count(*) || ' ' || sum(n) || ' ' || sum(s) FROM v`,
		want:  wantGroups,
	},
	// The same, emitted when they close, which is never: what it holds is seen in its memory alone.
	"unclosed": {
		setup: []string{fmt.Sprintf(table, "text"),
			`CREATE MATERIALIZED VIEW v AS SELECT k, window_end, count(*) AS n, sum(x) AS s FROM TUMBLE(orders, ts, INTERVAL '365 days') GROUP BY k, window_end EMIT ON WINDOW CLOSE`,
			`CREATE MATERIALIZED VIEW w AS SELECT count(*) AS n, sum(x) AS s FROM orders`},
		check: `SELECT n || ' ' || s FROM w`,
		want:  wantTotals,
	},
	// One group that keeps a million values, with deletes.
	"values": {
		setup: []string{fmt.Sprintf(table, "bigint"), byKey,
			`CREATE MATERIALIZED VIEW w AS SELECT count(*) AS g, max(k) AS hi, min(k) AS lo, sum(n) AS n, max(s) AS s, count(DISTINCT k) AS d FROM v`},
		check: `SELECT g || ' ' || lo || ' ' || hi || ' ' || n || ' ' || d FROM w`,
		want: func(c *config) string {
			k := min(c.keys, c.rows)
			return fmt.Sprint(k, " 0 ", c.keys-1, " ", c.rows, " ", k)
		},
	},
	"array": {
		setup: []string{fmt.Sprintf(table, "bigint"), byKey,
			`CREATE MATERIALIZED VIEW w AS SELECT k % 1000 AS g, count(*) AS n, array_agg(n ORDER BY k) AS a FROM v GROUP BY 1`},
		check: `SELECT sum(n) || ' ' || sum(cardinality(a)) FROM w`,
		want: func(c *config) string {
			k := min(c.keys, c.rows)
			return fmt.Sprint(k, " ", k)
		},
	},
}

func queryNames() []string { return slices.Sorted(maps.Keys(queries)) }

func wantGroups(c *config) string { return fmt.Sprint(min(c.keys, c.rows), " ", wantTotals(c)) }

// wantTotals is the number of rows and the sum of x, which of each split counts to 999 again and again.
func wantTotals(c *config) string {
	per := c.rows / 4
	rest := per % 1000
	return fmt.Sprint(per*4, " ", 4*(per/1000*(999*1000/2)+rest*(rest-1)/2))
}

// measure runs one query over all rows and prints what it took.
func (n *node) measure(ctx context.Context) error {
	q, ok := queries[n.c.query]
	if !ok {
		return fmt.Errorf("no query %q: there are %s", n.c.query, strings.Join(queryNames(), ", "))
	}
	n.c.rows -= n.c.rows % n.gen.splits
	if again, err := n.restarted(ctx); err != nil {
		return err
	} else if !again {
		if err := n.exec(ctx, q.setup...); err != nil {
			return err
		}
	}
	start, cpu := time.Now(), cpuSeconds()
	epoch, before := n.epoch(ctx), n.gen.read.Load()
	if err := n.awaitRows(ctx); err != nil {
		return err
	}
	wall, cpu := time.Since(start), cpuSeconds()-cpu
	peak := peakMemory()
	m := max(n.gen.read.Load()-before, 1)
	disk := diskBytes(n.c.dir)
	fmt.Printf("%s: %d keys, %d rows in %.1f s: %.0f k/s; %.3f cpu-s per million rows (%.0f k/cpu-s); peak memory %d MiB of a budget of %d; disk %d MiB; %d epochs\n",
		n.c.query, n.c.keys, m, wall.Seconds(), float64(m)/wall.Seconds()/1e3, cpu/float64(m)*1e6, float64(m)/cpu/1e3,
		peak>>20, n.c.budget>>20, disk>>20, n.epoch(ctx)-epoch)
	if n.c.kill {
		return syscall.Kill(os.Getpid(), syscall.SIGKILL)
	}
	if err := n.check(ctx, q); err != nil {
		return err
	}
	if peak = peakMemory(); n.c.maxMemory > 0 && peak > n.c.maxMemory {
		return fmt.Errorf("the process held %d MiB, more than the %d allowed", peak>>20, n.c.maxMemory>>20)
	}
	fmt.Printf("result right; peak memory with the check %d MiB\n", peak>>20)
	return nil
}

// restarted tells whether the directory holds the jobs from before, and how soon they go on.
func (n *node) restarted(ctx context.Context) (bool, error) {
	if n.epoch(ctx) == 0 {
		return false, nil
	}
	ready, epoch := time.Since(n.began), n.epoch(ctx)
	for n.epoch(ctx) == epoch && n.gen.read.Load() < n.c.rows {
		if err := pause(ctx, time.Millisecond); err != nil {
			return false, err
		}
	}
	fmt.Printf("restarted: ready after %.3f s, the first epoch committed after %.3f s; %d MiB on disk, %d MiB read from it\n",
		ready.Seconds(), time.Since(n.began).Seconds(), diskBytes(n.c.dir)>>20, readBytes()>>20)
	return true, nil
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// epoch is the sum of the jobs' committed epochs.
func (n *node) epoch(ctx context.Context) (epoch int64) {
	_ = n.conn.QueryRow(ctx, `SELECT coalesce(sum(epoch), 0)::bigint FROM streamsql.jobs`).Scan(&epoch) // 0 until it can be read
	return epoch
}

// awaitRows waits until all rows are read and committed by every job.
func (n *node) awaitRows(ctx context.Context) error {
	last, changed := int64(-1), time.Now()
	began, printed := time.Now(), time.Now()
	jobs := int64(strings.Count(strings.Join(queries[n.c.query].setup, " "), "FROM orders") + strings.Count(strings.Join(queries[n.c.query].setup, " "), "(orders"))
	for {
		if n.c.every > 0 && time.Since(printed) > n.c.every {
			printed = time.Now()
			fmt.Printf("%6.0f s: %d rows, %.1f cpu-s, memory %d MiB (peak %d), disk %d MiB, epochs %d\n", time.Since(began).Seconds(), n.gen.read.Load(), cpuSeconds(),
				memory()>>20, peakMemory()>>20, diskBytes(n.c.dir)>>20, n.epoch(ctx))
		}
		if n.gen.read.Load() >= n.c.rows*jobs || last >= 0 && time.Since(changed) > 5*time.Second {
			if e := n.epoch(ctx); e != last {
				last, changed = e, time.Now()
			} else if time.Since(changed) > 1500*time.Millisecond {
				return nil
			}
		}
		if err := pause(ctx, 50*time.Millisecond); err != nil {
			return err
		}
	}
}

func (n *node) check(ctx context.Context, q query) error {
	want := q.want(n.c)
	deadline := time.Now().Add(5 * time.Minute)
	for {
		var got *string // NULL as long as there are no rows
		if err := n.conn.QueryRow(ctx, q.check).Scan(&got); err != nil {
			return err
		}
		if got != nil && *got == want {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%s does not give %s", q.check, want)
		}
		if err := pause(ctx, time.Second); err != nil {
			return err
		}
	}
}

func cpuSeconds() float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return float64(u.Utime.Sec+u.Stime.Sec) + float64(u.Utime.Usec+u.Stime.Usec)/1e6
}

func memory() int64     { return procField("/proc/self/status", "VmRSS:") << 10 }
func peakMemory() int64 { return procField("/proc/self/status", "VmHWM:") << 10 }

// readBytes is what the process read, from the disk or the page cache.
func readBytes() int64 { return procField("/proc/self/io", "rchar:") }

// procField is a number in one of Linux's files about processes, 0 elsewhere.
func procField(file, name string) int64 {
	b, err := os.ReadFile(file)
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, name); ok {
			v, _ := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			return v
		}
	}
	return 0
}

// diskBytes is the size of the files of a directory. Some go away while it looks.
func diskBytes(dir string) (n int64) {
	_ = filepath.Walk(dir, func(_ string, info os.FileInfo, err error) error {
		if err == nil && !info.IsDir() {
			n += info.Size()
		}
		return nil
	})
	return n
}
