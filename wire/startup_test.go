package wire

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgproto3"
)

// packet is a start-up packet: length, code, body.
func packet(code uint32, body string) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(8+len(body)))
	return append(binary.BigEndian.AppendUint32(b, code), body...)
}

func startupPacket(version uint32, params ...string) []byte {
	return packet(version, strings.Join(params, "\x00")+"\x00\x00")
}

func TestStartup(t *testing.T) {
	s := startServer(t)
	const v3 = 3 << 16
	for _, tt := range []struct {
		name string
		send []byte
		want string // begins so
	}{
		{"plain", startupPacket(v3, "user", "u"), "AuthenticationOk\nstatus DateStyle=ISO, MDY\nstatus TimeZone=UTC\nstatus application_name=\n"},
		{"settings", startupPacket(v3, "user", "u", "options", `-c application_name=a\ b --statement-timeout=5`), "AuthenticationOk\nstatus DateStyle=ISO, MDY\nstatus TimeZone=UTC\nstatus application_name=a b\n"},
		{"no user", startupPacket(v3, "database", "d"), "FATAL 28000 no PostgreSQL user name specified in startup packet\nclosed"},
		{"no such database", startupPacket(v3, "user", "u", "database", "nowhere"), "AuthenticationOk\nFATAL 3D000"},
		{"bad setting", startupPacket(v3, "user", "u", "options", "-c statement_timeout=soon"), "AuthenticationOk\nFATAL 22023"},
		{"bad option", startupPacket(v3, "user", "u", "options", "-x"), "FATAL 22023 invalid command-line argument for server process: -x\nclosed"},
		{"replication", startupPacket(v3, "user", "u", "replication", "database"), "FATAL 0A000"},
		{"no replication", startupPacket(v3, "user", "u", "replication", "off"), "AuthenticationOk"},
		{"3.2", startupPacket(v3+2, "user", "u"), "AuthenticationOk"},
		{"newer minor", startupPacket(v3+9999, "user", "u"), "NegotiateProtocolVersion"},
		{"unknown protocol option", startupPacket(v3, "user", "u", "_pq_.x", "1"), "NegotiateProtocolVersion"},
		{"protocol 2", startupPacket(2<<16, "user", "u"), "FATAL 0A000 unsupported frontend protocol 2.0: server supports 3.0 to 3.2\nclosed"},
		{"no end", packet(v3, "user\x00u"), "FATAL 08P01 invalid startup packet layout: expected terminator as last byte\nclosed"},
		{"bad UTF-8", startupPacket(v3, "user", "\xff"), "FATAL 22021"},
		{"too long", binary.BigEndian.AppendUint32([]byte{0, 0, 0x40, 0}, v3), "FATAL 08P01 invalid length of startup packet\nclosed"},
		{"too short", []byte{0, 0, 0, 7, 0, 0, 0, 0}, "FATAL 08P01 invalid length of startup packet\nclosed"},
		{"HTTP", []byte("GET / HTTP/1.1\r\n\r\n"), "FATAL 08P01 invalid length of startup packet\nclosed"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := dialSocket(t, s.addr())
			if _, err := c.nc.Write(tt.send); err != nil {
				t.Fatal(err)
			}
			if got := c.until('Z'); !strings.HasPrefix(got, tt.want) {
				t.Errorf("got\n%s\nwant\n%s", got, tt.want)
			}
			if want := map[string]int{"3.2": 32, "newer minor": 32, "plain": 4}[tt.name]; want != 0 && len(c.secret) != want {
				t.Errorf("a cancel key of %d bytes, want %d", len(c.secret), want)
			}
		})
	}
}

func TestNegotiatedVersion(t *testing.T) {
	c := dialSocket(t, startServer(t).addr())
	_, _ = c.nc.Write(startupPacket(3<<16+7, "user", "u", "_pq_.b", "1", "_pq_.a", "1"))
	m, err := c.Receive()
	if err != nil {
		t.Fatal(err)
	}
	n := m.(*pgproto3.NegotiateProtocolVersion)
	if n.NewestMinorProtocol != 3<<16+2 || strings.Join(n.UnrecognizedOptions, " ") != "_pq_.a _pq_.b" {
		t.Errorf("%+v", n)
	}
}

// TestEncryptionRequests: without TLS both are refused and the connection goes on.
func TestEncryptionRequests(t *testing.T) {
	c := dialSocket(t, startServer(t).addr())
	for _, code := range []uint32{sslRequestCode, gssRequestCode} {
		if _, err := c.nc.Write(packet(code, "")); err != nil {
			t.Fatal(err)
		}
		answer := make([]byte, 1)
		if _, err := io.ReadFull(c.nc, answer); err != nil || answer[0] != 'N' {
			t.Fatal(answer, err)
		}
	}
	_, _ = c.nc.Write(startupPacket(3<<16, "user", "u"))
	if got := c.until('Z'); !strings.HasPrefix(got, "AuthenticationOk") {
		t.Error(got)
	}
}

// TestInjectedStartup: what comes in clear text behind an SSL request is not taken as if it had been
// encrypted (CVE-2021-23214).
func TestInjectedStartup(t *testing.T) {
	cfg, _ := testTLS(t)
	s := startServer(t, tlsServer(cfg))
	c := dialSocket(t, s.addr())
	_, _ = c.nc.Write(append(packet(sslRequestCode, ""), startupPacket(3<<16, "user", "mallory")...))
	answer := make([]byte, 1)
	if _, err := io.ReadFull(c.nc, answer); err != nil || answer[0] != 'S' {
		t.Fatal(answer, err)
	}
	if err := tls.Client(c.nc, &tls.Config{InsecureSkipVerify: true}).Handshake(); err == nil {
		t.Error("the handshake went on over injected data")
	}
	if n := s.backend.sessions.Load(); n != 0 {
		t.Error("a session was made")
	}
}

func TestCancelRequests(t *testing.T) {
	cfg, _ := testTLS(t)
	s := startServer(t, tlsServer(cfg))
	c := dialRaw(t, s.addr(), "u")
	c.write(&pgproto3.Query{String: "select pg_sleep(0.5)"})
	for _, bad := range [][]byte{
		packet(cancelRequestCode, string(binary.BigEndian.AppendUint32(nil, c.pid))+"\x00\x00\x00\x00"),
		packet(cancelRequestCode, string(binary.BigEndian.AppendUint32(nil, c.pid))),
		packet(cancelRequestCode, string(binary.BigEndian.AppendUint32(nil, c.pid+1))+string(c.secret)),
		packet(cancelRequestCode, "x"),
	} {
		d := dialSocket(t, s.addr())
		_, _ = d.nc.Write(bad)
		if got := d.until('Z'); got != "closed" {
			t.Error(got)
		}
	}
	if got := c.until('Z'); !strings.Contains(got, "complete SELECT 1") {
		t.Errorf("a wrong key cancelled: %s", got)
	}
	// A cancel request over TLS, as newer clients send it.
	c.write(&pgproto3.Query{String: "select pg_sleep(20)"})
	time.Sleep(20 * time.Millisecond)
	d := dialSocket(t, s.addr())
	_, _ = d.nc.Write(packet(sslRequestCode, ""))
	_, _ = io.ReadFull(d.nc, make([]byte, 1))
	tc := tls.Client(d.nc, &tls.Config{InsecureSkipVerify: true})
	_, _ = tc.Write(packet(cancelRequestCode, string(binary.BigEndian.AppendUint32(nil, c.pid))+string(c.secret)))
	if got := c.until('Z'); !strings.Contains(got, "57014") {
		t.Error(got)
	}
	// One that comes between statements cancels nothing.
	s.cancelRequest(c.pid, c.secret)
	c.write(&pgproto3.Query{String: "select 1"})
	if got := c.until('Z'); !strings.Contains(got, "complete SELECT 1") {
		t.Error(got)
	}
}

func TestTooManyConnections(t *testing.T) {
	s := startServer(t, func(c *Config) { c.MaxConnections = 2 })
	dialRaw(t, s.addr(), "a")
	second := dialRaw(t, s.addr(), "b")
	c := dialSocket(t, s.addr())
	_, _ = c.nc.Write(startupPacket(3<<16, "user", "u"))
	if got := c.until('Z'); !strings.Contains(got, "FATAL 53300 sorry, too many clients already") {
		t.Error(got)
	}
	second.write(&pgproto3.Terminate{})
	eventually(t, "the place of a client that left is free", func() bool { return s.Connections() == 1 })
	dialRaw(t, s.addr(), "c")
}

// TestSilentClients: whoever connects and says nothing takes no place for long, and not all of them.
func TestSilentClients(t *testing.T) {
	s := startServer(t, func(c *Config) { c.MaxConnections = 2 })
	var silent []net.Conn
	for range minStarting + 20 {
		nc, err := net.Dial("tcp", s.addr())
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		silent = append(silent, nc)
	}
	_ = silent[0].SetReadDeadline(time.Now().Add(5 * time.Second))
	if _, err := silent[0].Read(make([]byte, 1)); err != io.EOF && !strings.Contains(err.Error(), "reset") {
		t.Errorf("the first of many silent clients: %v", err)
	}
	if got := dialRaw(t, s.addr(), "u"); got.pid == 0 {
		t.Error("a client that speaks is kept out")
	}
	start := time.Now()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	s.Shutdown(ctx)
	if d := time.Since(start); d > 4*time.Second {
		t.Errorf("shutting down silent clients took %v", d)
	}
}

// elsewhere is a listener whose clients seem to come from another machine.
type elsewhere struct{ net.Listener }

type remoteConn struct{ net.Conn }

func (l elsewhere) Accept() (net.Conn, error) {
	nc, err := l.Listener.Accept()
	return remoteConn{nc}, err
}

func (remoteConn) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 5} }

func TestRequireTLS(t *testing.T) {
	cfg, pool := testTLS(t)
	s := startServer(t, tlsServer(cfg), func(c *Config) { c.RequireTLS, c.Trust = true, func(net.Addr) bool { return true } })
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = s.Serve(elsewhere{ln}) }()
	c := dialSocket(t, ln.Addr().String())
	_, _ = c.nc.Write(startupPacket(3<<16, "user", "u"))
	if got := c.until('Z'); !strings.Contains(got, "FATAL 28000 connection requires TLS") {
		t.Error(got)
	}
	pc, err := pgx.ParseConfig("postgres://u@" + ln.Addr().String() + "/app?sslmode=require")
	if err != nil {
		t.Fatal(err)
	}
	pc.TLSConfig = &tls.Config{RootCAs: pool, ServerName: "127.0.0.1"}
	conn, err := pgx.ConnectConfig(context.Background(), pc)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	var n int
	if err := conn.QueryRow(context.Background(), "select 1").Scan(&n); err != nil || n != 1 {
		t.Error(n, err)
	}
}
