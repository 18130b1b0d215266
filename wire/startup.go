package wire

import (
	"crypto/tls"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/streamsql/streamsql/sql"
)

// errGone ends a connection without a word: the client has left or wanted nothing more.
var errGone = errors.New("connection closed")

// startup negotiates encryption, authenticates and makes the session.
func (c *conn) startup() error {
	c.setDeadline(time.Now().Add(maxStartupTime))
	hello, err := c.negotiate()
	if err != nil {
		return err
	}
	settings, err := startupSettings(hello.params)
	if err != nil {
		return err
	}
	user, database := hello.params["user"], hello.params["database"]
	if user == "" {
		return sql.Errorf("28000", "no PostgreSQL user name specified in startup packet")
	}
	if database == "" {
		database = user
	}
	_, encrypted := c.nc.(*tls.Conn)
	if c.srv.cfg.RequireTLS && !encrypted && !LoopbackOnly(c.nc.RemoteAddr()) {
		return sql.Errorf("28000", "connection requires TLS").WithHint("Connect with sslmode=require.")
	}
	if older := hello.negotiation(); older != nil {
		c.send(older)
	}
	if err := c.authenticate(user); err != nil {
		return err
	}
	c.send(&pgproto3.AuthenticationOk{})
	c.secret = make([]byte, hello.secretBytes())
	if err := c.srv.register(c, user); err != nil {
		return err
	}
	client := &Client{User: user, Database: database, Settings: settings, RemoteAddr: c.nc.RemoteAddr().String(), PID: c.pid, TLS: encrypted,
		Notice: c.notice, ParameterStatus: c.parameterStatus, CancelBackend: c.srv.cancelBackend, Deallocate: c.deallocate}
	c.session, err = c.srv.cfg.Backend.Connect(c.ctx, client)
	if err != nil {
		return err
	}
	reported := c.session.Settings()
	for _, name := range slices.Sorted(maps.Keys(reported)) {
		c.send(&pgproto3.ParameterStatus{Name: name, Value: reported[name]})
	}
	c.send(&pgproto3.BackendKeyData{ProcessID: c.pid, SecretKey: c.secret})
	c.ready()
	if c.flush() != nil {
		return errGone
	}
	c.setDeadline(time.Time{})
	return nil
}

// negotiate answers SSL and GSS requests until the client's start-up message comes.
func (c *conn) negotiate() (*hello, error) {
	for range 4 { // SSL, GSS, start-up; more is nonsense
		code, body, err := readStartupPacket(c.nc)
		if err != nil {
			return nil, err
		}
		switch code {
		case sslRequestCode:
			if err := c.answerSSL(); err != nil {
				return nil, errGone
			}
		case gssRequestCode:
			if _, err := c.nc.Write([]byte{'N'}); err != nil {
				return nil, errGone
			}
		case cancelRequestCode:
			if pid, key, ok := parseCancel(body); ok {
				c.srv.cancelRequest(pid, key)
			}
			return nil, errGone
		default:
			return parseHello(code, body)
		}
	}
	return nil, sql.Errorf(sql.CodeProtocolViolation, "too many encryption requests")
}

// answerSSL begins TLS when the server has it. The request was read to its last byte and no further:
// whatever came behind it in clear text goes to the handshake, which refuses it, and can't be taken
// as if it had been encrypted.
func (c *conn) answerSSL() error {
	_, already := c.nc.(*tls.Conn)
	if c.srv.cfg.TLS == nil || already {
		_, err := c.nc.Write([]byte{'N'})
		return err
	}
	if _, err := c.nc.Write([]byte{'S'}); err != nil {
		return err
	}
	tc := tls.Server(c.nc, c.srv.cfg.TLS)
	if err := tc.Handshake(); err != nil {
		c.srv.log.Debug("TLS handshake failed", "remote", c.nc.RemoteAddr(), "error", err)
		return err
	}
	c.nc = tc
	return nil
}
