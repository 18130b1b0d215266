// Package orders makes the benchmark's input: order i is a function of i alone, so every run and every
// engine reads the same bytes, and what the right answers are is known without asking an engine.
//
//	{"order_id":"ord-0000000007","customer_id":"cust-025133","amount":419.86,"category":"beauty","event_time":"2026-01-01 00:00:01.995"}
//
// Event time goes up steadily; nine orders in ten lag behind it by up to 50 ms, the tenth by up to 2 s,
// which the 5 s that the tables' watermarks allow for cover: no order is ever late.
package orders

import (
	"strconv"
	"time"
)

const firstMillis = 1_767_225_600_000 // 2026-01-01 00:00:00

var categories = [...]string{"electronics", "books", "clothing", "grocery", "toys", "sports", "beauty", "garden", "automotive", "music"}

// Set is a topic of orders.
type Set struct {
	Topic      string
	Records    int64
	Customers  int64 // different ones, at most 1,000,000
	RatePerSec int64 // of event time
}

// order is record i.
type order struct {
	i, customer, cents, millis int64
	category                   int
}

func (s *Set) order(i int64) order {
	r := Random(uint64(i)*0x9E3779B97F4A7C15 ^ 0x6f7264657273)
	lag := r.Below(51)
	if r.Below(10) == 0 {
		lag = r.Below(2001)
	}
	return order{i: i, customer: r.Below(s.Customers), cents: 100 + r.Below(50_000), category: int(r.Below(int64(len(categories)))),
		millis: firstMillis + 2000 + i*1000/s.RatePerSec - lag}
}

// passes is the WHERE of the filter query: amount > 100 AND category <> 'toys'.
func (o *order) passes() bool { return o.cents > 10_000 && categories[o.category] != "toys" }

// Random is splitmix64.
type Random uint64

// Below is the next number in [0, n).
func (r *Random) Below(n int64) int64 {
	*r += 0x9E3779B97F4A7C15
	z := uint64(*r)
	z = (z ^ z>>30) * 0xBF58476D1CE4E5B9
	z = (z ^ z>>27) * 0x94D049BB133111EB
	return int64((z ^ z>>31) >> 11 % uint64(n))
}

// clock writes times; it formats the date once a day of event time.
type clock struct {
	day  int64
	date string
}

func (c *clock) append(b []byte, millis int64) []byte {
	const dayMillis = 86_400_000
	if day := millis / dayMillis; day != c.day {
		c.day, c.date = day, time.UnixMilli(millis).UTC().Format("2006-01-02 ")
	}
	millis %= dayMillis
	b = appendPadded(append(b, c.date...), millis/3_600_000, 2)
	b = appendPadded(append(b, ':'), millis/60_000%60, 2)
	b = appendPadded(append(b, ':'), millis/1000%60, 2)
	return appendPadded(append(b, '.'), millis%1000, 3)
}

// append writes the record's value.
func (o *order) append(b []byte, c *clock) []byte {
	b = appendPadded(append(b, `{"order_id":"ord-`...), o.i, 10)
	b = appendPadded(append(b, `","customer_id":"cust-`...), o.customer, 6)
	b = strconv.AppendInt(append(b, `","amount":`...), o.cents/100, 10)
	b = appendPadded(append(b, '.'), o.cents%100, 2)
	b = append(append(b, `,"category":"`...), categories[o.category]...)
	b = c.append(append(b, `","event_time":"`...), o.millis)
	return append(b, `"}`...)
}

func appendPadded(b []byte, v int64, width int) []byte {
	at := len(b)
	for range width {
		b = append(b, '0')
	}
	for i := at + width - 1; i >= at; i, v = i-1, v/10 {
		b[i] += byte(v % 10)
	}
	return b
}

// Totals are the right answers over a set.
type Totals struct {
	Orders, Bytes, Cents int64
	Passed, PassedCents  int64 // what the filter lets through
	Windows              int64 // rows of the windowed query: pairs of window and category
	Customers            int64 // rows of the query by customer
	// Last are the customers of each partition's last order: who sees these counts sees every order,
	// since partitions are read in order.
	Last []Customer
}

// Customer is a row of the query by customer.
type Customer struct {
	ID     string
	Orders int64
}

// tally adds up totals.
type tally struct {
	Totals
	windows   map[window]bool
	last      window
	customers []int64 // orders of each
}

type window struct {
	start    int64
	category int
}

const windowMillis = 300_000

func newTally(s *Set) *tally {
	return &tally{windows: map[window]bool{}, customers: make([]int64, s.Customers)}
}

func (t *tally) add(o *order, bytes int) {
	t.Orders++
	t.Bytes += int64(bytes)
	t.Cents += o.cents
	if o.passes() {
		t.Passed++
		t.PassedCents += o.cents
	}
	if w := (window{o.millis / windowMillis, o.category}); w != t.last {
		t.last, t.windows[w] = w, true
	}
	t.customers[o.customer]++
}

func (t *tally) totals(s *Set) *Totals {
	t.Windows = int64(len(t.windows))
	for _, n := range t.customers {
		if n > 0 {
			t.Customers++
		}
	}
	for i := max(0, s.Records-Partitions); i < s.Records; i++ {
		customer := s.order(i).customer
		t.Last = append(t.Last, Customer{customerID(customer), t.customers[customer]})
	}
	return &t.Totals
}

func customerID(n int64) string { return string(appendPadded([]byte("cust-"), n, 6)) }
