//go:build integration

package postgres

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/streamsql/streamsql/connectors/postgres/pgtest"
	"github.com/streamsql/streamsql/sql"
)

// authority signs certificates.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pem  []byte
}

func newAuthority(t *testing.T, name string) *authority {
	a := &authority{}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	a.cert, a.key = template, newKey(t)
	der, err := x509.CreateCertificate(rand.Reader, template, template, &a.key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	a.pem = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	return a
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// sign makes a certificate of a name, for servers and clients, and its key.
func (a *authority) sign(t *testing.T, name string) (cert, key []byte) {
	k := newKey(t)
	template := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &k.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalECPrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: secret})
}

// TLS and passwords, against a server that wants them.
func TestTLS(t *testing.T) {
	pg := pgtest.Start(t)
	b := newBench(t, pg, "CREATE TABLE t (k bigint); CREATE ROLE plain LOGIN SUPERUSER PASSWORD 'sesame'; CREATE ROLE crypt LOGIN SUPERUSER PASSWORD 'sesame'; CREATE ROLE carded LOGIN SUPERUSER")
	ours, theirs := newAuthority(t, "ours"), newAuthority(t, "theirs")
	cert, key := ours.sign(t, "localhost")
	for name, data := range map[string][]byte{"server.crt": cert, "server.key": key, "root.crt": ours.pem, "pg_hba.conf": []byte(`
host all postgres 127.0.0.1/32 trust
hostnossl all plain 127.0.0.1/32 scram-sha-256
hostssl all crypt 127.0.0.1/32 scram-sha-256
hostssl all carded 127.0.0.1/32 cert
`)} {
		if err := pg.WriteFile(name, data); err != nil {
			t.Fatal(err)
		}
	}
	b.exec("ALTER SYSTEM SET ssl = on")
	b.exec("ALTER SYSTEM SET ssl_ca_file = 'root.crt'")
	b.exec("SELECT pg_reload_conf()")
	b.waitFor("SHOW ssl", "on")

	dir := t.TempDir()
	file := func(name string, data []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	card, cardKey := ours.sign(t, "carded")
	ca, other := file("ca", ours.pem), file("other", theirs.pem)
	cardFile, cardKeyFile := file("card", card), file("cardkey", cardKey)
	base := strings.TrimSuffix(pg.URL(), "?sslmode=disable")
	for _, c := range []struct {
		user, host, mode string
		options          []string
		code, why        string // of the error, or none
	}{
		{"plain", "127.0.0.1", "disable", nil, "", ""},
		{"plain", "127.0.0.1", "allow", nil, "", ""},
		{"plain", "127.0.0.1", "prefer", nil, "", ""},
		{"plain", "127.0.0.1", "require", nil, "28000", "no pg_hba.conf entry"},
		{"crypt", "127.0.0.1", "disable", nil, "28000", "no encryption"},
		{"crypt", "127.0.0.1", "allow", nil, "", ""},
		{"crypt", "127.0.0.1", "", nil, "", ""},
		{"crypt", "127.0.0.1", "require", nil, "", ""},
		{"crypt", "127.0.0.1", "require", []string{"sslrootcert", other}, "08006", "certificate"}, // libpq: as verify-ca
		{"crypt", "127.0.0.1", "verify-ca", []string{"sslrootcert", ca}, "", ""},
		{"crypt", "127.0.0.1", "verify-ca", []string{"sslrootcert", other}, "08006", "certificate"},
		{"crypt", "127.0.0.1", "verify-full", []string{"sslrootcert", ca}, "08006", "127.0.0.1"}, // the certificate is of localhost
		{"crypt", "localhost", "verify-full", []string{"sslrootcert", ca}, "", ""},
		{"crypt", "localhost", "verify-full", nil, "08006", "certificate"},
		{"crypt", "127.0.0.1", "require", []string{"password", "wrong"}, "28P01", "password authentication failed"},
		{"carded", "127.0.0.1", "require", []string{"sslcert", cardFile, "sslkey", cardKeyFile}, "", ""},
		{"carded", "127.0.0.1", "require", nil, "28000", "certificate"},
	} {
		r := b.relation("tls-"+c.user, "t", 0, "k int8", c.options...)
		r.Options["url"] = strings.Replace(strings.Replace(base, "postgres@", c.user+":sesame@", 1), "127.0.0.1", c.host, 1)
		if p := r.Options["password"]; p == "" {
			delete(r.Options, "password")
		}
		if c.mode != "" {
			r.Options["sslmode"] = c.mode
		}
		err := b.c.Check(b.context(), r, nil)
		if c.code == "" {
			if err != nil {
				t.Errorf("%+v: %v", c, err)
			}
			continue
		}
		wantError(t, err, c.code, c.why)
		if e := sql.AsError(err); err != nil && (strings.Contains(e.Message+e.Detail+e.Hint, "sesame") || strings.Contains(e.Message, "wrong")) {
			t.Errorf("the error tells the password: %v", e)
		}
	}
}
