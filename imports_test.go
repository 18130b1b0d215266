package streamsql

import (
	"bytes"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/streamsql/streamsql"

// layers are the folders from top to bottom: a folder imports those below it, never those above or
// beside it. A folder stands for everything below it that has no line of its own. Test packages may
// use what they need.
var layers = [][]string{
	{"cmd/streamsql"},
	{"sql/engine", "connectors/kafka", "connectors/postgres"}, // the engine knows connectors by their interface only
	{"wire", "sql/planner", "connectors/sample", "examples/queries"},
	{"sql/parser", "exec"},
	{"exec/agg"},
	{"exec/expr", "connectors/format"},
	{"state", "connectors"},
	{"exec/stream"},
	{"sql"},
}

// vendors stay at the edge: who may import what comes from elsewhere.
var vendors = []struct {
	prefix string
	only   []string // folders, with what is below them
	why    string
}{
	{"github.com/cockroachdb/pebble", []string{"state"}, "Pebble is behind state's tables and epochs"},
	{"github.com/twmb/franz-go", []string{"connectors/kafka", "cmd/streamsql/bench", "cmd/streamsql/chaos"}, "Kafka's protocol is the connector's business"},
	{"github.com/jackc/pgx/v5/pgproto3", []string{"wire", "connectors/postgres"}, "PostgreSQL's messages are wire's business"},
	{"github.com/jackc/pgx", []string{"wire", "connectors/postgres", "cmd/streamsql"}, "a client of PostgreSQL has no place inside the engine"},
	{"github.com/pingcap/tidb", []string{"sql/parser"}, "nothing outside the parser knows what grammar is under it"},
	{"github.com/prometheus", []string{"sql/engine", "cmd/streamsql"}, "packages below count for themselves and are asked"},
	{"github.com/peterbourgon/ff", []string{"cmd/streamsql"}, "settings come to packages as values"},
	{"github.com/xdg-go/scram", []string{"wire"}, "passwords are checked at the protocol's start"},
	{"net/http", []string{"cmd/streamsql"}, "the engine is served over PostgreSQL's protocol"},
}

// TestImports holds the map of docs/architecture.md: imports point down only.
func TestImports(t *testing.T) {
	eachGoFile(t, func(file string, src []byte) {
		if strings.HasSuffix(file, "_test.go") {
			return
		}
		f, err := parser.ParseFile(token.NewFileSet(), file, src, parser.ImportsOnly)
		if err != nil {
			t.Error(err)
			return
		}
		from := path.Dir(file)
		if from == "." {
			return // no code lives at the root
		}
		for _, spec := range f.Imports {
			to, _ := strconv.Unquote(spec.Path.Value)
			if why := forbidden(from, to); why != "" {
				t.Errorf("%s: %s may not import %s because %s", file, from, to, why)
			}
		}
	})
}

// forbidden says why a package may not import another, or nothing.
func forbidden(from, to string) string {
	for _, v := range vendors {
		if !strings.HasPrefix(to, v.prefix) {
			continue
		}
		for _, folder := range v.only {
			if within(from, folder) {
				return ""
			}
		}
		return v.why
	}
	local, ok := strings.CutPrefix(to, module+"/")
	if !ok {
		return ""
	}
	a, above := layer(from)
	b, below := layer(local)
	switch {
	case above < 0 || below < 0:
		return "one of them is in no layer of imports_test.go: give it one"
	case a == b || above < below:
		return ""
	case above == below:
		return "they are beside each other: what both need belongs below"
	}
	return "imports point down and " + b + " is above " + a
}

// layer finds the most specific folder of layers that a package is in; -1 = none.
func layer(pkg string) (folder string, depth int) {
	depth = -1
	for i, l := range layers {
		for _, f := range l {
			if within(pkg, f) && len(f) > len(folder) {
				folder, depth = f, i
			}
		}
	}
	return folder, depth
}

func within(pkg, folder string) bool { return pkg == folder || strings.HasPrefix(pkg, folder+"/") }

// TestImportsRules sees that the rules can be broken.
func TestImportsRules(t *testing.T) {
	for _, bad := range [][2]string{
		{"exec", module + "/sql/planner"}, {"wire", module + "/sql/engine"}, {"sql", module + "/state"},
		{"exec/stream", module + "/exec"}, {"state", module + "/connectors"}, {"exec", "github.com/cockroachdb/pebble/v2"},
		{"sql/engine", "github.com/twmb/franz-go/pkg/kgo"}, {"newfolder", module + "/sql"}, {"sql/engine", module + "/connectors/kafka"},
	} {
		if forbidden(bad[0], bad[1]) == "" {
			t.Errorf("%s importing %s was not noticed", bad[0], bad[1])
		}
	}
}

const (
	aimLines = 500 // above it the head of the file says why
	maxLines = 800
)

// TestFileLengths keeps files to a size that is read in one go.
func TestFileLengths(t *testing.T) {
	eachGoFile(t, func(file string, src []byte) {
		n := bytes.Count(src, []byte("\n"))
		head, _, _ := bytes.Cut(src, []byte("\nimport "))
		switch {
		case n > maxLines:
			t.Errorf("%s has %d lines, more than %d: split it", file, n, maxLines)
		case n > aimLines && !strings.HasSuffix(file, "_test.go") && !bytes.Contains(head, []byte("one file")):
			t.Errorf("%s has %d lines, more than %d: split it, or say in the comment at its head why it is one file", file, n, aimLines)
		}
	})
}

// eachGoFile calls f for every Go file of the module, with its path from the root.
func eachGoFile(t *testing.T, f func(file string, src []byte)) {
	t.Helper()
	err := filepath.WalkDir(".", func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() && file != "." && (strings.HasPrefix(name, ".") || name == "testdata" || name == "bin") {
			return fs.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(name, ".go") {
			return nil
		}
		src, err := os.ReadFile(file)
		if err == nil {
			f(filepath.ToSlash(file), src)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
