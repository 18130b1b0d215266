package parser

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/streamsql/streamsql/sql/parser/ast"
)

// corpus is one statement, or several, of testdata/corpus, where "## name" starts an entry.
type corpusEntry struct{ file, name, sql string }

func corpus(t testing.TB) []corpusEntry {
	t.Helper()
	files, err := filepath.Glob("testdata/corpus/[0-9]*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("corpus: %v, %d files", err, len(files))
	}
	var out []corpusEntry
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for _, part := range strings.Split("\n"+string(data), "\n## ")[1:] {
			name, sql, _ := strings.Cut(part, "\n")
			out = append(out, corpusEntry{filepath.Base(f), name, strings.TrimSpace(sql)})
		}
	}
	return out
}

// TestCorpus parses every statement, prints it and parses that again: the trees must be equal.
func TestCorpus(t *testing.T) {
	for _, e := range corpus(t) {
		t.Run(e.file+"/"+e.name, func(t *testing.T) { checkRoundTrip(t, e.sql) })
	}
}

func checkRoundTrip(t *testing.T, src string) {
	t.Helper()
	stmts, err := Parse(src)
	if err != nil {
		t.Fatalf("%s\n%s", src, answer(err))
	}
	for _, s := range stmts {
		text := ast.SQL(s.Node)
		again, err := ParseOne(text)
		if err != nil {
			t.Fatalf("%s\nprints as\n%s\n%v", src, text, err)
		}
		if !ast.Equal(s.Node, again) {
			t.Fatalf("%s\nprints as\n%s\nwhich prints as\n%s", src, text, ast.SQL(again))
		}
	}
}
