package state

import "encoding/binary"

// TableID names a table of the key space: a row table, a changelog, the state of an operator.
// The engine hands them out, and never twice.
type TableID uint32

// storeTable holds the store's own records, such as the format version.
const storeTable TableID = 0

// Shards is the number of shards that keyed state is spread over. It is part of the data format:
// a job restarts at another parallelism by moving shards between tasks, not by rewriting keys.
const Shards = 256

// prefixLen is the length of the table id and the shard in front of every key.
const prefixLen = 5

// AppendPrefix appends what every key of a table's shard starts with.
func AppendPrefix(dst []byte, id TableID, shard uint8) []byte {
	return append(binary.BigEndian.AppendUint32(dst, uint32(id)), shard)
}

// TableRange is the range [lo, hi) of all keys of a table.
func TableRange(id TableID) (lo, hi []byte) {
	return binary.BigEndian.AppendUint32(nil, uint32(id)), binary.BigEndian.AppendUint32(nil, uint32(id)+1)
}

// PrefixEnd returns the smallest key above every key that starts with prefix, nil when there is
// none (the prefix is all 0xff). The result is fresh memory.
func PrefixEnd(prefix []byte) []byte {
	end := append([]byte(nil), prefix...)
	for i := len(end) - 1; i >= 0; i-- {
		end[i]++
		if end[i] != 0 {
			return end[:i+1]
		}
	}
	return nil
}

// TableOf is the table that a key belongs to.
func TableOf(key []byte) TableID {
	if len(key) < 4 {
		return storeTable
	}
	return TableID(binary.BigEndian.Uint32(key))
}
