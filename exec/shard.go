package exec

import (
	"github.com/apache/arrow-go/v18/arrow"

	"github.com/streamsql/streamsql/exec/stream"
	"github.com/streamsql/streamsql/sql"
)

// hashRows hashes the key columns of every row into dst, which is reused.
func hashRows(dst []uint64, b *stream.Batch, keys []int, types []sql.Type) []uint64 {
	cols, ts := make([]arrow.Array, len(keys)), make([]sql.Type, len(keys))
	for i, k := range keys {
		cols[i], ts[i] = b.Columns[k], types[k]
	}
	return hashColumns(dst, cols, ts, b.Rows)
}

func hashColumns(dst []uint64, cols []arrow.Array, types []sql.Type, n int) []uint64 {
	if cap(dst) < n {
		dst = make([]uint64, n, n+n/4)
	}
	dst = dst[:n]
	stream.HashColumns(dst, cols, types)
	return dst
}
