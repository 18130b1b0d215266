package wire

// lineEnd is how lines end, found out at the first one; the others must end the same way.
type lineEnd uint8

const (
	endUnknown lineEnd = iota
	endNL
	endCR
	endCRNL
)

// lineScanner finds the lines of COPY's text and CSV formats in data that comes in pieces, by
// PostgreSQL's rules: a backslash takes the next byte with it (text), quotes hide line ends (CSV), and
// \. ends the data.
//
// Invariants:
//   - buf[:pos] has been looked at and is not looked at again, however small the pieces are.
//   - Where the next bytes decide and are not there, pos stays at the byte that asks.
type lineScanner struct {
	csv           bool
	quote, escape byte

	buf        []byte
	start, pos int // the current line begins at start and is scanned up to pos
	end        lineEnd
	inQuote    bool
	escaped    bool // csv: the last byte was an escape that stands for itself
	finished   bool // \. was read
	line       int  // 1-based number of the line last returned
	inner      int  // line ends inside quotes of the current line
}

// feed adds data. What next returned before is no longer valid.
func (s *lineScanner) feed(data []byte) {
	if s.start > 0 {
		n := copy(s.buf, s.buf[s.start:])
		s.buf, s.pos, s.start = s.buf[:n], s.pos-s.start, 0
	}
	if len(s.buf) == 0 && cap(s.buf) > maxPooled {
		s.buf = nil // one huge line should not keep its memory
	}
	s.buf = append(s.buf, data...)
}

// next returns the next line without its end; ok = false when there is none yet, or no more. last
// tells that nothing follows what was fed.
func (s *lineScanner) next(last bool) (line []byte, ok bool, err error) {
	for !s.finished && s.pos < len(s.buf) {
		c := s.buf[s.pos]
		switch {
		case c == '\\' && (!s.csv || s.pos == s.start):
			skip, marker, err := s.backslash(last)
			switch {
			case err != nil:
				return nil, false, s.fail(err)
			case marker:
				s.finished = true
				if s.pos == s.start {
					return nil, false, nil
				}
				return s.take(0), true, nil
			case skip == 0:
				return nil, false, nil
			case !s.csv:
				s.pos += skip
				continue
			}
		case c == '\r' && s.pos+1 == len(s.buf) && !last:
			return nil, false, nil
		}
		if s.csv {
			s.quoting(c)
		}
		if (c == '\r' || c == '\n') && !s.inQuote {
			n, err := s.ending(c)
			if err != nil {
				return nil, false, s.fail(err)
			}
			return s.take(n), true, nil
		}
		s.pos++
	}
	if s.finished || !last || s.start == len(s.buf) {
		return nil, false, nil
	}
	return s.take(0), true, nil // with its quotes open, perhaps: splitCSV sees that
}

// take ends the current line at pos; n bytes of line end follow.
func (s *lineScanner) take(n int) []byte {
	line := s.buf[s.start:s.pos]
	s.pos += n
	s.start = s.pos
	s.line += 1 + s.inner
	s.inner = 0
	return line
}

func (s *lineScanner) fail(err error) error {
	s.line += 1 + s.inner
	return err
}

// backslash looks at the backslash at pos: is it the end-of-data marker, and if not, how many bytes
// does it stand for; 0 = more are needed to tell.
func (s *lineScanner) backslash(last bool) (skip int, marker bool, err error) {
	rest := s.buf[s.pos:]
	if len(rest) < 2 && !last {
		return 0, false, nil
	}
	if at(rest, 1) != '.' {
		return min(2, len(rest)), false, nil
	}
	n := 2 // where the line end must be, or its last byte
	if s.end == endCRNL {
		n = 3
	}
	if len(rest) <= n && !last {
		return 0, false, nil
	}
	const mismatch = "end-of-copy marker does not match previous newline style"
	c, wrong := at(rest, n), ""
	switch {
	case s.end == endCRNL && at(rest, 2) == '\n':
		wrong = mismatch
	case s.end == endCRNL && at(rest, 2) != '\r', c != '\r' && c != '\n':
		wrong = "end-of-copy marker corrupt"
	case s.end != endUnknown && (c == '\r') != (s.end == endCR):
		return 0, false, badCopy(mismatch)
	default:
		return 0, true, nil
	}
	if s.csv { // there it is data
		return 1, false, nil
	}
	return 0, false, badCopy("%s", wrong)
}

// at is byte i of b, 0 beyond its end.
func at(b []byte, i int) byte {
	if i < len(b) {
		return b[i]
	}
	return 0
}

// quoting follows CSV's quotes. An escape counts only before a quote inside of quotes; where it is the
// quote itself there is nothing to do: two in a row leave things as they were.
func (s *lineScanner) quoting(c byte) {
	isEscape := c == s.escape && s.escape != s.quote
	if s.inQuote && isEscape {
		s.escaped = !s.escaped
	}
	if c == s.quote && !s.escaped {
		s.inQuote = !s.inQuote
	}
	if !isEscape {
		s.escaped = false
	}
	if s.inQuote && (c == '\n' && s.end == endNL || c == '\r' && s.end != endNL) {
		s.inner++
	}
}

// ending is the length of the line end at pos, which must be like those before.
func (s *lineScanner) ending(c byte) (n int, err error) {
	kind, n := endNL, 1
	if c == '\r' {
		kind = endCR
		if s.end != endCR && at(s.buf, s.pos+1) == '\n' {
			kind, n = endCRNL, 2
		}
	}
	if s.end == endUnknown {
		s.end = kind
	}
	if s.end == kind {
		return n, nil
	}
	name, escape := "newline", `\n`
	if c == '\r' {
		name, escape = "carriage return", `\r`
	}
	if s.csv {
		return 0, badCopy("unquoted %s found in data", name).WithHint("Use quoted CSV field to represent %s.", name)
	}
	return 0, badCopy("literal %s found in data", name).WithHint(`Use "%s" to represent %s.`, escape, name)
}
