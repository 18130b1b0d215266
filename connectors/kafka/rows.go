package kafka

import (
	"context"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/streamsql/streamsql/connectors"
	"github.com/streamsql/streamsql/exec/stream"
	"github.com/streamsql/streamsql/sql"
)

// rowWriter encodes rows and adds them to a sender: what Sink and Writer have in common.
type rowWriter struct {
	encoders *encoders
	sender   *sender
	parts    partitioner
	fold     *folder   // of an upsert sink, else nil
	looked   time.Time // when the topic's partitions were last counted
}

func newRowWriter(cfg *config, client *kgo.Client, enc *encoders, partitions int32, txnID *string) (rowWriter, error) {
	s, err := newSender(cfg, client, partitions, txnID)
	if err != nil {
		return rowWriter{}, err
	}
	w := rowWriter{looked: time.Now(), encoders: enc, sender: s, parts: partitioner{kind: cfg.partitioner, partitions: partitions}}
	if cfg.upsert {
		w.fold = newFolder()
	}
	return w, nil
}

// partitionsAge is how old the count of a topic's partitions may be.
const partitionsAge = time.Minute

// grow finds partitions that were added to the topic. It may be called between transactions. What
// fails here fails with the rows, too, and says why there.
func (w *rowWriter) grow(ctx context.Context) {
	if time.Since(w.looked) < partitionsAge {
		return
	}
	w.looked = time.Now()
	if meta, err := topicMetadata(ctx, w.sender.client, w.sender.cfg.topic); err == nil && len(meta.Partitions) > int(w.parts.partitions) {
		w.parts.partitions = int32(len(meta.Partitions))
		w.sender.grow(w.parts.partitions)
	}
}

// write adds the rows of one or more batches that belong together; the rows that cannot be encoded come back.
func (w *rowWriter) write(batches []*stream.Batch) (dead []connectors.DeadLetter, err error) {
	now := time.Now().UnixMilli()
	for _, b := range batches {
		w.encoders.bind(b)
		w.parts.nextBatch()
		for i := range b.Rows {
			key, value, err := w.encoders.row(i)
			if err != nil {
				dead = append(dead, w.encoders.refused(i, err))
				continue
			}
			if w.fold != nil {
				w.fold.add(key, value, b.Op(i))
				continue
			}
			if b.Op(i) == stream.Delete {
				return dead, sql.Errorf(sql.CodeInternal, "a delete reached the append-only sink of topic %q", w.sender.cfg.topic)
			}
			if err := w.add(key, value, now); err != nil {
				return dead, err
			}
		}
		if w.sender.waiting() >= flowBytes {
			if err := w.sender.flow(); err != nil {
				return dead, err
			}
		}
	}
	if w.fold != nil {
		if err := w.fold.drain(func(key, value []byte) error { return w.add(key, value, now) }); err != nil {
			return dead, err
		}
	}
	return dead, w.sender.flow()
}

// flowBytes is how much is encoded before the first of it is sent: a small transaction asks once for
// all its partitions, and they are written at the same time.
const flowBytes = 1 << 20

func (w *rowWriter) add(key, value []byte, now int64) error {
	return w.sender.add(w.parts.partition(key), key, value, now)
}
