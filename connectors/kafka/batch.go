package kafka

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
)

// A record batch (magic 2) on the wire, big endian:
//
//	 0 base offset        int64      23 last offset delta  int32
//	 8 length after here  int32      27 first timestamp    int64
//	12 leader epoch       int32      35 max timestamp      int64
//	16 magic              int8       43 producer id        int64
//	17 crc32c from 21 on  uint32     51 producer epoch     int16
//	21 attributes         int16      53 base sequence      int32
//	                                 57 record count       int32
//	                                 61 records, compressed as a whole
const (
	batchHeaderBytes = 61
	batchPrefixBytes = 12 // what precedes the counted length

	attrCodecMask     = 0x07
	attrLogAppendTime = 0x08
	attrTransactional = 0x10
	attrControl       = 0x20
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// batch is the header of one record batch and its records, still compressed.
type batch struct {
	base        int64
	lastDelta   int32
	leaderEpoch int32
	attrs       int16
	firstTime   int64 // milliseconds since 1970-01-01
	maxTime     int64
	producerID  int64
	count       int32
	records     []byte
}

// next is the offset after the batch. Compaction keeps it even when it removes the last records.
func (b *batch) next() int64 { return b.base + int64(b.lastDelta) + 1 }

// cutBatch cuts the first whole batch off b. It returns nil when b ends within it: a broker fills a
// response up to the byte limit without regard to batches.
func cutBatch(b []byte) (raw, rest []byte) {
	if len(b) < batchHeaderBytes {
		return nil, b
	}
	n := int64(binary.BigEndian.Uint32(b[8:])) + batchPrefixBytes
	if n > int64(len(b)) {
		return nil, b
	}
	return b[:n], b[n:]
}

// scanBatches returns the whole batches of a response, the offset after them and the leader epoch
// of the last, looking at no more than their headers.
func scanBatches(b []byte) (whole []byte, next int64, epoch int32) {
	next, epoch = -1, -1
	rest := b
	for {
		raw, r := cutBatch(rest)
		if len(raw) < batchHeaderBytes {
			return b[:len(b)-len(rest)], next, epoch
		}
		rest = r
		next = int64(binary.BigEndian.Uint64(raw)) + 1
		if raw[16] == 2 {
			next += int64(int32(binary.BigEndian.Uint32(raw[23:])))
			epoch = int32(binary.BigEndian.Uint32(raw[12:]))
		}
	}
}

// corruptError is a batch that is not what its producer wrote, or was never right.
type corruptError struct{ reason string }

func (e *corruptError) Error() string { return e.reason }

func corrupt(format string, args ...any) error {
	return &corruptError{fmt.Sprintf(format, args...)}
}

// parse reads the header of raw, a whole batch, and verifies its checksum.
func (b *batch) parse(raw []byte) error {
	if len(raw) < batchHeaderBytes {
		return corrupt("record batch of %d bytes is shorter than its header", len(raw))
	}
	be := binary.BigEndian
	b.base = int64(be.Uint64(raw))
	b.leaderEpoch = int32(be.Uint32(raw[12:]))
	b.attrs = int16(be.Uint16(raw[21:]))
	b.lastDelta = int32(be.Uint32(raw[23:]))
	b.firstTime = int64(be.Uint64(raw[27:]))
	b.maxTime = int64(be.Uint64(raw[35:]))
	b.producerID = int64(be.Uint64(raw[43:]))
	b.count = int32(be.Uint32(raw[57:]))
	b.records = raw[batchHeaderBytes:]
	if magic := raw[16]; magic != 2 {
		// The old layouts share only the offset, the length and the place of the magic byte.
		b.lastDelta, b.count = 0, 0
		return corrupt("message format %d, older than Kafka 0.11, is not supported", magic)
	}
	if got, want := crc32.Checksum(raw[21:], castagnoli), be.Uint32(raw[17:]); got != want {
		b.lastDelta = max(b.lastDelta, 0)
		return corrupt("checksum mismatch: computed %08x, stored %08x", got, want)
	}
	if b.lastDelta < 0 || b.count < 0 {
		return corrupt("record batch with %d records and last offset delta %d", b.count, b.lastDelta)
	}
	return nil
}
