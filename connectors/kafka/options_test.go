package kafka

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	encoding "encoding/pem"
	"math/big"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/streamsql/streamsql/sql"
)

func TestOptions(t *testing.T) {
	for _, c := range []struct {
		options []string
		want    string // part of the error and hint, empty = fine
	}{
		{nil, ""},
		{[]string{"properties.auto.offset.reset", "earliest", "properties.group.id", "g", "scan.startup.mode", "earliest-offset", "scan.bounded.mode", "latest-offset"}, ""},
		{[]string{"on-error", "skip", "watermark.idle-timeout", "5s", "delivery", "exactly-once", "dlq.topic", "d"}, ""},
		{[]string{"scan.startup.modus", "x"}, `unrecognized option "scan.startup.modus" Did you mean "scan.startup.mode"?`},
		{[]string{"properties.bootstrap.severs", "x"}, `unrecognized option "properties.bootstrap.severs" Did you mean "properties.bootstrap.servers"?`},
		{[]string{"scan.startup.mode", "erliest"}, `Did you mean "earliest"?`},
		{[]string{"scan.startup.mode", "timestamp"}, `"scan.startup.timestamp-millis" is required`},
		{[]string{"scan.startup.mode", "specific-offsets", "scan.startup.specific-offsets", "0:1"}, `Write partition:0,offset:42`},
		{[]string{"scan.startup.mode", "group-offsets"}, `"properties.group.id" is required`},
		{[]string{"type", "upsert"}, "an upsert sink requires a primary key"},
		{[]string{"key.fields", "nope"}, `column "nope" named in option "key.fields" does not exist`},
		{[]string{"properties.security.protocol", "SASL_SSL", "properties.sasl.mechanism", "GSSAPI", "properties.sasl.username", "u"}, "the SASL mechanism GSSAPI is not supported"},
		{[]string{"properties.ssl.truststore.type", "JKS"}, "a truststore of type JKS is not supported"},
		{[]string{"topic", "a;b"}, "a list of topics is not supported"},
	} {
		err := Connector{}.Validate(relation("127.0.0.1:1", "t", c.options...), false)
		text := ""
		if err != nil {
			text = err.Error() + " " + sql.AsError(err).Hint
		}
		if c.want == "" && err != nil || !strings.Contains(text, c.want) {
			t.Errorf("%v: got %q, want %q", c.options, text, c.want)
		}
	}
}

// Names in primary_key may be quoted.
func TestKeyOption(t *testing.T) {
	r := jsonRelation("127.0.0.1:1", "t", "type", "upsert", "primary_key", `"a,""b", k`)
	r.Columns[1].Name = `a,"b`
	if c, err := readConfig(r); err != nil || !slices.Equal(c.keyFields, []int{1, 0}) {
		t.Errorf("got %v, %v", c, err)
	}
}

// What Kafka does not take of the options is no internal error.
func TestRefusedByKafka(t *testing.T) {
	for broker, code := range map[error]string{kerr.InvalidTopicException: "22023", kerr.InvalidReplicationFactor: "22023",
		kerr.UnknownTopicOrPartition: sql.CodeUndefinedTable, kerr.CoordinatorLoadInProgress: sql.CodeConnectionFailure, kerr.InvalidRecord: sql.CodeInternal} {
		if err := sql.AsError((&clientConfig{}).wrap(broker, "create topic t")); err.Code != code {
			t.Errorf("%v: %s, want %s", broker, err.Code, code)
		}
	}
}

func TestSASLAndTLS(t *testing.T) {
	cert, pemText := selfSigned(t)
	b := fake(t, kfake.EnableSASL(), kfake.Superuser("SCRAM-SHA-512", "ann", `p"w`), kfake.Superuser("PLAIN", "bob", "pw2"),
		kfake.TLS(&tls.Config{Certificates: []tls.Certificate{cert}}), kfake.SeedTopics(1, "secret"))
	base := []string{"properties.security.protocol", "SASL_SSL", "properties.ssl.truststore.certificates", pemText}
	for _, c := range []struct {
		name string
		add  []string
		fine bool
	}{
		{"scram by JAAS", []string{"properties.sasl.mechanism", "SCRAM-SHA-512", "properties.sasl.jaas.config",
			`org.apache.kafka.common.security.scram.ScramLoginModule required username="ann" password="p\"w";`}, true},
		{"plain by name", []string{"properties.sasl.mechanism", "PLAIN", "properties.sasl.username", "bob", "properties.sasl.password", "pw2"}, true},
		{"wrong password", []string{"properties.sasl.mechanism", "PLAIN", "properties.sasl.username", "bob", "properties.sasl.password", "s3cret"}, false},
	} {
		_, err := openSource(t, relation(b.Addr(), "secret", append(c.add, base...)...)).Splits(testContext(t), true)
		if (err == nil) != c.fine {
			t.Errorf("%s: %v", c.name, err)
		}
		if err != nil && strings.Contains(err.Error(), "s3cret") {
			t.Errorf("the password is in the error: %v", err)
		}
	}
	untrusted := []string{"properties.security.protocol", "SASL_SSL", "properties.sasl.username", "bob", "properties.sasl.password", "pw2"}
	if _, err := openSource(t, relation(b.Addr(), "secret", untrusted...)).Splits(testContext(t), true); err == nil {
		t.Error("a certificate that nobody vouches for was taken")
	}
}

// selfSigned makes a certificate for 127.0.0.1.
func selfSigned(t *testing.T) (tls.Certificate, string) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	text := encoding.EncodeToMemory(&encoding.Block{Type: "CERTIFICATE", Bytes: der})
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, string(text)
}

func TestNoBroker(t *testing.T) {
	begun := time.Now()
	_, err := openSource(t, relation("127.0.0.1:1", "t")).Splits(testContext(t), true)
	if err == nil || sql.AsError(err).Code != sql.CodeConnectionFailure || time.Since(begun) > 20*time.Second {
		t.Errorf("after %v: %v", time.Since(begun), err)
	}
}

// TestNothingOpened: what could not be opened is nil, so that whoever got the error may ask.
func TestNothingOpened(t *testing.T) {
	r := relation("127.0.0.1:1", "away")
	notice := func(string) {}
	if s, err := (Connector{}).Sink(t.Context(), r, notice); err == nil || s != nil {
		t.Errorf("Sink: %v, %v", s, err)
	}
	if w, err := (Connector{}).Writer(t.Context(), r, notice); err == nil || w != nil {
		t.Errorf("Writer: %v, %v", w, err)
	}
	delete(r.Options, "topic")
	if s, err := (Connector{}).Source(t.Context(), r, nil); err == nil || s != nil {
		t.Errorf("Source: %v, %v", s, err)
	}
}
