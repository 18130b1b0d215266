package wire

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgproto3"
)

func arrays(a ...arrow.Array) []arrow.Array { return a }

// testServer is a server over the fake backend, on a free port of the loopback.
type testServer struct {
	*Server
	backend *fakeBackend
	port    int
	log     *syncBuffer
}

func startServer(tb testing.TB, change ...func(*Config)) *testServer {
	tb.Helper()
	b, log := newFakeBackend(), &syncBuffer{}
	cfg := Config{Backend: b, Trust: LoopbackOnly, Logger: slog.New(slog.NewTextHandler(log, nil))}
	for _, f := range change {
		f(&cfg)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	s := &testServer{NewServer(cfg), b, ln.Addr().(*net.TCPAddr).Port, log}
	served := make(chan error, 1)
	go func() { served <- s.Serve(ln) }()
	tb.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		s.Shutdown(ctx)
		if ctx.Err() != nil {
			tb.Error("the server did not shut down")
		}
		if err := <-served; err != nil {
			tb.Error(err)
		}
		if n := b.sessions.Load(); n != 0 {
			tb.Errorf("%d sessions were not closed", n)
		}
	})
	return s
}

func (s *testServer) addr() string { return fmt.Sprintf("127.0.0.1:%d", s.port) }

func (s *testServer) url(options string) string {
	return fmt.Sprintf("postgres://tester@127.0.0.1:%d/app?sslmode=disable&%s", s.port, options)
}

func (s *testServer) pgx(tb testing.TB, options string) *pgx.Conn {
	tb.Helper()
	conn, err := pgx.Connect(context.Background(), s.url(options))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

// syncBuffer is a log that several goroutines write.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// rawClient speaks the protocol message by message.
type rawClient struct {
	tb testing.TB
	nc net.Conn
	*pgproto3.Frontend
	pid    uint32
	secret []byte
}

// dialRaw connects and logs in without a password.
func dialRaw(tb testing.TB, addr, user string) *rawClient {
	tb.Helper()
	c := dialSocket(tb, addr)
	c.Send(&pgproto3.StartupMessage{ProtocolVersion: pgproto3.ProtocolVersion30, Parameters: map[string]string{"user": user, "database": "postgres"}})
	c.must(c.Flush())
	c.until('Z')
	return c
}

func dialSocket(tb testing.TB, addr string) *rawClient {
	tb.Helper()
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = nc.Close() })
	_ = nc.SetDeadline(time.Now().Add(time.Minute)) // a test that hangs fails
	return &rawClient{tb: tb, nc: nc, Frontend: pgproto3.NewFrontend(nc, nc)}
}

func (c *rawClient) must(err error) {
	c.tb.Helper()
	if err != nil {
		c.tb.Fatal(err)
	}
}

// write sends messages at once.
func (c *rawClient) write(msgs ...pgproto3.FrontendMessage) {
	c.tb.Helper()
	for _, m := range msgs {
		c.Send(m)
	}
	c.must(c.Flush())
}

// until reads up to a message of that type and returns everything as lines of text. "closed" stands
// for the end of the connection, which ends any reading.
func (c *rawClient) until(last byte) string {
	c.tb.Helper()
	var out []string
	for {
		m, err := c.Receive()
		if err != nil {
			if err != io.EOF && err != io.ErrUnexpectedEOF && !strings.Contains(err.Error(), "reset by peer") {
				c.tb.Fatalf("after %q: %v", out, err)
			}
			return strings.Join(append(out, "closed"), "\n")
		}
		if k, ok := m.(*pgproto3.BackendKeyData); ok {
			c.pid, c.secret = k.ProcessID, append([]byte(nil), k.SecretKey...)
		}
		out = append(out, describe(m))
		if encoded, err := m.Encode(nil); err != nil || encoded[0] == last {
			return strings.Join(out, "\n")
		}
	}
}

// describe is a message in words, without what differs from server to server.
func describe(m pgproto3.BackendMessage) string {
	switch m := m.(type) {
	case *pgproto3.DataRow:
		var vals []string
		for _, v := range m.Values {
			if v == nil {
				vals = append(vals, "NULL")
			} else {
				vals = append(vals, fmt.Sprintf("%q", v))
			}
		}
		return "row " + strings.Join(vals, " ")
	case *pgproto3.RowDescription:
		var cols []string
		for _, f := range m.Fields {
			cols = append(cols, fmt.Sprintf("%d/%d", f.DataTypeOID, f.Format))
		}
		return "columns " + strings.Join(cols, " ")
	case *pgproto3.ParameterDescription:
		return fmt.Sprint("parameters ", m.ParameterOIDs)
	case *pgproto3.CommandComplete:
		return "complete " + string(m.CommandTag)
	case *pgproto3.ReadyForQuery:
		return "ready " + string(m.TxStatus)
	case *pgproto3.ErrorResponse:
		return strings.TrimSpace(fmt.Sprintf("%s %s %s", m.Severity, m.Code, m.Message))
	case *pgproto3.NoticeResponse:
		return fmt.Sprintf("%s %s %s", m.Severity, m.Code, m.Message)
	case *pgproto3.ParameterStatus:
		return fmt.Sprintf("status %s=%s", m.Name, m.Value)
	case *pgproto3.CopyData:
		return fmt.Sprintf("data %q", m.Data)
	case *pgproto3.CopyInResponse:
		return fmt.Sprintf("copy in %d %v", m.OverallFormat, m.ColumnFormatCodes)
	case *pgproto3.CopyOutResponse:
		return fmt.Sprintf("copy out %d %v", m.OverallFormat, m.ColumnFormatCodes)
	}
	return strings.TrimPrefix(fmt.Sprintf("%T", m), "*pgproto3.")
}

// testTLS is a certificate for 127.0.0.1 and the pool that trusts it.
func testTLS(tb testing.TB) (*tls.Config, *x509.CertPool) {
	tb.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		tb.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		tb.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(cert)
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}, pool
}

func tlsServer(cfg *tls.Config) func(*Config) { return func(c *Config) { c.TLS = cfg } }

func eventually(tb testing.TB, what string, ok func() bool) {
	tb.Helper()
	for deadline := time.Now().Add(5 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			tb.Fatalf("not within 5 s: %s", what)
		}
	}
}
