package kafka

import (
	"cmp"
	"encoding/binary"
	"slices"

	"github.com/streamsql/streamsql/connectors"
)

// abortedTxn is an aborted transaction of a response: the records of the producer from first on, up
// to the producer's next abort marker, are not to be seen.
type abortedTxn struct {
	producerID int64
	first      int64
}

// recordReader walks the record batches of one partition's fetch response in place.
//
// State: `rest` are the batches not opened yet; `plain` the records of the open batch not walked
// yet, which alias the decompressor's buffer: only one recordReader of a decompressor may be inside
// a batch at a time.
type recordReader struct {
	codecs  *decompressor
	rest    []byte
	from    int64 // records before this offset were not asked for
	next    int64 // the offset after everything walked or stepped across
	epoch   int32 // the leader epoch of the last opened batch, -1 before
	aborted []abortedTxn
	hidden  []int64 // producers whose open transaction is known to be aborted

	cur   batch
	plain []byte
	left  int32 // records of cur not walked yet
}

// reset starts on a response to a fetch from offset `from`.
func (r *recordReader) reset(batches []byte, from int64, aborted []abortedTxn) {
	slices.SortFunc(aborted, func(a, b abortedTxn) int { return cmp.Compare(a.first, b.first) })
	*r = recordReader{codecs: r.codecs, rest: batches, from: from, next: from, epoch: -1, aborted: aborted, hidden: r.hidden[:0]}
}

// inBatch tells whether a batch is open and not walked to its end.
func (r *recordReader) inBatch() bool { return r.left > 0 }

// read puts the next visible record into rec. With inside set it stays within the open batch. It
// returns false at the end. After a *corruptError the rest of the batch is stepped across.
func (r *recordReader) read(rec *connectors.Record, inside bool) (bool, error) {
	for {
		for r.left > 0 {
			if err := r.walk(rec); err != nil {
				r.left, r.next = 0, max(r.next, r.cur.next())
				return false, err
			}
			if rec.Offset >= r.from {
				return true, nil
			}
		}
		if inside || len(r.rest) == 0 {
			return false, nil
		}
		if err := r.open(); err != nil {
			r.left, r.next = 0, max(r.next, r.cur.next())
			return false, err
		}
	}
}

// open starts on the next batch; one that holds nothing visible is left with no records to walk.
func (r *recordReader) open() error {
	raw, rest := cutBatch(r.rest)
	r.rest = rest
	if raw == nil {
		r.rest = nil
		return nil
	}
	if err := r.cur.parse(raw); err != nil {
		return err
	}
	r.epoch = r.cur.leaderEpoch
	r.revealAborted()
	if r.cur.attrs&attrControl != 0 {
		r.control()
		r.next = max(r.next, r.cur.next())
		return nil
	}
	hidden := r.cur.attrs&attrTransactional != 0 && slices.Contains(r.hidden, r.cur.producerID)
	if hidden || r.cur.count == 0 || r.cur.next() <= r.from {
		r.next = max(r.next, r.cur.next())
		return nil
	}
	plain, err := r.codecs.decompress(int(r.cur.attrs&attrCodecMask), r.cur.records)
	if err != nil {
		return err
	}
	r.plain, r.left = plain, r.cur.count
	return nil
}

// revealAborted hides the producers whose aborted transactions start within or before this batch.
func (r *recordReader) revealAborted() {
	for len(r.aborted) > 0 && r.aborted[0].first < r.cur.next() {
		if id := r.aborted[0].producerID; !slices.Contains(r.hidden, id) {
			r.hidden = append(r.hidden, id)
		}
		r.aborted = r.aborted[1:]
	}
}

// control reads a control batch: an abort marker ends the producer's aborted transaction. Markers
// are never compressed and are alone in their batch; their key is a version and a type (0 = abort).
func (r *recordReader) control() {
	var rec connectors.Record
	r.plain, r.left = r.cur.records, r.cur.count
	if r.left > 0 && r.walk(&rec) == nil && len(rec.Key) >= 4 && binary.BigEndian.Uint16(rec.Key[2:]) == 0 {
		if i := slices.Index(r.hidden, r.cur.producerID); i >= 0 {
			r.hidden = slices.Delete(r.hidden, i, i+1)
		}
	}
	r.left = 0
}

// walk reads the record at the front of plain:
//
//	length, attributes (1 byte), timestamp delta, offset delta,
//	key length, key, value length, value, header count, headers
//
// all numbers being zigzag varints, and a length of −1 meaning null.
func (r *recordReader) walk(rec *connectors.Record) error {
	b := r.plain
	size, i := varint(b, 0)
	if i < 0 || size < 0 || size > int64(len(b)-i) {
		return r.broken("length")
	}
	r.plain = b[i+int(size):]
	b = b[: i+int(size) : i+int(size)]
	dt, i := varint(b, i+1)
	if i < 0 {
		return r.broken("timestamp")
	}
	do, i := varint(b, i)
	if i < 0 || do < 0 || do > int64(r.cur.lastDelta) {
		return r.broken("offset")
	}
	if rec.Key, i = field(b, i); i < 0 {
		return r.broken("key")
	}
	if rec.Value, i = field(b, i); i < 0 {
		return r.broken("value")
	}
	rec.Headers = b[i:]
	rec.Offset = r.cur.base + do
	rec.Timestamp = r.cur.firstTime + dt
	if r.cur.attrs&attrLogAppendTime != 0 {
		rec.Timestamp = r.cur.maxTime
	}
	r.left--
	r.next = max(r.next, rec.Offset+1)
	if r.left == 0 {
		r.next = max(r.next, r.cur.next())
	}
	return nil
}

func (r *recordReader) broken(what string) error {
	return corrupt("record %d of %d has a bad %s", r.cur.count-r.left+1, r.cur.count, what)
}

// field reads a length and that many bytes at b[i:]; it returns an index below 0 when b is too short.
func field(b []byte, i int) ([]byte, int) {
	n, i := varint(b, i)
	if i < 0 || n > int64(len(b)-i) {
		return nil, -1
	}
	if n < 0 {
		return nil, i
	}
	end := i + int(n)
	return b[i:end:end], end
}

// varint reads a zigzag varint at b[i:] and returns it with the index after it, −1 when there is
// none. Most numbers in a record are one byte or two: these need no loop.
func varint(b []byte, i int) (int64, int) {
	if i < len(b) && b[i] < 0x80 {
		return int64(b[i]>>1) ^ -int64(b[i]&1), i + 1
	}
	if i+1 < len(b) && b[i+1] < 0x80 {
		v := int64(b[i]&0x7f) | int64(b[i+1])<<7
		return v>>1 ^ -(v & 1), i + 2
	}
	var v uint64
	for shift := uint(0); shift < 64; shift += 7 {
		if i >= len(b) {
			return 0, -1
		}
		c := b[i]
		i++
		v |= uint64(c&0x7f) << shift
		if c < 0x80 {
			return int64(v>>1) ^ -int64(v&1), i
		}
	}
	return 0, -1
}
