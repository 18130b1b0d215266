package kafka

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"github.com/streamsql/streamsql/connectors"
	"github.com/streamsql/streamsql/sql"
)

const (
	maxDeadPayload = 1 << 20  // what a dead letter keeps of a payload
	maxDeadBytes   = 16 << 20 // of dead letters in a chunk, which then ends
)

// undecodable does what on-error says about a record; it returns the bytes that the chunk has grown by.
func (r *reader) undecodable(c *connectors.Chunk, rec *connectors.Record, err error) (int, error) {
	d := connectors.DeadLetter{Time: time.Now(), Topic: c.Topic, Partition: c.Partition, Offset: rec.Offset,
		Code: sql.CodeInvalidText, Reason: err.Error()}
	var decode *connectors.DecodeError
	if errors.As(err, &decode) {
		d.Field, d.Code, d.Reason = decode.Field, decode.Code, decode.Reason
	}
	return r.bury(c, d, rec.Key, rec.Value)
}

// corrupt does the same about what is left of a record batch that cannot be walked.
func (r *reader) corrupt(c *connectors.Chunk, p *partition, err error) (int, error) {
	b := &p.walk.cur
	c.Records++ // the batch: how many records it held is not to be trusted
	return r.bury(c, connectors.DeadLetter{Time: time.Now(), Topic: c.Topic, Partition: c.Partition, Offset: b.base,
		Code: dataCorrupted, Reason: fmt.Sprintf("record batch of offsets %d to %d is corrupt: %v", b.base, b.next()-1, err)}, nil, b.records)
}

// bury adds a dead letter with its own copies of key and payload, which alias the reader's buffers.
func (r *reader) bury(c *connectors.Chunk, d connectors.DeadLetter, key, payload []byte) (int, error) {
	switch r.cfg.onError {
	case onErrorSkip:
		return 0, nil
	case onErrorFail:
		what := d.Reason
		if d.Field != "" {
			what = fmt.Sprintf("field %q: %s", d.Field, d.Reason)
		}
		return 0, sql.Errorf(d.Code, "could not decode the record at offset %d of %s/%d: %s", d.Offset, d.Topic, d.Partition, what).
			WithHint("Set the option \"on-error\" to 'dead-letter' or 'skip' to go on without such records.")
	}
	d.Key = bytes.Clone(key[:min(len(key), maxDeadPayload)])
	d.Payload = bytes.Clone(payload[:min(len(payload), maxDeadPayload)])
	c.Dead = append(c.Dead, d)
	return len(d.Key) + len(d.Payload), nil
}
