package wire

import (
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/streamsql/streamsql/sql"
)

// authLimiter slows down who guesses passwords, and nobody else. Failed log-ins are counted three
// times, and who tries again waits for the longest of
//
//	by address and user   from the 4th failure on, 100 ms doubled with each, at most 5 s
//	by address            from the 21st: many users tried from one place, at most 5 s
//	by user               from the 51st: one user tried from many places, at most 500 ms,
//	                      for it is the user's own log-in that waits too
//
// A count halves with every minute. Those of an address that wait at a time are few; any more are
// refused, so that waiting clients don't use up connections.
type authLimiter struct {
	now func() time.Time

	mu      sync.Mutex
	counts  map[string]failures
	waiting map[string]int // log-ins of an address that are held back now
}

// failures is a count as it was at a time.
type failures struct {
	n    float64
	last time.Time
}

const (
	authHalfLife   = time.Minute
	authFirstDelay = 100 * time.Millisecond
	authMaxDelay   = 5 * time.Second
	authMaxWaiting = 10
	authCounts     = 10_000 // what is remembered; past this the weakest of a few is forgotten
)

// authRules are the three counts of a log-in.
func authRules(host, user string) [3]authRule {
	return [3]authRule{
		{host + "\x00" + user, 3, authMaxDelay},
		{host, 20, authMaxDelay},
		{"\x00" + user, 50, 500 * time.Millisecond},
	}
}

type authRule struct {
	key  string
	free int
	max  time.Duration
}

func newAuthLimiter() *authLimiter {
	return &authLimiter{now: time.Now, counts: map[string]failures{}, waiting: map[string]int{}}
}

// enter is how long a log-in has to wait. The caller calls left after that. Too many that wait
// already are an error.
func (a *authLimiter) enter(host, user string) (wait time.Duration, left func(), err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, r := range authRules(host, user) {
		if n := int(a.count(r.key)) - r.free; n >= 0 {
			wait = max(wait, min(authFirstDelay<<min(n, 10), r.max))
		}
	}
	if wait == 0 {
		return 0, func() {}, nil
	}
	if a.waiting[host] >= authMaxWaiting {
		return 0, nil, sql.Errorf("53300", "too many failed log-ins").WithHint("Wait a few seconds before the next attempt.")
	}
	a.waiting[host]++
	return wait, func() { a.leave(host) }, nil
}

func (a *authLimiter) leave(host string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.waiting[host]--; a.waiting[host] == 0 {
		delete(a.waiting, host)
	}
}

// count is what is left of a count.
func (a *authLimiter) count(key string) float64 {
	f, ok := a.counts[key]
	if !ok {
		return 0
	}
	for age := a.now().Sub(f.last); age >= authHalfLife && f.n >= 1; age -= authHalfLife {
		f.n /= 2
	}
	if f.n < 1 {
		delete(a.counts, key)
		return 0
	}
	return f.n
}

func (a *authLimiter) failed(host, user string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, r := range authRules(host, user) {
		n := a.count(r.key)
		if n == 0 {
			a.makeRoom()
		}
		a.counts[r.key] = failures{n + 1, a.now()}
	}
}

// succeeded clears what held this user back at this address. The other counts stay: who has a
// password of his own must not be able to clear them.
func (a *authLimiter) succeeded(host, user string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.counts, authRules(host, user)[0].key)
}

// makeRoom forgets the weakest of a few counts when there are too many. A map's order is random
// enough for that.
func (a *authLimiter) makeRoom() {
	if len(a.counts) < authCounts {
		return
	}
	weakest, least, looked := "", 0.0, 0
	for key := range a.counts {
		if n := a.count(key); looked == 0 || n < least {
			weakest, least = key, n
		}
		if looked++; looked == 16 {
			break
		}
	}
	delete(a.counts, weakest)
}

// hostOf is an address as it is counted: of IPv6 the network, whose addresses are all one client's.
func hostOf(addr net.Addr) string {
	ap, err := netip.ParseAddrPort(addr.String())
	if err != nil {
		return addr.String()
	}
	ip := ap.Addr().Unmap()
	if ip.Is6() {
		if p, err := ip.WithZone("").Prefix(64); err == nil {
			return p.String()
		}
	}
	return ip.String()
}
