// Package kafka reads Kafka topics as logs with positions and delivers epochs to them exactly once.
// franz-go gives connections, metadata, SASL, TLS and typed requests; what lies between a fetch
// response and a column, and between a column and a produce request, is ours, so that no object is
// made for a record.
//
//	Source ─ Splits ─▶ reader ─▶ one fetcher a broker ─ fetch responses ─▶ queue of each partition
//	reader.Poll: queue ─ batchReader (CRC, decompress, walk in place) ─▶ format decoder ─▶ Chunk
//	Sink.Deliver: rows ─ encoder ─▶ a record batch a partition ─┐
//	              marker "epoch N" (an offset commit) ──────────┴─▶ one Kafka transaction
//
// Invariants:
//   - A position is an offset that the reader has handed over or stepped across (a control batch, an
//     aborted record, a compaction gap). It goes back only where on-offset-gone allows it and the log
//     was truncated or created anew.
//   - Only the task's goroutine decodes; only a fetcher's goroutine talks to its broker. They share a
//     partition's queue, under the reader's lock.
//   - Rows of an epoch and its marker are in the same transaction. After an unknown outcome the marker,
//     read with require-stable, is the only truth.
//   - Secrets (passwords, keys) are in no error, log line or status.
package kafka
