package connectors

import (
	"github.com/streamsql/streamsql/exec/stream"
	"github.com/streamsql/streamsql/sql"
)

// Record is one undecoded record; its slices alias the reader's buffer and are valid only during
// the call they are passed to. Readers keep one Record and overwrite it: none is made per record.
type Record struct {
	Key, Value []byte // nil = null
	Partition  int32
	Offset     int64
	Timestamp  int64  // milliseconds since 1970-01-01
	Headers    []byte // the wire form: count, then pairs; decoded only when a column wants them
	Topic      string
}

// Decoder turns values into columns. It is made for one schema and used by one goroutine.
type Decoder interface {
	// Decode appends one row for r. On an error no row is appended (what was written of it is
	// undone) and the error says which field is to blame: a *DecodeError.
	Decode(r *Record) error
	// Rows is the number of rows held.
	Rows() int
	// Flush returns the rows held, nil when there are none, and starts anew.
	Flush() *stream.Batch
}

// DecodeError is why a record could not be decoded.
type DecodeError struct {
	Field  string // path of the field, a.b[3]; empty when the record as a whole is broken
	Code   string // SQLSTATE
	Reason string
}

func (e *DecodeError) Error() string {
	if e.Field == "" {
		return e.Reason
	}
	return e.Field + ": " + e.Reason
}

// NewDecodeError is err, said of the field.
func NewDecodeError(field string, err error) *DecodeError {
	e := sql.AsError(err)
	return &DecodeError{Field: field, Code: e.Code, Reason: e.Message}
}

// NullViolation is the error of a NULL in a NOT NULL column.
func NullViolation(column string) *DecodeError {
	return &DecodeError{Field: column, Code: sql.CodeNotNullViolation,
		Reason: "null value in column \"" + column + "\" violates not-null constraint"}
}

// Encoder turns rows into values. It is made for one schema and used by one goroutine.
type Encoder interface {
	// Bind looks at the batch's columns; Append then encodes its rows.
	Bind(b *stream.Batch)
	// Append appends the encoding of row i of the bound batch to dst.
	Append(dst []byte, i int) ([]byte, error)
}
