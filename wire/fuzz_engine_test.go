package wire_test

import (
	"context"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/streamsql/streamsql/sql/engine"
	"github.com/streamsql/streamsql/wire"
)

// fuzzedEngine is a real server for fuzzed clients. What they create stays, within bounds: after some
// runs there is a new one.
type fuzzedEngine struct {
	engine *engine.Engine
	base   string // of the engines' directories
	dir    string // of this one's
	runs   int
}

const fuzzedEngineRuns = 200

func (e *fuzzedEngine) ready(t *testing.T) {
	if e.runs++; e.engine != nil && e.runs%fuzzedEngineRuns != 0 {
		return
	}
	e.close(t)
	dir, err := os.MkdirTemp(e.base, "engine")
	if err != nil {
		t.Fatal(err)
	}
	e.dir = dir
	opened, err := engine.Open(engine.Config{DataDir: dir, MemoryBudget: 64 << 20, Parallelism: 2, Version: "fuzz"})
	if err != nil {
		t.Fatal(err)
	}
	e.engine = opened
	s, err := opened.Connect(context.Background(), &wire.Client{User: "u", Notice: nil})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, text := range []string{"CREATE USER secretive PASSWORD '" + wire.AttackPassword + "'",
		"CREATE TABLE t (a INT PRIMARY KEY, b TEXT, c NUMERIC(10,2), d TIMESTAMPTZ, e TEXT[], f JSONB)",
		"INSERT INTO t SELECT i, 'b' || i, i / 4.0, TIMESTAMPTZ '2024-01-01 00:00Z' + i * INTERVAL '1 hour', ARRAY['x', 'y'], '{\"k\":1}' FROM generate_series(1, 50) AS s(i)",
		"CREATE MATERIALIZED VIEW v AS SELECT b, count(*) AS n FROM t GROUP BY b"} {
		e.exec(t, s, text)
	}
}

func (e *fuzzedEngine) exec(t *testing.T, s wire.Session, text string) {
	ctx := context.Background()
	stmts, err := s.Parse(ctx, text)
	if err != nil {
		t.Fatal(text, err)
	}
	p, err := s.Prepare(ctx, stmts[0], nil)
	if err != nil {
		t.Fatal(text, err)
	}
	if _, err := p.Execute(ctx, nil); err != nil {
		t.Fatal(text, err)
	}
	if err := s.Sync(ctx); err != nil {
		t.Fatal(text, err)
	}
}

func (e *fuzzedEngine) close(t *testing.T) {
	if e.engine == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := e.engine.Close(ctx); err != nil {
		t.Fatal(err)
	}
	e.engine = nil
	if err := os.RemoveAll(e.dir); err != nil {
		t.Fatal(err)
	}
}

// FuzzSession plays random clients against the real engine.
func FuzzSession(f *testing.F) {
	q := func(text string) pgproto3.FrontendMessage { return &pgproto3.Query{String: text} }
	sync := &pgproto3.Sync{}
	wire.AddAttack(f, q("SELECT a, b, c, d, e, f FROM t WHERE a = 7; SELECT n FROM v WHERE b = 'b7'"), q("BEGIN"), q("UPDATE t SET b = 'x' WHERE a < 3 RETURNING *"), q("ROLLBACK"))
	wire.AddAttack(f, &pgproto3.Parse{Name: "s", Query: "SELECT b, c FROM t WHERE a = $1 AND d > $2", ParameterOIDs: []uint32{23}}, &pgproto3.Describe{ObjectType: 'S', Name: "s"},
		&pgproto3.Bind{PreparedStatement: "s", ParameterFormatCodes: []int16{1, 0}, Parameters: [][]byte{{0, 0, 0, 1}, []byte("2024-01-01")}, ResultFormatCodes: []int16{1, 0}},
		&pgproto3.Describe{ObjectType: 'P'}, &pgproto3.Execute{MaxRows: 1}, &pgproto3.Flush{}, &pgproto3.Execute{}, &pgproto3.Close{ObjectType: 'P'}, sync)
	wire.AddAttack(f, q("COPY t (a, b) FROM STDIN WITH (FORMAT csv, HEADER)"), &pgproto3.CopyData{Data: []byte("a,b\n1000,\"x\ny\"\n")}, &pgproto3.CopyDone{}, q("COPY v TO STDOUT (FORMAT binary)"))
	wire.AddAttack(f, &pgproto3.Parse{Query: "COPY t (a) FROM STDIN (FORMAT binary)"}, &pgproto3.Bind{}, &pgproto3.Execute{},
		&pgproto3.CopyData{Data: []byte("PGCOPY\n\xff\r\n\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x04\x00\x00\x10\x01\xff\xff")}, &pgproto3.CopyDone{}, sync)
	wire.AddAttack(f, q("BEGIN; DECLARE c CURSOR FOR SELECT * FROM t; FETCH 3 FROM c"), &pgproto3.Describe{ObjectType: 'P', Name: "c"}, sync, q("MOVE ALL IN c; CLOSE c; COMMIT"))
	wire.AddAttack(f, q("COPY (SUBSCRIBE TO v) TO STDOUT"), q("SUBSCRIBE TO t"))
	wire.AddAttack(f, q("PREPARE p (int) AS SELECT $1 + 1"), q("EXECUTE p(1); EXECUTE p('x'); DEALLOCATE p"), q("SET statement_timeout = '50ms'; SELECT pg_sleep(5)"))
	wire.AddAttack(f, q("CREATE TABLE u (k TEXT PRIMARY KEY); DROP TABLE u"), q("EXPLAIN SELECT count(*) FROM t GROUP BY b"), q("SHOW ALL"), q("SELECT * FROM pg_stat_activity"))
	wire.AddAttack(f, q("ALTER USER secretive PASSWORD 'other'"), q("SAVEPOINT a; RELEASE a"), q("SELECT "+strings.Repeat("(", 600)))
	wire.AddAttack(f, q("INSERT INTO t (a, b) VALUES (900, 'x') ON CONFLICT (a) DO UPDATE SET b = excluded.b"), q("DELETE FROM t"), q("TRUNCATE t"), q("DISCARD ALL"))

	e := &fuzzedEngine{base: f.TempDir()}
	f.Cleanup(func() {
		if e.engine != nil {
			_ = e.engine.Close(context.Background()) // the process ends
		}
	})
	var growth wire.Growth
	f.Fuzz(func(t *testing.T, flags, seed uint16, data []byte) {
		e.ready(t)
		s := wire.NewServer(wire.Config{Backend: e.engine, Trust: func(net.Addr) bool { return true }})
		(&wire.Attack{Flags: flags, Seed: seed, Data: data}).Run(t, s)
		growth.Check(t)
	})
}
