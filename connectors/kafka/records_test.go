package kafka

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/s2"
	"github.com/pierrec/lz4/v4"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/streamsql/streamsql/connectors"
)

// testBatch is a record batch to be written for a test.
type testBatch struct {
	base     int64
	values   []string
	offsets  []int64 // of the values relative to base; nil = 0, 1, 2 …
	last     int32   // last offset delta when above that of the last value, as compaction leaves it
	attrs    uint16
	producer int64
	control  int // 1 = an abort marker, 2 = a commit marker
	codec    func([]byte) []byte
}

func (b testBatch) bytes() []byte {
	var records []byte
	last := b.last
	for i, v := range b.values {
		delta := int64(i)
		if b.offsets != nil {
			delta = b.offsets[i]
		}
		last = max(last, int32(delta))
		records = appendRecord(records, delta, []byte("key"), []byte(v))
	}
	if b.control > 0 {
		records = appendRecord(nil, 0, []byte{0, 0, 0, byte(b.control - 1)}, []byte{0, 0, 0, 0, 0, 0})
		b.attrs |= attrControl | attrTransactional
		b.values = []string{""}
	}
	if b.codec != nil {
		records = b.codec(records)
	}
	out := make([]byte, batchHeaderBytes)
	be := binary.BigEndian
	be.PutUint64(out, uint64(b.base))
	be.PutUint32(out[8:], uint32(batchHeaderBytes-batchPrefixBytes+len(records)))
	be.PutUint32(out[12:], 5)
	out[16] = 2
	be.PutUint16(out[21:], b.attrs)
	be.PutUint32(out[23:], uint32(last))
	be.PutUint64(out[27:], 1000)
	be.PutUint64(out[35:], 2000)
	be.PutUint64(out[43:], uint64(b.producer))
	be.PutUint32(out[57:], uint32(len(b.values)))
	out = append(out, records...)
	be.PutUint32(out[17:], crc32.Checksum(out[21:], castagnoli))
	return out
}

func appendRecord(dst []byte, delta int64, key, value []byte) []byte {
	r := []byte{0}
	r = binary.AppendVarint(r, 0)
	r = binary.AppendVarint(r, delta)
	r = appendField(r, key)
	r = appendField(r, value)
	r = append(r, 0)
	return append(binary.AppendVarint(dst, int64(len(r))), r...)
}

// walkAll reads everything, as offset=value, and ?reason for what is corrupt.
func walkAll(from int64, aborted []abortedTxn, batches ...[]byte) (out string, next int64) {
	r := recordReader{codecs: &decompressor{}}
	r.reset(bytes.Join(batches, nil), from, aborted)
	var rec connectors.Record
	var got []string
	for {
		ok, err := r.read(&rec, false)
		switch {
		case err != nil:
			got = append(got, "?"+err.Error())
		case !ok:
			return strings.Join(got, " "), r.next
		default:
			got = append(got, string(rec.Value))
		}
	}
}

func TestWalkBatches(t *testing.T) {
	txn := func(b testBatch) []byte { b.attrs |= attrTransactional; return b.bytes() }
	badCRC := testBatch{base: 2, values: []string{"x"}}.bytes()
	badCRC[len(badCRC)-2] ^= 1
	oldFormat := testBatch{base: 0, values: []string{"x"}}.bytes()
	oldFormat[16] = 1
	badLength := testBatch{base: 0, values: []string{"x"}, codec: func(b []byte) []byte { b[0] = 0x7e; return b }}.bytes()
	badCodec := testBatch{base: 0, values: []string{"x"}, attrs: codecLZ4}.bytes()
	whole := testBatch{base: 2, values: []string{"c"}}.bytes()
	for _, c := range []struct {
		name    string
		from    int64
		aborted []abortedTxn
		batches [][]byte
		want    string
		next    int64
	}{
		{name: "two batches", batches: [][]byte{testBatch{values: []string{"a", "b"}}.bytes(), testBatch{base: 2, values: []string{"c"}}.bytes()}, want: "a b c", next: 3},
		{name: "a cut batch at the end", batches: [][]byte{testBatch{values: []string{"a", "b"}}.bytes(), whole[:len(whole)-1]}, want: "a b", next: 2},
		{name: "fetched within a batch", from: 1, batches: [][]byte{testBatch{values: []string{"a", "b"}}.bytes()}, want: "b", next: 2},
		{name: "compacted records", batches: [][]byte{testBatch{values: []string{"a", "b"}, offsets: []int64{3, 7}, last: 9}.bytes(), testBatch{base: 20, last: 4}.bytes()}, want: "a b", next: 25},
		{name: "aborted and committed", aborted: []abortedTxn{{producerID: 1, first: 0}}, batches: [][]byte{
			txn(testBatch{values: []string{"x"}, producer: 1}), txn(testBatch{base: 1, values: []string{"a"}, producer: 2}),
			testBatch{base: 2, values: []string{"b"}, producer: 1}.bytes(), testBatch{base: 3, producer: 1, control: 1}.bytes(),
			txn(testBatch{base: 4, values: []string{"c"}, producer: 1}), testBatch{base: 5, producer: 1, control: 2}.bytes()}, want: "a b c", next: 6},
		{name: "aborted twice", aborted: []abortedTxn{{1, 3}, {1, 0}}, batches: [][]byte{
			txn(testBatch{values: []string{"x"}, producer: 1}), testBatch{base: 1, producer: 1, control: 1}.bytes(),
			txn(testBatch{base: 2, values: []string{"a"}, producer: 2}),
			txn(testBatch{base: 3, values: []string{"y"}, producer: 1}), testBatch{base: 4, producer: 1, control: 1}.bytes()}, want: "a", next: 5},
		{name: "bad checksum", batches: [][]byte{testBatch{values: []string{"a", "b"}}.bytes(), badCRC, testBatch{base: 3, values: []string{"d"}}.bytes()}, want: "a b ?checksum d", next: 4},
		{name: "old format", batches: [][]byte{oldFormat}, want: "?message", next: 1},
		{name: "bad record", batches: [][]byte{badLength, testBatch{base: 1, values: []string{"b"}}.bytes()}, want: "?record b", next: 2},
		{name: "bad compression", batches: [][]byte{badCodec}, want: "?cannot", next: 1},
		{name: "nothing", from: 7, want: "", next: 7},
	} {
		got, next := walkAll(c.from, c.aborted, c.batches...)
		words := strings.Fields(got)
		if want := strings.Fields(c.want); len(words) < len(want) || !slices.Equal(onlyFirst(words, want), want) || next != c.next {
			t.Errorf("%s: got %q, next %d; want %q, %d", c.name, got, next, c.want, c.next)
		}
	}
}

// onlyFirst drops the words of an error after its first.
func onlyFirst(words, want []string) (out []string) {
	skipping := false
	for _, w := range words {
		if skipping && !slices.Contains(want, w) {
			continue
		}
		skipping = strings.HasPrefix(w, "?")
		out = append(out, w)
	}
	return out
}

// The framings that other producers write, beside franz-go's, which TestEveryCodec reads.
func TestFramings(t *testing.T) {
	values := []string{strings.Repeat("abc", 40_000), strings.Repeat("defg", 50_000)}
	lz4With := func(opts ...lz4.Option) func([]byte) []byte {
		return func(b []byte) []byte {
			var out bytes.Buffer
			w := lz4.NewWriter(&out)
			if err := w.Apply(append(opts, lz4.SizeOption(uint64(len(b))))...); err != nil {
				t.Fatal(err)
			}
			w.Write(b)
			w.Close()
			return out.Bytes()
		}
	}
	for name, c := range map[string]struct {
		attrs uint16
		codec func([]byte) []byte
	}{
		"snappy of Java": {codecSnappy, func(b []byte) []byte {
			out := append([]byte{}, 0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0, 0, 0, 0, 1, 0, 0, 0, 1)
			for len(b) > 0 {
				n := min(len(b), 32<<10)
				block := s2.EncodeSnappy(nil, b[:n])
				out = append(binary.BigEndian.AppendUint32(out, uint32(len(block))), block...)
				b = b[n:]
			}
			return out
		}},
		"snappy block":        {codecSnappy, func(b []byte) []byte { return s2.EncodeSnappy(nil, b) }},
		"lz4, small blocks":   {codecLZ4, lz4With(lz4.BlockSizeOption(lz4.Block64Kb))},
		"lz4, every checksum": {codecLZ4, lz4With(lz4.BlockChecksumOption(true), lz4.ChecksumOption(true))},
		"lz4, no checksum":    {codecLZ4, lz4With(lz4.ChecksumOption(false))},
		"lz4, large blocks":   {codecLZ4, lz4With(lz4.BlockSizeOption(lz4.Block4Mb), lz4.CompressionLevelOption(lz4.Level9))},
	} {
		got, _ := walkAll(0, nil, testBatch{values: values, attrs: c.attrs, codec: c.codec}.bytes())
		if got != strings.Join(values, " ") {
			t.Errorf("%s: %d bytes", name, len(got))
		}
	}
}

// What we seal, franz-go's decoder reads.
func TestSealedBatchesAreKafkas(t *testing.T) {
	for _, codec := range []int{codecNone, codecGzip, codecSnappy, codecLZ4, codecZstd} {
		compressor, err := newCompressor(codec)
		if err != nil {
			t.Fatal(err)
		}
		b := &batchBuilder{}
		b.append([]byte("k1"), []byte(strings.Repeat("v", 1000)), 1000)
		b.append(nil, []byte(strings.Repeat("v", 100)), 900)
		b.append([]byte{}, nil, 2000)
		var wire kmsg.RecordBatch
		if err := wire.ReadFrom(b.seal(nil, compressor, producerState{id: 9, epoch: 3, transactional: true}, 77)); err != nil {
			t.Fatal(err)
		}
		if got := int(wire.Attributes & attrCodecMask); got != codec {
			t.Errorf("codec %d, want %d", got, codec)
		}
		records, err := kfake.BatchRecords(wire)
		if err != nil || len(records) != 3 || wire.ProducerID != 9 || wire.ProducerEpoch != 3 || wire.FirstSequence != 77 || wire.MaxTimestamp != 2000 {
			t.Fatalf("%+v, %v", wire, err)
		}
		if r := records[1]; r.Key != nil || len(r.Value) != 100 || r.TimestampDelta64 != -100 {
			t.Errorf("second: %+v", r)
		}
		if r := records[2]; r.Key == nil || r.Value != nil || r.OffsetDelta != 2 {
			t.Errorf("third: %+v", r)
		}
	}
}

// Our frames are LZ4's, whatever is in them, and no larger than what they hold.
func TestLZ4Frames(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	noise := make([]byte, 2*lz4BlockBytes+5)
	for i := range noise {
		noise[i] = byte(r.Uint32())
	}
	text := bytes.Repeat([]byte(`{"order_id":"ord-0000000017","amount":12.34}`), 3*lz4BlockBytes/44)
	c, err := newCompressor(codecLZ4)
	if err != nil {
		t.Fatal(err)
	}
	for _, plain := range [][]byte{{}, []byte("a"), text[:100], text[:lz4BlockBytes], text[:lz4BlockBytes+1], text, noise, slices.Concat(noise, text)} {
		frame := appendLZ4([]byte("before"), plain)[6:]
		got, err := io.ReadAll(lz4.NewReader(bytes.NewReader(frame)))
		if err != nil || !bytes.Equal(got, plain) {
			t.Errorf("%d bytes: %d bytes come back, %v", len(plain), len(got), err)
		}
		if got, err := unlz4(nil, frame); err != nil || !bytes.Equal(got, plain) {
			t.Errorf("%d bytes: unlz4 gives %d bytes, %v", len(plain), len(got), err)
		}
		packed, codec := c.append([]byte("before"), plain)
		if len(packed) > 6+len(plain) || (codec == codecNone) != (len(packed) == 6+len(plain)) {
			t.Errorf("%d bytes: %d with codec %d", len(plain), len(packed)-6, codec)
		}
	}
}

// Whatever a broker sends, the walk ends, goes forward and stays within its memory.
func FuzzWalkBatches(f *testing.F) {
	f.Add(testBatch{values: []string{"a", "b"}}.bytes(), int64(0), true)
	f.Add(testBatch{base: 3, producer: 1, control: 1}.bytes(), int64(3), true)
	f.Add(testBatch{values: []string{"a"}, attrs: codecSnappy, codec: func(b []byte) []byte { return s2.EncodeSnappy(nil, b) }}.bytes(), int64(0), true)
	lz := testBatch{values: []string{strings.Repeat("a", 100)}, attrs: codecLZ4, codec: func(b []byte) []byte {
		var out bytes.Buffer
		w := lz4.NewWriter(&out)
		w.Write(b)
		w.Close()
		return out.Bytes()
	}}
	f.Add(lz.bytes(), int64(0), true)
	f.Fuzz(func(t *testing.T, b []byte, from int64, fixCRC bool) {
		if fixCRC && len(b) >= batchHeaderBytes {
			b = slices.Clone(b)
			binary.BigEndian.PutUint32(b[17:], crc32.Checksum(b[21:], castagnoli))
		}
		r := recordReader{codecs: &decompressor{}}
		whole, _, _ := scanBatches(b)
		r.reset(whole, from, []abortedTxn{{1, from}})
		var rec connectors.Record
		for n, next := 0, r.next; n < 1_000_000; n++ {
			ok, err := r.read(&rec, false)
			if c := (*corruptError)(nil); err != nil && !errors.As(err, &c) {
				t.Fatalf("an error that is no corruptError: %v", err)
			}
			if r.next < next {
				t.Fatalf("went back from %d to %d", next, r.next)
			}
			next = r.next
			if !ok && err == nil {
				return
			}
		}
		t.Fatal("no end")
	})
}
