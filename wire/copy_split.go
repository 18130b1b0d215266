package wire

import (
	"bytes"
	"encoding/binary"

	"github.com/streamsql/streamsql/sql"
)

// textSplitter parses COPY's text format.
type textSplitter struct {
	copyFields
	skipHeader bool
	rest       []byte // a line not yet complete
	ended      bool   // after \.
}

func (s *textSplitter) feed(data []byte, end bool, row func([]sql.Datum) error) error {
	s.rest = append(s.rest, data...)
	buf := s.rest
	for !s.ended {
		n := bytes.IndexByte(buf, '\n')
		// A newline after a backslash is data.
		for n >= 0 && oddBackslashes(buf[:n]) {
			m := bytes.IndexByte(buf[n+1:], '\n')
			if m < 0 {
				n = -1
				break
			}
			n += 1 + m
		}
		var line []byte
		switch {
		case n >= 0:
			line, buf = buf[:n], buf[n+1:]
		case end && len(buf) > 0:
			line, buf = buf, nil
		default:
			s.rest = append(s.rest[:0], buf...)
			return nil
		}
		s.line++
		line = bytes.TrimSuffix(line, []byte{'\r'})
		if string(line) == `\.` {
			s.ended = true
			break
		}
		if s.skipHeader {
			s.skipHeader = false
			continue
		}
		d, err := s.row(s.fields(line))
		if err != nil {
			return err
		}
		if err := row(d); err != nil {
			return err
		}
	}
	s.rest = nil
	return nil
}

func oddBackslashes(b []byte) bool {
	n := 0
	for n < len(b) && b[len(b)-1-n] == '\\' {
		n++
	}
	return n%2 == 1
}

func (s *textSplitter) fields(line []byte) []field {
	var out []field
	var cur []byte
	start := 0
	flush := func(end int) {
		raw := line[start:end]
		out = append(out, field{string(cur), string(raw) == s.format.Null})
		cur, start = cur[:0], end+1
	}
	for i := 0; i < len(line); i++ {
		switch b := line[i]; {
		case b == s.format.Delimiter:
			flush(i)
		case b == '\\' && i+1 < len(line):
			i++
			var n int
			cur, n = appendUnescaped(cur, line[i:])
			i += n - 1
		default:
			cur = append(cur, b)
		}
	}
	flush(len(line))
	return out
}

// appendUnescaped reads what follows a backslash and returns how many bytes that took.
func appendUnescaped(dst, b []byte) ([]byte, int) {
	switch b[0] {
	case 'b':
		return append(dst, '\b'), 1
	case 'f':
		return append(dst, '\f'), 1
	case 'n':
		return append(dst, '\n'), 1
	case 'r':
		return append(dst, '\r'), 1
	case 't':
		return append(dst, '\t'), 1
	case 'v':
		return append(dst, '\v'), 1
	case 'x':
		n, v := 1, 0
		for n < len(b) && n <= 2 && hexDigit(b[n]) >= 0 {
			v = v<<4 | hexDigit(b[n])
			n++
		}
		if n > 1 {
			return append(dst, byte(v)), n
		}
	case '0', '1', '2', '3', '4', '5', '6', '7':
		n, v := 0, 0
		for n < len(b) && n < 3 && b[n] >= '0' && b[n] <= '7' {
			v = v<<3 | int(b[n]-'0')
			n++
		}
		return append(dst, byte(v)), n
	}
	return append(dst, b[0]), 1
}

func hexDigit(b byte) int {
	switch {
	case b >= '0' && b <= '9':
		return int(b - '0')
	case b >= 'a' && b <= 'f':
		return int(b-'a') + 10
	case b >= 'A' && b <= 'F':
		return int(b-'A') + 10
	}
	return -1
}

// csvSplitter parses COPY's CSV format: a quoted field may hold newlines.
type csvSplitter struct {
	copyFields
	skipHeader bool
	rest       []byte
	ended      bool
}

func (s *csvSplitter) feed(data []byte, end bool, row func([]sql.Datum) error) error {
	s.rest = append(s.rest, data...)
	buf := s.rest
	for !s.ended && len(buf) > 0 {
		fields, n, open := s.record(buf, end)
		if n == 0 {
			if open && end {
				s.line++
				return s.locate(sql.Errorf("22P04", "unterminated CSV quoted field"), "")
			}
			break
		}
		s.line++
		if len(fields) == 1 && string(bytes.TrimRight(buf[:n], "\r\n")) == `\.` {
			s.ended = true
			break
		}
		buf = buf[n:]
		if s.skipHeader {
			s.skipHeader = false
			continue
		}
		d, err := s.row(fields)
		if err != nil {
			return err
		}
		if err := row(d); err != nil {
			return err
		}
	}
	s.rest = append(s.rest[:0], buf...)
	return nil
}

// record parses one record at the start of b and returns its length, 0 when it is not complete;
// open tells that it ends inside quotes.
func (s *csvSplitter) record(b []byte, end bool) (fields []field, n int, open bool) {
	f := &s.format
	var cur []byte
	quoted, in := false, false
	flush := func() {
		col := len(fields)
		null := string(cur) == f.Null && (!quoted || col < len(f.ForceNull) && f.ForceNull[col])
		fields = append(fields, field{string(cur), null})
		cur, quoted = cur[:0], false
	}
	for i := 0; i < len(b); i++ {
		c := b[i]
		switch {
		case in && c == f.Escape && i+1 < len(b) && (b[i+1] == f.Quote || b[i+1] == f.Escape):
			i++
			cur = append(cur, b[i])
		case in && c == f.Escape && c == f.Quote && i+1 == len(b) && !end:
			return nil, 0, true // the next byte decides
		case in && c == f.Quote:
			in = false
		case in:
			cur = append(cur, c)
		case c == f.Quote:
			in, quoted = true, true
		case c == f.Delimiter:
			flush()
		case c == '\n':
			flush()
			return fields, i + 1, false
		case c == '\r' && (i+1 < len(b) && b[i+1] == '\n' || i+1 == len(b)):
			if i+1 == len(b) && !end {
				return nil, 0, false
			}
		default:
			cur = append(cur, c)
		}
	}
	if in || !end {
		return nil, 0, in
	}
	flush()
	return fields, len(b), false
}

// binarySplitter parses COPY's binary format.
type binarySplitter struct {
	columns sql.Schema
	rest    []byte
	started bool
	ended   bool
}

func (s *binarySplitter) feed(data []byte, end bool, row func([]sql.Datum) error) error {
	s.rest = append(s.rest, data...)
	if !s.started {
		head := len(binarySignature)
		if len(s.rest) < head {
			if end {
				return sql.Errorf("22P04", "COPY file signature not recognized")
			}
			return nil
		}
		if string(s.rest[:11]) != binarySignature[:11] {
			return sql.Errorf("22P04", "COPY file signature not recognized")
		}
		ext := int(binary.BigEndian.Uint32(s.rest[15:]))
		if len(s.rest) < head+ext {
			return nil
		}
		s.rest, s.started = s.rest[head+ext:], true
	}
	buf := s.rest
	for !s.ended {
		d, n, err := s.tuple(buf)
		if err != nil {
			return err
		}
		if n == 0 {
			break
		}
		buf = buf[n:]
		if d == nil {
			s.ended = true
		} else if err := row(d); err != nil {
			return err
		}
	}
	s.rest = append(s.rest[:0], buf...)
	if end && !s.ended && len(s.rest) > 0 {
		return sql.Errorf("22P04", "unexpected EOF in COPY data")
	}
	return nil
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
		return nil, 0, sql.Errorf("22P04", "row field count is %d, expected %d", count, len(s.columns))
	}
	n = 2
	row = make([]sql.Datum, count)
	for i := range row {
		if len(b) < n+4 {
			return nil, 0, nil
		}
		size := int32(binary.BigEndian.Uint32(b[n:]))
		n += 4
		if size == -1 {
			continue
		}
		if size < 0 {
			return nil, 0, sql.Errorf("22P04", "invalid field size")
		}
		if len(b) < n+int(size) {
			return nil, 0, nil
		}
		if row[i], err = sql.ParseBinary(s.columns[i].Type, b[n:n+int(size)]); err != nil {
			return nil, 0, err
		}
		n += int(size)
	}
	return row, n, nil
}
