package wire

import (
	"time"

	"github.com/streamsql/streamsql/sql"
)

// lineSplitter parses COPY's text and CSV formats: lines first, then the fields of each.
type lineSplitter struct {
	lines   lineScanner
	format  CopyFormat
	columns sql.Schema
	loc     *time.Location
	header  bool // the next line is one

	fields []copyField
	text   []byte // the fields' text, unescaped, one after the other
}

// copyField is one field of a line.
type copyField struct {
	end  int  // its text ends there; it begins where the one before ends
	null bool // it was the NULL string
}

func (s *lineSplitter) feed(data []byte, end bool, row func([]sql.Datum) error) error {
	s.lines.feed(data)
	for {
		line, ok, err := s.lines.next(end)
		if err != nil {
			return inCopy(err, s.lines.line, "")
		}
		if !ok {
			if len(s.lines.buf) > maxMessageBytes {
				return inCopy(sql.Errorf("54000", "line is longer than %d bytes", maxMessageBytes), s.lines.line+1, "")
			}
			return nil
		}
		if err := sql.CheckUTF8(line); err != nil {
			return inCopy(err, s.lines.line, "")
		}
		if s.header {
			s.header = false
			continue
		}
		d, err := s.row(line)
		if err != nil {
			return err
		}
		if err := row(d); err != nil {
			return err
		}
	}
}

// row parses a line's fields as values.
func (s *lineSplitter) row(line []byte) ([]sql.Datum, error) {
	s.fields, s.text = s.fields[:0], s.text[:0]
	split := s.splitText
	if s.lines.csv {
		split = s.splitCSV
	}
	if len(s.columns) > 0 || len(line) > 0 {
		if err := split(line); err != nil {
			return nil, inCopy(err, s.lines.line, "")
		}
	}
	if len(s.fields) > len(s.columns) {
		return nil, inCopy(badCopy("extra data after last expected column"), s.lines.line, "")
	}
	out := make([]sql.Datum, len(s.columns))
	begin := 0
	for i, c := range s.columns {
		if i == len(s.fields) {
			return nil, inCopy(badCopy("missing data for column %q", c.Name), s.lines.line, "")
		}
		f := s.fields[i]
		if !f.null {
			d, err := sql.ParseTextIn(c.Type, string(s.text[begin:f.end]), sql.TextEnv{Loc: s.loc})
			if err != nil {
				return nil, inCopy(err, s.lines.line, c.Name)
			}
			out[i] = d
		}
		begin = f.end
	}
	return out, nil
}

// splitText splits a line of the text format. The NULL string is compared with the field as it stands
// there, before backslashes mean anything.
func (s *lineSplitter) splitText(line []byte) error {
	start, begin := 0, 0 // of the field, in line and in s.text
	numbered := false    // it has bytes given by number, which may be any
	for i := 0; ; {
		switch {
		case i == len(line) || line[i] == s.format.Delimiter:
			if numbered {
				if err := sql.CheckUTF8(s.text[begin:]); err != nil {
					return err
				}
			}
			s.fields = append(s.fields, copyField{len(s.text), string(line[start:i]) == s.format.Null})
			if i == len(line) {
				return nil
			}
			i++
			start, begin, numbered = i, len(s.text), false
		case line[i] == '\\':
			i++
			if i < len(line) {
				var n int
				numbered = numbered || line[i] == 'x' || line[i] >= '0' && line[i] <= '7'
				s.text, n = appendUnescaped(s.text, line[i:])
				i += n
			}
		default:
			s.text = append(s.text, line[i])
			i++
		}
	}
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

// splitCSV splits a line of the CSV format. A field is NULL when it is the NULL string without quotes,
// or with them where FORCE_NULL says so.
func (s *lineSplitter) splitCSV(line []byte) error {
	f := &s.format
	begin := 0 // of the field, in s.text
	quoted, in := false, false
	end := func() {
		i := len(s.fields)
		null := string(s.text[begin:]) == f.Null && (!quoted || i < len(f.ForceNull) && f.ForceNull[i])
		s.fields = append(s.fields, copyField{len(s.text), null})
		begin, quoted = len(s.text), false
	}
	for i := 0; i < len(line); i++ {
		switch c := line[i]; {
		case in && c == f.Escape && i+1 < len(line) && (line[i+1] == f.Quote || line[i+1] == f.Escape):
			i++
			s.text = append(s.text, line[i])
		case in && c == f.Quote:
			in = false
		case in:
			s.text = append(s.text, c)
		case c == f.Delimiter:
			end()
		case c == f.Quote:
			in, quoted = true, true
		default:
			s.text = append(s.text, c)
		}
	}
	if in {
		return badCopy("unterminated CSV quoted field")
	}
	end()
	return nil
}
