package engine

import (
	"context"
	"encoding/json"
	"time"

	"github.com/streamsql/streamsql/connectors"
	"github.com/streamsql/streamsql/exec"
	"github.com/streamsql/streamsql/sql/engine/catalog"
	"github.com/streamsql/streamsql/state"
)

// Bounds of what the events' logs keep, when the configuration says nothing.
const (
	defaultEventAge   = 7 * 24 * time.Hour
	defaultEventBytes = 1 << 30
	eventTrimPeriod   = time.Minute
)

// events keeps dead letters and late rows in the store, for streamsql.dead_letters and
// streamsql.late_rows, within bounds.
type events struct {
	e       *Engine
	dead    *state.EventLog
	late    *state.EventLog
	stop    chan struct{}
	stopped chan struct{}
}

// jobEvents takes the events of one run of a job to the store and to the topics that a relation names.
// What a job tells is part of the epoch in which it happened; what a delivery's target refuses is
// written on its own. So a run has two of them. One goroutine uses each: nobody waits for, or is told
// of, what another job has sent.
type jobEvents struct {
	*events
	job    *catalog.Object
	count  string                  // the record of their number
	topics map[uint32]*topicSender // by relation; nil = nothing can be sent there
	unsent bool                    // something may not be at its topic yet
}

// deadLetter is a row of streamsql.dead_letters.
type deadLetter struct {
	Job       string `json:"job"`
	Source    string `json:"source,omitempty"`
	Topic     string `json:"topic,omitempty"`
	Partition int32  `json:"partition"`
	Offset    int64  `json:"offset"`
	Key       []byte `json:"key,omitempty"`
	Payload   []byte `json:"payload,omitempty"`
	Field     string `json:"field,omitempty"`
	Code      string `json:"code"`
	Reason    string `json:"reason"`
}

// lateRow is a row of streamsql.late_rows.
type lateRow struct {
	Job       string `json:"job"`
	Source    string `json:"source"`
	EventTime int64  `json:"event_time"`
	Watermark int64  `json:"watermark"`
	Row       string `json:"row"`
}

func newEvents(e *Engine) *events {
	return &events{e: e, dead: state.NewEventLog(deadLettersTable), late: state.NewEventLog(lateRowsTable),
		stop: make(chan struct{}), stopped: make(chan struct{})}
}

// ofEpochs are the events of a job's epochs.
func (v *events) ofEpochs(o *catalog.Object) *jobEvents {
	return &jobEvents{events: v, job: o, count: recordEventCount + itoa(o.ID), topics: map[uint32]*topicSender{}}
}

// ofDelivery are the events of a job's delivery.
func (v *events) ofDelivery(o *catalog.Object) *jobEvents {
	return &jobEvents{events: v, job: o, count: recordRefusedCount + itoa(o.ID), topics: map[uint32]*topicSender{}}
}

// add adds an epoch's events to its batch, and returns when those that also go to topics are there: at
// least once, since the epoch is committed after it. A broker that is away makes the job wait for it;
// what a topic refuses for another reason is only in the store.
func (v *jobEvents) add(ctx context.Context, ep *exec.Epoch) error {
	var more eventCount
	for _, d := range ep.Dead {
		more.Dead += int64(len(d.Letters))
		if err := v.deadLetters(ctx, ep.Batch, d.Source, d.Letters); err != nil {
			return err
		}
	}
	for _, l := range ep.Late {
		more.Late += int64(len(l.Rows)) + l.Folded
		if err := v.lateRows(ctx, ep.Batch, l); err != nil {
			return err
		}
	}
	if more == (eventCount{}) {
		return nil
	}
	if err := v.counted(ep.Batch, more); err != nil {
		return err
	}
	for _, t := range v.topics {
		if t == nil {
			continue
		}
		if err := t.note(t.p.Flush(ctx)); err != nil {
			return err
		}
	}
	return nil
}

// refused keeps what a sink's target refused. It is not refused again, so it does not wait for its topic.
func (v *jobEvents) refused(ctx context.Context, w state.Writer, letters []connectors.DeadLetter) error {
	v.unsent = true
	if err := v.deadLetters(ctx, w, "", letters); err != nil && !isAway(err) {
		return err
	}
	return v.counted(w, eventCount{Dead: int64(len(letters))})
}

// deadLetters appends to the store and sends to the topic. An error that isAway is the topic's alone.
func (v *jobEvents) deadLetters(ctx context.Context, w state.Writer, source string, letters []connectors.DeadLetter) (away error) {
	t := v.topic(source, "dlq.topic")
	for i := range letters {
		l := &letters[i]
		l.Job = v.job.Name
		if l.Time.IsZero() {
			l.Time = time.Now()
		}
		value, err := json.Marshal(deadLetter{Job: l.Job, Source: source, Topic: l.Topic, Partition: l.Partition, Offset: l.Offset,
			Key: l.Key, Payload: l.Payload, Field: l.Field, Code: l.Code, Reason: l.Reason})
		if err != nil {
			return err
		}
		v.dead.Append(v.e.store, w, l.Time, value)
		if t != nil && away == nil { // each try to reach it takes its time
			away = t.letter(ctx, l)
		}
	}
	return away
}

func (v *jobEvents) lateRows(ctx context.Context, w state.Writer, l exec.LateRows) error {
	t := v.topic(l.Source, "late.topic")
	now := time.Now()
	for i, row := range l.Rows {
		value, err := json.Marshal(lateRow{Job: v.job.Name, Source: l.Source, EventTime: l.EventTimes[i], Watermark: int64(l.Watermark), Row: row})
		if err != nil {
			return err
		}
		v.late.Append(v.e.store, w, now, value)
		if t != nil {
			if err := t.late(ctx, v.job.Name, []byte(row)); err != nil {
				return err
			}
		}
	}
	return nil
}

// run trims from time to time.
func (v *events) run() {
	defer close(v.stopped)
	trim := time.NewTicker(eventTrimPeriod)
	defer trim.Stop()
	for {
		select {
		case <-trim.C:
			v.trim()
		case <-v.stop:
			return
		}
	}
}

func (v *events) trim() {
	age, bytes := v.e.cfg.DeadLetterAge, v.e.cfg.DeadLetterBytes
	if age == 0 {
		age = defaultEventAge
	}
	if bytes == 0 {
		bytes = defaultEventBytes
	}
	b := v.e.store.NewBatch()
	for _, log := range []*state.EventLog{v.dead, v.late} {
		if err := log.Trim(v.e.store, b, time.Now(), age, bytes); err != nil {
			v.e.log.Warn("events not trimmed", "error", err)
			return
		}
	}
	if err := b.CommitNoSync(); err != nil {
		v.e.log.Warn("events not trimmed", "error", err)
	}
}

func (v *events) close() {
	close(v.stop)
	<-v.stopped
}
