package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"time"
)

// The generator's event time. It has nothing to do with the wall clock, so that what is late and
// which windows are closed depends on the records alone, however long a fault lasts: round r has
// rows between base(r) and base(r)+roundSpan, and ends with a tick in each partition, which takes
// the watermark to tick(r)-disorder, before base(r+1)-disorder.
const (
	roundSpan = 50 * time.Second
	roundStep = time.Minute
	disorder  = 5 * time.Second  // the watermark's delay, and more than rows are out of order
	tooLate   = 40 * time.Second // behind the last round's watermark: before every window still open
)

var epoch = time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)

func base(round int) time.Time {
	return epoch.Add(time.Duration(round)*roundStep + disorder + 2*time.Second)
}

func tick(round int) time.Time {
	return base(round).Add(roundSpan + disorder + time.Millisecond)
}

const timeLayout = "2006-01-02 15:04:05.000"

// A record's kind says what has to become of it.
const (
	kindRow     = "row"     // a row
	kindBadV    = "bad v"   // a row for whoever does not read v, a dead letter for others
	kindGarbage = "garbage" // a dead letter for everybody
	kindAborted = "aborted" // nothing: its transaction is aborted
)

// record is one record as it was sent. Pointers are nil for NULL.
type record struct {
	kind      string
	late      bool
	partition int32
	id        int64
	key       *string
	amount    *string // numeric(12,2)
	v         *int64
	tag       *string
	ts        *time.Time
	value     string // as sent
}

// ledger is every record that was sent, in order. It belongs to one topology.
type ledger struct {
	records []record
	nextID  int64
}

// keys are what rows are counted by; the last few are rare.
const keys = 24

// row makes a row of event time at.
func (l *ledger) row(r *rand.Rand, at time.Time) record {
	at = at.Truncate(time.Millisecond)
	rec := record{kind: kindRow, id: l.nextID, ts: &at}
	l.nextID++
	key := fmt.Sprintf("k%02d", int(keys*r.Float64()*r.Float64()))
	amount := fmt.Sprintf("%d.%02d", r.IntN(2000)-500, r.IntN(100))
	v, tag := r.Int64N(200)-20, fmt.Sprintf("t%d", r.IntN(30))
	rec.key, rec.amount, rec.v, rec.tag = &key, &amount, &v, &tag
	switch r.IntN(50) {
	case 0:
		rec.key = nil
	case 1:
		rec.amount = nil
	case 2, 3:
		rec.v = nil
	case 4, 5:
		rec.tag = nil
	case 6:
		rec.ts = nil // in no window
	}
	return rec
}

// next makes the record that follows at event time at, in round; most are rows.
func (l *ledger) next(r *rand.Rand, round int, at time.Time) record {
	switch n := r.IntN(200); {
	case n < 4 && len(l.records) > 0: // the same event again
		if again := l.records[r.IntN(len(l.records))]; again.kind == kindRow && again.ts != nil {
			rec := again
			rec.late = false
			at = at.Truncate(time.Millisecond)
			rec.ts = &at
			return rec
		}
	case n < 8 && round > 0:
		rec := l.row(r, tick(round-1).Add(-disorder-tooLate-time.Duration(r.Int64N(int64(roundSpan)))))
		rec.late = rec.ts != nil
		return rec
	case n < 9:
		l.nextID++
		broken := []string{"garbage %d", `{"id":%d,"k":"cut of`, `["no object",%d]`, "\xff\xfe %d"}[r.IntN(4)]
		return record{kind: kindGarbage, id: l.nextID - 1, value: fmt.Sprintf(broken, l.nextID-1)}
	case n < 10:
		rec := l.row(r, at)
		rec.kind, rec.v = kindBadV, nil
		return rec
	}
	return l.row(r, at)
}

// encode sets a record's value and adds it to the ledger.
func (l *ledger) encode(rec *record, partition int32) error {
	rec.partition = partition
	if rec.kind != kindGarbage {
		fields := map[string]any{"id": rec.id, "k": rec.key, "tag": rec.tag, "v": rec.v, "unread": "…"}
		if rec.kind == kindBadV {
			fields["v"] = fmt.Sprint("no number ", rec.id)
		}
		if rec.amount != nil {
			fields["amount"] = json.Number(*rec.amount)
		}
		if rec.ts != nil {
			fields["ts"] = rec.ts.Format(timeLayout)
		}
		value, err := json.Marshal(fields)
		if err != nil {
			return err
		}
		rec.value = string(value)
	}
	l.records = append(l.records, *rec)
	return nil
}
