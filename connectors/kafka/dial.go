package kafka

import (
	"context"
	"crypto/tls"
	"net"
	"sync/atomic"
	"time"
)

const dialTimeout = 5 * time.Second

// connect opens a connection for a request. franz-go waits for the first answer on it, to its
// question which versions the broker knows, for ten seconds whatever becomes of the request: with a
// broker that takes connections and says nothing, a statement that was cancelled would go on for so
// long. So the connection ends with the request as long as nothing has come.
func (c *clientConfig) connect(ctx context.Context, network, addr string) (net.Conn, error) {
	dial := c.dial
	if dial == nil {
		d := &net.Dialer{Timeout: dialTimeout}
		dial = d.DialContext
		if c.tls != nil {
			dial = (&tls.Dialer{NetDialer: d, Config: c.tls}).DialContext
		}
	}
	nc, err := dial(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	return &firstAnswer{Conn: nc, stop: context.AfterFunc(ctx, func() { _ = nc.Close() })}, nil
}

// firstAnswer is a connection that is closed when its first request is given up before any answer.
type firstAnswer struct {
	net.Conn
	stop func() bool
	came atomic.Bool
}

func (f *firstAnswer) Read(b []byte) (int, error) {
	n, err := f.Conn.Read(b)
	if n > 0 && !f.came.Swap(true) {
		f.stop()
	}
	return n, err
}

func (f *firstAnswer) Close() error {
	f.stop()
	return f.Conn.Close()
}
