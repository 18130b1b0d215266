package engine

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
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

// events keeps dead letters and late rows: in the store, for streamsql.dead_letters and
// streamsql.late_rows, and in the topics that a relation names. What a job tells is part of the
// epoch in which it happened; what a delivery's target refuses is written on its own.
type events struct {
	e       *Engine
	dead    *state.EventLog
	late    *state.EventLog
	stop    chan struct{}
	stopped chan struct{}

	mu     sync.Mutex
	topics map[uint32]*topicSender // by relation
	counts map[uint32]eventCount   // by job
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
	v := &events{e: e, dead: state.NewEventLog(deadLettersTable), late: state.NewEventLog(lateRowsTable),
		stop: make(chan struct{}), stopped: make(chan struct{}), topics: map[uint32]*topicSender{}, counts: map[uint32]eventCount{}}
	return v
}

// of adds the events of a job's epochs to their batches, and returns when those that also go to topics
// are there: at least once, since the epoch is committed after it.
func (v *events) of(ctx context.Context, o *catalog.Object) func(*exec.Epoch) error {
	return func(ep *exec.Epoch) error {
		for _, d := range ep.Dead {
			if err := v.deadLetters(ep.Batch, o, d.Source, d.Letters); err != nil {
				return err
			}
		}
		for _, l := range ep.Late {
			if err := v.lateRows(ep.Batch, o, l); err != nil {
				return err
			}
		}
		return v.flush(ctx)
	}
}

// flush waits for the events sent to topics. A broker that is away makes the job wait for it; what a
// topic refuses for another reason is only in the store.
func (v *events) flush(ctx context.Context) error {
	v.mu.Lock()
	var sent []*topicSender
	for _, t := range v.topics {
		if t.sent.Swap(false) {
			sent = append(sent, t)
		}
	}
	v.mu.Unlock()
	for _, t := range sent {
		if err := t.note(t.p.Flush(ctx)); err != nil {
			t.sent.Store(true)
			return err
		}
	}
	return nil
}

// refused keeps what a sink's target refused. It is not refused again, so it does not wait for its topic.
func (v *events) refused(w state.Writer, o *catalog.Object, letters []connectors.DeadLetter) error {
	if err := v.deadLetters(w, o, "", letters); err != nil && !isAway(err) {
		return err
	}
	return nil
}

// deadLetters appends to the store and sends to the topic. An error that isAway is the topic's alone.
func (v *events) deadLetters(w state.Writer, o *catalog.Object, source string, letters []connectors.DeadLetter) (away error) {
	if err := v.count(w, o, eventCount{Dead: int64(len(letters))}); err != nil {
		return err
	}
	for i := range letters {
		l := &letters[i]
		l.Job = o.Name
		if l.Time.IsZero() {
			l.Time = time.Now()
		}
		value, err := json.Marshal(deadLetter{Job: o.Name, Source: source, Topic: l.Topic, Partition: l.Partition, Offset: l.Offset,
			Key: l.Key, Payload: l.Payload, Field: l.Field, Code: l.Code, Reason: l.Reason})
		if err != nil {
			return err
		}
		v.dead.Append(v.e.store, w, l.Time, value)
		if t := v.topic(o, source, "dlq.topic"); t != nil {
			if err := t.letter(l); err != nil {
				away = err
			}
		}
	}
	return away
}

func (v *events) lateRows(w state.Writer, o *catalog.Object, l exec.LateRows) error {
	if err := v.count(w, o, eventCount{Late: int64(len(l.Rows)) + l.Folded}); err != nil {
		return err
	}
	now := time.Now()
	for i, row := range l.Rows {
		value, err := json.Marshal(lateRow{Job: o.Name, Source: l.Source, EventTime: l.EventTimes[i], Watermark: int64(l.Watermark), Row: row})
		if err != nil {
			return err
		}
		v.late.Append(v.e.store, w, now, value)
		if t := v.topic(o, l.Source, "late.topic"); t != nil {
			if err := t.late(o.Name, []byte(row)); err != nil {
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
	v.mu.Lock()
	topics := v.topics
	v.topics = map[uint32]*topicSender{}
	v.mu.Unlock()
	for _, t := range topics {
		t.close(v.e)
	}
}

// topicSender sends events to the topics of one relation.
type topicSender struct {
	p              RecordProducer
	log            *slog.Logger
	dlq, lateTopic string
	sent           atomic.Bool // since the last flush
}

// topic finds the sender for an option of the relation that an event came from, or of the job itself.
func (v *events) topic(o *catalog.Object, source, option string) *topicSender {
	rel := v.relationOf(o, source, option)
	if rel == nil || v.e.cfg.Producer == nil {
		return nil
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if t := v.topics[rel.ID]; t != nil {
		return t
	}
	r, err := v.e.revealed(connectorRelation(rel, ""))
	var p RecordProducer
	if err == nil {
		p, err = v.e.cfg.Producer(r)
	}
	if err != nil {
		v.e.log.Warn("no producer for "+option, "relation", rel.Name, "error", err)
		return nil
	}
	t := &topicSender{p: p, dlq: rel.Options["dlq.topic"], log: v.e.log, lateTopic: rel.Options["late.topic"]}
	v.topics[rel.ID] = t
	return t
}

// relationOf is the relation whose options say where events go: the source by name among what the
// job reads, or the job's own object.
func (v *events) relationOf(o *catalog.Object, source, option string) *catalog.Object {
	snap := v.e.catalog.Load()
	for _, id := range o.Deps {
		if d := snap.Get(id); d != nil && d.Options[option] != "" && (source == "" || d.Name == source) {
			return d
		}
	}
	if o.Options[option] != "" && o.Connector != "" {
		return o
	}
	if t := snap.Get(o.Target); t != nil && t.Options[option] != "" {
		return t
	}
	return nil
}

func (t *topicSender) letter(l *connectors.DeadLetter) error {
	t.sent.Store(true)
	return t.note(t.p.SendDeadLetter(context.Background(), t.dlq, l))
}

func (t *topicSender) late(job string, row []byte) error {
	t.sent.Store(true)
	return t.note(t.p.Send(context.Background(), t.lateTopic, nil, row, "job", job))
}

// note returns the errors that pass, so that the event is sent again. About others it logs why an
// event did not reach its topic; it is in the store all the same.
func (t *topicSender) note(err error) error {
	if err == nil || isAway(err) || errors.Is(err, context.Canceled) {
		return err
	}
	t.log.Warn("event not sent to its topic", "error", err)
	return nil
}

func (t *topicSender) close(e *Engine) {
	ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	if err := t.p.Flush(ctx); err != nil {
		e.log.Warn("events not sent to their topic", "error", err)
	}
	if err := t.p.Close(); err != nil {
		e.log.Warn("producer not closed", "error", err)
	}
}
