//go:build integration

package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// authority is a certificate authority in files, for a test.
type authority struct {
	t    testing.TB
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t testing.TB) *authority {
	a := &authority{t: t, dir: t.TempDir()}
	a.cert, a.key = a.issue("ca", &x509.Certificate{Subject: pkix.Name{CommonName: "test authority"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign})
	return a
}

// issue makes a certificate, signed by the authority once it has one, and writes it and its key.
func (a *authority) issue(name string, template *x509.Certificate) (*x509.Certificate, *ecdsa.PrivateKey) {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	template.SerialNumber, template.NotBefore, template.NotAfter = big.NewInt(time.Now().UnixNano()), time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		a.t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		a.t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		a.t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{name + ".crt": {Type: "CERTIFICATE", Bytes: der}, name + ".key": {Type: "PRIVATE KEY", Bytes: keyDER}} {
		if err := os.WriteFile(a.file(file), pem.EncodeToMemory(block), 0o600); err != nil {
			a.t.Fatal(err)
		}
	}
	return cert, key
}

func (a *authority) file(name string) string { return filepath.Join(a.dir, name) }

const tlsPassword = "a long, 'odd' secret: ü%"

// startTLSServer serves the clients' table over TLS with a certificate for 127.0.0.1, and has a user "app".
func startTLSServer(t *testing.T) (*process, *authority) {
	a := newAuthority(t)
	a.issue("server", &x509.Certificate{Subject: pkix.Name{CommonName: "server"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})
	p := startClientServer(t, "--tls-cert", a.file("server.crt"), "--tls-key", a.file("server.key"))
	p.exec("CREATE USER app PASSWORD '" + strings.ReplaceAll(tlsPassword, "'", "''") + "'")
	return p, a
}

// dsn is a connection string for app.
func (p *process) dsn(more string) string {
	host, port, err := net.SplitHostPort(p.addr)
	if err != nil {
		p.t.Fatal(err)
	}
	return fmt.Sprintf("host=%s port=%s user=app dbname=streamsql password='%s' %s", host, port, strings.ReplaceAll(tlsPassword, "'", `\'`), more)
}

// TestTLSPsql is libpq's sslmodes, right and wrong.
func TestTLSPsql(t *testing.T) {
	p, a := startTLSServer(t)
	other := newAuthority(t)
	const ok = "SSL connection (protocol: TLSv1.3"
	for _, tt := range []struct{ options, want string }{
		{"sslmode=disable", `You are connected to database "streamsql" as user "app"`},
		{"sslmode=prefer", ok},
		{"sslmode=require", ok},
		{"sslmode=verify-ca sslrootcert=" + a.file("ca.crt"), ok},
		{"sslmode=verify-full sslrootcert=" + a.file("ca.crt"), ok},
		{"sslmode=verify-full host=localhost hostaddr=127.0.0.1 sslrootcert=" + a.file("ca.crt"), "does not match host name"},
		{"sslmode=verify-ca host=localhost hostaddr=127.0.0.1 sslrootcert=" + a.file("ca.crt"), ok},
		{"sslmode=verify-ca sslrootcert=" + other.file("ca.crt"), "certificate verify failed"},
		{"sslmode=require ssl_max_protocol_version=TLSv1.2", "protocol: TLSv1.2"},
		{"sslmode=require ssl_min_protocol_version=TLSv1 ssl_max_protocol_version=TLSv1.1", "SSL error"},
		{"sslmode=require channel_binding=require", ok},
		{"sslmode=require channel_binding=disable", ok},
		{"sslmode=require password=wrong", `password authentication failed for user "app"`},
		{"sslmode=require channel_binding=require password=wrong", `password authentication failed for user "app"`},
		{"sslmode=disable channel_binding=require", "channel binding required, but SSL not in use"},
	} {
		out, code := client(t, "", "psql", "-X", p.dsn(tt.options), "-c", "\\conninfo")
		if !strings.Contains(out, tt.want) || (code == 0) != strings.HasPrefix(out, "You are connected") {
			t.Errorf("%s: exit code %d, %s", tt.options, code, out)
		}
	}
}

// TestTLSClients: the other clients do over TLS and with a password all that they do without.
func TestTLSClients(t *testing.T) {
	p, a := startTLSServer(t)
	verified := "sslmode=verify-full sslrootcert=" + a.file("ca.crt")
	cfg, err := pgx.ParseConfig(p.dsn(verified))
	if err != nil {
		t.Fatal(err)
	}
	c, err := pgx.ConnectConfig(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(context.Background())
	if state := c.PgConn().Conn().(*tls.Conn).ConnectionState(); state.Version != tls.VersionTLS13 {
		t.Errorf("%x", state.Version)
	}
	if out, code := client(t, psycopgClient, filepath.Join(psycopgVenv(t), "bin", "python"), "-", p.dsn(verified)); code != 0 {
		t.Errorf("psycopg: exit code %d\n%s", code, out)
	}
	p, a = startTLSServer(t)
	out, code := client(t, "", "java", "-cp", jdbcJar(t), "testdata/JDBCClient.java", fmt.Sprintf("jdbc:postgresql://%s/streamsql?user=app&password=%s&sslmode=verify-full&sslrootcert=%s",
		p.addr, "a%20long%2C%20%27odd%27%20secret%3A%20%C3%BC%25", a.file("ca.crt")))
	if code != 0 {
		t.Errorf("pgjdbc: exit code %d\n%s", code, out)
	}
}
