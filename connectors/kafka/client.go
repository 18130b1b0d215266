package kafka

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"github.com/streamsql/streamsql/connectors"
	"github.com/streamsql/streamsql/sql"
)

// clientConfig is how to connect: the options `properties.…` that concern every client. It holds
// secrets and is never printed.
type clientConfig struct {
	servers  []string
	clientID string
	tls      *tls.Config                                                       // nil = plain text
	sasl     sasl.Mechanism                                                    // nil = none
	dial     func(ctx context.Context, network, addr string) (net.Conn, error) // nil = the network's
}

// otherProperties are settings of Kafka's own clients that statements copied from elsewhere carry
// and that mean nothing here: positions, batching and retries are ours.
var otherProperties = []string{
	"auto.offset.reset", "enable.auto.commit", "auto.commit.interval.ms", "max.poll.records", "max.poll.interval.ms",
	"session.timeout.ms", "heartbeat.interval.ms", "partition.discovery.interval.ms", "partition.assignment.strategy",
	"group.instance.id", "group.protocol", "allow.auto.create.topics", "client.rack", "client.dns.lookup", "check.crcs",
	"request.timeout.ms", "default.api.timeout.ms", "connections.max.idle.ms", "metadata.max.age.ms",
	"reconnect.backoff.ms", "reconnect.backoff.max.ms", "retry.backoff.ms", "retry.backoff.max.ms", "retries",
	"receive.buffer.bytes", "send.buffer.bytes", "socket.keepalive.enable", "queued.min.messages", "queued.max.messages.kbytes",
	"acks", "enable.idempotence", "linger.ms", "batch.size", "batch.num.messages", "buffer.memory", "max.block.ms", "max.request.size",
	"delivery.timeout.ms", "message.max.bytes", "message.timeout.ms", "message.send.max.retries", "max.in.flight.requests.per.connection",
	"queue.buffering.max.messages", "queue.buffering.max.kbytes", "queue.buffering.max.ms", "transactional.id",
	"key.serializer", "value.serializer", "key.deserializer", "value.deserializer", "ssl.protocol", "ssl.enabled.protocols",
	"statistics.interval.ms", "receive.message.max.bytes", "retention.ms",
}

// readClient reads the properties of Kafka's clients, in their own spelling, librdkafka's and RisingWave's.
func readClient(o *connectors.Options) clientConfig {
	var c clientConfig
	servers := first(o, "properties.bootstrap.servers", "properties.bootstrap.server")
	if servers == "" {
		o.Fail(sql.Errorf(sql.CodeInvalidParameter, "option %q is required", "properties.bootstrap.servers"))
	}
	for _, s := range strings.Split(servers, ",") {
		if s = strings.TrimSpace(s); s != "" {
			c.servers = append(c.servers, s)
		}
	}
	c.clientID = o.String("properties.client.id", "streamsql")
	protocol := o.Enum("properties.security.protocol", "PLAINTEXT", "PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
	t, err := readTLS(o)
	if err == nil {
		c.sasl, err = readSASL(o, strings.HasPrefix(protocol, "SASL_"))
	}
	if err != nil {
		o.Fail(sql.AsError(err))
	}
	if strings.HasSuffix(protocol, "SSL") {
		c.tls = t
	}
	for _, p := range otherProperties {
		o.Has("properties." + p)
	}
	return c
}

// first returns the first option that is set.
func first(o *connectors.Options, names ...string) (value string) {
	for _, n := range names {
		if v := o.String(n, ""); value == "" {
			value = v
		}
	}
	return value
}

// readTLS reads PEM certificates and keys, inline or from files.
func readTLS(o *connectors.Options) (*tls.Config, error) {
	for _, store := range []string{"truststore", "keystore"} {
		if kind := o.String("properties.ssl."+store+".type", "PEM"); !strings.EqualFold(kind, "PEM") {
			return nil, sql.Unsupported("a "+store+" of type "+kind, "Convert it to PEM and set ssl."+store+".type = 'PEM'.")
		}
	}
	if first(o, "properties.ssl.key.password", "properties.ssl.keystore.password", "properties.ssl.truststore.password") != "" {
		return nil, sql.Unsupported("an encrypted private key", "Decrypt it, and let file permissions protect it.")
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	ca, err := pem(o, []string{"properties.ssl.truststore.certificates", "properties.ssl.ca.pem"},
		[]string{"properties.ssl.truststore.location", "properties.ssl.ca.location"})
	if err != nil {
		return nil, err
	}
	if ca != nil {
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(ca) {
			return nil, sql.Errorf(sql.CodeInvalidParameter, "the trusted certificates of Kafka hold no PEM certificate")
		}
	}
	cert, err := pem(o, []string{"properties.ssl.keystore.certificate.chain", "properties.ssl.certificate.pem"},
		[]string{"properties.ssl.keystore.location", "properties.ssl.certificate.location"})
	if err != nil {
		return nil, err
	}
	key, err := pem(o, []string{"properties.ssl.keystore.key", "properties.ssl.key.pem"}, []string{"properties.ssl.key.location"})
	if err != nil {
		return nil, err
	}
	if key == nil {
		key = cert // a keystore file holds both
	}
	if cert != nil {
		pair, err := tls.X509KeyPair(cert, key)
		if err != nil { // its text names what is missing and quotes nothing
			return nil, sql.Errorf(sql.CodeInvalidParameter, "invalid client certificate or key for Kafka: %w", err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	verify := o.Bool("properties.enable.ssl.certificate.verification", true)
	if algorithm := o.String("properties.ssl.endpoint.identification.algorithm", "https"); !verify {
		c.InsecureSkipVerify = true
	} else if algorithm == "" || algorithm == "none" {
		verifyChainOnly(c)
	}
	return c, nil
}

// verifyChainOnly checks who signed the server's certificate but not the host name in it, which is
// what Kafka's empty ssl.endpoint.identification.algorithm means.
func verifyChainOnly(c *tls.Config) {
	c.InsecureSkipVerify = true
	roots := c.RootCAs
	c.VerifyConnection = func(s tls.ConnectionState) error {
		opts := x509.VerifyOptions{Roots: roots, Intermediates: x509.NewCertPool()}
		for _, cert := range s.PeerCertificates[1:] {
			opts.Intermediates.AddCert(cert)
		}
		_, err := s.PeerCertificates[0].Verify(opts)
		return err
	}
}

// pem returns the inline value of the first option set, or the contents of the first file.
func pem(o *connectors.Options, inline, files []string) ([]byte, error) {
	text, file := first(o, inline...), first(o, files...)
	if text != "" {
		return []byte(text), nil
	}
	if file == "" {
		return nil, nil
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, sql.Errorf(sql.CodeInvalidParameter, "could not read the certificate file: %w", err)
	}
	return b, nil
}

var jaasField = regexp.MustCompile(`\b(username|password)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|'([^']*)')`)

func readSASL(o *connectors.Options, wanted bool) (sasl.Mechanism, error) {
	mechanism := strings.ToUpper(first(o, "properties.sasl.mechanism", "properties.sasl.mechanisms"))
	user, password := o.String("properties.sasl.username", ""), o.String("properties.sasl.password", "")
	for _, m := range jaasField.FindAllStringSubmatch(o.String("properties.sasl.jaas.config", ""), -1) {
		value := strings.NewReplacer(`\"`, `"`, `\\`, `\`).Replace(m[2]) + m[3]
		if m[1] == "username" {
			user = value
		} else {
			password = value
		}
	}
	if !wanted {
		return nil, nil
	}
	if user == "" {
		return nil, sql.Errorf(sql.CodeInvalidParameter, "SASL needs a user name and a password").
			WithHint("Set properties.sasl.jaas.config, or properties.sasl.username and properties.sasl.password.")
	}
	switch mechanism {
	case "PLAIN", "":
		return plain.Auth{User: user, Pass: password}.AsMechanism(), nil
	case "SCRAM-SHA-256":
		return scram.Auth{User: user, Pass: password}.AsSha256Mechanism(), nil
	case "SCRAM-SHA-512":
		return scram.Auth{User: user, Pass: password}.AsSha512Mechanism(), nil
	}
	return nil, sql.Unsupported("the SASL mechanism "+mechanism, "Use PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512.")
}

// newClient makes a franz-go client. Each reader and each sink has its own: a broker answers the
// requests of one connection in turn, so a shared one would let a quiet reader's long poll hold up
// the others.
func (c *clientConfig) newClient(extra ...kgo.Opt) (*kgo.Client, error) {
	opts := []kgo.Opt{
		kgo.SeedBrokers(c.servers...),
		kgo.ClientID(c.clientID),
		kgo.Dialer(c.connect),
		kgo.RequestRetries(4), // a wrong certificate is told within seconds; what may take longer is retried by us
		kgo.RetryTimeout(15 * time.Second),
		kgo.BrokerMaxReadBytes(1 << 30),
	}
	if c.sasl != nil {
		opts = append(opts, kgo.SASL(c.sasl))
	}
	cl, err := kgo.NewClient(append(opts, extra...)...)
	if err != nil {
		return nil, sql.Errorf(sql.CodeInvalidParameter, "invalid Kafka properties: %w", err)
	}
	return cl, nil
}

// wrap gives an error of Kafka or of the network its SQLSTATE and says what failed.
func (c *clientConfig) wrap(err error, action string) error {
	var own *sql.Error
	var broker *kerr.Error
	var dial *net.OpError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &own), errors.Is(err, context.Canceled):
		return err
	case errors.As(err, &broker):
		code := sql.CodeInternal
		switch broker {
		case kerr.UnknownTopicOrPartition, kerr.UnknownTopicID:
			code = sql.CodeUndefinedTable
		case kerr.InvalidTopicException, kerr.InvalidPartitions, kerr.InvalidReplicationFactor: // what an option says
			code = sql.CodeInvalidParameter
		case kerr.TopicAuthorizationFailed, kerr.GroupAuthorizationFailed, kerr.ClusterAuthorizationFailed,
			kerr.TransactionalIDAuthorizationFailed, kerr.SaslAuthenticationFailed:
			code = sql.CodeInsufficientPrivilege
		case kerr.IllegalSaslState, kerr.UnsupportedSaslMechanism: // before any password was looked at
			return sql.Errorf("28000", "could not %s: Kafka at %s does not take this way to log in: %s (%s)", action, strings.Join(c.servers, ","), broker.Message, broker.Description).
				WithHint("Compare \"properties.security.protocol\" and \"properties.sasl.mechanism\" with the broker's listener: a plain one takes no SASL.")
		default:
			if broker.Retriable {
				code = sql.CodeConnectionFailure
			}
		}
		return sql.Errorf(code, "could not %s: %s (%s)", action, broker.Message, broker.Description)
	case errors.As(err, &dial), errors.Is(err, context.DeadlineExceeded):
		return sql.Errorf(sql.CodeConnectionFailure, "could not %s: no connection to Kafka at %s: %w", action, strings.Join(c.servers, ","), err)
	}
	return sql.Errorf(sql.CodeConnectionFailure, "could not %s: %w", action, err)
}
