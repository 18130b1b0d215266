// Package connectors defines what a connector gives the engine: a Source that is a set of logs with
// positions, a Sink that takes committed epochs, and the formats between bytes and columns.
//
//	Source ─ Splits ─▶ Reader ─ Chunk{rows, position after them, undecodable records} ─▶ job
//	job ─ committed epochs ─▶ Sink (rows and "delivered up to epoch N" in one transaction)
//
// Invariants:
//   - A Reader is handed back only positions that it gave out, and resumes exactly there.
//   - A record that cannot be decoded is in Chunk.Dead and counted in its position: never dropped.
//   - A Sink that returned nil from Deliver has the rows and the epoch durably, or neither.
package connectors

import (
	"context"
	"time"

	"github.com/streamsql/streamsql/exec/stream"
	"github.com/streamsql/streamsql/sql"
)

// Position is where a split is to be read next.
type Position struct {
	Offset      int64 // a Kafka offset, or an epoch of a changelog
	LeaderEpoch int32 // Kafka's leader epoch of the last record before Offset, to notice truncation; -1 = unknown
}

// Split is one log of a source: a Kafka partition, a changelog.
type Split struct {
	Topic     string
	Partition int32
	Start     Position // where to read first; for a restart, the committed position
	End       int64    // read up to this offset, exclusive; -1 = for ever
}

// Source opens a stream for reading. It is safe for concurrent use.
type Source interface {
	// Splits lists the logs as they are now, with the start that the options ask for and, when
	// bounded, today's end. It is called again from time to time to find new ones.
	Splits(ctx context.Context, bounded bool) ([]Split, error)
	// Open reads the splits. Each is read from its Start. Add gives the reader more of them later.
	Open(ctx context.Context, splits []Split) (Reader, error)
	Close() error
}

// OffsetCommitter is a Source that can note positions where the tools of its own world look for lag:
// a Kafka consumer group. The engine's positions live in its epochs; nothing depends on these.
type OffsetCommitter interface {
	// CommitOffsets notes each split's Start as the group's position, best effort.
	CommitOffsets(ctx context.Context, group string, positions []Split) error
}

// Reader reads some splits of a source on behalf of one task. Only that task's goroutine calls it;
// fetching goes on behind it.
type Reader interface {
	// Ready receives when Poll may return something again, after it has returned nil. It has capacity 1;
	// it is nil for what is at hand as a whole.
	Ready() <-chan struct{}
	// Poll returns the next chunk without waiting, or nil. Decoding happens here, in the caller's
	// goroutine. The chunk's memory belongs to the caller. Errors are final: the job restarts.
	Poll() (*Chunk, error)
	// Add gives the reader a new split.
	Add(s Split) error
	// Status tells, for streamsql.sources, where each split stands.
	Status() []SplitStatus
	Close() error
}

// Chunk is what a reader hands over at a time: rows of one split, in order.
type Chunk struct {
	Topic     string
	Partition int32
	Batch     *stream.Batch // decoded rows, nil when there are none
	Next      Position      // the position after everything in the chunk, dead letters and gaps included
	Records   int64         // records read, dead ones included
	Bytes     int64         // payload bytes read
	Timestamp int64         // the largest record timestamp, milliseconds since 1970-01-01; 0 = unknown
	Dead      []DeadLetter  // records that could not be decoded
	Done      bool          // the split has reached its End
}

// SplitStatus is a row of streamsql.sources. Position and End count what the log's offsets do: records of
// a topic, epochs of a changelog.
type SplitStatus struct {
	Topic     string
	Partition int32
	Position  int64  // the next offset to hand over
	End       int64  // the log's end as last seen; -1 = unknown
	Error     string // what the split is waiting for, or empty
}

// DeadLetter is a record or a row that could not be handled. Payload and Key are its own memory.
type DeadLetter struct {
	Time      time.Time
	Job       string // that met it; filled in by the engine
	Topic     string // empty for a row refused by an expression or a sink
	Partition int32
	Offset    int64
	Key       []byte
	Payload   []byte // the record's value, or the row as JSON
	Field     string // the column or the path inside the record; may be empty
	Code      string // SQLSTATE
	Reason    string
}

// Sink delivers committed epochs of a job to a target. One goroutine calls it.
type Sink interface {
	// Delivered returns the last epoch that the target holds. marked is false when the target says
	// nothing about it: it was never written to, or it forgets.
	Delivered(ctx context.Context) (epoch uint64, marked bool, err error)
	// Deliver writes the batches, all rows of the epochs up to and including `epoch` that were not
	// delivered before, and the epoch's number, in one transaction. Rows that the target refuses are
	// left out and handed to refused before the transaction is committed, if there are any; when it
	// returns an error, the transaction is given up. They are dead letters once the target holds the
	// epoch, and only then: with an unknown outcome, Delivered tells.
	Deliver(ctx context.Context, epoch uint64, batches []*stream.Batch, refused Refused) error
	Close() error
}

// Refused takes the rows that a target refuses.
type Refused func([]DeadLetter) error

// Marker is a Sink whose mark can be written by itself: to renew one that the target might forget, or
// to say that the target is taken as it is.
type Marker interface {
	// Mark makes epoch the last that the target holds, whatever it held before.
	Mark(ctx context.Context, epoch uint64) error
}

// Identified is a Sink whose target may be another in the same place, or forget the mark. It is a
// Marker, too, and makes no mark before it is told to mark or to deliver.
type Identified interface {
	// Identity names the target: it is another after the target was deleted and created again.
	Identity(ctx context.Context) (string, error)
}

// Writer writes rows at least once, as they come, before their epoch is committed.
type Writer interface {
	// Write takes rows over; it may return before they are at the target.
	Write(ctx context.Context, b *stream.Batch) ([]DeadLetter, error)
	// Flush returns once everything written before is at the target, with what was refused since.
	Flush(ctx context.Context) ([]DeadLetter, error)
	Close() error
}

// AsyncWriter is a Writer that goes on while its target confirms what was written before.
type AsyncWriter interface {
	Writer
	// Confirm returns a function that returns once everything written before Confirm is at the target,
	// with what was refused of it. It may be called in any goroutine, while more is written.
	Confirm() func(ctx context.Context) ([]DeadLetter, error)
}

// Relation is what a connector is asked to bind to: a CREATE TABLE, SOURCE or SINK with its options.
type Relation struct {
	Name    string
	Columns []Column
	Key     []int             // the primary key's columns, nil = none
	Options map[string]string // WITH options, keys in lower case, plus the FORMAT/ENCODE clause as 'format' and 'format.…'
	Job     string            // the job's stable name, for transactional ids and consumer groups; empty at CREATE
	Epoch   uint64            // of a Sink: the job's last committed epoch. A target that holds more is not taken from who made it

	// Confirmed is of a Sink the last epoch that the target is known to have held. One that holds less has
	// forgotten something; its mark is left as it is, as it may remember.
	Confirmed uint64
}

// Column is a column of a connector's relation: a field of the decoded value, or metadata.
type Column struct {
	sql.Column
	Metadata string // "" = a field of the value; else key, partition, offset, timestamp, headers, topic, timestamp-type
	Path     string // the field's name in the record when it is not the column's
}

// Field is the name of the column's field in a record.
func (c *Column) Field() string {
	if c.Path != "" {
		return c.Path
	}
	return c.Name
}

// Notice is told to the client as a NOTICE.
type Notice func(message string)

// Connector is one kind of connector; cmd/streamsql lists them. Unknown or wrong options are
// errors (22023) that suggest the nearest known name.
type Connector interface {
	// Name is the value of the option `connector`.
	Name() string
	// Validate checks a relation at CREATE, without touching the network.
	Validate(r Relation, sink bool) error
	// Source binds r for reading the columns `needed` (indexes into r.Columns, ascending, perhaps none):
	// batches have exactly these, in this order.
	Source(ctx context.Context, r Relation, needed []int) (Source, error)
	// Sink binds r for writing whole rows, exactly once.
	Sink(ctx context.Context, r Relation, notice Notice) (Sink, error)
	// Writer binds r for writing whole rows, at least once.
	Writer(ctx context.Context, r Relation, notice Notice) (Writer, error)
	// AppendOnly tells whether a sink of r refuses deletes, so that the planner demands an append-only query.
	AppendOnly(r Relation) bool
}

// Checker is a Connector that can see at CREATE whether a sink, or a table that is only written, fits its
// target, and that creates there what the options ask for. With r.Job empty there is no job yet.
type Checker interface {
	Check(ctx context.Context, r Relation, notice Notice) error
}

// Forgetter is a Connector that keeps something in the target for a job, and removes it when the job is
// dropped.
type Forgetter interface {
	Forget(ctx context.Context, r Relation) error
}

// WriteOnly is a Connector whose relations can't be read. It says what is not supported.
type WriteOnly interface{ WriteOnly() string }
