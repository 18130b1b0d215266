package parser

import (
	"context"
	"errors"
	"math/rand"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/streamsql/streamsql/connectors/postgres/pgtest"
)

// mutate deletes, repeats, swaps or replaces one to three tokens of src.
func mutate(r *rand.Rand, src string, pool []string) string {
	toks, err := lex(src)
	if err != nil || len(toks) < 3 {
		return src
	}
	parts := make([]string, 0, len(toks))
	for _, t := range toks[:len(toks)-1] {
		parts = append(parts, src[t.pos:t.end])
	}
	for range 1 + r.Intn(3) {
		k := r.Intn(len(parts))
		switch r.Intn(5) {
		case 0:
			parts[k] = ""
		case 1:
			parts[k] += " " + parts[k]
		case 2:
			j := r.Intn(len(parts))
			parts[k], parts[j] = parts[j], parts[k]
		case 3:
			parts[k] = pool[r.Intn(len(pool))]
		case 4:
			parts[k] += " " + pool[r.Intn(len(pool))]
		}
	}
	return strings.Join(parts, " ")
}

// TestMutantsPostgres damages statements and compares what we say with what PostgreSQL says. What it
// parses we must parse. What it refuses we may take, where this dialect has more, and an error may be
// at another place, where we look further ahead; but seldom.
func TestMutantsPostgres(t *testing.T) {
	if testing.Short() {
		return
	}
	r := rand.New(rand.NewSource(max(*seed, 1)))
	sources, pool := mutantSources(t)
	conn := pgtest.Shared(t).Conn(t)
	total, taken, misplaced := 0, 0, 0
	for range *exprs {
		src := "PREPARE x AS " + mutate(r, sources[r.Intn(len(sources))], pool)
		if strings.ContainsAny(src, ";`") {
			continue
		}
		total++
		_, err := conn.PgConn().Exec(context.Background(), src).ReadAll()
		want := "ok"
		var pg *pgconn.PgError
		if err == nil {
			conn.Exec(context.Background(), "DEALLOCATE x")
		} else if !errors.As(err, &pg) {
			t.Fatal(err)
		} else if grammar(pg) {
			pg.Position = int32(byteOffset(src, int(pg.Position)))
			want = answer(pg)
		} else if pg.Code == "42601" {
			continue // it stopped in the middle for another reason
		}
		_, err = ParseOne(src)
		switch got := answer(err); {
		case got == want:
		case want == "ok":
			t.Errorf("PostgreSQL parses %s\nand we say %s", src, got)
		case got == "ok":
			taken++
		default:
			misplaced++
			if testing.Verbose() {
				t.Logf("%s\n got %s\nwant %s", src, got, want)
			}
		}
	}
	t.Logf("%d mutants, %d taken though PostgreSQL doesn't, %d errors elsewhere", total, taken, misplaced)
	if taken > total/50 || misplaced > total/20 {
		t.Errorf("too many differences")
	}
}

// grammar tells whether an error is of PostgreSQL's grammar, not of its analysis.
func grammar(e *pgconn.PgError) bool {
	return e.Code == "42601" && (strings.Contains(e.Message, "at or near") || e.Message == endOfInput)
}

// mutantSources returns queries that PostgreSQL parses, and tokens to put into them.
func mutantSources(t *testing.T) (sources, pool []string) {
	for _, e := range corpus(t) {
		toks, err := lex(e.sql)
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range toks[:len(toks)-1] {
			pool = append(pool, e.sql[k.pos:k.end])
		}
		if flink := strings.ContainsAny(e.sql, "`;") || strings.Contains(strings.ToLower(e.name), "flink"); flink {
			continue
		}
		switch e.name {
		case "FOR SYSTEM_TIME AS OF", "FOR SYSTEM_TIME PROCTIME()", "MATCH_RECOGNIZE", "EMIT ON WINDOW CLOSE", "RW HOP subquery",
			"func names clash":
			continue
		}
		if group := e.file[:2]; group == "10" || group == "20" || group == "50" {
			sources = append(sources, e.sql)
		}
	}
	return sources, pool
}
