package wire

import (
	"context"
	"crypto/tls"
	"net"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgproto3"
)

// passwordServer trusts nobody; alice, bob and tester have passwords.
func passwordServer(t *testing.T, change ...func(*Config)) *testServer {
	users := func(c *Config) {
		c.Trust = nil
		for user, password := range map[string]string{"alice": "wonderland", "bob": "pässwörd \"'%", "tester": ""} {
			cred, err := NewCredentials(password)
			if err != nil {
				t.Fatal(err)
			}
			c.Backend.(*fakeBackend).users[user] = cred
		}
	}
	return startServer(t, append([]func(*Config){users}, change...)...)
}

func logIn(s *testServer, user, password string, change ...func(*pgx.ConnConfig)) error {
	cfg, err := pgx.ParseConfig(s.url(""))
	if err != nil {
		return err
	}
	cfg.User, cfg.Password = user, password
	for _, f := range change {
		f(cfg)
	}
	conn, err := pgx.ConnectConfig(context.Background(), cfg)
	if err != nil {
		return err
	}
	return conn.Close(context.Background())
}

func TestPasswords(t *testing.T) {
	cfg, pool := testTLS(t)
	s := passwordServer(t, tlsServer(cfg))
	overTLS := func(c *pgx.ConnConfig) { c.TLSConfig = &tls.Config{RootCAs: pool, ServerName: "127.0.0.1"} }
	for _, user := range []string{"alice", "bob"} {
		right := map[string]string{"alice": "wonderland", "bob": "pässwörd \"'%"}[user]
		if err := logIn(s, user, right); err != nil {
			t.Error(user, err)
		}
		if err := logIn(s, user, right, overTLS); err != nil {
			t.Error(user, "over TLS", err)
		}
	}
	for _, user := range []string{"alice", "nobody"} {
		if err := logIn(s, user, "wrong"); err == nil || !strings.Contains(err.Error(), "28P01") ||
			!strings.Contains(err.Error(), `password authentication failed for user "`+user+`"`) {
			t.Error(user, err)
		}
	}
	if !strings.Contains(s.log.String(), "authentication failed") {
		t.Error("a failed log-in is not logged")
	}
}

// TestTrust: a trusted client is let in, unless its user has a password.
func TestTrust(t *testing.T) {
	s := passwordServer(t, func(c *Config) { c.Trust = LoopbackOnly })
	if err := logIn(s, "carol", ""); err != nil {
		t.Error(err)
	}
	if err := logIn(s, "alice", "wrong"); pgCode(err) != "28P01" {
		t.Error(err)
	}
}

// challenge is what the server answers to a user's first SASL message.
func challenge(t *testing.T, s *testServer, user string) string {
	c := dialSocket(t, s.addr())
	c.write(&pgproto3.StartupMessage{ProtocolVersion: 3 << 16, Parameters: map[string]string{"user": user}})
	m, err := c.Receive()
	if err != nil {
		t.Fatal(err)
	}
	if a := m.(*pgproto3.AuthenticationSASL); strings.Join(a.AuthMechanisms, " ") != "SCRAM-SHA-256" {
		t.Error(a.AuthMechanisms)
	}
	c.write(&pgproto3.SASLInitialResponse{AuthMechanism: "SCRAM-SHA-256", Data: []byte("n,,n=,r=abcdefghijklmnopqrst")})
	if m, err = c.Receive(); err != nil {
		t.Fatal(err)
	}
	return string(m.(*pgproto3.AuthenticationSASLContinue).Data)
}

// TestUnknownUser: nothing in the exchange tells whether a user exists.
func TestUnknownUser(t *testing.T) {
	s := passwordServer(t)
	salt := func(user string) string {
		parts := strings.Split(challenge(t, s, user), ",")
		if len(parts) != 3 || parts[2] != "i=4096" || len(parts[1]) != len("s=")+24 {
			t.Errorf("%s: %q", user, parts)
		}
		return parts[1]
	}
	if salt("nobody") != salt("nobody") || salt("alice") != salt("alice") {
		t.Error("the salt differs from one try to the next")
	}
	if salt("nobody") == salt("somebody") {
		t.Error("two unknown users have the same salt")
	}
}

func TestMalformedSASL(t *testing.T) {
	s := passwordServer(t)
	for _, m := range []pgproto3.FrontendMessage{
		&pgproto3.SASLInitialResponse{AuthMechanism: "PLAIN", Data: []byte("x")},
		&pgproto3.SASLInitialResponse{AuthMechanism: "SCRAM-SHA-256-PLUS", Data: []byte("p=tls-server-end-point,,n=,r=a")},
		&pgproto3.SASLInitialResponse{AuthMechanism: "SCRAM-SHA-256", Data: []byte("nonsense")},
		&pgproto3.Query{String: "select 1"},
		&pgproto3.PasswordMessage{Password: "wonderland"},
		&pgproto3.Query{String: strings.Repeat("x", maxStartupMessageBytes)},
	} {
		c := dialSocket(t, s.addr())
		c.write(&pgproto3.StartupMessage{ProtocolVersion: 3 << 16, Parameters: map[string]string{"user": "alice"}})
		if _, err := c.Receive(); err != nil {
			t.Fatal(err)
		}
		c.write(m)
		if got := c.until('Z'); !strings.HasSuffix(got, "closed") || strings.Contains(got, "AuthenticationOk") {
			t.Errorf("%T: %s", m, got)
		}
	}
}

func TestLoopbackOnly(t *testing.T) {
	for addr, want := range map[net.Addr]bool{
		&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}: true, &net.TCPAddr{IP: net.IPv6loopback}: true, &net.UnixAddr{Name: "/x"}: true,
		&net.TCPAddr{IP: net.IPv4(10, 0, 0, 1)}: false, &net.UDPAddr{}: false,
	} {
		if LoopbackOnly(addr) != want {
			t.Error(addr)
		}
	}
}
