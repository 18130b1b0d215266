package kafka

import (
	"fmt"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/streamsql/streamsql/connectors"
	"github.com/streamsql/streamsql/connectors/format"
	"github.com/streamsql/streamsql/exec/stream"
	"github.com/streamsql/streamsql/sql"
)

// encoders turn the rows of a batch into keys and values.
type encoders struct {
	columns   []connectors.Column
	value     connectors.Encoder
	key       connectors.Encoder // nil = records have no key
	keyFields []int
	keys      stream.Batch // the key's columns of the bound batch
	batch     *stream.Batch

	keyBytes, valueBytes []byte // of the last row, reused
}

func newEncoders(cfg *config, r connectors.Relation) (*encoders, error) {
	e := &encoders{columns: r.Columns, keyFields: cfg.keyFields, keyBytes: []byte{}, valueBytes: []byte{}} // empty is not null
	for _, c := range r.Columns {
		if c.Metadata != "" {
			return nil, sql.Unsupported(fmt.Sprintf("writing the metadata column %q", c.Name), "Leave it out of the sink's columns, or declare it VIRTUAL.")
		}
	}
	var err error
	if e.value, err = format.NewEncoder(cfg.format, r.Columns, cfg.formatOptions); err != nil {
		return nil, err
	}
	if len(cfg.keyFields) == 0 {
		return e, nil
	}
	columns := make([]connectors.Column, len(cfg.keyFields))
	for i, f := range cfg.keyFields {
		columns[i] = r.Columns[f]
	}
	e.key, err = format.NewEncoder(cfg.keyFormat, columns, cfg.keyOptions)
	return e, err
}

// bind looks at a batch; row then encodes its rows.
func (e *encoders) bind(b *stream.Batch) {
	e.batch = b
	e.value.Bind(b)
	if e.key == nil {
		return
	}
	e.keys = stream.Batch{Columns: make([]arrow.Array, len(e.keyFields)), Rows: b.Rows}
	for i, f := range e.keyFields {
		e.keys.Columns[i] = b.Columns[f]
	}
	e.key.Bind(&e.keys)
}

// row encodes row i; the slices are valid until the next call. A nil key means that there are none.
func (e *encoders) row(i int) (key, value []byte, err error) {
	if e.key != nil {
		if key, err = e.key.Append(e.keyBytes[:0], i); err != nil {
			return nil, nil, err
		}
		e.keyBytes = key
	}
	if value, err = e.value.Append(e.valueBytes[:0], i); err != nil {
		return nil, nil, err
	}
	e.valueBytes = value
	return key, value, nil
}

// refused is the dead letter of row i, which cannot be encoded: its columns as they print.
func (e *encoders) refused(i int, err error) connectors.DeadLetter {
	var b strings.Builder
	for c, col := range e.batch.Columns {
		b.WriteString(map[bool]string{true: "{", false: ", "}[c == 0])
		if col.IsNull(i) {
			fmt.Fprintf(&b, "%q: null", e.columns[c].Name)
		} else {
			fmt.Fprintf(&b, "%q: %q", e.columns[c].Name, col.ValueStr(i))
		}
	}
	b.WriteString("}")
	d := connectors.DeadLetter{Time: time.Now(), Payload: []byte(b.String()), Code: sql.AsError(err).Code, Reason: err.Error()}
	if decode, ok := err.(*connectors.DecodeError); ok {
		d.Field, d.Code, d.Reason = decode.Field, decode.Code, decode.Reason
	}
	return d
}
