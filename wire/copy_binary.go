package wire

import (
	"encoding/binary"

	"github.com/streamsql/streamsql/sql"
)

// binarySplitter parses COPY's binary format.
type binarySplitter struct {
	columns sql.Schema
	buf     []byte // fed and not yet parsed
	line    int    // rows begun
	started bool   // the header was read
	ended   bool   // the trailer was read
}

func (s *binarySplitter) feed(data []byte, end bool, row func([]sql.Datum) error) error {
	if len(s.buf)+len(data) > maxMessageBytes {
		return inCopy(sql.Errorf("54000", "row is longer than %d bytes", maxMessageBytes), s.line, "")
	}
	s.buf = append(s.buf, data...)
	rest := s.buf
	defer func() {
		if len(rest) < len(s.buf) { // else a huge row would be moved onto itself, piece after piece
			s.buf = s.buf[:copy(s.buf, rest)]
		}
	}()
	if !s.started {
		n, err := binaryHeader(rest)
		if n == 0 || err != nil {
			if err == nil && end {
				err = badCopy("COPY file signature not recognized")
			}
			return err
		}
		rest, s.started = rest[n:], true
	}
	for !s.ended {
		d, n, err := s.tuple(rest)
		if err != nil {
			return err
		}
		if n == 0 {
			break
		}
		rest = rest[n:]
		if d == nil {
			s.ended = true
		} else if err := row(d); err != nil {
			return err
		}
	}
	switch {
	case s.ended && len(rest) > 0:
		return badCopy("received copy data after EOF marker")
	case end && len(rest) > 0:
		return inCopy(badCopy("unexpected EOF in COPY data"), s.line+1, "")
	}
	return nil
}

// binaryHeader is the length of the file header at the start of b, 0 when it is not all there.
func binaryHeader(b []byte) (int, error) {
	const sign, fixed = 11, 19
	if n := min(len(b), sign); string(b[:n]) != binarySignature[:n] {
		return 0, badCopy("COPY file signature not recognized")
	}
	if len(b) < fixed {
		return 0, nil
	}
	if flags := binary.BigEndian.Uint32(b[sign:]); flags>>16 != 0 { // the upper half is critical
		return 0, badCopy("unrecognized critical flags in COPY file header")
	}
	extension := int32(binary.BigEndian.Uint32(b[sign+4:]))
	if extension < 0 {
		return 0, badCopy("invalid COPY file header (missing length)")
	}
	if len(b) < fixed+int(extension) {
		return 0, nil
	}
	return fixed + int(extension), nil
}

// tuple parses one row: n = 0 means that it is not complete, a nil row is the trailer.
func (s *binarySplitter) tuple(b []byte) (row []sql.Datum, n int, err error) {
	if len(b) < 2 {
		return nil, 0, nil
	}
	count := int16(binary.BigEndian.Uint16(b))
	if count == -1 {
		return nil, 2, nil
	}
	if int(count) != len(s.columns) {
		return nil, 0, inCopy(badCopy("row field count is %d, expected %d", count, len(s.columns)), s.line+1, "")
	}
	if n = tupleSize(b, len(s.columns)); n <= 0 {
		if n < 0 {
			return nil, 0, inCopy(badCopy("invalid field size"), s.line+1, "")
		}
		return nil, 0, nil
	}
	s.line++
	row = make([]sql.Datum, len(s.columns))
	at := 2
	for i, c := range s.columns {
		size := int(int32(binary.BigEndian.Uint32(b[at:])))
		at += 4
		if size < 0 {
			continue
		}
		if row[i], err = sql.ParseBinary(c.Type, b[at:at+size]); err != nil {
			return nil, 0, inCopy(err, s.line, c.Name)
		}
		at += size
	}
	return row, n, nil
}

// tupleSize is the length of the row of so many fields at the start of b; 0 = not all there, -1 = wrong.
func tupleSize(b []byte, fields int) int {
	n := 2
	for range fields {
		if len(b) < n+4 {
			return 0
		}
		size := int32(binary.BigEndian.Uint32(b[n:]))
		n += 4
		if size < -1 {
			return -1
		}
		n += max(int(size), 0)
		if len(b) < n {
			return 0
		}
	}
	return n
}
