package sample

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"
)

var noon = time.Date(2026, 1, 2, 12, 0, 7, 0, time.UTC)

// TestStreams checks what the package promises of every stream: records are a function of their
// number and time, are JSON save for the broken raw events, and are in part out of order.
func TestStreams(t *testing.T) {
	for _, s := range Streams {
		bad, behind := 0, 0
		var last string
		dst := []byte("before")
		for n := range int64(20_000) {
			now := noon.Add(time.Duration(n) * time.Second / time.Duration(s.Rate))
			key, value, rest := s.Append(dst[:6], n, now)
			if !bytes.HasPrefix(rest, []byte("before")) {
				t.Fatalf("%s: record %d overwrites what is before it", s.Topic, n)
			}
			again, valueAgain, _ := s.Append(nil, n, now)
			if !bytes.Equal(key, again) || !bytes.Equal(value, valueAgain) {
				t.Fatalf("%s: record %d is not a function of n and now", s.Topic, n)
			}
			dst = rest
			var record struct {
				EventTime string `json:"event_time"`
				UserID    any    `json:"user_id"`
				Amount    any
			}
			_, text := record.UserID.(string)
			if err := json.Unmarshal(value, &record); err != nil || text || record.EventTime == "" {
				bad++
				continue
			}
			if record.EventTime < last {
				behind++
			}
			last = record.EventTime
		}
		switch {
		case s.Topic == "raw_events" && (bad < 5 || bad > 60):
			t.Errorf("%s: %d of 20,000 records are broken, want some 20", s.Topic, bad)
		case s.Topic != "raw_events" && bad != 0:
			t.Errorf("%s: %d records are broken", s.Topic, bad)
		}
		if behind < 200 {
			t.Errorf("%s: only %d records are out of order", s.Topic, behind)
		}
	}
}

func TestOrder(t *testing.T) {
	key, value, _ := appendOrder(nil, 17, noon)
	if got, want := string(key), "cust-"; len(got) != 11 || got[:5] != want {
		t.Errorf("key %s", got)
	}
	const prefix = `{"order_id":"ord-0000000017","customer_id":"cust-`
	if !bytes.HasPrefix(value, []byte(prefix)) {
		t.Errorf("value %s", value)
	}
}

func TestAllocations(t *testing.T) {
	dst := make([]byte, 0, 1024)
	for _, s := range Streams {
		n := int64(0)
		if allocs := testing.AllocsPerRun(1000, func() { s.Append(dst, n, noon); n++ }); allocs > 0 {
			t.Errorf("%s: %v allocations a record", s.Topic, allocs)
		}
	}
}
