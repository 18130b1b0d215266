// Package sample generates the sample streams of the development server and the demo.
//
// Every record is a pure function of its stream, its number and the time it is made at, so that a
// restarted server goes on where it stopped, and tests can make any record again. Records carry
// event times that lag a little behind `now` and are not in order; about one raw event in a
// thousand is broken on purpose.
//
// The tables over the streams:
//
//	CREATE TABLE orders (
//	  order_id TEXT, customer_id TEXT, amount NUMERIC(10,2), category TEXT, event_time TIMESTAMP(3),
//	  WATERMARK FOR event_time AS event_time - INTERVAL '5' SECOND
//	) WITH (connector = 'kafka', topic = 'orders.created', format = 'json',
//	        "properties.bootstrap.servers" = '127.0.0.1:19092');
//
//	CREATE TABLE raw_events (
//	  event_id TEXT, event_type TEXT, user_id BIGINT, amount NUMERIC(12,2), currency TEXT,
//	  event_time TIMESTAMP(3) WITH TIME ZONE,
//	  WATERMARK FOR event_time AS event_time - INTERVAL '5' SECOND
//	) WITH (connector = 'kafka', topic = 'raw_events', format = 'json',
//	        "properties.bootstrap.servers" = '127.0.0.1:19092');
//
//	CREATE TABLE sensors (
//	  sensor_id INTEGER, location ROW<building TEXT, floor INTEGER>,
//	  reading ROW<temperature DOUBLE PRECISION, humidity DOUBLE PRECISION>,
//	  tags TEXT[], event_time TIMESTAMP(3),
//	  WATERMARK FOR event_time AS event_time - INTERVAL '2' SECOND
//	) WITH (connector = 'kafka', topic = 'sensors', format = 'json',
//	        "properties.bootstrap.servers" = '127.0.0.1:19092');
//
//	CREATE TABLE clicks (
//	  user_id BIGINT, session_id UUID, url TEXT, referrer TEXT, device JSONB, event_time TIMESTAMP(3),
//	  WATERMARK FOR event_time AS event_time - INTERVAL '10' SECOND
//	) WITH (connector = 'kafka', topic = 'clicks', format = 'json',
//	        "properties.bootstrap.servers" = '127.0.0.1:19092');
package sample

import (
	"math/bits"
	"time"
)

// Stream is a sample stream.
type Stream struct {
	Topic string
	Rate  int // records a second that look natural in a demo
	// Append appends the key and the value of record n, made at now, to dst, and returns both parts
	// and dst. A nil key is null. The parts are valid until dst is used again.
	Append func(dst []byte, n int64, now time.Time) (key, value, rest []byte)
}

// Streams are the sample streams.
var Streams = []Stream{
	{Topic: "orders.created", Rate: 50, Append: appendOrder},
	{Topic: "raw_events", Rate: 30, Append: appendRawEvent},
	{Topic: "sensors", Rate: 20, Append: appendSensor},
	{Topic: "clicks", Rate: 40, Append: appendClick},
}

// random is a stream of pseudo-random numbers that depends on a record's number alone.
type random struct{ state uint64 }

// newRandom starts the numbers of record n of the stream named by seed.
func newRandom(n int64, seed uint64) random {
	r := random{uint64(n)*0x9e3779b97f4a7c15 + seed}
	r.next()
	return r
}

// next is SplitMix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, 2014).
func (r *random) next() uint64 {
	r.state += 0x9e3779b97f4a7c15
	z := r.state
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// below is a uniform number from 0 to n-1.
func (r *random) below(n int) int {
	hi, _ := bits.Mul64(r.next(), uint64(n))
	return int(hi)
}

// skewed is a number from 0 to n-1 of which small ones are frequent, as customers and pages are.
func (r *random) skewed(n int) int {
	x := r.below(n)
	return x * r.below(n) / n * r.below(n) / n
}

// lag is how far an event is behind the clock: up to 50 ms, one in ten up to 2 s.
func (r *random) lag() time.Duration {
	if r.below(10) == 0 {
		return time.Duration(r.below(2001)) * time.Millisecond
	}
	return time.Duration(r.below(51)) * time.Millisecond
}

// pick is one of values.
func (r *random) pick(values []string) string { return values[r.below(len(values))] }

// parts splits what was appended to dst into a key and a value.
func parts(dst []byte, start, key int) (k, v, rest []byte) {
	return dst[start:key:key], dst[key:len(dst):len(dst)], dst
}
