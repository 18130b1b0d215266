package main

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/streamsql/streamsql/sql/parser"
)

// The same seed gives the same faults and the same records.
func TestSeed(t *testing.T) {
	plan := func(seed uint64) (out []string, values []string) {
		r := rand.New(rand.NewPCG(seed, 3))
		for _, f := range planFaults(r, &config{}, 3*time.Second) {
			out = append(out, f.String())
		}
		var l ledger
		for i := range 500 {
			rec := l.next(r, i/100, base(i/100))
			if err := l.encode(&rec, 0); err != nil {
				t.Fatal(err)
			}
			values = append(values, rec.value)
		}
		return out, values
	}
	for seed := range uint64(50) {
		faults, values := plan(seed)
		again, sameValues := plan(seed)
		if !reflect.DeepEqual(faults, again) || !reflect.DeepEqual(values, sameValues) {
			t.Fatalf("seed %d: %v and %v", seed, faults, again)
		}
		if n := len(faults); n < 1 || n > 3 {
			t.Errorf("seed %d: %d faults", seed, n)
		}
	}
}

// startless is a Kafka that does not start.
type startless struct{ killed bool }

func (s startless) Kill() error    { return nil }
func (s startless) Restart() error { return errors.New("it did not start") }
func (s startless) Killed() bool   { return s.killed }

// What somebody kills as a fault starts it again is the keeper's to start; what does not start is a failure.
func TestKilledAtItsStart(t *testing.T) {
	var mu sync.Mutex
	if err := kill(t.Context(), &mu, startless{killed: true}, fault{}); err != nil {
		t.Error(err)
	}
	if err := kill(t.Context(), &mu, startless{}, fault{}); err == nil {
		t.Error("a Kafka that does not start passes for a killed one")
	}
}

// Event time: rows of a round are behind the watermark of the round before only if they are meant to
// be late, and then they are behind every window that is open.
func TestLateness(t *testing.T) {
	const hop = 15 * time.Second
	for round := 1; round < 4; round++ {
		watermark := tick(round - 1).Add(-disorder)
		if first := base(round).Add(-disorder); !first.After(watermark) {
			t.Errorf("round %d begins at %s, not after the watermark %s", round, first, watermark)
		}
		r := rand.New(rand.NewPCG(1, uint64(round)))
		l := ledger{records: make([]record, 1)}
		for range 2000 {
			rec := l.next(r, round, base(round))
			if late := rec.ts != nil && rec.ts.Add(hop+10*time.Second).Before(watermark); late != rec.late {
				t.Fatalf("a record of %v, late: %t; the watermark is %s", rec.ts, rec.late, watermark)
			}
		}
	}
}

// Statements of every job are the engine's dialect.
func TestStatements(t *testing.T) {
	p, err := listenProxy(func() string { return "" })
	if err != nil {
		t.Fatal(err)
	}
	defer p.close()
	w := &world{c: &cluster{kafkaProxy: p, postgresProxy: p}, interval: "auto"}
	for _, j := range jobs {
		if _, err := parser.Parse(j.statement(w)); err != nil {
			t.Errorf("%s: %v", j.name, err)
		}
	}
}

// What a watcher is there to find, it finds.
func TestSnapshotWatch(t *testing.T) {
	whole := [][]string{{"hops", "0", "2", "1.50"}, {"hops", "1", "2", "1.50"}, {"hops", "2", "2", "1.50"},
		{"accounts", "0", "12", "12000"}, {"branch_totals", "0", "3", "12000"}, {"totals", "0", "5", "1.00"}}
	for _, test := range []struct {
		name string
		row  int
		with []string
		want string // in the error; empty = none
	}{
		{"the same again", 0, whole[0], ""},
		{"half an epoch", 1, []string{"hops", "1", "2", "1.49"}, "differ"},
		{"a window is missing", 1, []string{"totals", "0", "5", "1.00"}, "differ"},
		{"money is gone", 3, []string{"accounts", "0", "12", "11999"}, "money"},
		{"an older state", 5, []string{"totals", "0", "4", "1.00"}, "before"},
	} {
		var s snapshotWatch
		if err := s.check(whole); err != nil {
			t.Fatal(err)
		}
		rows := append([][]string(nil), whole...)
		rows[test.row] = test.with
		if err := s.check(rows); (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v", test.name, err)
		}
	}
}

// A subscriber notices epochs that go back, rows that come out of nothing and epochs that are not whole.
func TestSubscriberChanges(t *testing.T) {
	row := func(start, k, s string) []string { return []string{"2024-01-01 00:00:" + start, "", k, "1", s} }
	for _, test := range []struct {
		name  string
		last  func(s *subscriber) error
		wants string
	}{
		{"fine", func(s *subscriber) error { return s.change(8, "insert", row("00", "b", "1")) }, ""},
		{"back", func(s *subscriber) error { return s.change(6, "insert", row("00", "b", "1")) }, "was there before"},
		{"nothing to delete", func(s *subscriber) error { return s.change(7, "delete", row("00", "b", "1")) }, "no such row"},
		{"half", func(s *subscriber) error {
			return errorOf(s.change(7, "delete", row("00", "a", "2.50")), s.change(8, "insert", row("00", "b", "1")))
		}, "differ"},
	} {
		s := newSubscribers()[0]
		s.fold = &fold{rows: map[string]int{}}
		for _, start := range []string{"00", "05", "10"} {
			if err := s.change(7, "insert", row(start, "a", "2.50")); err != nil {
				t.Fatal(err)
			}
		}
		if err := test.last(s); (err == nil) != (test.wants == "") || err != nil && !strings.Contains(err.Error(), test.wants) {
			t.Errorf("%s: %v", test.name, err)
		}
	}
}

func errorOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// echo is a server that sends back what it gets.
func echo(t *testing.T) string {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				io.Copy(c, c)
			}()
		}
	}()
	return ln.Addr().String()
}

func TestProxy(t *testing.T) {
	target := echo(t)
	p, err := listenProxy(func() string { return target })
	if err != nil {
		t.Fatal(err)
	}
	dial := func() net.Conn {
		c, err := net.Dial("tcp", p.addr())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	}
	exchange := func(c net.Conn, text string, wait time.Duration) error {
		c.SetDeadline(time.Now().Add(wait))
		if _, err := c.Write([]byte(text)); err != nil {
			return err
		}
		got := make([]byte, len(text))
		if _, err := io.ReadFull(c, got); err != nil {
			return err
		}
		if string(got) != text {
			return fmt.Errorf("got %q", got)
		}
		return nil
	}
	c := dial()
	if err := exchange(c, "hello", time.Minute); err != nil {
		t.Fatal(err)
	}
	p.freeze()
	if err := exchange(c, "frozen", 50*time.Millisecond); err == nil {
		t.Error("something came through a frozen proxy")
	}
	p.thaw()
	c.SetDeadline(time.Now().Add(time.Minute))
	if _, err := io.ReadFull(c, make([]byte, len("frozen"))); err != nil {
		t.Errorf("what was held is lost: %v", err)
	}
	p.cut()
	if err := exchange(c, "cut", time.Minute); err == nil {
		t.Error("the connection was not cut")
	}
	p.flaky(rand.New(rand.NewPCG(1, 1)))
	if c := dial(); exchange(c, strings.Repeat("x", 4*maxFuse), time.Minute) == nil {
		t.Error("a connection carried more than the longest fuse")
	}
	p.steady()
	if err := exchange(dial(), strings.Repeat("x", 4*maxFuse), time.Minute); err != nil {
		t.Error(err)
	}
	if err := p.close(); err != nil {
		t.Error(err)
	}
}
