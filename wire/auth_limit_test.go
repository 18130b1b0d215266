package wire

import (
	"fmt"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/streamsql/streamsql/sql"
)

// testLimiter has a clock that stands still.
func testLimiter() (l *authLimiter, pass func(time.Duration)) {
	l = newAuthLimiter()
	now := time.Now()
	l.now = func() time.Time { return now }
	return l, func(d time.Duration) { now = now.Add(d) }
}

func (a *authLimiter) wait(t *testing.T, host, user string) time.Duration {
	t.Helper()
	d, left, err := a.enter(host, user)
	if err != nil {
		t.Fatal(err)
	}
	left()
	return d
}

func TestAuthLimit(t *testing.T) {
	l, pass := testLimiter()
	for i, want := range []time.Duration{0, 0, 0, 100 * time.Millisecond, 200 * time.Millisecond, 400 * time.Millisecond} {
		if got := l.wait(t, "h", "u"); got != want {
			t.Errorf("after %d failures: %v, want %v", i, got, want)
		}
		l.failed("h", "u")
	}
	if l.wait(t, "other", "u") != 0 || l.wait(t, "h", "other") != 0 {
		t.Error("others are held back too")
	}
	for range 200 {
		l.failed("h", "u")
	}
	if got := l.wait(t, "h", "u"); got != authMaxDelay {
		t.Error(got)
	}
	if got := l.wait(t, "other", "u"); got != 500*time.Millisecond {
		t.Errorf("a user who is guessed at waits %v elsewhere", got)
	}
	l.succeeded("h", "u")
	if got := l.wait(t, "h", "u"); got != authMaxDelay {
		t.Errorf("a right password clears the address: %v", got)
	}
	pass(20 * time.Minute)
	if l.wait(t, "h", "u") != 0 || l.wait(t, "h", "v") != 0 || len(l.counts) != 0 {
		t.Errorf("failures are not forgotten: %v", l.counts)
	}
}

// TestAuthLimitManyUsers: guessing over many users from one address is slowed down as well.
func TestAuthLimitManyUsers(t *testing.T) {
	l, _ := testLimiter()
	for i := range 24 {
		l.failed("h", fmt.Sprint("u", i))
	}
	if got := l.wait(t, "h", "one more"); got != 1600*time.Millisecond {
		t.Error(got)
	}
	if got := l.wait(t, "other", "u1"); got != 0 {
		t.Error(got)
	}
}

// TestAuthLimitWaiting: few attempts of an address wait at a time, and those of others are not counted.
func TestAuthLimitWaiting(t *testing.T) {
	l, _ := testLimiter()
	for range 10 {
		l.failed("h", "u")
		l.failed("other", "v")
	}
	var all []func()
	for range authMaxWaiting {
		_, left, err := l.enter("h", "u")
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, left)
	}
	if _, _, err := l.enter("h", "u"); err == nil || sql.AsError(err).Code != "53300" {
		t.Error(err)
	}
	if l.wait(t, "other", "v") == 0 {
		t.Error("no wait")
	}
	for _, left := range all {
		left()
	}
	if d := l.wait(t, "h", "u"); d == 0 || len(l.waiting) != 0 {
		t.Error(l.waiting)
	}
}

// TestAuthLimitMemory: however many addresses fail, the memory is bounded, and the worst are remembered.
func TestAuthLimitMemory(t *testing.T) {
	l, _ := testLimiter()
	for range 40 {
		l.failed("bad", "u")
	}
	for i := range authCounts * 2 {
		l.failed(fmt.Sprint("h", i), fmt.Sprint("u", i))
	}
	if len(l.counts) > authCounts {
		t.Errorf("%d counts are remembered", len(l.counts))
	}
	if l.wait(t, "bad", "u") != authMaxDelay {
		t.Error("the worst is forgotten")
	}
}

func TestHostOf(t *testing.T) {
	for addr, want := range map[string]string{"10.1.2.3:99": "10.1.2.3", "[2001:db8:1:2:3:4:5:6]:99": "2001:db8:1:2::/64", "[::ffff:10.1.2.3]:1": "10.1.2.3", "[fe80::1%eth0]:5": "fe80::/64"} {
		a, err := net.ResolveTCPAddr("tcp", addr)
		if err != nil {
			a = &net.TCPAddr{IP: net.ParseIP("fe80::1"), Zone: "eth0", Port: 5}
		}
		if got := hostOf(a); got != want {
			t.Errorf("%s: %s, want %s", addr, got, want)
		}
	}
	if hostOf(&net.UnixAddr{Name: "/x"}) != "/x" {
		t.Error("a socket's name")
	}
}

// TestAuthSlowsDown: the waits are kept over the wire, for the user whose password is guessed and no other.
func TestAuthSlowsDown(t *testing.T) {
	s := passwordServer(t)
	for range 5 {
		if err := logIn(s, "alice", "wrong"); pgCode(err) != "28P01" {
			t.Error(err)
		}
	}
	// The quickest of several: a busy machine makes any of them slow.
	quickest := func(user, password string, times int) (best time.Duration) {
		for range times {
			start := time.Now()
			if err := logIn(s, user, password); err != nil {
				t.Errorf("%s: %v", user, err)
			}
			if d := time.Since(start); best == 0 || d < best {
				best = d
			}
		}
		return best
	}
	if d := quickest("bob", "pässwörd \"'%", 5); d > 300*time.Millisecond {
		t.Errorf("another user: %v", d)
	}
	if d := quickest("alice", "wonderland", 1); d < 400*time.Millisecond {
		t.Errorf("after five failures: %v", d)
	}
	if d := quickest("alice", "wonderland", 5); d > 300*time.Millisecond {
		t.Errorf("after a success: %v", d)
	}
}

// TestConstantTime: a wrong password of a user, and any password of no user, take as long.
func TestConstantTime(t *testing.T) {
	s := passwordServer(t)
	var attempts atomic.Int64
	s.auth.now = func() time.Time { return time.Now().Add(time.Duration(attempts.Add(1)) * time.Hour) } // nothing is remembered
	best := map[string]time.Duration{}
	for range 60 {
		for _, user := range []string{"alice", "nobody"} {
			start := time.Now()
			if err := logIn(s, user, "wrong"); pgCode(err) != "28P01" {
				t.Fatal(err)
			}
			if d := time.Since(start); best[user] == 0 || d < best[user] {
				best[user] = d
			}
		}
	}
	a, b := best["alice"], best["nobody"]
	if a > b*13/10 || b > a*13/10 {
		t.Errorf("%v with a user that exists, %v without", a, b)
	}
}
