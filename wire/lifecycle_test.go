package wire

import (
	"context"
	"crypto/tls"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"
)

// dialTLS connects over TLS; without it, plainly.
func dialTLS(t *testing.T, s *testServer, encrypted bool) *rawClient {
	c := dialSocket(t, s.addr())
	if encrypted {
		_, _ = c.nc.Write(packet(sslRequestCode, ""))
		if _, err := c.nc.Read(make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
		c.nc = tls.Client(c.nc, &tls.Config{InsecureSkipVerify: true})
		c.Frontend = pgproto3.NewFrontend(c.nc, c.nc)
	}
	c.write(&pgproto3.StartupMessage{ProtocolVersion: 3 << 16, Parameters: map[string]string{"user": "u"}})
	c.until('Z')
	return c
}

// TestShutdown: every kind of connection is told 57P01 and gone within two seconds.
func TestShutdown(t *testing.T) {
	for _, encrypted := range []bool{false, true} {
		cfg, _ := testTLS(t)
		s := startServer(t, tlsServer(cfg))
		var told []*rawClient
		client := func(msgs ...pgproto3.FrontendMessage) *rawClient {
			c := dialTLS(t, s, encrypted)
			c.write(msgs...)
			return c
		}
		told = append(told, client(), client(&pgproto3.Query{String: "select pg_sleep(60)"}), client(&pgproto3.Query{String: "select ticks()"}),
			client(&pgproto3.Parse{Query: "select generate_series(1,9)"}, &pgproto3.Bind{}, &pgproto3.Execute{MaxRows: 2}),
			client(&pgproto3.Query{String: "begin"}))
		client(&pgproto3.Query{String: "create table c (a int4)"}).until('Z')
		told = append(told, client(&pgproto3.Query{String: "copy c from stdin"}))
		client(&pgproto3.Query{String: "huge 100000"}) // and never reads it
		dialSocket(t, s.addr())                        // and never starts
		time.Sleep(200 * time.Millisecond)
		start := time.Now()
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		s.Shutdown(ctx)
		cancel()
		if d := time.Since(start); d > 4*time.Second {
			t.Errorf("shutdown took %v", d)
		}
		for i, c := range told {
			got := c.until(0)
			if !strings.HasSuffix(got, "FATAL 57P01 terminating connection due to administrator command\nclosed") || strings.Count(got, "57P01") != 1 {
				t.Errorf("client %d was told %s", i, got)
			}
			if begun := i == 4; strings.Contains(got, "ready") != begun { // it would tell that what went before has succeeded
				t.Errorf("client %d was told %s", i, got)
			}
		}
		if n := s.Connections(); n != 0 {
			t.Errorf("%d connections are left", n)
		}
	}
}

func TestTerminateBackend(t *testing.T) {
	s := startServer(t)
	c := dialRaw(t, s.addr(), "u")
	if !s.cancelBackend(c.pid, true) || s.cancelBackend(c.pid+1, true) {
		t.Error("which connections there are")
	}
	if got := c.until(0); !strings.Contains(got, "FATAL 57P01") {
		t.Error(got)
	}
	c = dialRaw(t, s.addr(), "u")
	c.write(&pgproto3.Query{String: "select pg_sleep(60)"})
	time.Sleep(20 * time.Millisecond)
	if !s.cancelBackend(c.pid, false) {
		t.Error("no such connection")
	}
	if got := c.until('Z'); !strings.Contains(got, "ERROR 57014 canceling statement due to user request") {
		t.Error(got)
	}
}

// TestClientLeaves: a statement ends with its client, also when the client sent more before it left.
func TestClientLeaves(t *testing.T) {
	cfg, _ := testTLS(t)
	s := startServer(t, tlsServer(cfg))
	for _, encrypted := range []bool{false, true} {
		for name, more := range map[string][]pgproto3.FrontendMessage{
			"nothing": nil, "a farewell": {&pgproto3.Terminate{}}, "a pipeline": {&pgproto3.Sync{}, &pgproto3.Query{String: "select 1"}, &pgproto3.Terminate{}},
		} {
			c := dialTLS(t, s, encrypted)
			padding := strings.Repeat(" ", map[string]int{"a farewell": readBuffer - 30, "a pipeline": readBuffer/2 - 30}[name])
			c.write(&pgproto3.Query{String: "select pg_sleep(60)" + padding})
			time.Sleep(watchAfter + 50*time.Millisecond)
			c.write(more...)
			time.Sleep(20 * time.Millisecond)
			_ = c.nc.Close()
			eventually(t, fmt.Sprintf("the session of a client that left after %s ends (TLS: %v)", name, encrypted), func() bool { return s.backend.sessions.Load() == 0 })
		}
	}
}

// TestMessagesDuringWatch: what a client sends during a long statement is handled after it.
func TestMessagesDuringWatch(t *testing.T) {
	cfg, _ := testTLS(t)
	s := startServer(t, tlsServer(cfg))
	for _, encrypted := range []bool{false, true} {
		c := dialTLS(t, s, encrypted)
		c.write(&pgproto3.Query{String: "select pg_sleep(0.4)"})
		time.Sleep(watchAfter + 50*time.Millisecond)
		for i := range 3 {
			c.write(&pgproto3.Query{String: fmt.Sprintf("select '%d%s'", i, strings.Repeat("x", 200*i))})
			time.Sleep(10 * time.Millisecond)
		}
		got := c.until('Z') + c.until('Z') + c.until('Z') + c.until('Z')
		if strings.Count(got, "complete SELECT 1") != 4 || !strings.Contains(got, `row "2xxx`) {
			t.Error(got)
		}
	}
}

// TestSlowReader: a client that does not read holds back its own query and nothing else.
func TestSlowReader(t *testing.T) {
	s := startServer(t)
	slow := dialRaw(t, s.addr(), "slow")
	slow.write(&pgproto3.Query{String: "huge 100000"})
	time.Sleep(50 * time.Millisecond)
	c := dialRaw(t, s.addr(), "u")
	start := time.Now()
	for range 100 {
		c.write(&pgproto3.Query{String: "select 1"})
		c.until('Z')
	}
	if d := time.Since(start); d > 10*time.Second {
		t.Errorf("100 queries beside a slow reader took %v", d)
	}
	_ = slow.nc.Close()
	eventually(t, "the slow reader's session ends", func() bool { return s.backend.sessions.Load() == 1 })
}

// TestRowsComeEarly: the rows of a statement that waits for more are not held back.
func TestRowsComeEarly(t *testing.T) {
	s := startServer(t)
	for _, msgs := range [][]pgproto3.FrontendMessage{
		{&pgproto3.Query{String: "select ticks()"}}, {&pgproto3.Query{String: "copy (select ticks()) to stdout"}},
		{&pgproto3.Parse{Query: "select ticks()"}, &pgproto3.Bind{}, &pgproto3.Execute{}},
	} {
		c := dialRaw(t, s.addr(), "u")
		_ = c.nc.SetDeadline(time.Now().Add(2 * time.Second))
		c.write(msgs...)
		for {
			m, err := c.Receive()
			if err != nil {
				t.Fatalf("%T: %v", msgs[0], err)
			}
			if d := describe(m); d == `row "1"` || d == `data "1\n"` {
				break
			}
		}
	}
	// A limit is reached without waiting for the row after it.
	c := dialRaw(t, s.addr(), "u")
	c.write(&pgproto3.Parse{Query: "select ticks()"}, &pgproto3.Bind{}, &pgproto3.Execute{MaxRows: 1}, &pgproto3.Sync{})
	if got := c.until('Z'); got != "ParseComplete\nBindComplete\nrow \"1\"\nPortalSuspended\nready I" {
		t.Error(got)
	}
}

func TestNotices(t *testing.T) {
	s := startServer(t)
	c := dialRaw(t, s.addr(), "u")
	c.write(&pgproto3.Query{String: "notice one; select 1; notice two"})
	want := "NOTICE 00000 one\ncomplete NOTICE\ncolumns 23/0\nrow \"1\"\ncomplete SELECT 1\nNOTICE 00000 two\ncomplete NOTICE\nready I"
	if got := c.until('Z'); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	c.write(&pgproto3.Query{String: "begin; begin"})
	if got := c.until('Z'); got != "complete BEGIN\nWARNING 25001 there is already a transaction in progress\ncomplete BEGIN\nready T" {
		t.Error(got)
	}
}

// TestPanics: a statement that panics fails, is logged, and the connection goes on.
func TestPanics(t *testing.T) {
	s := startServer(t)
	c := dialRaw(t, s.addr(), "u")
	c.write(&pgproto3.Query{String: "panic"})
	if got := c.until('Z'); got != "ERROR XX000 internal error\nready I" {
		t.Error(got)
	}
	c.write(&pgproto3.Parse{Query: "panic"}, &pgproto3.Bind{}, &pgproto3.Execute{}, &pgproto3.Sync{})
	if got := c.until('Z'); !strings.HasSuffix(got, "ERROR XX000 internal error\nready I") {
		t.Error(got)
	}
	if log := s.log.String(); !strings.Contains(log, "as asked") || !strings.Contains(log, "statement=panic") {
		t.Error(log)
	}
}

// TestErrorPositions are in characters of the whole string.
func TestErrorPositions(t *testing.T) {
	c := dialRaw(t, startServer(t).addr(), "u")
	for _, m := range []pgproto3.FrontendMessage{&pgproto3.Query{String: "select 'é'; select * from missing"}, &pgproto3.Parse{Query: "/*éé*/ selekt"}} {
		c.write(m, &pgproto3.Sync{})
		for {
			got, err := c.Receive()
			if err != nil {
				t.Fatal(err)
			}
			if e, ok := got.(*pgproto3.ErrorResponse); ok {
				if want := map[string]int32{"42P01": 27, "42601": 1}[e.Code]; e.Position != want {
					t.Errorf("%s at %d, want %d", e.Message, e.Position, want)
				}
				break
			}
		}
		c.until('Z')
	}
}

// TestDescribeCursor: drivers describe an SQL cursor as they do a portal.
func TestDescribeCursor(t *testing.T) {
	c := dialRaw(t, startServer(t).addr(), "u")
	c.write(&pgproto3.Query{String: "begin; declare cur"})
	c.until('Z')
	c.write(&pgproto3.Describe{ObjectType: 'P', Name: "cur"}, &pgproto3.Sync{})
	if got := c.until('Z'); got != "columns 23/0\nready T" {
		t.Error(got)
	}
}

func TestLimits(t *testing.T) {
	s := startServer(t)
	c := dialRaw(t, s.addr(), "u")
	for i := range maxStatements + 1 {
		c.Send(&pgproto3.Parse{Name: fmt.Sprint("s", i), Query: "select 1"})
	}
	c.Send(&pgproto3.Sync{})
	go func() { _ = c.Flush() }() // the answers are read meanwhile
	if got := c.until('Z'); !strings.HasSuffix(got, "ERROR 54000 too many prepared statements\nready I") {
		t.Error(got[len(got)-100:])
	}
	c.write(&pgproto3.Query{String: "begin"})
	c.until('Z')
	for i := range maxPortals + 1 {
		c.Send(&pgproto3.Bind{DestinationPortal: fmt.Sprint("p", i), PreparedStatement: "s1"})
	}
	c.write(&pgproto3.Sync{})
	if got := c.until('Z'); !strings.HasSuffix(got, "ERROR 54000 too many open portals\nready E") {
		t.Error(got[len(got)-100:])
	}
	// A length beyond the limit ends the connection before anything is allocated for it.
	_, _ = c.nc.Write([]byte{'Q', 0x7f, 0xff, 0xff, 0xff})
	if got := c.until('Z'); !strings.Contains(got, "FATAL 08P01") {
		t.Error(got)
	}
}

// TestIdleConnectionsCostLittle measures what a thousand of them take, after each has had a query
// with a result of some size.
func TestIdleConnectionsCostLittle(t *testing.T) {
	s := startServer(t)
	const n = 500
	before := memory()
	clients := make([]*rawClient, n)
	for i := range clients {
		clients[i] = dialRaw(t, s.addr(), "u")
		clients[i].write(&pgproto3.Query{String: "select generate_series(1,10000)"})
		clients[i].until('Z')
		clients[i].Frontend = nil // of the client's own memory only the socket stays
	}
	each := (memory() - before) / n
	t.Logf("%d bytes for an idle connection, the test's end of the socket included", each)
	if each > 32<<10 {
		t.Errorf("an idle connection takes %d bytes", each)
	}
}

func memory() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc + m.StackInuse)
}
