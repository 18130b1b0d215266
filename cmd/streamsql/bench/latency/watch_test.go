package latency

import (
	"testing"
	"time"
)

// What the sender writes is what the watchers look for.
func TestOrderNumber(t *testing.T) {
	s := &Sender{Load: &Load{PerSecond: 50_000, Seconds: 2}}
	if n, err := orderNumber(s.value("lat-4711", s.customer(4711), time.Now())); n != 4711 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	if _, err := orderNumber(s.value(hello, hello, time.Now())); err == nil {
		t.Error("hello was read as an order of the load")
	}
	probes := 0
	for n := range s.total() {
		if s.customer(n) == probeCustomer(n) {
			probes++
		}
	}
	if want := s.Seconds * int(time.Second/probePeriod); probes != want {
		t.Errorf("%d probes, not %d", probes, want)
	}
}

func TestPercentile(t *testing.T) {
	var d []time.Duration
	for i := range 100 {
		d = append(d, time.Duration(i+1))
	}
	if p50, p99, last := Percentile(d, 0.5), Percentile(d, 0.99), Percentile(d, 1); p50 != 51 || p99 != 100 || last != 100 {
		t.Errorf("%d %d %d", p50, p99, last)
	}
}
