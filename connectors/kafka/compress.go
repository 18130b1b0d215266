package kafka

import (
	"bytes"
	"encoding/binary"

	"github.com/pierrec/lz4/v4"
	"github.com/twmb/franz-go/pkg/kgo"
)

// compressor packs the records of batches. It is safe for concurrent use.
type compressor struct {
	codec int
	other kgo.Compressor // of the codecs that are not our own
}

func newCompressor(codec int) (*compressor, error) {
	codecs := map[int]kgo.CompressionCodec{codecGzip: kgo.GzipCompression(), codecSnappy: kgo.SnappyCompression(), codecZstd: kgo.ZstdCompression()}
	c := &compressor{codec: codec}
	var err error
	if other, ok := codecs[codec]; ok {
		c.other, err = kgo.DefaultCompressor(other)
	}
	return c, err
}

// append appends plain to dst, compressed if that makes it smaller, and returns the codec used.
func (c *compressor) append(dst, plain []byte) (_ []byte, codec int) {
	at := len(dst)
	switch {
	case c.codec == codecLZ4:
		dst = appendLZ4(dst, plain)
	case c.other != nil:
		packed, _ := c.other.Compress(bytes.NewBuffer(nil), plain)
		dst = append(dst, packed...)
	}
	if n := len(dst) - at; n == 0 || n >= len(plain) {
		return append(dst[:at], plain...), codecNone
	}
	return dst, c.codec
}

// lz4Header starts a frame: magic, version 1 with independent blocks, blocks of at most 1 MiB, and the
// second byte of the xxHash of these two. There are no checksums of content: the batch has its CRC.
var lz4Header = []byte{0x04, 0x22, 0x4d, 0x18, 0x60, 0x60, 0x51}

const lz4BlockBytes = 1 << 20

// appendLZ4 appends plain as one LZ4 frame. It is not lz4.Writer because that copies what it is
// given into blocks, and these into buffers, of 4 MiB each.
func appendLZ4(dst, plain []byte) []byte {
	dst = append(dst, lz4Header...)
	for len(plain) > 0 {
		block := plain[:min(len(plain), lz4BlockBytes)]
		plain = plain[len(block):]
		at := len(dst) + 4
		dst = grow(dst, 4+lz4.CompressBlockBound(len(block)))
		n, err := lz4.CompressBlock(block, dst[at:cap(dst)], nil)
		head := uint32(n)
		if err != nil || n == 0 || n >= len(block) { // it does not shrink: stored
			n = copy(dst[at:cap(dst)], block)
			head = uint32(n) | 1<<31
		}
		dst = binary.LittleEndian.AppendUint32(dst, head)[:at+n]
	}
	return append(dst, 0, 0, 0, 0) // the end mark
}
