package wire

import (
	"context"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/streamsql/streamsql/exec/stream"
	"github.com/streamsql/streamsql/sql"
)

// splitTop splits at the commas outside of quotes and brackets.
func splitTop(s string) []string {
	var out []string
	depth, start, quoted := 0, 0, false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\'':
			quoted = !quoted
		case quoted:
		case c == '(' || c == '[' || c == '{':
			depth++
		case c == ')' || c == ']' || c == '}':
			depth--
		case c == ',' && depth == 0:
			out = append(out, s[start:i])
			start = i + 1
		}
	}
	return append(out, s[start:])
}

var (
	fakeItem = regexp.MustCompile(`(?is)^(\$\d+|'(?:[^']|'')*'|-?[\d.]+|null|true|false) ?(?:::([a-z0-9 "]+?(?:\[\])?)(\(\d+,\d+\))?)?(?: as (\w+))?$`)
	fakeCall = regexp.MustCompile(`(?is)^(\w+)\((.*)\)$`)
	fakeFrom = regexp.MustCompile(`(?is)^(?:\*|[\w", ]+) from "?(\w+)"?$`)
)

func (s *fakeSession) analyzeSelect(p *fakePrepared, list string, oids []uint32) error {
	if list == "" {
		p.columns = sql.Schema{}
		p.run = func(context.Context, []sql.Datum) (Result, error) {
			return fakeResult(p.columns, [][]sql.Datum{{}}, "SELECT"), nil
		}
		return nil
	}
	if list == "1/0" {
		p.columns = sql.Schema{{Name: "?column?", Type: sql.TypeInt4}}
		p.run = func(context.Context, []sql.Datum) (Result, error) {
			return Result{}, sql.Errorf(sql.CodeDivisionByZero, "division by zero")
		}
		return nil
	}
	if m := fakeFrom.FindStringSubmatch(list); m != nil {
		t, err := s.table(m[1], p.offset+strings.Index(p.text, m[1]))
		if err != nil {
			return err
		}
		p.columns = t.columns
		p.run = func(context.Context, []sql.Datum) (Result, error) {
			return fakeResult(t.columns, t.rows, "SELECT"), nil
		}
		return nil
	}
	if m := fakeCall.FindStringSubmatch(list); m != nil {
		return s.analyzeCall(p, strings.ToLower(m[1]), splitTop(m[2]))
	}
	return analyzeItems(p, splitTop(list), oids)
}

func analyzeItems(p *fakePrepared, items []string, oids []uint32) error {
	type item struct {
		param int // 1-based; 0 = value
		value sql.Datum
	}
	var parsed []item
	for _, text := range items {
		m := fakeItem.FindStringSubmatch(strings.TrimSpace(text))
		if m == nil {
			return sql.Errorf(sql.CodeSyntaxError, "syntax error at or near %q", text)
		}
		lit, t, it := m[1], sql.TypeText, item{}
		switch {
		case lit[0] == '$':
			it.param, _ = strconv.Atoi(lit[1:])
		case lit[0] == '\'':
			lit = strings.ReplaceAll(lit[1:len(lit)-1], "''", "'")
		case strings.EqualFold(lit, "true"), strings.EqualFold(lit, "false"):
			t = sql.TypeBool
		case strings.Contains(lit, "."):
			t = sql.TypeNumeric
		case !strings.EqualFold(lit, "null"):
			t = sql.TypeInt4
		}
		name := "?column?"
		if m[2] != "" {
			var mods []int32
			for _, mod := range strings.FieldsFunc(m[3], func(r rune) bool { return strings.ContainsRune("(,)", r) }) {
				n, _ := strconv.Atoi(mod)
				mods = append(mods, int32(n))
			}
			var err error
			if t, err = sql.TypeFromName(strings.TrimSpace(m[2]), mods); err != nil {
				return err
			}
			name = m[2]
		}
		if m[4] != "" {
			name = m[4]
		}
		if it.param > 0 {
			for len(p.params) < it.param {
				p.params = append(p.params, sql.TypeText)
			}
			if i := it.param - 1; m[2] == "" && i < len(oids) && oids[i] != 0 {
				if known, ok := sql.TypeByOID(oids[i]); ok {
					t = known
				}
			}
			p.params[it.param-1] = t
		} else if !strings.EqualFold(lit, "null") {
			var err error
			if it.value, err = sql.ParseText(t, lit); err != nil {
				return err
			}
		}
		parsed = append(parsed, it)
		p.columns = append(p.columns, sql.Column{Name: name, Type: t})
	}
	p.run = func(_ context.Context, params []sql.Datum) (Result, error) {
		row := make([]sql.Datum, len(parsed))
		for i, it := range parsed {
			row[i] = it.value
			if it.param > 0 {
				row[i] = params[it.param-1]
			}
		}
		return fakeResult(p.columns, [][]sql.Datum{row}, "SELECT"), nil
	}
	return nil
}

func (s *fakeSession) analyzeCall(p *fakePrepared, name string, args []string) error {
	var nums []float64
	for _, a := range args {
		n, _ := strconv.ParseFloat(strings.TrimSpace(a), 64)
		nums = append(nums, n)
	}
	switch name {
	case "generate_series":
		p.columns = sql.Schema{{Name: name, Type: sql.TypeInt4}}
		p.run = func(context.Context, []sql.Datum) (Result, error) {
			return Result{Rows: series(int32(nums[0]), int32(nums[1])), Columns: p.columns,
				Tag: func(n int64) string { return "SELECT " + strconv.FormatInt(n, 10) }}, nil
		}
	case "pg_sleep":
		p.columns = sql.Schema{{Name: name, Type: sql.TypeVoid}}
		p.run = func(context.Context, []sql.Datum) (Result, error) {
			res := fakeResult(p.columns, nil, "SELECT")
			slept := false
			res.Rows.(*fakeRows).more = func(ctx context.Context) (*stream.Batch, error) {
				if slept {
					return nil, nil
				}
				slept = true
				select {
				case <-time.After(time.Duration(nums[0] * float64(time.Second))):
					return fakeBatch(p.columns, [][]sql.Datum{{""}}), nil
				case <-ctx.Done():
					return nil, ctx.Err()
				}
			}
			return res, nil
		}
	case "ticks": // a row at once and one whenever asked after that, as a SUBSCRIBE: it never ends
		p.columns = sql.Schema{{Name: name, Type: sql.TypeInt4}}
		p.run = func(context.Context, []sql.Datum) (Result, error) {
			res := fakeResult(p.columns, [][]sql.Datum{{int64(1)}}, "SELECT")
			res.Rows.(*fakeRows).more = func(ctx context.Context) (*stream.Batch, error) {
				<-ctx.Done()
				return nil, ctx.Err()
			}
			return res, nil
		}
	default:
		return sql.Errorf(sql.CodeUndefinedFunction, "function %s() does not exist", name)
	}
	return nil
}

func series(from, to int32) *fakeRows {
	next := int64(from)
	return &fakeRows{more: func(context.Context) (*stream.Batch, error) {
		n := min(int64(to)-next+1, 1000)
		if n <= 0 {
			return nil, nil
		}
		values := make([]int32, n)
		for i := range values {
			values[i] = int32(next) + int32(i)
		}
		next += n
		return &stream.Batch{Columns: arrays(stream.Int32s(values, nil)), Rows: int(n)}, nil
	}}
}

// analyzeHuge is HUGE n: endless rows of n bytes.
func (s *fakeSession) analyzeHuge(p *fakePrepared) error {
	n, _ := strconv.Atoi(strings.Fields(p.text)[1])
	p.columns = sql.Schema{{Name: "huge", Type: sql.TypeText}}
	b := fakeBatch(p.columns, [][]sql.Datum{{strings.Repeat("x", n)}})
	p.run = func(context.Context, []sql.Datum) (Result, error) {
		res := fakeResult(p.columns, nil, "SELECT")
		res.Rows.(*fakeRows).more = func(ctx context.Context) (*stream.Batch, error) { return b, ctx.Err() }
		return res, nil
	}
	return nil
}

func (s *fakeSession) table(name string, offset int) (*fakeTable, error) {
	s.b.mu.Lock()
	defer s.b.mu.Unlock()
	if t := s.b.tables[name]; t != nil {
		return t, nil
	}
	return nil, sql.Errorf(sql.CodeUndefinedTable, "relation %q does not exist", name).At(offset)
}

var (
	fakeCopyIn  = regexp.MustCompile(`(?is)^copy\s+"?(\w+)"?(?: \(.*?\))?\s+from stdin ?(.*)$`)
	fakeCopyOut = regexp.MustCompile(`(?is)^copy\s+(?:"?(\w+)"?|\((.*)\))\s+to stdout ?(.*)$`)
	fakeOption  = regexp.MustCompile(`(?i)(format|delimiter|null|quote|escape|header) (\w+|'(?:[^']|'')*')`)
)

func fakeFormat(options string) CopyFormat {
	f := CopyFormat{Format: "text", Delimiter: '\t', Null: `\N`, Quote: '"', Escape: '"'}
	if strings.Contains(strings.ToLower(options), "binary") {
		f.Format = "binary"
	}
	if strings.Contains(strings.ToLower(options), "csv") {
		f.Format, f.Delimiter, f.Null = "csv", ',', ""
	}
	for _, m := range fakeOption.FindAllStringSubmatch(options, -1) {
		v := m[2]
		if v[0] == '\'' {
			v = strings.ReplaceAll(v[1:len(v)-1], "''", "'")
		}
		switch strings.ToLower(m[1]) {
		case "delimiter":
			f.Delimiter = v[0]
		case "null":
			f.Null = v
		case "quote":
			if f.Quote = v[0]; !strings.Contains(options, "escape") {
				f.Escape = v[0]
			}
		case "escape":
			f.Escape = v[0]
		case "header":
			f.Header = v == "true"
		}
	}
	return f
}

func (s *fakeSession) analyzeCopy(p *fakePrepared) error {
	tag := func(n int64) string { return "COPY " + strconv.FormatInt(n, 10) }
	if m := fakeCopyIn.FindStringSubmatch(p.text); m != nil {
		t, err := s.table(m[1], p.offset+strings.Index(p.text, m[1]))
		if err != nil {
			return err
		}
		p.run = func(context.Context, []sql.Datum) (Result, error) {
			var got [][]sql.Datum
			return Result{Tag: tag, CopyIn: &CopyIn{Format: fakeFormat(m[2]), Columns: t.columns,
				Write: func(_ context.Context, rows [][]sql.Datum) error { got = append(got, rows...); return nil },
				Finish: func(context.Context) error {
					s.b.mu.Lock()
					defer s.b.mu.Unlock()
					t.rows = append(t.rows, got...)
					return nil
				}}}, nil
		}
		return nil
	}
	m := fakeCopyOut.FindStringSubmatch(p.text)
	if m == nil {
		return sql.Errorf(sql.CodeSyntaxError, "syntax error at end of input")
	}
	query := m[2]
	if query == "" {
		query = "select * from " + m[1]
	}
	inner := &fakePrepared{s: s, text: query}
	if err := s.analyze(inner, nil); err != nil {
		return err
	}
	p.run = func(ctx context.Context, _ []sql.Datum) (Result, error) {
		res, err := inner.run(ctx, nil)
		return Result{Tag: tag, CopyOut: &CopyOut{Format: fakeFormat(m[3]), Columns: inner.columns, Rows: res.Rows}}, err
	}
	return nil
}
