package limits

import (
	"testing"
	"time"
)

func TestScan(t *testing.T) {
	var o order
	if !o.scan([]byte(`{"order_id":"ord-1","amount":44.18,"category":"music","event_time":"2026-02-28 23:59:59.961"}`)) {
		t.Fatal("not read")
	}
	want := time.Date(2026, 2, 28, 23, 59, 59, 961e6, time.UTC).UnixMilli()
	if o.cents != 4418 || string(o.category) != "music" || o.millis != want {
		t.Errorf("%d %s %d, not 4418 music %d", o.cents, o.category, o.millis, want)
	}
	for _, bad := range []string{``, `{}`, `{"a"`, `{"a":"`, `{"a":1}`, `{a:1}`} {
		if new(order).scan([]byte(bad)) {
			t.Errorf("%s was read", bad)
		}
	}
}
