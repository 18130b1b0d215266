package sample

import (
	"encoding/hex"
	"strconv"
	"time"
)

const (
	sqlTime = "2006-01-02 15:04:05.000"
	isoTime = "2006-01-02T15:04:05.000Z"
)

var categories = []string{"electronics", "books", "clothing", "grocery", "toys", "sports", "beauty", "garden", "automotive", "music"}

// appendOrder makes an order: keyed by customer, 1.00 to 500.99, small amounts more often.
func appendOrder(dst []byte, n int64, now time.Time) (key, value, rest []byte) {
	r := newRandom(n, 0x6f7264657273)
	start := len(dst)
	dst = appendPadded(append(dst, "cust-"...), int64(r.skewed(10_000)), 6)
	split := len(dst)
	dst = appendPadded(append(dst, `{"order_id":"ord-`...), n, 10)
	dst = append(append(dst, `","customer_id":"`...), dst[start:split]...)
	dst = appendCents(append(dst, `","amount":`...), 100+r.skewed(50_000))
	dst = append(append(dst, `,"category":"`...), r.pick(categories)...)
	dst = now.Add(-r.lag()).UTC().AppendFormat(append(dst, `","event_time":"`...), sqlTime)
	return parts(append(dst, `"}`...), start, split)
}

var (
	eventTypes = []string{"view", "view", "view", "view", "view", "cart", "cart", "purchase", "search", "search", "logout"}
	currencies = []string{"USD", "USD", "USD", "EUR", "EUR", "GBP", "JPY"}
)

// appendRawEvent makes an event of a shop's front end. Only carts and purchases have an amount.
// One in a thousand is broken, in one of the ways that real topics know.
func appendRawEvent(dst []byte, n int64, now time.Time) (key, value, rest []byte) {
	r := newRandom(n, 0x726177)
	start := len(dst)
	user := int64(1 + r.skewed(5000))
	dst = strconv.AppendInt(dst, user, 10)
	split := len(dst)
	if r.below(1000) == 0 {
		return parts(append(dst, r.pick(broken)...), start, split)
	}
	kind := r.pick(eventTypes)
	dst = appendPadded(append(dst, `{"event_id":"evt-`...), n, 10)
	dst = append(append(dst, `","event_type":"`...), kind...)
	dst = strconv.AppendInt(append(dst, `","user_id":`...), user, 10)
	if kind == "cart" || kind == "purchase" {
		dst = appendCents(append(dst, `,"amount":`...), 99+r.skewed(100_000))
		dst = append(append(append(dst, `,"currency":"`...), r.pick(currencies)...), '"')
	}
	dst = now.Add(-r.lag()).UTC().AppendFormat(append(dst, `,"event_time":"`...), isoTime)
	return parts(append(dst, `"}`...), start, split)
}

// broken are values that end up as dead letters: cut off, no JSON, wrong types, bad UTF-8.
var broken = []string{
	`{"event_id":"evt-broken","event_type":"purch`,
	`<html><body>502 Bad Gateway</body></html>`,
	`{"event_id":"evt-broken","event_type":"purchase","user_id":"nobody","amount":1.00}`,
	`{"event_id":"evt-broken","event_type":"purchase","user_id":7,"amount":"a lot"}`,
	`{"event_id":"evt-broken","event_type":"purchase","user_id":7,"event_time":"yesterday-ish"}`,
	"{\"event_id\":\"evt-\xff\xfe\",\"event_type\":\"view\"}",
}

var (
	buildings = []string{"north", "south", "tower", "lab"}
	tags      = []string{"indoor", "outdoor", "calibrated", "battery", "prototype"}
)

// appendSensor makes a reading of one of a hundred sensors: nested rows and an array. The
// temperature swings by the minute around a sensor's own mean.
func appendSensor(dst []byte, n int64, now time.Time) (key, value, rest []byte) {
	r := newRandom(n, 0x73656e73)
	start := len(dst)
	sensor := r.below(100)
	dst = strconv.AppendInt(dst, int64(sensor), 10)
	split := len(dst)
	dst = strconv.AppendInt(append(dst, `{"sensor_id":`...), int64(sensor), 10)
	dst = append(append(dst, `,"location":{"building":"`...), buildings[sensor%len(buildings)]...)
	dst = strconv.AppendInt(append(dst, `","floor":`...), int64(sensor/len(buildings)%5), 10)
	swing := now.Second() - 30
	if swing < 0 {
		swing = -swing
	}
	dst = appendCents(append(dst, `},"reading":{"temperature":`...), 1500+sensor*7+swing*20+r.below(100))
	dst = append(dst, `,"humidity":`...)
	if r.below(50) == 0 {
		dst = append(dst, "null"...) // a sensor without a hygrometer's answer
	} else {
		dst = appendCents(dst, 3000+r.below(4000))
	}
	dst = append(dst, `},"tags":[`...)
	for i := range sensor % 3 {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(append(append(dst, '"'), tags[(sensor+i)%len(tags)]...), '"')
	}
	dst = now.Add(-r.lag()).UTC().AppendFormat(append(dst, `],"event_time":"`...), sqlTime)
	return parts(append(dst, `"}`...), start, split)
}

var (
	pages    = []string{"/", "/", "/search", "/search?q=shoes", "/item/17", "/item/4", "/item/99", "/cart", "/checkout", "/help"}
	referrer = []string{"", "", "https://www.example.com/", "https://news.example.org/today", "https://mail.example.net/"}
	systems  = []string{"ios", "android", "android", "windows", "linux", "macos"}
)

// appendClick makes a click. A user has one session an hour.
func appendClick(dst []byte, n int64, now time.Time) (key, value, rest []byte) {
	r := newRandom(n, 0x636c69636b)
	start := len(dst)
	user := int64(1 + r.skewed(2000))
	dst = strconv.AppendInt(dst, user, 10)
	split := len(dst)
	dst = strconv.AppendInt(append(dst, `{"user_id":`...), user, 10)
	at := now.Add(-r.lag()).UTC()
	session := newRandom(user<<20+at.Unix()/3600, 0x73657373)
	dst = session.appendUUID(append(dst, `,"session_id":"`...))
	dst = append(append(dst, `","url":"`...), r.pick(pages)...)
	dst = append(dst, `","referrer":`...)
	if from := r.pick(referrer); from != "" {
		dst = append(append(append(dst, '"'), from...), '"')
	} else {
		dst = append(dst, "null"...)
	}
	system := systems[user%int64(len(systems))]
	mobile := system == "ios" || system == "android"
	dst = append(append(dst, `,"device":{"os":"`...), system...)
	dst = strconv.AppendBool(append(dst, `","mobile":`...), mobile)
	dst = at.AppendFormat(append(dst, `},"event_time":"`...), sqlTime)
	return parts(append(dst, `"}`...), start, split)
}

// appendUUID appends a random UUID, of version 4.
func (r *random) appendUUID(dst []byte) []byte {
	var id [16]byte
	for i, hi, lo := 0, r.next(), r.next(); i < 8; i++ {
		id[i], id[8+i] = byte(hi>>(8*i)), byte(lo>>(8*i))
	}
	id[6], id[8] = id[6]&0x0f|0x40, id[8]&0x3f|0x80
	for i, part := range [][]byte{id[:4], id[4:6], id[6:8], id[8:10], id[10:]} {
		if i > 0 {
			dst = append(dst, '-')
		}
		dst = hex.AppendEncode(dst, part)
	}
	return dst
}

// appendPadded appends v with at least width digits.
func appendPadded(dst []byte, v int64, width int) []byte {
	for unit, i := int64(10), 1; i < width; i, unit = i+1, unit*10 {
		if v < unit {
			dst = append(dst, '0')
		}
	}
	return strconv.AppendInt(dst, v, 10)
}

// appendCents appends a number of hundredths as a decimal.
func appendCents(dst []byte, cents int) []byte {
	dst = strconv.AppendInt(dst, int64(cents/100), 10)
	return append(dst, '.', '0'+byte(cents/10%10), '0'+byte(cents%10))
}
