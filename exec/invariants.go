//go:build invariants

package exec

import (
	"fmt"
	"hash/maphash"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/streamsql/streamsql/exec/stream"
	"github.com/streamsql/streamsql/sql"
)

// checker checks what an operator or a source emits, in builds with the tag invariants: the number and
// the types of the columns, their lengths, the operations, and that a batch is not written to after it
// was emitted, be it by whoever gets it: others may have it too. A violation is a bug and panics.
type checker struct {
	name   string
	types  []sql.Type
	last   *stream.Batch // the batch before, with what it hashed to
	digest uint64
}

var checkSeed = maphash.MakeSeed()

// newChecker makes the checker for what comes out of an operator.
func newChecker(spec *OperatorSpec) *checker {
	return &checker{name: spec.Name, types: spec.Out.Types()}
}

func (c *checker) batch(_ int, b *stream.Batch) {
	if c.last != nil && digest(c.last) != c.digest {
		panic(fmt.Sprintf("a batch of %s was changed after it was emitted", c.name))
	}
	if len(b.Columns) != len(c.types) {
		panic(fmt.Sprintf("%s emitted %d columns instead of %d", c.name, len(b.Columns), len(c.types)))
	}
	if b.Ops != nil && len(b.Ops) != b.Rows {
		panic(fmt.Sprintf("%s emitted %d operations for %d rows", c.name, len(b.Ops), b.Rows))
	}
	for i, col := range b.Columns {
		if col.Len() != b.Rows {
			panic(fmt.Sprintf("%s emitted a column of %d rows in a batch of %d", c.name, col.Len(), b.Rows))
		}
		if want := c.types[i].Arrow(); !arrow.TypeEqual(col.DataType(), want) {
			panic(fmt.Sprintf("%s emitted %s in column %d, which is %s", c.name, col.DataType(), i, want))
		}
	}
	for i := range b.Rows {
		if op := b.Op(i); op != stream.Insert && op != stream.Delete {
			panic(fmt.Sprintf("%s emitted operation %d", c.name, op))
		}
	}
	c.last, c.digest = b, digest(b)
}

// digest hashes the memory behind a batch.
func digest(b *stream.Batch) uint64 {
	var h maphash.Hash
	h.SetSeed(checkSeed)
	for _, op := range b.Ops {
		h.WriteByte(byte(op))
	}
	for _, col := range b.Columns {
		hashData(&h, col.Data())
	}
	return h.Sum64()
}

func hashData(h *maphash.Hash, d arrow.ArrayData) {
	for _, buf := range d.Buffers() {
		if buf != nil {
			h.Write(buf.Bytes())
		}
	}
	for _, kid := range d.Children() {
		hashData(h, kid)
	}
}
