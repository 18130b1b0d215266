package wire

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/streamsql/streamsql/sql"
)

// errGone ends a connection without a word: the client has left or wanted nothing more.
var errGone = errors.New("connection closed")

// startup negotiates encryption, authenticates and makes the session.
func (c *conn) startup() error {
	if err := c.nc.SetDeadline(time.Now().Add(maxStartupTime)); err != nil {
		return errGone
	}
	msg, err := c.negotiate()
	if err != nil {
		return err
	}
	params, err := startupSettings(msg.Parameters)
	if err != nil {
		return err
	}
	user := params["user"]
	if user == "" {
		return sql.Errorf("28000", "no PostgreSQL user name specified in startup packet")
	}
	if _, encrypted := c.nc.(*tls.Conn); c.srv.cfg.RequireTLS && !encrypted && !LoopbackOnly(c.nc.RemoteAddr()) {
		return sql.Errorf("28000", "connection requires TLS").WithHint("Connect with sslmode=require.")
	}
	if err := c.authenticate(user); err != nil {
		return err
	}
	if err := c.srv.register(c); err != nil {
		return err
	}
	database := params["database"]
	if database == "" {
		database = user
	}
	_, encrypted := c.nc.(*tls.Conn)
	client := &Client{User: user, Database: database, Settings: params, RemoteAddr: c.nc.RemoteAddr().String(), PID: c.pid, TLS: encrypted,
		Notice: c.notice, ParameterStatus: c.parameterStatus, CancelBackend: c.srv.cancelBackend}
	c.session, err = c.srv.cfg.Backend.Connect(c.ctx, client)
	if err != nil {
		return err
	}
	c.send(&pgproto3.AuthenticationOk{})
	for name, value := range c.session.Settings() {
		c.send(&pgproto3.ParameterStatus{Name: name, Value: value})
	}
	c.send(&pgproto3.BackendKeyData{ProcessID: c.pid, SecretKey: secretKey(c.secret)})
	c.ready()
	if err := c.flush(); err != nil {
		return errGone
	}
	return c.nc.SetDeadline(time.Time{})
}

// negotiate answers SSL and GSS requests until the client's start-up message comes.
func (c *conn) negotiate() (*pgproto3.StartupMessage, error) {
	for range 4 { // SSL, GSS, start-up; more is nonsense
		m, err := c.in.ReceiveStartupMessage()
		if err != nil {
			if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || isNetError(err) {
				return nil, errGone
			}
			return nil, sql.Errorf(sql.CodeProtocolViolation, "invalid startup packet: %s", err)
		}
		switch m := m.(type) {
		case *pgproto3.SSLRequest:
			if err := c.answerSSL(); err != nil {
				return nil, errGone
			}
		case *pgproto3.GSSEncRequest:
			if _, err := c.nc.Write([]byte{'N'}); err != nil {
				return nil, errGone
			}
		case *pgproto3.CancelRequest:
			c.srv.cancelRequest(m.ProcessID, m.SecretKey)
			return nil, errGone
		case *pgproto3.StartupMessage:
			return m, nil
		}
	}
	return nil, sql.Errorf(sql.CodeProtocolViolation, "too many encryption requests")
}

func (c *conn) answerSSL() error {
	_, already := c.nc.(*tls.Conn)
	if c.srv.cfg.TLS == nil || already {
		_, err := c.nc.Write([]byte{'N'})
		return err
	}
	// Whatever came with the request in clear text must not be taken as if it had been encrypted.
	if c.reader.Buffered() > 0 {
		return errors.New("unencrypted data after SSL request")
	}
	if _, err := c.nc.Write([]byte{'S'}); err != nil {
		return err
	}
	tc := tls.Server(c.nc, c.srv.cfg.TLS)
	if err := tc.Handshake(); err != nil {
		c.srv.log.Debug("TLS handshake failed", "remote", c.nc.RemoteAddr(), "error", err)
		return err
	}
	c.setConn(tc)
	return nil
}

// startupSettings merges the options parameter (-c name=value …) into the others.
func startupSettings(params map[string]string) (map[string]string, error) {
	out := map[string]string{}
	for k, v := range params {
		out[k] = v
	}
	words := splitOptions(params["options"])
	for i := 0; i < len(words); i++ {
		w := words[i]
		switch {
		case w == "-c" && i+1 < len(words):
			i++
			w = words[i]
		case strings.HasPrefix(w, "-c"):
			w = w[2:]
		case strings.HasPrefix(w, "--"):
			w = w[2:]
		default:
			return nil, sql.Errorf("22023", "invalid command-line argument for server process: %s", w)
		}
		name, value, ok := strings.Cut(w, "=")
		if !ok {
			return nil, sql.Errorf(sql.CodeSyntaxError, "-c %s requires a value", w)
		}
		out[strings.ReplaceAll(strings.ToLower(name), "-", "_")] = value
	}
	delete(out, "options")
	return out, nil
}

// splitOptions splits at white space; a backslash takes the next byte as it is.
func splitOptions(s string) []string {
	var words []string
	var cur strings.Builder
	in := false
	for i := 0; i < len(s); i++ {
		switch b := s[i]; {
		case b == '\\' && i+1 < len(s):
			i++
			cur.WriteByte(s[i])
			in = true
		case b == ' ' || b == '\t' || b == '\n' || b == '\r':
			if in {
				words = append(words, cur.String())
				cur.Reset()
				in = false
			}
		default:
			cur.WriteByte(b)
			in = true
		}
	}
	if in {
		words = append(words, cur.String())
	}
	return words
}

func isNetError(err error) bool {
	var ne net.Error
	return errors.As(err, &ne)
}
