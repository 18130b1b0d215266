package engine

import (
	"context"
	"encoding/json"
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
	eventFlushPeriod  = 100 * time.Millisecond
	eventQueueBytes   = 64 << 20 // what may wait to be written: past it, jobs wait
)

// events keeps dead letters and late rows: in the store, for streamsql.dead_letters and
// streamsql.late_rows, and in the topics that a relation names.
//
// A letter is on its way to the store when its job goes on; the flush that follows writes it within
// a tenth of a second. A crash in between replays the records it came from, and so makes it again.
type events struct {
	e       *Engine
	dead    *state.EventLog
	late    *state.EventLog
	deadN   atomic.Int64
	lateN   atomic.Int64
	mu      sync.Mutex
	room    *sync.Cond
	batch   *state.Batch
	bytes   int
	stop    chan struct{}
	stopped chan struct{}
	topics  map[uint32]*topicSender // by relation
}

// deadLetter is a row of streamsql.dead_letters.
type deadLetter struct {
	Job       string    `json:"job"`
	Source    string    `json:"source,omitempty"`
	Time      time.Time `json:"time"`
	Topic     string    `json:"topic,omitempty"`
	Partition int32     `json:"partition"`
	Offset    int64     `json:"offset"`
	Key       []byte    `json:"key,omitempty"`
	Payload   []byte    `json:"payload,omitempty"`
	Field     string    `json:"field,omitempty"`
	Code      string    `json:"code"`
	Reason    string    `json:"reason"`
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
		batch: e.store.NewBatch(), stop: make(chan struct{}), stopped: make(chan struct{}), topics: map[uint32]*topicSender{}}
	v.room = sync.NewCond(&v.mu)
	go v.run()
	return v
}

// of are the events of a job.
func (v *events) of(o *catalog.Object) exec.Events {
	job := o.Name
	return exec.Events{
		Dead: func(source string, letters []connectors.DeadLetter) { v.deadLetters(o, job, source, letters) },
		Late: func(l exec.LateRows) { v.lateRows(o, job, l) },
		Log:  v.e.log.With("job", job),
	}
}

func (v *events) deadLetters(o *catalog.Object, job, source string, letters []connectors.DeadLetter) {
	v.deadN.Add(int64(len(letters)))
	v.e.counters.deadLetters(job).Add(float64(len(letters)))
	for i := range letters {
		l := &letters[i]
		if l.Time.IsZero() {
			l.Time = time.Now()
		}
		v.append(v.dead, l.Time, deadLetter{Job: job, Source: source, Time: l.Time.UTC(), Topic: l.Topic, Partition: l.Partition, Offset: l.Offset,
			Key: l.Key, Payload: l.Payload, Field: l.Field, Code: l.Code, Reason: l.Reason})
		if t := v.topic(o, source, "dlq.topic"); t != nil {
			t.letter(l)
		}
	}
}

func (v *events) lateRows(o *catalog.Object, job string, l exec.LateRows) {
	v.lateN.Add(int64(len(l.Rows)))
	v.e.counters.lateRows(job).Add(float64(len(l.Rows)))
	now := time.Now()
	for i, row := range l.Rows {
		v.append(v.late, now, lateRow{Job: job, Source: l.Source, EventTime: l.EventTimes[i], Watermark: int64(l.Watermark), Row: row})
		if t := v.topic(o, l.Source, "late.topic"); t != nil {
			t.late([]byte(row))
		}
	}
}

// append queues an event for the store. When too much waits, the caller waits too.
func (v *events) append(log *state.EventLog, at time.Time, event any) {
	value, err := json.Marshal(event)
	if err != nil {
		v.e.log.Error("event cannot be stored", "error", err)
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	for v.bytes > eventQueueBytes {
		v.room.Wait()
	}
	log.Append(v.e.store, v.batch, at, value)
	v.bytes += len(value)
}

// run writes what is queued, and trims.
func (v *events) run() {
	defer close(v.stopped)
	flush := time.NewTicker(eventFlushPeriod)
	defer flush.Stop()
	trim := time.NewTicker(eventTrimPeriod)
	defer trim.Stop()
	for {
		select {
		case <-flush.C:
			v.flush()
		case <-trim.C:
			v.trim()
		case <-v.stop:
			v.flush()
			return
		}
	}
}

// flush writes the queue. When the disk refuses, the events stay queued and are tried again.
func (v *events) flush() {
	v.mu.Lock()
	full := v.batch
	if v.bytes == 0 {
		v.mu.Unlock()
		return
	}
	v.batch, v.bytes = v.e.store.NewBatch(), 0
	v.mu.Unlock()
	if err := full.Commit(); err != nil {
		v.e.log.Error("events not stored; they are tried again", "error", err)
		v.mu.Lock()
		v.bytes += full.Size()
		full.Merge(v.batch)
		v.batch = full
		v.mu.Unlock()
	}
	v.room.Broadcast()
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
	p, err := v.e.cfg.Producer(connectorRelation(rel, ""))
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

func (t *topicSender) letter(l *connectors.DeadLetter) {
	t.note(t.p.SendDeadLetter(context.Background(), t.dlq, l))
}

func (t *topicSender) late(row []byte) {
	t.note(t.p.Send(context.Background(), t.lateTopic, nil, row))
}

// note logs why an event did not reach its topic; it is in the store all the same.
func (t *topicSender) note(err error) {
	if err != nil {
		t.log.Warn("event not sent to its topic", "error", err)
	}
}

func (t *topicSender) close(e *Engine) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if err := t.p.Flush(ctx); err != nil {
		e.log.Warn("events not sent to their topic", "error", err)
	}
	if err := t.p.Close(); err != nil {
		e.log.Warn("producer not closed", "error", err)
	}
}
