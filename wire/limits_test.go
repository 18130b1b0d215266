package wire

import (
	"net"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"
)

// TestStartingFlood: connections that say nothing make room for those that do, and those of other
// addresses are left alone.
func TestStartingFlood(t *testing.T) {
	s := NewServer(Config{Backend: newFakeBackend(), MaxConnections: 1})
	accepted := func(host string) *conn {
		client, server := net.Pipe()
		t.Cleanup(func() { _ = client.Close() })
		c := newConn(s, server)
		c.host = host
		if !s.admit(c) {
			t.Fatal("not admitted")
		}
		return c
	}
	quiet := accepted("quiet")
	first := accepted("flood")
	for range minStarting * 2 {
		accepted("flood")
	}
	if len(s.starting) != minStarting {
		t.Errorf("%d are starting", len(s.starting))
	}
	if quiet.ctx.Err() != nil || first.ctx.Err() == nil {
		t.Error("the wrong ones made room")
	}
}

func TestReservedConnections(t *testing.T) {
	s := startServer(t, func(c *Config) { c.MaxConnections, c.Owner = 20, "owner" })
	for range 18 {
		dialRaw(t, s.addr(), "u")
	}
	try := func(user string) string {
		c := dialSocket(t, s.addr())
		c.write(&pgproto3.StartupMessage{ProtocolVersion: 3 << 16, Parameters: map[string]string{"user": user}})
		return c.until('Z')
	}
	if got := try("u"); !strings.Contains(got, `FATAL 53300 remaining connection slots are reserved for user "owner"`) {
		t.Error(got)
	}
	for range 2 {
		if got := try("owner"); !strings.HasSuffix(got, "ready I") {
			t.Error(got)
		}
	}
	if got := try("owner"); !strings.Contains(got, "FATAL 53300 sorry, too many clients already") {
		t.Error(got)
	}
}

func TestStatementTooLong(t *testing.T) {
	c := dialRaw(t, startServer(t).addr(), "u")
	long := "select '" + strings.Repeat("x", maxStatementBytes) + "'"
	c.write(&pgproto3.Query{String: long})
	if got := c.until('Z'); !strings.HasPrefix(got, "ERROR 54000 statement of") {
		t.Error(got)
	}
	c.write(&pgproto3.Parse{Query: long}, &pgproto3.Sync{})
	if got := c.until('Z'); !strings.HasPrefix(got, "ERROR 54000 statement of") {
		t.Error(got)
	}
}

// TestStatementsSize: what prepared statements take is bounded by their text too, and given back.
func TestStatementsSize(t *testing.T) {
	c := dialRaw(t, startServer(t).addr(), "u")
	big := "select 1 --" + strings.Repeat("x", maxStatementBytes-20)
	for _, name := range []string{"a", "b", "c", "d", "e"} {
		c.write(&pgproto3.Parse{Name: name, Query: big}, &pgproto3.Sync{})
		want := "ParseComplete"
		if name == "e" {
			want = "ERROR 54000 too many prepared statements"
		}
		if got := c.until('Z'); !strings.HasPrefix(got, want) {
			t.Errorf("%s: %s", name, got)
		}
	}
	c.write(&pgproto3.Close{ObjectType: 'S', Name: "a"}, &pgproto3.Parse{Name: "e", Query: big}, &pgproto3.Sync{})
	if got := c.until('Z'); !strings.HasPrefix(got, "CloseComplete\nParseComplete") {
		t.Error(got)
	}
}

// TestLargeMessages: large messages of all clients share a bounded memory, and give it back.
func TestLargeMessages(t *testing.T) {
	s := startServer(t)
	if err := s.large.take(maxLargeBytes - 1<<20); err != nil {
		t.Fatal(err)
	}
	c := dialRaw(t, s.addr(), "u")
	c.write(&pgproto3.Query{String: "select '" + strings.Repeat("x", 400<<10) + "'"})
	if got := c.until('Z'); !strings.HasSuffix(got, "ready I") {
		t.Errorf("%.200s", got)
	}
	c.write(&pgproto3.Query{String: "select '" + strings.Repeat("x", 4<<20) + "'"})
	if got := c.until('Z'); !strings.Contains(got, "FATAL 53200 out of memory for messages") {
		t.Errorf("%.200s", got)
	}
	eventually(t, "the memory is given back", func() bool { return s.large.bytes.Load() == maxLargeBytes-1<<20 })
}

func TestIdleTimeouts(t *testing.T) {
	s := startServer(t)
	for first, want := range map[string]string{
		"set idle_timeout = 50":        "FATAL 57P05 terminating connection due to idle-session timeout",
		"set idle_timeout = 50; begin": "FATAL 25P03 terminating connection due to idle-in-transaction timeout",
	} {
		c := dialRaw(t, s.addr(), "u")
		c.write(&pgproto3.Query{String: first})
		c.until('Z')
		start := time.Now()
		if got := c.until(0); !strings.HasPrefix(got, want) || time.Since(start) < 40*time.Millisecond {
			t.Errorf("%s after %v", got, time.Since(start))
		}
	}
	c := dialRaw(t, s.addr(), "u")
	for range 5 { // not idle for so long
		c.write(&pgproto3.Query{String: "set idle_timeout = 300"})
		c.until('Z')
		time.Sleep(100 * time.Millisecond)
	}
	c.write(&pgproto3.Query{String: "select pg_sleep(0.5)"}) // a statement is not idle
	if got := c.until('Z'); !strings.HasSuffix(got, "ready I") {
		t.Error(got)
	}
}

// TestTimeoutOfCopyIn: a client that sends nothing, or half a message, in its COPY is told that it took
// too long, and the connection goes on where the protocol is.
func TestTimeoutOfCopyIn(t *testing.T) {
	s := startServer(t)
	c := dialRaw(t, s.addr(), "u")
	c.write(&pgproto3.Query{String: "create table t (a text)"})
	c.until('Z')
	half, _ := (&pgproto3.CopyData{Data: []byte(strings.Repeat("x", 1<<20))}).Encode(nil)
	for _, sent := range [][]byte{nil, half[:3], half[:4000], half[:900<<10]} {
		c.write(&pgproto3.Query{String: "set statement_timeout = 100"})
		c.until('Z')
		c.write(&pgproto3.Query{String: "copy t from stdin"})
		c.until('G')
		_, err := c.nc.Write(sent)
		c.must(err)
		if got := c.until('Z'); !strings.HasPrefix(got, "ERROR 57014 canceling statement due to statement timeout") {
			t.Error(got)
		}
		if sent != nil {
			_, err = c.nc.Write(half[len(sent):])
			c.must(err)
		}
		c.write(&pgproto3.CopyDone{}, &pgproto3.Query{String: "select 1"})
		if got := c.until('Z'); !strings.Contains(got, "complete SELECT 1") {
			t.Errorf("after %d bytes: %s", len(sent), got)
		}
	}
	c.write(&pgproto3.Query{String: "set statement_timeout = 0"})
	c.until('Z')
	c.write(&pgproto3.Query{String: "copy t from stdin"})
	c.until('G')
	s.cancelBackend(c.pid, false)
	if got := c.until('Z'); !strings.HasPrefix(got, "ERROR 57014 canceling statement due to user request") {
		t.Error(got)
	}
}

// atWork tells whether a statement is running. One that was cancelled before the socket was full has
// ended in order; otherwise its connection was given up.
func (s *testServer) atWork() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.conns {
		c.mu.Lock()
		busy := c.cancel != nil
		c.mu.Unlock()
		if busy {
			return true
		}
	}
	return false
}

// TestTimeoutOfSlowClient: a client that reads nothing holds its statement's resources no longer than
// the timeout and a little patience; one that reads in time goes on.
func TestTimeoutOfSlowClient(t *testing.T) {
	for _, statement := range []string{"select generate_series(1, 500000)", "huge 500000", "copy (select generate_series(1, 500000)) to stdout"} {
		s := startServer(t)
		s.patience = 200 * time.Millisecond
		c := dialRaw(t, s.addr(), "u")
		c.write(&pgproto3.Query{String: "set statement_timeout = 100"})
		c.until('Z')
		c.write(&pgproto3.Query{String: statement})
		eventually(t, "the statement begins", s.atWork)
		for began := time.Now(); s.atWork(); time.Sleep(5 * time.Millisecond) {
			if time.Since(began) > 30*time.Second { // the fake makes all rows first, which takes a while on a busy machine
				t.Fatal("the statement goes on")
			}
		}

		s.patience = 20 * time.Second
		c = dialRaw(t, s.addr(), "u")
		c.write(&pgproto3.Query{String: "set statement_timeout = 100"})
		c.until('Z')
		c.write(&pgproto3.Query{String: statement})
		time.Sleep(300 * time.Millisecond)
		if got := c.until('Z'); !strings.Contains(got, "57014 canceling statement due to statement timeout") {
			t.Errorf("%.100s", got)
		}
		c.write(&pgproto3.Query{String: "select 1"})
		if got := c.until('Z'); !strings.Contains(got, "complete SELECT 1") {
			t.Error(got)
		}
	}
}
