package engine

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/streamsql/streamsql/connectors/kafka/kafkatest"
)

var rewrite = flag.Bool("rewrite", false, "write what was got into testdata/*.slt")

// TestSLT runs testdata/*.slt, scripts in the manner of sqllogictest, each with a broker and a server
// of its own. A script is paragraphs; the first line of one says what it is, and what it has to give
// stands after a line ----.
//
//	statement ok | error CODE REGEXP | notice REGEXP | tag TAG
//	    runs SQL. `error` looks at code, message, detail and hint.
//	query [rowsort]
//	    rows of SQL, a|b|c; await is the same, tried until it fits.
//	topic NAME PARTITIONS
//	produce TOPIC [PARTITION]
//	    a record a line: VALUE, or KEY => VALUE; $NUL is none, $NOW[±seconds] a timestamp, $GARBAGE n
//	    n bytes that are no JSON. Between backquotes, Go's escapes are understood.
//	consume TOPIC [rowsort]
//	    waits for the topic to hold these records and no others, as KEY => VALUE where there is a key.
//	subscribe NAME
//	    runs SQL in a connection of its own; changes NAME [rowsort] waits for what has come since the
//	    last changes, without the epoch.
//	copy TAG
//	    runs COPY … FROM STDIN with the lines after ----.
//	session NAME
//	    who runs what follows. Sessions end with a crash or restart.
//	checkpoint | crash | restart | sleep DURATION
//
// $BROKER is the broker's address.
func TestSLT(t *testing.T) {
	files, err := filepath.Glob("testdata/*.slt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, f := range files {
		t.Run(strings.TrimSuffix(filepath.Base(f), ".slt"), func(t *testing.T) {
			t.Parallel()
			runScript(t, f)
		})
	}
}

// paragraph is one step of a script.
type paragraph struct {
	line   int
	words  []string // of the first line
	body   []string
	want   []string
	judged bool // there is a ----
	gap    bool // a comment that stands alone
}

// script is a running .slt file.
type script struct {
	t        *testing.T
	file     string
	node     *node
	who      string
	sessions map[string]*pgconn.PgConn
	streams  map[string]*subscription
	mu       sync.Mutex
	notices  []string // of the running statement
}

func runScript(t *testing.T, file string) {
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	broker := startBroker(t)
	s := &script{t: t, file: file, node: newNode(t, broker.Addr()), who: "main", sessions: map[string]*pgconn.PgConn{}, streams: map[string]*subscription{}}
	defer s.endSessions()
	var out bytes.Buffer
	for _, p := range paragraphs(string(text)) {
		if len(p.words) > 0 {
			got, judged := s.step(p)
			if judged && *rewrite {
				p.want, p.judged = got, true
			}
		}
		p.print(&out)
	}
	if *rewrite {
		if err := os.WriteFile(file, out.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// paragraphs splits a script; comments are paragraphs without words.
func paragraphs(text string) []*paragraph {
	var out []*paragraph
	var p *paragraph
	for i, line := range strings.Split(text, "\n") {
		switch {
		case strings.TrimSpace(line) == "":
			if p == nil && len(out) > 0 && len(out[len(out)-1].words) == 0 {
				out[len(out)-1].gap = true
			}
			p = nil
		case p == nil && strings.HasPrefix(line, "#"):
			out = append(out, &paragraph{line: i + 1, body: []string{line}})
		case p == nil:
			p = &paragraph{line: i + 1, words: strings.Fields(line)}
			p.words[0] = strings.TrimSpace(p.words[0])
			out = append(out, p)
		case line == "----" && !p.judged:
			p.judged = true
		case p.judged:
			p.want = append(p.want, line)
		default:
			p.body = append(p.body, line)
		}
	}
	return out
}

func (p *paragraph) print(w *bytes.Buffer) {
	if len(p.words) == 0 {
		fmt.Fprintln(w, p.body[0])
		if p.gap {
			fmt.Fprintln(w)
		}
		return
	}
	fmt.Fprintln(w, strings.Join(p.words, " "))
	for _, l := range p.body {
		fmt.Fprintln(w, l)
	}
	if p.judged {
		fmt.Fprintln(w, "----")
		for _, l := range p.want {
			fmt.Fprintln(w, l)
		}
	}
	fmt.Fprintln(w)
}

// step runs one paragraph; where it has a result to judge, that is returned.
func (s *script) step(p *paragraph) (got []string, judged bool) {
	text := strings.ReplaceAll(strings.Join(p.body, "\n"), "$BROKER", s.node.broker)
	arg := func(i int) string {
		if i >= len(p.words) {
			s.failf(p, "%s needs %d words more", p.words[0], i-len(p.words)+1)
		}
		return p.words[i]
	}
	sorted := slices.Contains(p.words[1:], "rowsort")
	switch p.words[0] {
	case "statement":
		s.statement(p, text)
	case "query":
		return s.judge(p, sorted, 0, func() ([]string, error) { return s.query(text) }), true
	case "await":
		return s.judge(p, sorted, testWait, func() ([]string, error) { return s.query(text) }), true
	case "consume":
		return s.judge(p, sorted, testWait, func() ([]string, error) { return s.consume(arg(1)) }), true
	case "changes":
		sub := s.streams[arg(1)]
		if sub == nil {
			s.failf(p, "no subscription %s", arg(1))
		}
		got := s.judge(p, sorted, testWait, func() ([]string, error) { return sub.rows(len(p.want)) })
		sub.forget(len(got))
		return got, true
	case "subscribe":
		s.streams[arg(1)] = s.subscribe(text)
	case "copy":
		s.copyIn(p, text)
	case "topic":
		n, err := strconv.Atoi(arg(2))
		if err != nil {
			s.failf(p, "%v", err)
		}
		kafkatest.CreateTopic(s.t, s.node.broker, arg(1), int32(n))
	case "produce":
		s.produce(p)
	case "session":
		s.who = arg(1)
	case "checkpoint":
		s.node.checkpoint()
	case "crash", "restart":
		s.endSessions()
		if p.words[0] == "crash" {
			s.node.crash()
		} else {
			s.node.stop()
		}
		s.node.start()
	case "sleep":
		d, err := time.ParseDuration(arg(1))
		if err != nil {
			s.failf(p, "%v", err)
		}
		time.Sleep(d)
	default:
		s.failf(p, "unknown step %q", p.words[0])
	}
	return nil, false
}

// wrong tells of a result that is not as wanted; the script goes on.
func (s *script) wrong(p *paragraph, format string, args ...any) {
	s.t.Helper()
	s.t.Errorf("%s:%d: %s", s.file, p.line, fmt.Sprintf(format, args...))
}

// failf ends a script that can't go on.
func (s *script) failf(p *paragraph, format string, args ...any) {
	s.t.Helper()
	s.t.Fatalf("%s:%d: %s", s.file, p.line, fmt.Sprintf(format, args...))
}

// judge compares rows with those wanted, over and over for as long as wait.
func (s *script) judge(p *paragraph, sorted bool, wait time.Duration, f func() ([]string, error)) []string {
	s.t.Helper()
	want := slices.Clone(p.want)
	if sorted {
		slices.Sort(want)
	}
	settle := *rewrite && wait > 0 && len(want) == 0 // nothing is wanted yet: take what comes in time
	if *rewrite && wait > 0 {
		wait = 3 * time.Second
	}
	for deadline := time.Now().Add(wait); ; time.Sleep(20 * time.Millisecond) {
		got, err := f()
		if sorted {
			slices.Sort(got)
		}
		late := !time.Now().Before(deadline)
		switch {
		case err == nil && slices.Equal(got, want) && !settle:
			return p.want
		case !late:
		case err != nil:
			s.wrong(p, "%s\n%s", errorLine(err), strings.Join(p.body, "\n"))
			return p.want
		case *rewrite:
			return got
		default:
			s.wrong(p, "%s\n--- got:\n%s\n--- want:\n%s", strings.Join(p.body, "\n"), strings.Join(got, "\n"), strings.Join(want, "\n"))
			return p.want
		}
	}
}

// conn is the current session's connection.
func (s *script) conn() *pgconn.PgConn {
	c := s.sessions[s.who]
	if c == nil || c.IsClosed() {
		c = s.node.connect(func(n *pgconn.Notice) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.notices = append(s.notices, strings.Join([]string{n.Severity, n.Code, n.Message, n.Detail, n.Hint}, " "))
		})
		s.sessions[s.who] = c
	}
	return c
}

func (s *script) endSessions() {
	for _, c := range s.sessions {
		_ = c.Close(context.Background()) // maybe the server has gone before
	}
	for _, sub := range s.streams {
		sub.cancel()
		<-sub.done
	}
	clear(s.sessions)
	clear(s.streams)
}

func (s *script) query(text string) ([]string, error) {
	rows, err := simpleQuery(s.conn(), text)
	var out []string
	for _, r := range rows {
		out = append(out, strings.ReplaceAll(strings.Join(r, "|"), s.node.broker, "$BROKER"))
	}
	return out, err
}

// errorLine is an error as scripts see it.
func errorLine(err error) string {
	var e *pgconn.PgError
	if !errors.As(err, &e) {
		return err.Error()
	}
	line := e.Code + ": " + e.Message
	for _, more := range []string{e.Detail, e.Hint} {
		if more != "" {
			line += " / " + more
		}
	}
	return line
}

func (s *script) statement(p *paragraph, text string) {
	s.t.Helper()
	if len(p.words) < 2 {
		s.failf(p, "what should become of the statement?")
	}
	s.notices = nil
	ctx, cancel := context.WithTimeout(context.Background(), 3*testWait)
	defer cancel()
	results, err := s.conn().Exec(ctx, text).ReadAll()
	for _, r := range results {
		err = errors.Join(err, r.Err)
	}
	rest := strings.Join(p.words[2:], " ")
	if p.words[1] == "error" {
		code, pattern, _ := strings.Cut(rest, " ")
		if err == nil {
			s.wrong(p, "no error\n%s", text)
			return
		}
		if line := errorLine(err); !strings.HasPrefix(line, code+": ") || !regexp.MustCompile(pattern).MatchString(line) {
			s.wrong(p, "%s\n%s", line, text)
		}
		return
	}
	if err != nil {
		s.wrong(p, "%s\n%s", errorLine(err), text)
		return
	}
	switch p.words[1] {
	case "ok":
	case "notice":
		if !regexp.MustCompile(rest).MatchString(strings.Join(s.notices, "\n")) {
			s.wrong(p, "notices: %q\n%s", s.notices, text)
		}
	case "tag":
		if got := results[len(results)-1].CommandTag.String(); got != rest {
			s.wrong(p, "tag %q\n%s", got, text)
		}
	default:
		s.failf(p, "unknown outcome %q", p.words[1])
	}
}

func (s *script) copyIn(p *paragraph, text string) {
	s.t.Helper()
	lines := strings.Join(p.want, "\n")
	if lines != "" {
		lines += "\n"
	}
	tag, err := s.conn().CopyFrom(context.Background(), strings.NewReader(lines), text)
	want := strings.Join(p.words[1:], " ")
	got := tag.String()
	if err != nil {
		got = errorLine(err)
	}
	if !regexp.MustCompile("^" + want).MatchString(got) {
		s.wrong(p, "%s\n%s", got, text)
	}
}

var nowMark = regexp.MustCompile(`\$NOW([+-]\d+)?`)

func (s *script) produce(p *paragraph) {
	s.t.Helper()
	var records []*kgo.Record
	for _, line := range p.body {
		r := &kgo.Record{Topic: p.words[1]}
		if len(p.words) > 2 {
			n, err := strconv.Atoi(p.words[2])
			if err != nil {
				s.failf(p, "%v", err)
			}
			r.Partition = int32(n)
		}
		if key, value, ok := strings.Cut(line, " => "); ok {
			r.Key, line = s.bytes(p, key), value
		}
		r.Value = s.bytes(p, line)
		records = append(records, r)
	}
	kafkatest.ProduceRecords(s.t, kafkatest.Client(s.t, s.node.broker, kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.AllowAutoTopicCreation()), records...)
}

// bytes is a key or a value as scripts write it.
func (s *script) bytes(p *paragraph, text string) []byte {
	s.t.Helper()
	if text == "$NUL" {
		return nil
	}
	if n, ok := strings.CutPrefix(text, "$GARBAGE "); ok { // that many bytes of no sense
		size, err := strconv.Atoi(n)
		if err != nil {
			s.failf(p, "%v", err)
		}
		return bytes.Repeat([]byte{'{', 0xfe, 'x', '"'}, size/4)
	}
	text = nowMark.ReplaceAllStringFunc(text, func(m string) string {
		secs, _ := strconv.Atoi(strings.TrimPrefix(m, "$NOW")) // 0 when there is nothing behind it
		return time.Now().UTC().Add(time.Duration(secs) * time.Second).Format("2006-01-02T15:04:05.000")
	})
	if strings.HasPrefix(text, "`") {
		v, err := strconv.Unquote(`"` + strings.ReplaceAll(strings.Trim(text, "`"), `"`, `\"`) + `"`)
		if err != nil {
			s.failf(p, "%s: %v", text, err)
		}
		return []byte(v)
	}
	return []byte(text)
}

func (s *script) consume(topic string) ([]string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), testWait)
	defer cancel()
	records, err := kafkatest.Committed(ctx, s.node.broker, topic)
	var out []string
	for _, r := range records {
		line := string(r.Value)
		if r.Value == nil {
			line = "$NUL"
		}
		if r.Key != nil {
			line = string(r.Key) + " => " + line
		}
		out = append(out, line)
	}
	return out, err
}
