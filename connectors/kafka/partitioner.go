package kafka

import "encoding/binary"

// partitioner chooses the partition of a row, as Kafka's own producer would: by the hash of its key,
// so that every producer of a topic agrees; rows without a key go round, a batch of rows at a time.
type partitioner struct {
	kind       string // of the option sink.partitioner
	partitions int32
	turn       int32
}

// nextBatch moves the rows without a key on to another partition.
func (p *partitioner) nextBatch() {
	if p.turn++; p.turn >= p.partitions {
		p.turn = 0
	}
}

func (p *partitioner) partition(key []byte) int32 {
	switch {
	case p.kind == "fixed":
		return 0
	case key == nil || p.kind == "round-robin":
		return p.turn
	}
	return int32(murmur2(key)&0x7fffffff) % p.partitions
}

// murmur2 is the hash of Kafka's default partitioner (Austin Appleby's MurmurHash2, 32 bits, with
// Kafka's seed).
func murmur2(b []byte) uint32 {
	const (
		seed = 0x9747b28c
		m    = 0x5bd1e995
	)
	h := seed ^ uint32(len(b))
	for ; len(b) >= 4; b = b[4:] {
		k := binary.LittleEndian.Uint32(b) * m
		h = h*m ^ (k^k>>24)*m
	}
	switch len(b) {
	case 3:
		h ^= uint32(b[2]) << 16
		fallthrough
	case 2:
		h ^= uint32(b[1]) << 8
		fallthrough
	case 1:
		h = (h ^ uint32(b[0])) * m
	}
	h = (h ^ h>>13) * m
	return h ^ h>>15
}
