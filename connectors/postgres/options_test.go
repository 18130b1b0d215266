package postgres

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/streamsql/streamsql/connectors"
	"github.com/streamsql/streamsql/sql"
)

func optionsOf(pairs ...string) connectors.Relation {
	r := connectors.Relation{Name: "r", Options: map[string]string{}, Columns: []connectors.Column{{Column: sql.Column{Name: "k", Type: sql.TypeInt8}}}}
	for i := 0; i < len(pairs); i += 2 {
		r.Options[pairs[i]] = pairs[i+1]
	}
	return r
}

func TestConnectionOptions(t *testing.T) {
	for _, c := range []struct {
		options []string
		want    string // user:password@host:port/database
	}{
		{[]string{"url", "postgres://u:p%40s@h:1/d"}, "u:p@s@h:1/d"},
		{[]string{"url", "jdbc:postgresql://h/d?user=u&password=a%26b&reWriteBatchedInserts=true"}, "u:a&b@h:5432/d"},
		{[]string{"jdbc.url", "jdbc:postgresql://h:7/d", "username", "u", "password", `q'\ "`}, `u:q'\ "@h:7/d`},
		{[]string{"host", "h", "port", "8", "user", "u", "password", "p", "database", "d"}, "u:p@h:8/d"},
		{[]string{"url", "postgres://u:p@h/d", "host", "other", "database", "e"}, "u:p@other:5432/e"},
		{[]string{"url", "postgresql://[::1]:9/d?user=u"}, "u:@::1:9/d"},
	} {
		t.Setenv("PGPASSWORD", "of the server")
		cfg, err := readConfig(optionsOf(append(c.options, "table", "t")...))
		if err != nil {
			t.Errorf("%q: %v", c.options, err)
			continue
		}
		n := cfg.conn
		if got := n.User + ":" + n.Password + "@" + n.Host + ":" + strconv.Itoa(int(n.Port)) + "/" + n.Database; got != c.want {
			t.Errorf("%q: got %s, want %s", c.options, got, c.want)
		}
	}
}

func TestOptionErrors(t *testing.T) {
	for _, c := range []struct {
		options []string
		want    string
	}{
		{[]string{"table", "t"}, `option "url" is required`},
		{[]string{"url", "postgres://u:sesame@h/d"}, `option "table" is required`},
		{[]string{"url", "postgres://u:ses/ame@h:x/d", "table", "t"}, `option "url" is not a valid URL of PostgreSQL`},
		{[]string{"url", "mysql://u:sesame@h/d", "table", "t"}, `option "url" is not a valid URL of PostgreSQL`},
		{[]string{"url", "postgres://u:sesame@h/d", "table", "a.b.c"}, `invalid value for option "table": "a.b.c"`},
		{[]string{"url", "postgres://u:sesame@h/d", "table", "t", "sslmode", "on"}, `invalid value for option "sslmode": "on"`},
		{[]string{"url", "postgres://u:sesame@h/d?sslrootcert=/nowhere", "table", "t"}, `invalid connection options`},
		{[]string{"url", "postgres://u:sesame@h/d", "table", "t", "tabel", "t"}, `unrecognized option "tabel"`},
		{[]string{"url", "postgres://u:sesame@h/d", "table", "t", "type", "upsert"}, `an upsert sink requires a primary key`},
		{[]string{"url", "postgres://u:sesame@h/d", "table", "t", "primary_key", "x"}, `column "x" named in option "primary_key" does not exist`},
	} {
		_, err := readConfig(optionsOf(c.options...))
		if err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%q: got %v, want %s", c.options, err, c.want)
			continue
		}
		if e := sql.AsError(err); strings.Contains(e.Message+e.Detail+e.Hint, "ses") && !strings.Contains(e.Hint, "tables") {
			t.Errorf("%q: the error tells the password: %+v", c.options, e)
		}
	}
}

// Names in primary_key may be quoted.
func TestKeyOption(t *testing.T) {
	r := optionsOf("url", "postgres://u@h/d", "table", "t", "primary_key", `"a,""b", k`)
	r.Columns = append(r.Columns, connectors.Column{Column: sql.Column{Name: `a,"b`, Type: sql.TypeText}})
	if c, err := readConfig(r); err != nil || !slices.Equal(c.key, []int{1, 0}) {
		t.Errorf("got %v, %v", c, err)
	}
}

func TestSplitName(t *testing.T) {
	for text, want := range map[string]string{`t`: "t", `s.t`: "s|t", `"a.b"."c""d"`: `a.b|c"d`, `S.T x`: "S|T x", `s."t`: "error", `s.`: "error", `"a"b`: "error", `.t`: "error"} {
		parts, ok := splitName(text)
		if got := strings.Join(parts, "|"); ok && got != want || !ok && want != "error" {
			t.Errorf("%s: %s, %v; want %s", text, got, ok, want)
		}
	}
}

// The page on PostgreSQL names every option that is read.
func TestDocsNameOptions(t *testing.T) {
	doc, err := os.ReadFile("../../docs/connectors/postgres.md")
	if err != nil {
		t.Fatal(err)
	}
	f, err := parser.ParseFile(token.NewFileSet(), "options.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	option := regexp.MustCompile(`^[a-z]+([._-][a-z]+)*$`)
	libpq := []string{"dbname", "passfile", "application_name", "client_encoding", "none", "sink.parallelism", "postgresql", "stringtype", "autosave", "ssl"}
	ast.Inspect(f, func(n ast.Node) bool {
		if _, ok := n.(*ast.ImportSpec); ok {
			return false
		}
		lit, ok := n.(*ast.BasicLit)
		if !ok || lit.Kind != token.STRING {
			return true
		}
		name, err := strconv.Unquote(lit.Value)
		if err == nil && option.MatchString(name) && !slices.Contains(libpq, name) && !strings.Contains(string(doc), "`"+name+"`") {
			t.Errorf("docs/connectors/postgres.md does not name %s", name)
		}
		return true
	})
}

// Numerics of up to 18 digits in PostgreSQL's binary form are those that the general way writes.
func TestAppendDecimal(t *testing.T) {
	for scale := range 19 {
		for _, v := range []int64{0, 1, -1, 9, 10, 9999, 10000, 10001, -123456789, 100000000, 999999999999999999, -999999999999999999, 500000000000000000} {
			d := new(sql.Decimal)
			d.SetFinite(v, int32(-scale))
			want, err := sql.AppendBinary(nil, sql.TypeNumeric, d)
			if err != nil {
				t.Fatal(err)
			}
			got := appendDecimal(nil, v, scale)
			if a, b := mustNumeric(t, got), mustNumeric(t, want); a != b {
				t.Errorf("%d / 10^%d: %x is %s, want %x %s", v, scale, got, a, want, b)
			}
		}
	}
}

func mustNumeric(t *testing.T, b []byte) string {
	d, err := sql.ParseBinary(sql.TypeNumeric, b)
	if err != nil {
		t.Fatal(err)
	}
	return sql.FormatText(sql.TypeNumeric, d)
}
