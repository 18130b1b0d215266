package kafka

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// The codecs of a batch's attributes.
const (
	codecNone = iota
	codecGzip
	codecSnappy
	codecLZ4
	codecZstd
)

// maxPlainBytes bounds a batch once decompressed, so that a small bad one cannot fill the memory.
const maxPlainBytes = 256 << 20

var errTooLarge = corrupt("record batch decompresses to more than %d MiB", maxPlainBytes>>20)

// decompressor holds the codecs of one reader and the buffer that they all decompress into. It is
// used by one goroutine; what decompress returns is valid until its next call.
type decompressor struct {
	plain []byte
	src   bytes.Reader
	gzip  *gzip.Reader
	zstd  *zstd.Decoder
}

// decompress returns the records of a batch in plain. Checksums inside the codecs' own frames are
// not verified where that can be saved: the batch's CRC covers the compressed bytes.
func (d *decompressor) decompress(codec int, src []byte) ([]byte, error) {
	if codec == codecNone {
		return src, nil
	}
	out, err := d.plain[:0], error(nil)
	switch codec {
	case codecGzip:
		out, err = d.gunzip(out, src)
	case codecSnappy:
		out, err = unsnappy(out, src)
	case codecLZ4:
		out, err = unlz4(out, src)
	case codecZstd:
		out, err = d.unzstd(out, src)
	default:
		return nil, corrupt("unknown compression codec %d", codec)
	}
	if cap(out) > cap(d.plain) {
		d.plain = out[:0]
	}
	if err != nil {
		if c := (*corruptError)(nil); errors.As(err, &c) {
			return nil, err
		}
		return nil, corrupt("cannot decompress: %v", err)
	}
	return out, nil
}

func (d *decompressor) gunzip(dst, src []byte) ([]byte, error) {
	d.src.Reset(src)
	if d.gzip == nil {
		r, err := gzip.NewReader(&d.src)
		if err != nil {
			return dst, err
		}
		d.gzip = r
	} else if err := d.gzip.Reset(&d.src); err != nil {
		return dst, err
	}
	for {
		if len(dst) == cap(dst) {
			dst = grow(dst, max(4*len(src), 64<<10))
		}
		n, err := d.gzip.Read(dst[len(dst):cap(dst)])
		dst = dst[:len(dst)+n]
		if len(dst) > maxPlainBytes {
			return dst, errTooLarge
		}
		if err == io.EOF {
			return dst, nil
		}
		if err != nil {
			return dst, err
		}
	}
}

func (d *decompressor) unzstd(dst, src []byte) ([]byte, error) {
	if d.zstd == nil {
		r, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxPlainBytes))
		if err != nil {
			return dst, err
		}
		d.zstd = r
	}
	out, err := d.zstd.DecodeAll(src, dst)
	if errors.Is(err, zstd.ErrDecoderSizeExceeded) {
		err = errTooLarge
	}
	return out, err
}

// close releases what the codecs hold outside the heap.
func (d *decompressor) close() {
	if d.zstd != nil {
		d.zstd.Close()
	}
}

// xerialMagic starts the framing that Java's snappy streams write, followed by two versions: blocks
// of a length and raw snappy each. Others write one raw snappy block.
var xerialMagic = []byte{0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0}

func unsnappy(dst, src []byte) ([]byte, error) {
	if !bytes.HasPrefix(src, xerialMagic) || len(src) < 16 {
		return unsnappyBlock(dst, src)
	}
	for src = src[16:]; len(src) > 0; {
		if len(src) < 4 {
			return dst, io.ErrUnexpectedEOF
		}
		n := int64(binary.BigEndian.Uint32(src))
		if src = src[4:]; n > int64(len(src)) {
			return dst, io.ErrUnexpectedEOF
		}
		var err error
		if dst, err = unsnappyBlock(dst, src[:n]); err != nil {
			return dst, err
		}
		src = src[n:]
	}
	return dst, nil
}

func unsnappyBlock(dst, src []byte) ([]byte, error) {
	n, err := s2.DecodedLen(src)
	if err != nil {
		return dst, err
	}
	if n > 32*len(src)+64 { // snappy packs at most 64 bytes into 3: the claim is false, allocate nothing
		return dst, s2.ErrCorrupt
	}
	if n > maxPlainBytes-len(dst) {
		return dst, errTooLarge
	}
	at := len(dst)
	dst = grow(dst, n)[:at+n]
	_, err = s2.Decode(dst[at:at+n:at+n], src)
	return dst, err
}

// unlz4 reads LZ4 frames block by block. It is not lz4.Reader because that decompresses into a
// buffer of its own and copies, and computes xxHash sums that the batch's CRC makes idle.
func unlz4(dst, src []byte) ([]byte, error) {
	const magic = 0x184D2204
	for len(src) > 0 {
		if len(src) < 7 || binary.LittleEndian.Uint32(src) != magic {
			return dst, errors.New("no LZ4 frame")
		}
		flags, size := src[4], src[5]>>4&7
		if flags>>6 != 1 || size < 4 {
			return dst, errors.New("unknown LZ4 frame version or block size")
		}
		blockMax := 1 << (8 + 2*int(size))
		header := 7 // magic, flags, block size, header checksum
		if flags&8 != 0 {
			header += 8 // content size
		}
		if flags&1 != 0 {
			return dst, errors.New("LZ4 frame needs a dictionary")
		}
		if len(src) < header {
			return dst, io.ErrUnexpectedEOF
		}
		var err error
		if dst, src, err = unlz4Blocks(dst, src[header:], flags, blockMax); err != nil {
			return dst, err
		}
		if flags&4 != 0 { // content checksum
			src = src[min(4, len(src)):]
		}
	}
	return dst, nil
}

// unlz4Blocks reads blocks up to the frame's end mark and returns what follows it.
func unlz4Blocks(dst, src []byte, flags byte, blockMax int) (_, rest []byte, err error) {
	const window = 64 << 10
	independent, start := flags&0x20 != 0, len(dst)
	for {
		if len(src) < 4 {
			return dst, src, io.ErrUnexpectedEOF
		}
		head := binary.LittleEndian.Uint32(src)
		src = src[4:]
		if head == 0 {
			return dst, src, nil
		}
		n := int(head & 0x7fffffff)
		if n > len(src) || n > blockMax {
			return dst, src, io.ErrUnexpectedEOF
		}
		at := len(dst)
		if at > maxPlainBytes {
			return dst, src, errTooLarge
		}
		dst = grow(dst, blockMax)
		out, size := dst[at:at+blockMax], n
		switch {
		case head>>31 == 1: // stored
			copy(out, src[:n])
		case independent:
			size, err = lz4.UncompressBlock(src[:n], out)
		default:
			size, err = lz4.UncompressBlockWithDict(src[:n], out, dst[max(start, at-window):at])
		}
		if err != nil {
			return dst, src, err
		}
		dst, src = dst[:at+size], src[n:]
		if flags&0x10 != 0 { // block checksum
			src = src[min(4, len(src)):]
		}
	}
}

// grow returns b with room for n more bytes.
func grow(b []byte, n int) []byte {
	if cap(b)-len(b) >= n {
		return b
	}
	bigger := make([]byte, len(b), max(2*cap(b), len(b)+n))
	copy(bigger, b)
	return bigger
}
