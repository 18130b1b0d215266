package orders

import (
	"reflect"
	"testing"
)

// TestOrders pins the input: figures of different days compare only while the bytes are the same.
func TestOrders(t *testing.T) {
	s := &Set{Records: 40_000, Customers: 100_000, RatePerSec: 100}
	var c clock
	for i, want := range map[int64]string{
		0:         `{"order_id":"ord-0000000000","customer_id":"cust-046016","amount":306.25,"category":"sports","event_time":"2026-01-01 00:00:01.972"}`,
		7:         `{"order_id":"ord-0000000007","customer_id":"cust-025133","amount":419.86,"category":"beauty","event_time":"2026-01-01 00:00:02.065"}`,
		8_640_001: `{"order_id":"ord-0008640001","customer_id":"cust-026683","amount":44.18,"category":"music","event_time":"2026-01-02 00:00:01.971"}`, // over midnight
	} {
		o := s.order(i)
		if got := string(o.append(nil, &c)); got != want {
			t.Errorf("order %d:\n  %s, not\n  %s", i, got, want)
		}
	}
	totals := newTally(s)
	for i := range s.Records {
		o := s.order(i)
		totals.add(&o, len(o.append(nil, &c)))
	}
	want := Totals{Orders: 40_000, Bytes: 5_302_364, Cents: 1_004_279_184, Passed: 28_800, PassedCents: 865_891_777, Windows: 20, Customers: 32_936,
		Last: []Customer{{"cust-063974", 1}, {"cust-043619", 2}, {"cust-010203", 1}, {"cust-066048", 1}}}
	if got := *totals.totals(s); !reflect.DeepEqual(got, want) {
		t.Errorf("totals %+v, not %+v", got, want)
	}
}

func TestAmountCents(t *testing.T) {
	for value, want := range map[string]int64{
		`{"amount":12}`: 1200, `{"amount":12.5,"x":1}`: 1250, `{"x":"y","amount": 12.05}`: 1205, `{"amount":"0.07"}`: 7,
		`{"x":1}`: -1, `{"amount":1.234}`: -1, `{"amount":1e3}`: -1, `{"amount":null}`: -1,
	} {
		got, err := amountCents([]byte(value))
		if (err != nil) != (want < 0) || err == nil && got != want {
			t.Errorf("%s: %d, %v", value, got, err)
		}
	}
}
