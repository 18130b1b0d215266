package sql

import (
	"strconv"
	"strings"
	"time"
)

// Text forms of nested types.
//
//	array  {1,NULL,"a b"}        PostgreSQL's
//	row    (1,"a b",)            PostgreSQL's; an absent field is NULL
//	map    {a=>1,"b c"=>NULL}    ours: an array's quoting around hstore's arrow
//
// An array of arrays nests braces. PostgreSQL has one array type for all dimensions and wants them
// rectangular; here the type counts the dimensions and the inner arrays may differ in length.

// nested reads the inside of one literal.
type nested struct {
	src  string
	pos  int
	text string // the whole literal, blanks and all, for messages
	kind string // "array", "record" or "map", for messages
}

func (p *nested) malformed(detail string) error {
	return Errorf(CodeInvalidText, "malformed %s literal: \"%s\"", p.kind, p.text).WithDetail("%s", detail)
}

func (p *nested) skipSpace() {
	for p.pos < len(p.src) && isSpace(p.src[p.pos]) {
		p.pos++
	}
}

func (p *nested) peek() byte {
	if p.pos < len(p.src) {
		return p.src[p.pos]
	}
	return 0
}

func parseArray(t Type, s string, env TextEnv) (Datum, error) {
	p := &nested{src: trimLeftSpace(s), text: s, kind: "array"}
	dims, err := p.bounds()
	if err != nil {
		return nil, err
	}
	if p.peek() != '{' {
		return nil, p.malformed(`Array value must start with "{" or dimension information.`)
	}
	a, err := p.array()
	if err != nil {
		return nil, err
	}
	p.skipSpace()
	if p.pos < len(p.src) {
		return nil, p.malformed("Junk after closing right brace.")
	}
	if dims != nil && !hasDims(a, dims) {
		return nil, p.malformed("Specified array dimensions do not match array contents.")
	}
	return convertArray(t, a, env)
}

func trimLeftSpace(s string) string {
	for len(s) > 0 && isSpace(s[0]) {
		s = s[1:]
	}
	return s
}

// bounds reads explicit bounds, as in [1:3]={…}; only the usual lower bound 1 is supported.
func (p *nested) bounds() (dims []int, err error) {
	if p.peek() != '[' {
		return nil, nil
	}
	eq := strings.IndexByte(p.src, '=')
	if eq < 0 {
		return nil, p.malformed(`Missing "=" after array dimensions.`)
	}
	for _, dim := range strings.Split(trimSpace(p.src[:eq]), "[")[1:] {
		upper, ok := strings.CutPrefix(dim, "1:")
		if !ok {
			return nil, Unsupported("an array whose lower bound is not 1", "")
		}
		n, err := strconv.Atoi(strings.TrimSuffix(upper, "]"))
		if err != nil || !strings.HasSuffix(upper, "]") {
			return nil, p.malformed(`Missing array dimension value.`)
		}
		dims = append(dims, n)
	}
	p.src = trimLeftSpace(p.src[eq+1:])
	return dims, nil
}

func hasDims(a []Datum, dims []int) bool {
	if len(dims) == 0 || len(a) != dims[0] {
		return len(dims) == 0
	}
	for _, e := range a {
		if inner, ok := e.([]Datum); ok && !hasDims(inner, dims[1:]) {
			return false
		}
	}
	return true
}

// array reads {…} with p at the left brace: a tree of arrays of strings. The whole literal is taken
// apart before an element is looked at, so that a malformed literal is reported first.
func (p *nested) array() ([]Datum, error) {
	p.pos++
	elems := []Datum{}
	p.skipSpace()
	if p.peek() == '}' {
		p.pos++
		return elems, nil
	}
	for {
		e, err := p.element()
		if err != nil {
			return nil, err
		}
		elems = append(elems, e)
		p.skipSpace()
		switch p.peek() {
		case ',':
			p.pos++
		case '}':
			p.pos++
			return elems, nil
		case 0:
			return nil, p.malformed("Unexpected end of input.")
		default:
			return nil, p.malformed("Unexpected array element.")
		}
	}
}

func (p *nested) element() (Datum, error) {
	p.skipSpace()
	if p.peek() == '{' {
		return p.array()
	}
	text, quoted, err := p.item(",}")
	if err != nil {
		return nil, err
	}
	if !quoted && strings.EqualFold(text, "null") {
		return nil, nil
	}
	return text, nil
}

// convertArray reads the strings of a tree as elements of the array type t.
func convertArray(t Type, a []Datum, env TextEnv) (Datum, error) {
	for i, e := range a {
		var err error
		switch e := e.(type) {
		case []Datum:
			if t.Elem.Kind != Array {
				return nil, Unsupported("a nested array in a value of type "+t.String(),
					"Declare the type with one pair of brackets for each dimension.")
			}
			a[i], err = convertArray(*t.Elem, e, env)
		case string:
			a[i], err = ParseTextIn(*t.Elem, e, env)
		}
		if err != nil {
			return nil, err
		}
	}
	return a, nil
}

// item reads one array or map item up to a delimiter: quoted, or plain with the white space around
// it removed. Backslashes escape in both.
func (p *nested) item(delims string) (text string, quoted bool, err error) {
	p.skipSpace()
	if p.peek() == '"' {
		p.pos++
		text, err = p.quoted()
		return text, true, err
	}
	var b strings.Builder
	keep := 0 // length up to the last character that is not white space
	for ; p.pos < len(p.src); p.pos++ {
		c := p.src[p.pos]
		if strings.IndexByte(delims, c) >= 0 {
			break
		}
		switch {
		case c == '\\':
			p.pos++
			if p.pos == len(p.src) {
				return "", false, p.malformed("Unexpected end of input.")
			}
			b.WriteByte(p.src[p.pos])
			keep = b.Len()
		case c == '{' || c == '}':
			return "", false, p.malformed(`Unexpected "` + string(c) + `" character.`)
		case c == '"':
			return "", false, p.malformed("Unexpected array element.")
		default:
			b.WriteByte(c)
			if !isSpace(c) {
				keep = b.Len()
			}
		}
	}
	if p.pos == len(p.src) {
		return "", false, p.malformed("Unexpected end of input.")
	}
	if keep == 0 {
		return "", false, p.malformed(`Unexpected "` + string(p.src[p.pos]) + `" character.`)
	}
	return b.String()[:keep], false, nil
}

// quoted reads up to the closing quote.
func (p *nested) quoted() (string, error) {
	from := p.pos
	var b []byte
	for ; p.pos < len(p.src); p.pos++ {
		switch p.src[p.pos] {
		case '"':
			text := p.src[from:p.pos]
			p.pos++
			if b != nil {
				return string(append(b, text...)), nil
			}
			return text, nil
		case '\\':
			b = append(b, p.src[from:p.pos]...)
			p.pos++
			from = p.pos
			if p.pos == len(p.src) {
				return "", p.malformed("Unexpected end of input.")
			}
		}
	}
	return "", p.malformed("Unexpected end of input.")
}

func appendArray(dst []byte, t Type, a []Datum, loc *time.Location) []byte {
	dst = append(dst, '{')
	for i, e := range a {
		if i > 0 {
			dst = append(dst, ',')
		}
		if inner, ok := e.([]Datum); ok && t.Elem.Kind == Array {
			dst = appendArray(dst, *t.Elem, inner, loc)
			continue
		}
		dst = appendItem(dst, *t.Elem, e, loc, "{}\",\\")
	}
	return append(dst, '}')
}

// appendItem appends an array or map item, quoted when it has to be.
func appendItem(dst []byte, t Type, d Datum, loc *time.Location, special string) []byte {
	if d == nil {
		return append(dst, "NULL"...)
	}
	start := len(dst)
	dst = AppendTextIn(dst, t, d, loc)
	if !needsQuotes(dst[start:], special) && !isNull(dst[start:]) {
		return dst
	}
	return quoteFrom(dst, start, '\\')
}

func isNull(b []byte) bool { return len(b) == 4 && strings.EqualFold(string(b), "null") }

func needsQuotes(b []byte, special string) bool {
	if len(b) == 0 {
		return true
	}
	for _, c := range b {
		if isSpace(c) || strings.IndexByte(special, c) >= 0 {
			return true
		}
	}
	return false
}

// quoteFrom puts dst[start:] in double quotes, with quotes and backslashes inside marked by escape,
// or doubled if escape is 0.
func quoteFrom(dst []byte, start int, escape byte) []byte {
	text := string(dst[start:])
	dst = append(dst[:start], '"')
	for i := 0; i < len(text); i++ {
		if c := text[i]; c == '"' || c == '\\' {
			if escape == 0 {
				dst = append(dst, c)
			} else {
				dst = append(dst, escape)
			}
		}
		dst = append(dst, text[i])
	}
	return append(dst, '"')
}

func parseRow(t Type, s string, env TextEnv) (Datum, error) {
	if t.Kind == Record && len(t.Fields) == 0 {
		return nil, Errorf(CodeFeatureNotSupported, "input of anonymous composite types is not implemented")
	}
	p := &nested{src: s, text: s, kind: "record"}
	p.skipSpace()
	if p.peek() != '(' {
		return nil, p.malformed("Missing left parenthesis.")
	}
	p.pos++
	row := make(RowValue, len(t.Fields))
	for i, f := range t.Fields {
		if i > 0 {
			if p.peek() != ',' {
				return nil, p.malformed("Too few columns.")
			}
			p.pos++
		}
		text, null, err := p.field()
		if err != nil {
			return nil, err
		}
		if null {
			continue
		}
		if row[i], err = ParseTextIn(f.Type, text, env); err != nil {
			return nil, err
		}
	}
	if p.peek() != ')' {
		return nil, p.malformed("Too many columns.")
	}
	p.pos++
	p.skipSpace()
	if p.pos < len(s) {
		return nil, p.malformed("Junk after right parenthesis.")
	}
	return row, nil
}

// field reads one field of a row up to a comma or the closing parenthesis. Nothing at all is NULL.
func (p *nested) field() (text string, null bool, err error) {
	if c := p.peek(); c == ',' || c == ')' {
		return "", true, nil
	}
	var b strings.Builder
	inQuotes := false
	for ; ; p.pos++ {
		if p.pos == len(p.src) {
			return "", false, p.malformed("Unexpected end of input.")
		}
		c := p.src[p.pos]
		switch {
		case c == '\\':
			p.pos++
			if p.pos == len(p.src) {
				return "", false, p.malformed("Unexpected end of input.")
			}
			b.WriteByte(p.src[p.pos])
		case c == '"' && inQuotes && p.pos+1 < len(p.src) && p.src[p.pos+1] == '"':
			p.pos++
			b.WriteByte('"')
		case c == '"':
			inQuotes = !inQuotes
		case !inQuotes && (c == ',' || c == ')'):
			return b.String(), false, nil
		default:
			b.WriteByte(c)
		}
	}
}

func appendRow(dst []byte, t Type, row RowValue, loc *time.Location) []byte {
	dst = append(dst, '(')
	for i, d := range row {
		if i > 0 {
			dst = append(dst, ',')
		}
		if d == nil {
			continue
		}
		start := len(dst)
		dst = AppendTextIn(dst, t.Fields[i].Type, d, loc)
		if needsQuotes(dst[start:], `"\(),`) {
			dst = quoteFrom(dst, start, 0)
		}
	}
	return append(dst, ')')
}

func parseMap(t Type, s string, env TextEnv) (Datum, error) {
	p := &nested{src: s, text: s, kind: "map"}
	p.skipSpace()
	if p.peek() != '{' {
		return nil, p.malformed(`Map value must start with "{".`)
	}
	p.pos++
	m := MapValue{}
	for p.skipSpace(); p.peek() != '}'; p.skipSpace() {
		if len(m) > 0 {
			if p.peek() != ',' {
				return nil, p.malformed("Unexpected map entry.")
			}
			p.pos++
		}
		e, err := p.entry(t, env)
		if err != nil {
			return nil, err
		}
		m = append(m, e)
	}
	p.pos++
	p.skipSpace()
	if p.pos < len(s) {
		return nil, p.malformed("Junk after closing right brace.")
	}
	return m, nil
}

func (p *nested) entry(t Type, env TextEnv) (e MapEntry, err error) {
	key, quoted, err := p.item("=")
	if err != nil {
		return e, err
	}
	p.skipSpace()
	if !strings.HasPrefix(p.src[p.pos:], "=>") {
		return e, p.malformed(`Missing "=>" after a key.`)
	}
	p.pos += 2
	if !quoted && strings.EqualFold(key, "null") {
		return e, p.malformed("A key must not be null.")
	}
	value, quoted, err := p.item(",}")
	if err != nil {
		return e, err
	}
	if e.Key, err = ParseTextIn(*t.Key, key, env); err != nil {
		return e, err
	}
	if quoted || !strings.EqualFold(value, "null") {
		e.Value, err = ParseTextIn(*t.Elem, value, env)
	}
	return e, err
}

func appendMap(dst []byte, t Type, m MapValue, loc *time.Location) []byte {
	dst = append(dst, '{')
	for i, e := range m {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendItem(dst, *t.Key, e.Key, loc, "{}\",\\=>")
		dst = append(dst, '=', '>')
		dst = appendItem(dst, *t.Elem, e.Value, loc, "{}\",\\=>")
	}
	return append(dst, '}')
}

// parseVector reads an int2vector or oidvector: numbers with white space between.
func parseVector(t Type, s string) (Datum, error) {
	elem := TypeInt2
	if t.Kind == OIDVector {
		elem = TypeOID
	}
	out := []Datum{}
	for _, f := range strings.Fields(s) {
		n, err := ParseInteger(elem, f)
		if err != nil {
			return nil, err
		}
		out = append(out, n)
	}
	return out, nil
}

func appendVector(dst []byte, v []Datum) []byte {
	for i, d := range v {
		if i > 0 {
			dst = append(dst, ' ')
		}
		dst = appendInt(dst, d.(int64))
	}
	return dst
}
