package state

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"
)

// events takes what the storage engine reports. Pebble calls it with its own locks held, so
// messages go to a goroutine through a bounded queue: a slow log can't hold up a commit.
type events struct {
	logger  *slog.Logger
	queue   chan event
	dropped atomic.Int64
	failed  atomic.Int64 // when a flush or a compaction last failed, unix nanoseconds
	ingests atomic.Int64 // that are under way
	damaged sync.Map     // path of a damaged file → when that was last logged
	stop    sync.Once
	done    chan struct{}
}

type event struct {
	level slog.Level
	text  string
	args  []any
}

func newEvents(l *slog.Logger) *events {
	e := &events{logger: l.With("component", "state"), queue: make(chan event, 256), done: make(chan struct{})}
	go e.run()
	return e
}

func (e *events) run() {
	defer close(e.done)
	for ev := range e.queue {
		if ev.level == closeLevel {
			break
		}
		if n := e.dropped.Swap(0); n > 0 {
			e.logger.Warn("log messages dropped", "count", n)
		}
		e.logger.Log(context.Background(), ev.level, ev.text, ev.args...)
	}
}

// closeLevel marks the last event. The queue itself is never closed, because a late background
// message of Pebble must not panic.
const closeLevel = slog.Level(-1000)

// close ends the goroutine after what was queued before has been logged.
func (e *events) close() {
	e.stop.Do(func() { e.queue <- event{level: closeLevel} })
	<-e.done
}

func (e *events) post(level slog.Level, text string, args ...any) {
	select {
	case e.queue <- event{level, text, args}:
	default:
		e.dropped.Add(1)
	}
}

// Infof is routine: flushes and compactions are seen in Metrics.
func (e *events) Infof(format string, args ...any) {}

func (e *events) Errorf(format string, args ...any) {
	e.post(slog.LevelError, fmt.Sprintf(format, args...))
}

// Fatalf is called when the write-ahead log or the manifest could not be written: what is on disk
// is no longer known, so nothing more may be acknowledged, and Pebble's locks stay held. The process
// ends here, where nobody can recover a panic and go on; the next start has every acknowledged commit.
func (e *events) Fatalf(format string, args ...any) {
	e.logger.Error("state can no longer be written, the server ends", "error", fmt.Sprintf(format, args...))
	os.Exit(1)
}

func (e *events) listener() *pebble.EventListener {
	return &pebble.EventListener{
		BackgroundError: e.backgroundError,
		DataCorruption:  e.corruption,
	}
}

// backgroundError tells of flushes and compactions that begin to fail. The text alone is logged, because
// Pebble's errors print their stacks where they can.
func (e *events) backgroundError(err error) {
	now := time.Now().UnixNano()
	if last := e.failed.Swap(now); now-last > int64(time.Second) {
		e.post(slog.LevelError, "background flush or compaction failed; it is tried again", "error", err.Error())
	}
}

// corruption tells of a damaged file, each once a minute: it is met by every read of the place.
func (e *events) corruption(i pebble.DataCorruptionInfo) {
	now := time.Now()
	if last, ok := e.damaged.Load(i.Path); !ok || now.Sub(last.(time.Time)) > time.Minute {
		e.damaged.Store(i.Path, now)
		e.post(slog.LevelError, "data is corrupted", "file", i.Path, "error", i.Details.Error())
	}
	e.breatheReading()
}
