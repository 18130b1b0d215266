package wire

import (
	"net"
	"sync"
	"time"
)

// authLimiter slows down a host whose log-ins keep failing: 100 ms after the third failure, doubled
// with each further one up to 5 s, forgotten after a minute.
type authLimiter struct {
	mu    sync.Mutex
	hosts map[string]failures
}

type failures struct {
	n    int
	last time.Time
}

const (
	authFreeTries  = 3
	authForget     = time.Minute
	authMaxDelay   = 5 * time.Second
	authHostsLimit = 10_000 // past this the oldest are not worth the memory: start anew
)

func newAuthLimiter() *authLimiter { return &authLimiter{hosts: map[string]failures{}} }

func (a *authLimiter) delay(host string) time.Duration {
	a.mu.Lock()
	defer a.mu.Unlock()
	f, ok := a.hosts[host]
	if !ok || time.Since(f.last) > authForget {
		delete(a.hosts, host)
		return 0
	}
	if f.n < authFreeTries {
		return 0
	}
	return min(100*time.Millisecond<<min(f.n-authFreeTries, 10), authMaxDelay)
}

func (a *authLimiter) failed(host string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.hosts) >= authHostsLimit {
		clear(a.hosts)
	}
	a.hosts[host] = failures{a.hosts[host].n + 1, time.Now()}
}

func (a *authLimiter) succeeded(host string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.hosts, host)
}

func hostOf(addr net.Addr) string {
	host, _, err := net.SplitHostPort(addr.String())
	if err != nil {
		return addr.String()
	}
	return host
}
