package wire

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/streamsql/streamsql/sql"
)

func pgCode(err error) string {
	var pe *pgconn.PgError
	if errors.As(err, &pe) {
		return pe.Code
	}
	return fmt.Sprint(err)
}

var execModes = []string{"cache_statement", "cache_describe", "describe_exec", "exec", "simple_protocol"}

func TestPgx(t *testing.T) {
	s := startServer(t)
	ctx := context.Background()
	for _, mode := range execModes {
		t.Run(mode, func(t *testing.T) {
			conn := s.pgx(t, "default_query_exec_mode="+mode)
			for range 3 {
				var n int32
				var text string
				if err := conn.QueryRow(ctx, "select $1::int4, $2::text", int32(5), "it's").Scan(&n, &text); err != nil || n != 5 || text != "it's" {
					t.Fatal(n, text, err)
				}
			}
			rows, err := conn.Query(ctx, "select generate_series(1,100000)")
			if err != nil {
				t.Fatal(err)
			}
			all, err := pgx.CollectRows(rows, pgx.RowTo[int32])
			if err != nil || len(all) != 100000 || all[99999] != 100000 {
				t.Fatal(len(all), err)
			}
			if _, err := conn.Exec(ctx, "select 1/0"); pgCode(err) != "22012" {
				t.Error(err)
			}
			if _, err := conn.Exec(ctx, "-- ping"); err != nil {
				t.Error(err)
			}
			if err := conn.Ping(ctx); err != nil {
				t.Error(err)
			}
			tx, err := conn.Begin(ctx)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := tx.Exec(ctx, "select 1/0"); pgCode(err) != "22012" {
				t.Error(err)
			}
			if err := tx.Commit(ctx); !errors.Is(err, pgx.ErrTxCommitRollback) {
				t.Error(err)
			}
		})
	}
}

func TestPgxBatch(t *testing.T) {
	s := startServer(t)
	ctx := context.Background()
	for _, mode := range execModes {
		conn := s.pgx(t, "default_query_exec_mode="+mode)
		batch := &pgx.Batch{}
		for i := range 100 {
			batch.Queue("select $1::int4", int32(i))
		}
		res := conn.SendBatch(ctx, batch)
		for i := range 100 {
			var n int32
			if err := res.QueryRow().Scan(&n); err != nil || n != int32(i) {
				t.Fatal(mode, n, err)
			}
		}
		if err := res.Close(); err != nil {
			t.Fatal(mode, err)
		}
		failing := &pgx.Batch{}
		failing.Queue("select 1")
		failing.Queue("select 1/0")
		failing.Queue("select 2")
		res = conn.SendBatch(ctx, failing)
		if _, err := res.Exec(); err != nil && mode != "simple_protocol" {
			t.Error(mode, err)
		}
		if _, err := res.Exec(); pgCode(err) != "22012" {
			t.Error(mode, err)
		}
		_ = res.Close() // tells the error again
		if err := conn.Ping(ctx); err != nil {
			t.Error(mode, "after a failed batch:", err)
		}
	}
}

func TestPgxPipeline(t *testing.T) {
	s := startServer(t)
	ctx := context.Background()
	p := s.pgx(t, "").PgConn().StartPipeline(ctx)
	p.SendPrepare("one", "select $1::int4", nil)
	p.SendQueryPrepared("one", [][]byte{[]byte("1")}, nil, nil)
	p.SendFlushRequest()
	if err := p.Flush(); err != nil {
		t.Fatal(err)
	}
	if r, err := p.GetResults(); err != nil || r.(*pgconn.StatementDescription).ParamOIDs[0] != pgtype.Int4OID {
		t.Fatal(r, err)
	}
	r, err := p.GetResults()
	if err != nil {
		t.Fatal(err)
	}
	if got := r.(*pgconn.ResultReader).Read(); string(got.Rows[0][0]) != "1" {
		t.Error(got)
	}
	p.SendQueryPrepared("none", nil, nil, nil)
	p.SendQueryPrepared("one", [][]byte{[]byte("2")}, nil, nil)
	if err := p.Sync(); err != nil {
		t.Fatal(err)
	}
	r, err = p.GetResults()
	if err == nil {
		_, err = r.(*pgconn.ResultReader).Close()
	}
	if pgCode(err) != "26000" {
		t.Error(err)
	}
	for {
		r, err := p.GetResults()
		if _, ok := r.(*pgconn.PipelineSync); ok {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
}

// TestPgxDeallocate: pgx gives the same statement the same name again after DEALLOCATE ALL.
func TestPgxDeallocate(t *testing.T) {
	conn := startServer(t).pgx(t, "")
	ctx := context.Background()
	for range 2 {
		if _, err := conn.Exec(ctx, "select $1::text", "x"); err != nil {
			t.Fatal(err)
		}
		if err := conn.DeallocateAll(ctx); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		if _, err := conn.Prepare(ctx, "p", "select $1::text"); err != nil {
			t.Fatal(err)
		}
		if err := conn.Deallocate(ctx, "p"); err != nil {
			t.Fatal(err)
		}
	}
}

func TestPgxCopy(t *testing.T) {
	s := startServer(t)
	ctx := context.Background()
	conn := s.pgx(t, "")
	if _, err := conn.Exec(ctx, "create table c (a int4, b text)"); err != nil {
		t.Fatal(err)
	}
	const rows = 50_000
	n, err := conn.CopyFrom(ctx, pgx.Identifier{"c"}, []string{"a", "b"}, pgx.CopyFromSlice(rows, func(i int) ([]any, error) {
		return []any{int32(i), strings.Repeat("x", i%50)}, nil
	}))
	if err != nil || n != rows {
		t.Fatal(n, err)
	}
	for _, format := range []string{"text", "csv", "binary"} {
		var out bytes.Buffer
		if tag, err := conn.PgConn().CopyTo(ctx, &out, "copy c to stdout (format "+format+")"); err != nil || tag.RowsAffected() != rows {
			t.Fatal(format, tag, err)
		}
		if _, err := conn.Exec(ctx, "create table d (a int4, b text)"); err != nil {
			t.Fatal(err)
		}
		if tag, err := conn.PgConn().CopyFrom(ctx, &out, "copy d from stdin (format "+format+")"); err != nil || tag.RowsAffected() != rows {
			t.Fatal(format, tag, err)
		}
		if !reflect.DeepEqual(s.backend.tables["c"].rows, s.backend.tables["d"].rows) && format != "csv" { // '' is NULL there
			t.Errorf("%s: other rows came back", format)
		}
	}
	// A client that has an endless file is told to stop.
	_, err = conn.PgConn().CopyFrom(ctx, endless{}, "copy c from stdin")
	if pgCode(err) != "22P02" {
		t.Error(err)
	}
	if err := conn.Ping(ctx); err != nil {
		t.Error(err)
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) {
	return copy(p, bytes.Repeat([]byte("no number\tx\n"), len(p)/12+1)), nil
}

// TestBinaryRoundTrips sends a value of every type as a binary parameter and reads it back in both
// formats: the text is that of the same literal in the simple protocol.
func TestBinaryRoundTrips(t *testing.T) {
	s := startServer(t)
	ctx := context.Background()
	conn, text := s.pgx(t, ""), s.pgx(t, "default_query_exec_mode=simple_protocol")
	for typ, values := range map[string][]string{
		"bool": {"t", "f"}, "int2": {"-32768", "32767"}, "int4": {"-2147483648", "7"}, "int8": {"-9223372036854775808", "9223372036854775807"},
		"float4": {"1.5", "-Infinity", "NaN"}, "float8": {"0.1", "1e+300", "-0", "NaN"},
		"numeric": {"0", "123456789012345678901234567890.123456789", "-0.00001", "10000", "NaN", "1.50"}, "text": {"", "é \" ' \\"}, "varchar": {"x"},
		"bytea": {`\x`, `\x00ff10`}, "date": {"2024-02-29", "0001-01-01", "infinity", "1969-12-31"}, "time": {"00:00:00", "23:59:59.999999"},
		"timestamp": {"2024-02-29 12:34:56.789012", "1969-12-31 23:59:59.999999", "-infinity"}, "timestamptz": {"2024-02-29 12:34:56+00"},
		"interval": {"1 year 2 mons -3 days +04:05:06.789"}, "uuid": {"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"},
		"json": {`{"a": [1, 2]}`}, "jsonb": {`{"a": [1, 2], "b": null}`}, "oid": {"4294967295"}, "name": {"n"},
		"int4[]": {"{1,NULL,3}", "{}"}, "text[]": {`{a,"b c","NULL",NULL}`}, "numeric[]": {"{1.50,NULL}"}, "timestamptz[]": {`{"2024-02-29 12:34:56+00"}`},
	} {
		ty, err := sql.TypeFromName(typ, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range values {
			d, err := sql.ParseText(ty, v)
			if err != nil {
				t.Fatal(typ, err)
			}
			raw, err := sql.AppendBinary([]byte{}, ty, d)
			if err != nil {
				t.Fatal(typ, err)
			}
			for _, format := range []int16{textFormat, binaryFormat} {
				res := conn.PgConn().ExecParams(ctx, "select $1::"+typ, [][]byte{raw}, nil, []int16{binaryFormat}, []int16{format}).Read()
				if res.Err != nil {
					t.Errorf("%s %s: %v", typ, v, res.Err)
					continue
				}
				want := raw
				if format == textFormat {
					res, err := text.PgConn().Exec(ctx, fmt.Sprintf("select '%s'::%s", strings.ReplaceAll(v, "'", "''"), typ)).ReadAll()
					if err != nil {
						t.Fatal(err)
					}
					want = res[0].Rows[0][0]
				}
				if got := res.Rows[0][0]; !bytes.Equal(got, want) {
					t.Errorf("%s %s in format %d: %q, want %q", typ, v, format, got, want)
				}
			}
		}
	}
}

func TestPgxCancel(t *testing.T) {
	s := startServer(t)
	conn := s.pgx(t, "")
	for range 3 {
		go func() {
			time.Sleep(50 * time.Millisecond)
			_ = conn.PgConn().CancelRequest(context.Background())
		}()
		start := time.Now()
		if _, err := conn.Exec(context.Background(), "select pg_sleep(30)"); pgCode(err) != "57014" {
			t.Fatal(err)
		}
		if d := time.Since(start); d > 10*time.Second {
			t.Errorf("the cancel took %v", d)
		}
		time.Sleep(20 * time.Millisecond)
		if err := conn.Ping(context.Background()); err != nil {
			t.Error("after a cancel:", err)
		}
	}
	if _, err := s.pgx(t, "statement_timeout=50").Exec(context.Background(), "select pg_sleep(30)"); err == nil || !strings.Contains(err.Error(), "statement timeout") {
		t.Error(err)
	}
}
