package parser

import (
	"errors"
	"math/rand"
	"os"
	"strings"
	"testing"

	"github.com/streamsql/streamsql/sql"
	"github.com/streamsql/streamsql/sql/parser/ast"
)

func addSeeds(f *testing.F) {
	for _, e := range corpus(f) {
		f.Add(e.sql)
	}
	for _, name := range []string{"bad.txt", "bad_more.txt", "prec.txt"} {
		data, err := os.ReadFile("testdata/corpus/" + name)
		if err != nil {
			f.Fatal(err)
		}
		for _, line := range strings.Split(string(data), "\n") {
			f.Add(line)
		}
	}
}

// FuzzLex: tokens are in order, inside the source, and brackets know each other.
func FuzzLex(f *testing.F) {
	addSeeds(f)
	f.Fuzz(func(t *testing.T, src string) {
		toks, err := lex(src)
		if err != nil {
			if err.Position < 1 || err.Position > len(src)+1 {
				t.Fatalf("position %d of an error in %d bytes", err.Position, len(src))
			}
			return
		}
		end := int32(0)
		for k, tok := range toks {
			if tok.pos < end || tok.end < tok.pos || int(tok.end) > len(src) {
				t.Fatalf("token %d %+v after %d in %d bytes", k, tok, end, len(src))
			}
			end = tok.end
			if m := int(tok.mate); (tok.is("(") || tok.is("[")) && (m <= k || m >= len(toks)) {
				t.Fatalf("token %d %+v closes at %d", k, tok, m)
			}
		}
		if last := toks[len(toks)-1]; last.kind != eof {
			t.Fatalf("last token %+v", last)
		}
	})
}

// FuzzParse: no panic, and what parses prints as something that parses to the same tree.
func FuzzParse(f *testing.F) {
	addSeeds(f)
	f.Fuzz(checkParse)
}

// TestMutants is FuzzParse on the corpus with damaged tokens, which gets further into the grammar than
// damaged bytes do.
func TestMutants(t *testing.T) {
	r := rand.New(rand.NewSource(max(*seed, 1)))
	entries := corpus(t)
	_, pool := mutantSources(t)
	for range 5 * *exprs {
		checkParse(t, mutate(r, entries[r.Intn(len(entries))].sql, pool))
	}
}

func checkParse(t *testing.T, src string) {
	t.Helper()
	stmts, err := Parse(src)
	if err != nil {
		var e *sql.Error
		if !errors.As(err, &e) || e.Code == sql.CodeInternal || e.Position > len(src)+1 {
			t.Fatalf("%q: %v", src, err)
		}
		return
	}
	for _, s := range stmts {
		if s.Start < 0 || s.End < s.Start || s.End > len(src) {
			t.Fatalf("span %d to %d of %d bytes", s.Start, s.End, len(src))
		}
		text := ast.SQL(s.Node)
		again, err := ParseOne(text)
		var e *sql.Error
		if errors.As(err, &e) && e.Code == sql.CodeStatementTooComplex {
			continue // printed parentheses count as nesting
		}
		if err != nil {
			t.Fatalf("%q prints as %q: %v", src, text, err)
		}
		if !ast.Equal(s.Node, again) {
			t.Fatalf("%q prints as %q, which prints as %q", src, text, ast.SQL(again))
		}
	}
}
