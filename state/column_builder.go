package state

import (
	"encoding/binary"
	"math"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/streamsql/streamsql/exec/stream"
	"github.com/streamsql/streamsql/sql"
)

// columnBuilder is a vector's counterpart: it reads encoded values, and its typed slices become
// an Arrow column. After finish it begins with slices as large as the last ones, because those
// now belong to the column.
type columnBuilder struct {
	t       sql.Type
	layout  layout
	rows    int
	nulls   int
	hint    int // rows of the last column, and its bytes
	bytes   int
	valid   stream.Bitmap // nil until there is a NULL
	bits    stream.Bitmap
	i16     []int16
	i32     []int32
	i64     []int64
	f32     []float32
	f64     []float64
	d128    []dec128
	d256    []dec256
	ivs     []sql.IntervalValue
	uuids   []sql.UUIDValue
	offsets []int32
	data    []byte
	kids    []columnBuilder
}

func newColumnBuilder(t sql.Type) columnBuilder {
	b := columnBuilder{t: t, layout: layoutOf(t)}
	for _, c := range children(t) {
		b.kids = append(b.kids, newColumnBuilder(c))
	}
	return b
}

// read appends the value at the start of src and returns what follows it, nil if src is too short.
func (b *columnBuilder) read(src []byte) []byte {
	b.addRow()
	switch b.layout {
	case layoutBool:
		if len(src) < 1 {
			return nil
		}
		b.bits.SetTo(b.rows-1, src[0] != 0)
		return src[1:]
	case layoutInt16:
		v, n := binary.Varint(src)
		b.i16 = append(b.i16, int16(v))
		return after(src, n)
	case layoutInt32:
		v, n := binary.Varint(src)
		b.i32 = append(b.i32, int32(v))
		return after(src, n)
	case layoutInt64:
		v, n := binary.Varint(src)
		b.i64 = append(b.i64, v)
		return after(src, n)
	case layoutFloat32:
		if len(src) < 4 {
			return nil
		}
		b.f32 = append(b.f32, math.Float32frombits(binary.LittleEndian.Uint32(src)))
		return src[4:]
	case layoutFloat64:
		if len(src) < 8 {
			return nil
		}
		b.f64 = append(b.f64, math.Float64frombits(binary.LittleEndian.Uint64(src)))
		return src[8:]
	case layoutDec128:
		var d dec128
		src = readWords(d[:], src)
		b.d128 = append(b.d128, d)
		return src
	case layoutDec256:
		var d dec256
		src = readWords(d[:], src)
		b.d256 = append(b.d256, d)
		return src
	case layoutInterval:
		return b.readInterval(src)
	case layoutUUID:
		if len(src) < 16 {
			return nil
		}
		b.uuids = append(b.uuids, sql.UUIDValue(src[:16]))
		return src[16:]
	case layoutList, layoutMap:
		for k := range b.kids {
			if src = b.kids[k].readElements(src); src == nil {
				return nil
			}
		}
		if b.layout == layoutMap && (b.kids[0].nulls > 0 || b.kids[0].rows != b.kids[1].rows) {
			return nil // Arrow takes no such map
		}
		b.offsets = append(b.offsets, int32(b.kids[0].rows))
		return src
	case layoutRow:
		return b.readMembers(src)
	}
	size, n := binary.Uvarint(src)
	if src = after(src, n); src == nil || uint64(len(src)) < size {
		return nil
	}
	b.data = append(b.data, src[:size]...)
	b.offsets = append(b.offsets, int32(len(b.data)))
	return src[size:]
}

func (b *columnBuilder) readInterval(src []byte) []byte {
	var parts [3]int64
	for i := range parts {
		v, n := binary.Varint(src)
		if src = after(src, n); src == nil {
			return nil
		}
		parts[i] = v
	}
	b.ivs = append(b.ivs, sql.IntervalValue{Micros: parts[0], Days: int32(parts[1]), Months: int32(parts[2])})
	return src
}

// readElements appends the members of an array.
func (b *columnBuilder) readElements(src []byte) []byte {
	count, nulls, src := elementsHeader(src)
	for i := 0; i < count && src != nil; i++ {
		if nulls != nil && nulls[i>>3]>>(i&7)&1 != 0 {
			b.null()
		} else {
			src = b.read(src)
		}
	}
	return src
}

// elementsHeader reads what precedes the members of an array.
func elementsHeader(src []byte) (count int, nulls, rest []byte) {
	header, n := binary.Uvarint(src)
	if src = after(src, n); src == nil || header>>1 > uint64(len(src))*8 {
		return 0, nil, nil
	}
	count = int(header >> 1)
	if header&1 != 0 {
		if size := (count + 7) / 8; size <= len(src) {
			return count, src[:size], src[size:]
		}
		return 0, nil, nil
	}
	return count, nil, src
}

// readMembers appends the fields of a row.
func (b *columnBuilder) readMembers(src []byte) []byte {
	size := (len(b.kids) + 7) / 8
	if len(src) < size {
		return nil
	}
	nulls, src := src[:size], src[size:]
	for i := 0; i < len(b.kids) && src != nil; i++ {
		if nulls[i>>3]>>(i&7)&1 != 0 {
			b.kids[i].null()
		} else {
			src = b.kids[i].read(src)
		}
	}
	return src
}

// null appends a NULL. The slices hold something for it, as Arrow wants.
func (b *columnBuilder) null() {
	b.addRow()
	if b.valid == nil {
		b.valid = stream.FullBitmap(b.rows)
	}
	b.valid.Clear(b.rows - 1)
	b.nulls++
	switch b.layout {
	case layoutInt16:
		b.i16 = append(b.i16, 0)
	case layoutInt32:
		b.i32 = append(b.i32, 0)
	case layoutInt64:
		b.i64 = append(b.i64, 0)
	case layoutFloat32:
		b.f32 = append(b.f32, 0)
	case layoutFloat64:
		b.f64 = append(b.f64, 0)
	case layoutDec128:
		b.d128 = append(b.d128, dec128{})
	case layoutDec256:
		b.d256 = append(b.d256, dec256{})
	case layoutInterval:
		b.ivs = append(b.ivs, sql.IntervalValue{})
	case layoutUUID:
		b.uuids = append(b.uuids, sql.UUIDValue{})
	case layoutBytes, layoutChar, layoutNumeric, layoutJSONB:
		b.offsets = append(b.offsets, int32(len(b.data)))
	case layoutList, layoutMap:
		b.offsets = append(b.offsets, int32(b.kids[0].rows))
	case layoutRow:
		for i := range b.kids {
			b.kids[i].null()
		}
	}
}

// addRow makes room for a row in the bitmaps.
func (b *columnBuilder) addRow() {
	if b.rows&63 == 0 {
		b.addWord()
	}
	b.rows++
}

func (b *columnBuilder) addWord() {
	if b.rows == 0 {
		b.begin()
	}
	if b.valid != nil {
		b.valid = append(b.valid, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff)
	}
	if b.layout == layoutBool {
		b.bits = append(b.bits, 0, 0, 0, 0, 0, 0, 0, 0)
	}
}

// begin makes slices for a new column.
func (b *columnBuilder) begin() {
	switch n := b.hint; b.layout {
	case layoutInt16:
		b.i16 = make([]int16, 0, n)
	case layoutInt32:
		b.i32 = make([]int32, 0, n)
	case layoutInt64:
		b.i64 = make([]int64, 0, n)
	case layoutFloat32:
		b.f32 = make([]float32, 0, n)
	case layoutFloat64:
		b.f64 = make([]float64, 0, n)
	case layoutDec128:
		b.d128 = make([]dec128, 0, n)
	case layoutBytes, layoutChar, layoutNumeric, layoutJSONB:
		b.offsets, b.data = append(make([]int32, 0, n+1), 0), make([]byte, 0, b.bytes)
	case layoutList, layoutMap:
		b.offsets = append(make([]int32, 0, n+1), 0)
	}
}

// finish returns the column and starts anew.
func (b *columnBuilder) finish() arrow.Array {
	if b.rows == 0 {
		b.begin()
	}
	arr := b.array()
	*b = columnBuilder{t: b.t, layout: b.layout, hint: b.rows, bytes: len(b.data), kids: b.kids}
	return arr
}

func (b *columnBuilder) array() arrow.Array {
	switch b.layout {
	case layoutBool:
		return stream.BoolColumn(b.rows, slices.Clip(b.bits), b.valid)
	case layoutInt16:
		return stream.Fixed(b.t, b.i16, b.valid)
	case layoutInt32:
		return stream.Fixed(b.t, b.i32, b.valid)
	case layoutInt64:
		return stream.Fixed(b.t, b.i64, b.valid)
	case layoutFloat32:
		return stream.Fixed(b.t, b.f32, b.valid)
	case layoutFloat64:
		return stream.Fixed(b.t, b.f64, b.valid)
	case layoutDec128:
		return stream.Fixed(b.t, b.d128, b.valid)
	case layoutDec256:
		return stream.Fixed(b.t, b.d256, b.valid)
	case layoutInterval:
		return stream.Fixed(b.t, b.ivs, b.valid)
	case layoutUUID:
		return stream.Fixed(b.t, b.uuids, b.valid)
	case layoutList:
		return stream.Lists(b.t, b.offsets, b.kids[0].finish(), b.valid)
	case layoutMap:
		return stream.Maps(b.t, b.offsets, b.kids[0].finish(), b.kids[1].finish(), b.valid)
	case layoutRow:
		fields := make([]arrow.Array, len(b.kids))
		for i := range b.kids {
			fields[i] = b.kids[i].finish()
		}
		return stream.Rows(b.t, b.rows, fields, b.valid)
	}
	return stream.Bytes(b.t, b.offsets, b.data, b.valid)
}

// skip returns what follows the value at the start of src, nil if src is too short.
func (b *columnBuilder) skip(src []byte) []byte {
	switch b.layout {
	case layoutBool:
		return after(src, 1)
	case layoutInt16, layoutInt32, layoutInt64:
		_, n := binary.Varint(src)
		return after(src, n)
	case layoutFloat32:
		return after(src, 4)
	case layoutFloat64:
		return after(src, 8)
	case layoutDec128, layoutDec256:
		if len(src) == 0 {
			return nil
		}
		return after(src, 1+int(src[0]))
	case layoutInterval:
		for range 3 {
			_, n := binary.Varint(src)
			if src = after(src, n); src == nil {
				return nil
			}
		}
		return src
	case layoutUUID:
		return after(src, 16)
	case layoutList, layoutMap:
		for k := range b.kids {
			count, nulls, rest := elementsHeader(src)
			if src = b.kids[k].skipRun(count, nulls, rest); src == nil {
				return nil
			}
		}
		return src
	case layoutRow:
		size := (len(b.kids) + 7) / 8
		if len(src) < size {
			return nil
		}
		rest := src[size:]
		for i := 0; i < len(b.kids) && rest != nil; i++ {
			if src[i>>3]>>(i&7)&1 == 0 {
				rest = b.kids[i].skip(rest)
			}
		}
		return rest
	}
	size, n := binary.Uvarint(src)
	if src = after(src, n); src == nil || uint64(len(src)) < size {
		return nil
	}
	return src[size:]
}

func (b *columnBuilder) skipRun(count int, nulls, src []byte) []byte {
	for i := 0; i < count && src != nil; i++ {
		if nulls == nil || nulls[i>>3]>>(i&7)&1 == 0 {
			src = b.skip(src)
		}
	}
	return src
}

// after is src without its first n bytes, nil if there are fewer; n ≤ 0 is a varint that failed.
func after(src []byte, n int) []byte {
	if n <= 0 || n > len(src) {
		return nil
	}
	return src[n:]
}

// readWords reads what appendWords wrote into a number of len(words) words.
func readWords(words []uint64, src []byte) []byte {
	if len(src) == 0 || int(src[0]) >= len(src) || int(src[0]) > len(words)*8 || src[0] == 0 {
		return nil
	}
	var b [32]byte
	n := int(src[0])
	copy(b[:], src[1:1+n])
	if src[n]&0x80 != 0 { // the sign goes on
		for i := n; i < len(b); i++ {
			b[i] = 0xff
		}
	}
	for i := range words {
		words[i] = binary.LittleEndian.Uint64(b[i*8:])
	}
	return src[1+n:]
}
