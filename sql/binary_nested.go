package sql

import "encoding/binary"

// appendBinaryArray appends the dimensions, whether there are NULLs, the element's OID and the
// elements. The wire knows rectangular arrays only.
func appendBinaryArray(dst []byte, t Type, a []Datum) ([]byte, error) {
	elem, lowerBound := TypeInt2, uint32(0)
	switch t.Kind {
	case Array:
		elem, lowerBound = *t.Elem, 1
	case OIDVector:
		elem = TypeOID
	}
	dims := []int{}
	for level, typ := a, &elem; len(level) > 0; {
		dims = append(dims, len(level))
		if typ.Kind != Array {
			break
		}
		level, _ = level[0].([]Datum)
		elem, typ = *typ.Elem, typ.Elem
	}
	for elem.Kind == Array {
		elem = *elem.Elem
	}
	flat, ok := flatten(nil, a, dims)
	if !ok {
		return dst, Unsupported("the binary form of an array whose inner arrays differ in length",
			"Ask for the result in text format.")
	}
	be := binary.BigEndian
	hasNull := uint32(0)
	for _, d := range flat {
		if d == nil {
			hasNull = 1
		}
	}
	if len(flat) == 0 {
		dims = nil
	}
	dst = be.AppendUint32(dst, uint32(len(dims)))
	dst = be.AppendUint32(dst, hasNull)
	dst = be.AppendUint32(dst, elem.OID())
	for _, n := range dims {
		dst = be.AppendUint32(dst, uint32(n))
		dst = be.AppendUint32(dst, lowerBound)
	}
	var err error
	for _, d := range flat {
		if dst, err = appendSized(dst, elem, d); err != nil {
			return dst, err
		}
	}
	return dst, nil
}

// flatten lists the elements of a nested array that has the dimensions; ok is false otherwise.
func flatten(out []Datum, a []Datum, dims []int) ([]Datum, bool) {
	if len(dims) == 0 {
		return out, len(a) == 0
	}
	if len(a) != dims[0] {
		return out, false
	}
	if len(dims) == 1 {
		return append(out, a...), true
	}
	for _, d := range a {
		inner, ok := d.([]Datum)
		if !ok {
			return out, false // a NULL where the wire has an array
		}
		if out, ok = flatten(out, inner, dims[1:]); !ok {
			return out, false
		}
	}
	return out, true
}

// appendSized appends a length and the value; -1 for NULL.
func appendSized(dst []byte, t Type, d Datum) ([]byte, error) {
	at := len(dst)
	dst = binary.BigEndian.AppendUint32(dst, 1<<32-1)
	if d == nil {
		return dst, nil
	}
	dst, err := AppendBinary(dst, t, d)
	binary.BigEndian.PutUint32(dst[at:], uint32(len(dst)-at-4))
	return dst, err
}

func appendBinaryRow(dst []byte, t Type, row RowValue) ([]byte, error) {
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(row)))
	var err error
	for i, d := range row {
		dst = binary.BigEndian.AppendUint32(dst, t.Fields[i].Type.OID())
		if dst, err = appendSized(dst, t.Fields[i].Type, d); err != nil {
			return dst, err
		}
	}
	return dst, nil
}

// wireReader takes a message apart; after a failure all reads give zero.
type wireReader struct {
	b      []byte
	failed bool
}

func (r *wireReader) uint32() uint32 {
	if len(r.b) < 4 {
		r.failed, r.b = true, nil
		return 0
	}
	v := binary.BigEndian.Uint32(r.b)
	r.b = r.b[4:]
	return v
}

// sized reads a length and a value of type t; nil for NULL.
func (r *wireReader) sized(t Type) (Datum, error) {
	n := int32(r.uint32())
	if r.failed || int(n) > len(r.b) {
		return nil, Errorf(CodeProtocolViolation, "insufficient data left in message")
	}
	if n < 0 {
		return nil, nil
	}
	v := r.b[:n]
	r.b = r.b[n:]
	return ParseBinary(t, v)
}

const maxArrayDims = 6

func parseBinaryArray(t Type, b []byte) (Datum, error) {
	r := &wireReader{b: b}
	ndim, flags, oid := r.uint32(), r.uint32(), r.uint32()
	if r.failed {
		return nil, Errorf(CodeProtocolViolation, "insufficient data left in message")
	}
	if ndim > maxArrayDims {
		return nil, Errorf("54000", "number of array dimensions (%d) exceeds the maximum allowed (%d)", int32(ndim), maxArrayDims)
	}
	if flags > 1 {
		return nil, badBinary("invalid array flags")
	}
	elem, depth := t, uint32(0)
	switch t.Kind {
	case Int2Vector:
		elem, depth = TypeInt2, 1
	case OIDVector:
		elem, depth = TypeOID, 1
	}
	for ; elem.Kind == Array; depth++ {
		elem = *elem.Elem
	}
	if oid != elem.OID() && elem.Kind != Row {
		return nil, Errorf(CodeDatatypeMismatch, "binary data has array element type %d (%s) instead of expected %d (%s)",
			oid, typeNameOfOID(oid), elem.OID(), elem.BaseName())
	}
	if ndim == 0 {
		return []Datum{}, nil
	}
	if ndim != depth {
		return nil, Unsupported("an array of another number of dimensions than its type has", "")
	}
	total, dims := 1, make([]int, ndim)
	for i := range dims {
		dims[i] = int(int32(r.uint32()))
		r.uint32() // the lower bound; ours are 1
		if r.failed || dims[i] < 0 || dims[i] > len(b) || total > len(b) {
			return nil, badBinary("invalid array dimensions")
		}
		total *= dims[i]
	}
	a, err := r.elements(elem, dims)
	if err == nil && len(r.b) > 0 {
		err = badBinary("incorrect binary data format")
	}
	if err != nil {
		return nil, err
	}
	return a, nil
}

func (r *wireReader) elements(elem Type, dims []int) ([]Datum, error) {
	out := make([]Datum, dims[0])
	for i := range out {
		var err error
		if len(dims) > 1 {
			out[i], err = r.elements(elem, dims[1:])
		} else {
			out[i], err = r.sized(elem)
		}
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

func typeNameOfOID(oid uint32) string {
	if t, ok := TypeByOID(oid); ok {
		return t.BaseName()
	}
	return "???"
}

func parseBinaryRow(t Type, b []byte) (Datum, error) {
	r := &wireReader{b: b}
	n := int(int32(r.uint32()))
	if n != len(t.Fields) {
		return nil, Errorf(CodeDatatypeMismatch, "wrong number of columns: %d, expected %d", n, len(t.Fields))
	}
	row := make(RowValue, n)
	for i, f := range t.Fields {
		if oid := r.uint32(); oid != f.Type.OID() && !r.failed {
			return nil, Errorf(CodeDatatypeMismatch, "binary data has type %d (%s) instead of expected %d (%s) in record column %d",
				oid, typeNameOfOID(oid), f.Type.OID(), f.Type.BaseName(), i+1)
		}
		var err error
		if row[i], err = r.sized(f.Type); err != nil {
			return nil, err
		}
	}
	if len(r.b) > 0 {
		return nil, badBinary("incorrect binary data format")
	}
	return row, nil
}
