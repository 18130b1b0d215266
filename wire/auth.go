package wire

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"slices"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/xdg-go/scram"

	"github.com/streamsql/streamsql/sql"
)

const (
	scramMechanism = "SCRAM-SHA-256"
	plusMechanism  = "SCRAM-SHA-256-PLUS" // bound to the server's certificate: nobody can sit between
)

// ScramIterations is PostgreSQL 15's cost of a SCRAM verifier.
const ScramIterations = 4096

// authenticate lets a trusted client in, and has any other prove its password by SCRAM.
func (c *conn) authenticate(user string) error {
	if t := c.srv.cfg.Trust; t != nil && t(c.nc.RemoteAddr()) {
		if _, hasPassword := c.srv.cfg.Backend.Credentials(user); !hasPassword {
			return nil
		}
	}
	host := hostOf(c.nc.RemoteAddr())
	if err := c.holdBack(host, user); err != nil {
		return err
	}
	err := c.scram(user)
	var e *sql.Error
	if errors.As(err, &e) && e.Code == "28P01" {
		c.srv.auth.failed(host, user)
		c.srv.log.Warn("authentication failed", "user", user, "remote", c.nc.RemoteAddr())
	} else if err == nil {
		c.srv.auth.succeeded(host, user)
	}
	return err
}

// holdBack lets a log-in wait after others have failed.
func (c *conn) holdBack(host, user string) error {
	wait, left, err := c.srv.auth.enter(host, user)
	if err != nil {
		c.srv.log.Warn("too many failed log-ins", "user", user, "remote", c.nc.RemoteAddr())
		return err
	}
	defer left()
	select {
	case <-time.After(wait):
		return nil
	case <-c.ctx.Done():
		return errGone
	}
}

// scram runs the exchange. For an unknown user it uses made-up credentials of the same shape, so
// that neither the messages nor the time tell whether the user exists.
func (c *conn) scram(user string) error {
	failed := sql.Errorf("28P01", "password authentication failed for user %q", user)
	cred, known := c.srv.cfg.Backend.Credentials(user)
	if !known {
		cred = mockCredentials(user)
	}
	server, err := scram.SHA256.NewServer(func(string) (scram.StoredCredentials, error) {
		return scram.StoredCredentials{
			KeyFactors: scram.KeyFactors{Salt: string(cred.Salt), Iters: cred.Iterations},
			StoredKey:  cred.StoredKey, ServerKey: cred.ServerKey,
		}, nil
	})
	if err != nil {
		return err
	}
	binding := c.channelBinding()
	conv, mechanisms := server.NewConversation(), []string{scramMechanism}
	if binding.IsSupported() {
		conv, mechanisms = server.NewConversationWithChannelBinding(binding), []string{plusMechanism, scramMechanism}
	}
	c.reading(maxStartupMessageBytes)
	c.send(&pgproto3.AuthenticationSASL{AuthMechanisms: mechanisms})
	body, err := c.saslResponse()
	if err != nil {
		return err
	}
	var first pgproto3.SASLInitialResponse
	if first.Decode(body) != nil || !slices.Contains(mechanisms, first.AuthMechanism) ||
		(first.AuthMechanism == plusMechanism) != bytes.HasPrefix(first.Data, []byte("p=")) {
		return sql.Errorf(sql.CodeProtocolViolation, "client selected an invalid SASL authentication mechanism")
	}
	challenge, err := conv.Step(string(first.Data))
	if err != nil {
		return sql.Errorf(sql.CodeProtocolViolation, "malformed SCRAM message")
	}
	c.send(&pgproto3.AuthenticationSASLContinue{Data: []byte(challenge)})
	if body, err = c.saslResponse(); err != nil {
		return err
	}
	outcome, err := conv.Step(string(body))
	if err != nil || !conv.Valid() || !known {
		return failed
	}
	c.send(&pgproto3.AuthenticationSASLFinal{Data: []byte(outcome)})
	return nil
}

// channelBinding is what the exchange of an encrypted connection can be bound to.
func (c *conn) channelBinding() scram.ChannelBinding {
	if _, encrypted := c.nc.(*tls.Conn); !encrypted || len(c.srv.cfg.TLS.Certificates) == 0 {
		return scram.ChannelBinding{}
	}
	cert, err := x509.ParseCertificate(c.srv.cfg.TLS.Certificates[0].Certificate[0])
	if err != nil {
		return scram.ChannelBinding{}
	}
	binding, err := scram.NewTLSServerEndpointBinding(&tls.ConnectionState{PeerCertificates: []*x509.Certificate{cert}})
	if err != nil {
		return scram.ChannelBinding{} // a signature without a hash, such as Ed25519: nothing to bind to
	}
	return binding
}

// saslResponse sends what there is and reads the client's answer.
func (c *conn) saslResponse() ([]byte, error) {
	if c.flush() != nil {
		return nil, errGone
	}
	kind, body, err := c.in.next()
	var broken *sql.Error
	switch {
	case errors.As(err, &broken):
		return nil, broken
	case err != nil:
		return nil, errGone
	case kind != 'p':
		return nil, sql.Errorf(sql.CodeProtocolViolation, "expected SASL response, got message type %d", kind)
	}
	return body, nil
}

// mockSecret keys the made-up salts, so that an unknown user has the same one at every try.
var mockSecret = func() []byte {
	b := make([]byte, 32)
	if _, err := rand.Read(b); err != nil {
		panic("wire: no random numbers: " + err.Error())
	}
	return b
}()

func mockCredentials(user string) Credentials {
	mac := hmac.New(sha256.New, mockSecret)
	mac.Write([]byte(user))
	sum := mac.Sum(nil)
	return Credentials{Salt: sum[:16], Iterations: ScramIterations, StoredKey: sum, ServerKey: sum}
}

// NewCredentials derives the verifier that is stored for a password.
func NewCredentials(password string) (Credentials, error) {
	salt := make([]byte, 16)
	if _, err := rand.Read(salt); err != nil {
		return Credentials{}, err
	}
	client, err := scram.SHA256.NewClient("", password, "")
	if err != nil {
		return Credentials{}, sql.Errorf(sql.CodeInvalidParameter, "the password cannot be used: %w", err)
	}
	sc, err := client.GetStoredCredentialsWithError(scram.KeyFactors{Salt: string(salt), Iters: ScramIterations})
	if err != nil {
		return Credentials{}, sql.Errorf(sql.CodeInvalidParameter, "the password cannot be used: %w", err)
	}
	return Credentials{Salt: salt, Iterations: ScramIterations, StoredKey: sc.StoredKey, ServerKey: sc.ServerKey}, nil
}
