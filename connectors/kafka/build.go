package kafka

import (
	"encoding/binary"
	"hash/crc32"
)

// batchBuilder gathers the records of one record batch, in the wire form but not compressed yet.
type batchBuilder struct {
	plain     []byte
	count     int32
	firstTime int64 // milliseconds since 1970-01-01
	maxTime   int64
}

// recordOverhead bounds what a record takes beyond its key and value.
const recordOverhead = 5 + 1 + 10 + 5 + 5 + 5 + 1

// append adds a record; a nil key or value is Kafka's null.
func (b *batchBuilder) append(key, value []byte, time int64) {
	if b.count == 0 {
		b.firstTime, b.maxTime = time, time
	}
	b.maxTime = max(b.maxTime, time)
	dt, do := time-b.firstTime, int64(b.count)
	size := 1 + varintBytes(dt) + varintBytes(do) + fieldBytes(key) + fieldBytes(value) + 1
	p := binary.AppendVarint(b.plain, int64(size))
	p = append(p, 0) // attributes, of which there are none
	p = binary.AppendVarint(p, dt)
	p = binary.AppendVarint(p, do)
	p = appendField(p, key)
	p = appendField(p, value)
	b.plain = append(p, 0) // headers
	b.count++
}

func appendField(p, f []byte) []byte {
	if f == nil {
		return append(p, 1) // −1
	}
	return append(binary.AppendVarint(p, int64(len(f))), f...)
}

func fieldBytes(f []byte) int {
	if f == nil {
		return 1
	}
	return varintBytes(int64(len(f))) + len(f)
}

func varintBytes(v int64) int {
	u, n := uint64(v)<<1^uint64(v>>63), 1
	for ; u >= 0x80; u >>= 7 {
		n++
	}
	return n
}

// split halves a batch of two records or more, for a topic that finds it too large.
func (b *batchBuilder) split() (first, second *batchBuilder) {
	first, second = &batchBuilder{}, &batchBuilder{}
	half := b.count / 2
	b.each(func(i int32, key, value []byte, time int64) {
		if i < half {
			first.append(key, value, time)
		} else {
			second.append(key, value, time)
		}
	})
	return first, second
}

// each walks the records.
func (b *batchBuilder) each(f func(i int32, key, value []byte, time int64)) {
	rest := b.plain
	for i := range b.count {
		size, at := varint(rest, 0)
		r := rest[at : at+int(size)]
		rest = rest[at+int(size):]
		dt, at := varint(r, 1)
		_, at = varint(r, at)
		key, at := field(r, at)
		value, _ := field(r, at)
		f(i, key, value, b.firstTime+dt)
	}
}

// producerState is what a broker knows a producer by.
type producerState struct {
	id            int64
	epoch         int16
	transactional bool
}

// seal writes the batch as it goes into a produce request, into dst's memory.
func (b *batchBuilder) seal(dst []byte, c *compressor, ps producerState, sequence int32) []byte {
	out := append(dst[:0], make([]byte, batchHeaderBytes)...)
	out, codec := c.append(out, b.plain)
	be := binary.BigEndian
	be.PutUint32(out[8:], uint32(len(out)-batchPrefixBytes))
	be.PutUint32(out[12:], 0xffffffff) // the leader epoch, which the broker writes
	out[16] = 2
	attrs := uint16(codec)
	if ps.transactional {
		attrs |= attrTransactional
	}
	be.PutUint16(out[21:], attrs)
	be.PutUint32(out[23:], uint32(b.count-1))
	be.PutUint64(out[27:], uint64(b.firstTime))
	be.PutUint64(out[35:], uint64(b.maxTime))
	be.PutUint64(out[43:], uint64(ps.id))
	be.PutUint16(out[51:], uint16(ps.epoch))
	be.PutUint32(out[53:], uint32(sequence))
	be.PutUint32(out[57:], uint32(b.count))
	be.PutUint32(out[17:], crc32.Checksum(out[21:], castagnoli))
	return out
}
