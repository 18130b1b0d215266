package engine

import (
	"context"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/streamsql/streamsql/sql"
	"github.com/streamsql/streamsql/sql/engine/catalog"
	"github.com/streamsql/streamsql/sql/parser"
	"github.com/streamsql/streamsql/sql/parser/ast"
	"github.com/streamsql/streamsql/wire"
)

// session executes the statements of one connection. One goroutine uses it.
type session struct {
	e        *Engine
	client   *wire.Client
	set      *settingsStack
	tx       *txn // nil outside any transaction
	cursors  map[string]*cursor
	prepared map[string]*sqlPrepared // by PREPARE
	cache    statementCache
	id       uint64
	since    time.Time
	running  atomic.Pointer[context.Context] // of the statement at work, for pg_sleep
}

// sessionRegistry lists the sessions for streamsql.sessions and pg_stat_activity.
type sessionRegistry struct {
	mu   sync.Mutex
	next uint64
	all  map[uint64]*sessionInfo
}

type sessionInfo struct {
	pid      uint32
	user     string
	database string
	remote   string
	since    time.Time

	mu    sync.Mutex
	app   string
	query string
	start time.Time
	state string
}

var (
	_ wire.Backend         = (*Engine)(nil)
	_ wire.CursorDescriber = (*session)(nil)
)

// Credentials implements wire.Backend.
func (e *Engine) Credentials(user string) (wire.Credentials, bool) {
	u := e.catalog.Load().User(user)
	if u == nil || u.Auth == nil {
		return wire.Credentials{}, false
	}
	return wire.Credentials{Salt: u.Auth.Salt, Iterations: u.Auth.Iterations, StoredKey: u.Auth.StoredKey, ServerKey: u.Auth.ServerKey}, true
}

// HasUsers tells whether any user has a password: a server that is reachable from elsewhere needs one.
func (e *Engine) HasUsers() bool {
	for _, u := range e.catalog.Load().All(catalog.User) {
		if u.Auth != nil {
			return true
		}
	}
	return false
}

// Connect implements wire.Backend.
func (e *Engine) Connect(_ context.Context, c *wire.Client) (wire.Session, error) {
	set, err := newSettings(c.Settings, c.User)
	if err != nil {
		return nil, err
	}
	s := &session{e: e, client: c, set: set, cursors: map[string]*cursor{}, prepared: map[string]*sqlPrepared{}, since: time.Now()}
	s.id = e.sessions.add(&sessionInfo{pid: c.PID, user: c.User, database: c.Database, remote: c.RemoteAddr, since: s.since, state: "idle"})
	e.counters.sessions.Add(1)
	return s, nil
}

func (r *sessionRegistry) add(i *sessionInfo) uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.all == nil {
		r.all = map[uint64]*sessionInfo{}
	}
	r.next++
	r.all[r.next] = i
	return r.next
}

func (r *sessionRegistry) remove(id uint64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.all, id)
}

func (r *sessionRegistry) get(id uint64) *sessionInfo {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.all[id]
}

func (r *sessionRegistry) list() []*sessionInfo {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := make([]*sessionInfo, 0, len(r.all))
	for _, i := range r.all {
		out = append(out, i)
	}
	return out
}

// Settings implements wire.Session.
func (s *session) Settings() map[string]string { return s.set.reported() }

// Location implements wire.Session.
func (s *session) Location() *time.Location { return s.set.location() }

// StatementTimeout implements wire.Session.
func (s *session) StatementTimeout() time.Duration { return s.set.duration("statement_timeout") }

// IdleTimeout implements wire.Session.
func (s *session) IdleTimeout() time.Duration {
	if s.TxStatus() == 'I' {
		return s.set.duration("idle_session_timeout")
	}
	return s.set.duration("idle_in_transaction_session_timeout")
}

// statement is a parsed statement: wire.Statement.
type statement struct {
	node   ast.Stmt
	source string // of the statement alone
	text   string // of the message, when it is this statement only
	cached *cachedQuery
	keyed  bool // node is of another key
	key    int64
}

// Shown implements wire.Statement.
func (s *statement) Shown() string { return shownSource(s.node, s.source) }

// Parse implements wire.Session.
func (s *session) Parse(_ context.Context, src string) ([]wire.Statement, error) {
	if st := s.cache.find(s, src); st != nil {
		return []wire.Statement{st}, nil
	}
	parsed, err := parser.Parse(src)
	if err != nil {
		return nil, err
	}
	out := make([]wire.Statement, len(parsed))
	for i, p := range parsed {
		out[i] = &statement{node: p.Node, source: src[p.Start:p.End]}
	}
	if len(parsed) == 1 {
		out[0].(*statement).text = src
	}
	return out, nil
}

// runnable is an analysed statement.
type runnable struct {
	params  []sql.Type
	columns sql.Schema // nil = no rows
	// anytime statements run in a failed transaction too: COMMIT, ROLLBACK.
	anytime bool
	// alone statements open no implicit transaction: BEGIN, SET, SHOW.
	alone bool
	// point, when not nil, is what reads the one row that the statement asks for. It needs a
	// transaction only to see what that has written.
	point *pointQuery
	run   func(ctx context.Context, params []sql.Datum) (wire.Result, error)
}

// prepared is wire.Prepared. It is analysed anew when the catalog has changed since.
type prepared struct {
	s       *session
	st      *statement
	oids    []uint32
	r       *runnable
	catalog *catalog.Snapshot
}

// Prepare implements wire.Session.
func (s *session) Prepare(ctx context.Context, st wire.Statement, oids []uint32) (wire.Prepared, error) {
	p := &prepared{s: s, st: st.(*statement), oids: oids}
	if err := s.inFailed(p.st.node); err != nil {
		return nil, err
	}
	if p.r = s.cache.prepare(s, p.st, oids); p.r != nil {
		p.catalog = s.cache.catalog
		return p, nil
	}
	if err := p.analyze(ctx); err != nil {
		return nil, err
	}
	s.cache.keep(s, p.st, oids, p.r)
	return p, nil
}

func (s *session) inFailed(n ast.Stmt) error {
	if s.tx == nil || !s.tx.failed {
		return nil
	}
	switch n.(type) {
	case *ast.Commit, *ast.Rollback:
		return nil
	}
	return sql.Errorf(sql.CodeInFailedTransaction, "current transaction is aborted, commands ignored until end of transaction block")
}

func (p *prepared) analyze(ctx context.Context) error {
	types := make([]sql.Type, len(p.oids))
	for i, oid := range p.oids {
		if oid == 0 || oid == sql.TypeUnknown.OID() {
			continue
		}
		t, ok := sql.TypeByOID(oid)
		if !ok {
			return sql.Errorf(sql.CodeUndefinedObject, "type with OID %d does not exist", oid)
		}
		types[i] = t
	}
	p.catalog = p.s.catalog()
	if p.st.keyed { // the tree is another statement's
		parsed, err := parser.Parse(p.st.text)
		if err != nil {
			return err
		}
		p.st = &statement{node: parsed[0].Node, source: p.st.source, text: p.st.text}
	}
	r, err := p.s.analyze(ctx, p.st.node, p.st.source, types)
	p.r = r
	return err
}

// ParamTypes implements wire.Prepared.
func (p *prepared) ParamTypes() []sql.Type { return p.r.params }

// Columns implements wire.Prepared.
func (p *prepared) Columns() sql.Schema { return p.r.columns }

// Execute implements wire.Prepared.
func (p *prepared) Execute(ctx context.Context, params []sql.Datum) (wire.Result, error) {
	s := p.s
	if err := s.inFailed(p.st.node); err != nil {
		return wire.Result{}, err
	}
	if s.catalog() != p.catalog {
		before := p.r.columns
		if err := p.analyze(ctx); err != nil {
			return wire.Result{}, err
		}
		if !sameShape(before, p.r.columns) {
			return wire.Result{}, sql.Errorf(sql.CodeFeatureNotSupported, "cached plan must not change result type")
		}
	}
	s.note(p.st.Shown())
	if !p.r.alone && (p.r.point == nil || s.tx != nil) {
		if s.tx == nil {
			s.tx = s.e.begin(false)
			s.set.begin()
		}
		if err := s.tx.statement(); err != nil {
			return wire.Result{}, err
		}
		s.tx.node, s.tx.lockTimeout = p.st.node, s.set.duration("lock_timeout")
	}
	s.e.counters.statements.Add(1)
	s.running.Store(&ctx)
	res, err := p.r.run(ctx, params)
	if err != nil {
		s.e.counters.statementErrors.Add(1)
		return wire.Result{}, err
	}
	if res.Rows != nil && res.Columns == nil {
		res.Columns = p.r.columns
	}
	return res, nil
}

func sameShape(a, b sql.Schema) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i].Type.OID() != b[i].Type.OID() || a[i].Name != b[i].Name {
			return false
		}
	}
	return true
}

// note tells streamsql.sessions what is running.
func (s *session) note(query string) {
	if i := s.e.sessions.get(s.id); i != nil {
		app, _ := s.set.get("application_name")
		i.mu.Lock()
		i.query, i.start, i.state, i.app = query, time.Now(), "active", app
		i.mu.Unlock()
	}
}

// catalog is what the session's next statement sees.
func (s *session) catalog() *catalog.Snapshot {
	if s.tx != nil {
		return s.tx.catalog()
	}
	return s.e.catalog.Load()
}

// Sync implements wire.Session: it commits the implicit transaction.
func (s *session) Sync(context.Context) error {
	if i := s.e.sessions.get(s.id); i != nil {
		i.mu.Lock()
		i.state = "idle"
		if s.tx != nil && s.tx.explicit {
			i.state = "idle in transaction"
		}
		i.mu.Unlock()
	}
	if s.tx == nil || s.tx.explicit {
		return nil
	}
	return s.endTx(true)
}

// Fail implements wire.Session.
func (s *session) Fail() {
	switch {
	case s.tx == nil:
	case s.tx.explicit:
		s.tx.fail()
	default:
		_ = s.endTx(false) // a rollback has no error to tell
	}
}

// endTx ends the current transaction. A failed commit has rolled it back.
func (s *session) endTx(commit bool) error {
	tx := s.tx
	s.tx = nil
	var err error
	if commit {
		err = tx.commit()
	} else {
		tx.rollback()
	}
	s.closeCursors(err == nil && commit)
	s.set.end(err == nil && commit)
	s.reportSettings()
	return err
}

// TxStatus implements wire.Session.
func (s *session) TxStatus() byte {
	switch {
	case s.tx == nil || !s.tx.explicit:
		return 'I'
	case s.tx.failed:
		return 'E'
	}
	return 'T'
}

// Close implements wire.Session.
func (s *session) Close() {
	if s.tx != nil {
		_ = s.endTx(false) // a rollback has no error to tell
	}
	for _, c := range s.cursors {
		c.close()
	}
	s.e.sessions.remove(s.id)
	s.e.counters.sessions.Add(-1)
}

func (s *session) notice(format string, args ...any) {
	s.client.Notice("NOTICE", sql.Errorf("00000", format, args...))
}

func (s *session) warning(code, format string, args ...any) {
	s.client.Notice("WARNING", sql.Errorf(code, format, args...))
}

func tag(t string) func(int64) string { return func(int64) string { return t } }

func countTag(word string) func(int64) string {
	return func(n int64) string { return word + " " + strconv.FormatInt(n, 10) }
}

func itoa(n uint32) string { return strconv.FormatUint(uint64(n), 10) }

func nowMicros() sql.TimestampValue { return sql.TimestampValue(time.Now().UnixMicro()) }
