//go:build integration

package postgres

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/streamsql/streamsql/connectors/postgres/pgtest"
	"github.com/streamsql/streamsql/exec/stream"
	"github.com/streamsql/streamsql/sql"
)

// proxy stands before the server and cuts a connection where a test says so.
type proxy struct {
	ln net.Listener
	to string

	mu     sync.Mutex
	word   []byte // a message from the client that holds it is the last one; nil = none
	before bool   // the server does not get it; else the client does not get the answer
}

func startProxy(t testing.TB, port int) *proxy {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{ln: ln, to: fmt.Sprint("127.0.0.1:", port)}
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			client, err := ln.Accept()
			if err != nil {
				return
			}
			go p.serve(client)
		}
	}()
	return p
}

func (p *proxy) cut(word string, before bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.word, p.before = []byte(word), before
}

// strikes tells whether the connection ends at what the client has sent, and how. It does so once.
func (p *proxy) strikes(sent []byte) (now, before bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.word == nil || !bytes.Contains(sent, p.word) {
		return false, false
	}
	p.word = nil
	return true, p.before
}

func (p *proxy) serve(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("tcp", p.to)
	if err != nil {
		return
	}
	defer server.Close()
	var deaf sync.Mutex // held while answers go nowhere
	isDeaf := false
	go func() {
		buf := make([]byte, 64<<10)
		for {
			n, err := server.Read(buf)
			deaf.Lock()
			if isDeaf { // the server has done what it was asked for
				client.Close()
			} else if n > 0 {
				_, _ = client.Write(buf[:n]) // a client that is gone is noticed by its own reader
			}
			deaf.Unlock()
			if err != nil {
				client.Close()
				return
			}
		}
	}()
	buf := make([]byte, 64<<10)
	for {
		n, err := client.Read(buf)
		if err != nil {
			return
		}
		now, before := p.strikes(buf[:n])
		if now && before {
			return
		}
		if now {
			deaf.Lock()
			isDeaf = true
			deaf.Unlock()
		}
		if _, err := io.Copy(server, bytes.NewReader(buf[:n])); err != nil {
			return
		}
	}
}

// The connection is lost at every step of a transaction, before the server has heard it or before we
// have heard the answer: the epoch is there once, with its dead letter.
func TestConnectionCutAtEveryStep(t *testing.T) {
	pg := pgtest.Shared(t)
	b := newBench(t, pg, "CREATE TABLE cut_put (k bigint PRIMARY KEY, v text CHECK (v <> 'bad')); CREATE TABLE cut_log (k bigint, v text CHECK (v <> 'bad'))")
	p := startProxy(t, pg.Port)
	for keys, table := range []string{"cut_log", "cut_put"} {
		r := b.relation(table+"-1", table, keys, "k int8, v text")
		r.Options["url"] = strings.Replace(pg.URL(), fmt.Sprint(":", pg.Port), ":"+p.ln.Addr().String()[len("127.0.0.1:"):], 1)
		s := b.sink(r)
		b.delivered(s, 0)
		epoch := uint64(0)
		for _, word := range []string{"BEGIN", map[int]string{0: "COPY", 1: "INSERT"}[keys], "ROLLBACK TO", "RELEASE", "string_agg", "COMMIT", "UPDATE", "DELETE"} {
			for _, before := range []bool{true, false} {
				batch := changes(r, fmt.Sprintf("+ %d a", 4*epoch), fmt.Sprintf("+ %d bad", 4*epoch+1), fmt.Sprintf("+ %d b", 4*epoch+2))
				if word == "DELETE" && keys == 1 {
					batch = changes(r, "- 0 a", "+ 1 bad", fmt.Sprintf("+ %d a", 4*epoch), fmt.Sprintf("+ %d b", 4*epoch+2))
				}
				p.cut(word, before)
				_, err := tryDeliver(b.context(), s, epoch+1, batch)
				if err != nil && sql.AsError(err).Code != sql.CodeConnectionFailure {
					t.Errorf("%s: %v", word, err)
				}
				if err == nil && word != "DELETE" {
					t.Errorf("%s %v: the connection was not cut", word, before)
				}
				held, _, err := s.Delivered(b.context())
				if err != nil {
					t.Fatal(err)
				}
				if held == epoch {
					if got := b.deliver(s, epoch+1, batch); len(got) != 1 {
						t.Errorf("refused %q", got)
					}
				} else if held != epoch+1 || word != "COMMIT" && word != "DELETE" {
					t.Fatalf("%s: at epoch %d", word, held)
				}
				epoch++
				b.delivered(s, epoch)
			}
		}
		want := 2 * int(epoch)
		if keys == 1 {
			want-- // the row 0 was deleted
		}
		b.holds("SELECT count(*), count(DISTINCT k) FROM "+table, fmt.Sprintf("%d|%d", want, want))
	}
}

// cpuSeconds is what this process has used.
func cpuSeconds() float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}

// Speed of deliveries to a real server, in rows a second.
func BenchmarkSink(b *testing.B) {
	pg := pgtest.Start(b)
	for _, kind := range []string{"append", "insert", "update"} {
		for _, n := range []int{10, 1000, 10_000, 100_000} {
			b.Run(fmt.Sprintf("%s/%d", kind, n), func(b *testing.B) {
				t := newBench(b, pg, "DROP TABLE IF EXISTS speed; CREATE TABLE speed (k bigint PRIMARY KEY, c text, a bigint, b bigint)")
				keys := 1
				if kind == "append" {
					t.exec("ALTER TABLE speed DROP CONSTRAINT speed_pkey")
					keys = 0
				}
				r := t.relation(fmt.Sprintf("speed-%s-%d-%d", kind, n, b.N), "speed", keys, "k int8, c text, a int8, b int8")
				s := t.sink(r)
				t.delivered(s, 0)
				build := func(from int) *stream.Batch {
					ints, texts := make([]int64, n), make([]string, n)
					for i := range ints {
						ints[i], texts[i] = int64(from+i), fmt.Sprint("category-", (from+i)%100)
					}
					k := stream.Int64s(ints, nil)
					out := &stream.Batch{Rows: n}
					out.Columns = append(out.Columns, k, stream.Strings(texts, nil), k, k)
					return out
				}
				batch := build(0)
				epoch := uint64(0)
				cpu := cpuSeconds()
				for b.Loop() {
					if kind == "insert" {
						b.StopTimer()
						batch = build(int(epoch) * n)
						b.StartTimer()
					}
					epoch++
					t.deliver(s, epoch, batch)
				}
				b.ReportMetric((cpuSeconds()-cpu)*1e6/float64(n)/float64(b.N), "own-cpu-s/Mrows")
				b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
			})
		}
	}
}
