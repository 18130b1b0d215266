package wire

import (
	"context"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/streamsql/streamsql/exec/stream"
	"github.com/streamsql/streamsql/sql"
)

// fakeBackend is an engine just good enough to drive the protocol: SELECT of literals, parameters and
// a few functions, transaction blocks, SET and SHOW, tables that COPY fills and reads.
type fakeBackend struct {
	users map[string]Credentials

	mu     sync.Mutex
	tables map[string]*fakeTable

	sessions atomic.Int64 // open now
	syncs    atomic.Int64
	fails    atomic.Int64
}

type fakeTable struct {
	columns sql.Schema
	rows    [][]sql.Datum
}

func newFakeBackend() *fakeBackend {
	return &fakeBackend{users: map[string]Credentials{}, tables: map[string]*fakeTable{}}
}

func (b *fakeBackend) Credentials(user string) (Credentials, bool) {
	c, ok := b.users[user]
	return c, ok
}

func (b *fakeBackend) Connect(_ context.Context, c *Client) (Session, error) {
	if c.Database == "nowhere" {
		return nil, sql.Errorf("3D000", `database "nowhere" does not exist`)
	}
	s := &fakeSession{b: b, client: c, settings: map[string]string{"server_version": "15.0", "client_encoding": "UTF8", "DateStyle": "ISO, MDY",
		"standard_conforming_strings": "on", "integer_datetimes": "on", "TimeZone": "UTC", "application_name": c.Settings["application_name"]},
		cursors: map[string]sql.Schema{}}
	if t := c.Settings["statement_timeout"]; t != "" {
		ms, err := strconv.Atoi(t)
		if err != nil {
			return nil, sql.Errorf("22023", "invalid value for parameter \"statement_timeout\": %q", t)
		}
		s.timeout = time.Duration(ms) * time.Millisecond
	}
	b.sessions.Add(1)
	return s, nil
}

type fakeSession struct {
	b        *fakeBackend
	client   *Client
	settings map[string]string
	timeout  time.Duration
	idle     map[byte]time.Duration // by TxStatus
	cursors  map[string]sql.Schema
	explicit bool
	failed   bool
}

func (s *fakeSession) Settings() map[string]string     { return s.settings }
func (s *fakeSession) Location() *time.Location        { return time.UTC }
func (s *fakeSession) StatementTimeout() time.Duration { return s.timeout }
func (s *fakeSession) IdleTimeout() time.Duration      { return s.idle[s.TxStatus()] }
func (s *fakeSession) Close()                          { s.b.sessions.Add(-1) }

func (s *fakeSession) Sync(context.Context) error {
	s.b.syncs.Add(1)
	return nil
}

func (s *fakeSession) Fail() {
	s.b.fails.Add(1)
	s.failed = s.explicit
}

func (s *fakeSession) TxStatus() byte {
	switch {
	case !s.explicit:
		return 'I'
	case s.failed:
		return 'E'
	}
	return 'T'
}

func (s *fakeSession) CursorColumns(name string) (sql.Schema, bool) {
	c, ok := s.cursors[name]
	return c, ok
}

// fakeStatement is a statement without comments and surrounding space, and where it began.
type fakeStatement struct {
	text   string
	offset int
}

func (s *fakeStatement) Shown() string { return s.text }

func (s *fakeSession) Parse(_ context.Context, src string) ([]Statement, error) {
	var out []Statement
	start := 0
	for i := 0; i <= len(src); i++ {
		switch {
		case i < len(src) && src[i] == '\'':
			for i++; i < len(src) && src[i] != '\''; i++ {
			}
		case strings.HasPrefix(src[i:], "--"):
			end := strings.IndexByte(src[i:]+"\n", '\n')
			src = src[:i] + strings.Repeat(" ", min(end, len(src)-i)) + src[min(i+end, len(src)):]
		case i == len(src) || src[i] == ';':
			text := src[start:i]
			offset := start + len(text) - len(strings.TrimLeft(text, " \t\r\n"))
			if text = strings.TrimSpace(text); text != "" {
				word := regexp.MustCompile(`^\S+`).FindString(text)
				if !fakeWords[strings.ToLower(word)] {
					return nil, sql.Errorf(sql.CodeSyntaxError, "syntax error at or near %q", word).At(offset)
				}
				out = append(out, &fakeStatement{text, offset})
			}
			start = i + 1
		}
	}
	return out, nil
}

var fakeWords = map[string]bool{"select": true, "begin": true, "commit": true, "rollback": true, "set": true, "show": true, "copy": true,
	"create": true, "drop": true, "deallocate": true, "declare": true, "notice": true, "panic": true, "huge": true, "savepoint": true}

type fakePrepared struct {
	s       *fakeSession
	text    string
	offset  int
	params  []sql.Type
	columns sql.Schema
	run     func(ctx context.Context, params []sql.Datum) (Result, error)
}

func (p *fakePrepared) ParamTypes() []sql.Type { return p.params }
func (p *fakePrepared) Columns() sql.Schema    { return p.columns }

func (p *fakePrepared) Execute(ctx context.Context, params []sql.Datum) (Result, error) {
	if err := p.s.inFailed(p.text); err != nil {
		return Result{}, err
	}
	return p.run(ctx, params)
}

func (s *fakeSession) inFailed(text string) error {
	w := strings.ToLower(text)
	if !s.failed || strings.HasPrefix(w, "commit") || strings.HasPrefix(w, "rollback") {
		return nil
	}
	return sql.Errorf(sql.CodeInFailedTransaction, "current transaction is aborted, commands ignored until end of transaction block")
}

func (s *fakeSession) Prepare(_ context.Context, st Statement, oids []uint32) (Prepared, error) {
	text, offset := st.Shown(), st.(*fakeStatement).offset
	if err := s.inFailed(text); err != nil {
		return nil, err
	}
	p := &fakePrepared{s: s, text: text, offset: offset}
	err := s.analyze(p, oids)
	return p, sql.ErrorAt(err, offset)
}

func (s *fakeSession) analyze(p *fakePrepared, oids []uint32) error {
	words := strings.Fields(p.text)
	switch strings.ToLower(words[0]) {
	case "select":
		return s.analyzeSelect(p, strings.TrimSpace(p.text[len("select"):]), oids)
	case "copy":
		return s.analyzeCopy(p)
	case "show":
		p.columns = sql.Schema{{Name: words[1], Type: sql.TypeText}}
		p.run = func(context.Context, []sql.Datum) (Result, error) {
			return fakeResult(p.columns, [][]sql.Datum{{s.settings[words[1]]}}, "SHOW"), nil
		}
	case "huge":
		return s.analyzeHuge(p)
	default:
		p.run = func(context.Context, []sql.Datum) (Result, error) {
			tag, err := s.command(words, p.text)
			return Result{Tag: func(int64) string { return tag }}, err
		}
	}
	return nil
}

// command runs a statement without rows.
func (s *fakeSession) command(words []string, text string) (tag string, err error) {
	word := strings.ToLower(words[0])
	switch word {
	case "begin":
		if s.explicit {
			s.client.Notice("WARNING", sql.Errorf("25001", "there is already a transaction in progress"))
		}
		s.explicit = true
	case "commit", "rollback":
		if s.failed {
			word = "rollback"
		}
		if !s.explicit {
			s.client.Notice("WARNING", sql.Errorf("25P01", "there is no transaction in progress"))
		}
		s.explicit, s.failed = false, false
		clear(s.cursors)
	case "set":
		name, value := words[1], strings.Trim(words[len(words)-1], "'")
		if ms, _ := strconv.Atoi(value); name == "statement_timeout" {
			s.timeout = time.Duration(ms) * time.Millisecond
		} else if name == "idle_timeout" {
			s.idle = map[byte]time.Duration{'I': time.Duration(ms) * time.Millisecond, 'T': time.Duration(ms) * time.Millisecond}
		} else if old, ok := s.settings[name]; ok && old != value {
			s.client.ParameterStatus(name, value)
		}
		s.settings[name] = value
	case "create":
		m := regexp.MustCompile(`(?is)^create (?:temp )?table (\w+) ?\((.*)\)$`).FindStringSubmatch(text)
		t := &fakeTable{}
		for _, col := range splitTop(m[2]) {
			name, typ, _ := strings.Cut(strings.TrimSpace(col), " ")
			ty, err := sql.TypeFromName(typ, nil)
			if err != nil {
				return "", err
			}
			t.columns = append(t.columns, sql.Column{Name: name, Type: ty})
		}
		s.b.mu.Lock()
		s.b.tables[m[1]] = t
		s.b.mu.Unlock()
		return "CREATE TABLE", nil
	case "deallocate":
		if name := strings.Trim(words[1], `"`); strings.EqualFold(name, "all") {
			s.client.Deallocate("")
			return "DEALLOCATE ALL", nil
		} else if !s.client.Deallocate(name) {
			return "", sql.Errorf("26000", "prepared statement %q does not exist", name)
		}
	case "declare":
		s.cursors[words[1]] = sql.Schema{{Name: "x", Type: sql.TypeInt4}}
		return "DECLARE CURSOR", nil
	case "notice":
		s.client.Notice("NOTICE", sql.Errorf("00000", "%s", words[1]))
	case "panic":
		panic("as asked")
	}
	return strings.ToUpper(word), nil
}

func fakeResult(columns sql.Schema, rows [][]sql.Datum, word string) Result {
	r := &fakeRows{}
	if len(rows) > 0 {
		r.batches = append(r.batches, fakeBatch(columns, rows))
	}
	return Result{Rows: r, Columns: columns, Tag: func(n int64) string {
		if word == "SELECT" {
			return "SELECT " + strconv.FormatInt(n, 10)
		}
		return word
	}}
}

func fakeBatch(columns sql.Schema, rows [][]sql.Datum) *stream.Batch {
	b := &stream.Batch{Rows: len(rows)}
	for i, c := range columns {
		col := stream.NewBuilder(c.Type)
		for _, r := range rows {
			col.Append(r[i])
		}
		b.Columns = append(b.Columns, col.Finish())
	}
	return b
}

// fakeRows is batches, then what more makes.
type fakeRows struct {
	batches []*stream.Batch
	more    func(ctx context.Context) (*stream.Batch, error)
	closed  bool
}

func (r *fakeRows) Next(ctx context.Context) (*stream.Batch, error) {
	if r.closed {
		panic("Next after Close")
	}
	if len(r.batches) > 0 {
		b := r.batches[0]
		r.batches = r.batches[1:]
		return b, nil
	}
	if r.more == nil {
		return nil, nil
	}
	return r.more(ctx)
}

func (r *fakeRows) Close() { r.closed = true }
