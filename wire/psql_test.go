package wire

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// psql prepares a run of the real client.
func psql(t *testing.T, url string, args ...string) *exec.Cmd {
	t.Helper()
	bin, err := exec.LookPath("psql")
	if err != nil {
		found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/psql")
		if len(found) == 0 {
			t.Fatal("psql is missing: install the package postgresql-client")
		}
		bin = found[len(found)-1]
	}
	cmd := exec.Command(bin, append([]string{"-X", "-d", url}, args...)...)
	cmd.Env = append(os.Environ(), "PGCONNECT_TIMEOUT=10", "LC_ALL=C.UTF-8")
	return cmd
}

func TestPsql(t *testing.T) {
	if testing.Short() {
		return // needs psql
	}
	s := startServer(t)
	csv := filepath.Join(t.TempDir(), "in.csv")
	if err := os.WriteFile(csv, []byte("a,b\n1,\"one, and\"\n2,\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		args []string
		want string
		code int
	}{
		{"a query", []string{"-Atc", "select 1, 'x', null"}, "1|x|\n", 0},
		{"several", []string{"-Atc", "select 1; select 2"}, "1\n2\n", 0},
		{"an error with its place", []string{"-c", "select * from missing"}, "ERROR:  relation \"missing\" does not exist\nLINE 1: select * from missing\n                      ^\n", 1},
		{"a transaction that fails", []string{"-At", "-v", "ON_ERROR_STOP=1", "-1", "-c", "select 1", "-c", "select 1/0"}, "1\nERROR:  division by zero\n", 1},
		{"notices", []string{"-Atc", "notice hello"}, "NOTICE:  hello\nNOTICE\n", 0},
		{"settings", []string{"-Atc", `select ':VERSION'`, "-c", `\echo :SERVER_VERSION_NAME :ENCODING`}, ":VERSION\n15.0 UTF8\n", 0},
		{"copy in", []string{"-c", "create table c (a int4, b text)", "-c", `\copy c from '` + csv + `' csv header true`, "-c", "select * from c"},
			"CREATE TABLE\nCOPY 2\n a |    b     \n---+----------\n 1 | one, and\n 2 | \n(2 rows)\n\n", 0},
		{"copy out", []string{"-c", `\copy c to stdout csv`}, "1,\"one, and\"\n2,\n", 0},
		{"a bad copy", []string{"-c", `\copy c from '` + csv + `' csv`}, "ERROR:  invalid input syntax for type integer: \"a\"\nCONTEXT:  COPY, line 1, column a\n", 1},
		{"many rows", []string{"-Atc", "select generate_series(1,100000)", "-o", os.DevNull}, "", 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			out, err := psql(t, s.url(""), tt.args...).CombinedOutput()
			code := 0
			if e, ok := err.(*exec.ExitError); ok {
				code = e.ExitCode()
			} else if err != nil {
				t.Fatal(err)
			}
			if string(out) != tt.want || code != tt.code {
				t.Errorf("code %d, printed\n%s\nwant code %d and\n%s", code, out, tt.code, tt.want)
			}
		})
	}
}

// TestPsqlPassword logs in over TLS, where psql says that it could do channel binding.
func TestPsqlPassword(t *testing.T) {
	if testing.Short() {
		return // needs psql
	}
	cfg, _ := testTLS(t)
	s := passwordServer(t, tlsServer(cfg))
	for password, want := range map[string]string{"wonderland": "1\n", "wrong": `password authentication failed for user "alice"`} {
		for _, mode := range []string{"require", "disable"} {
			url := strings.Replace(s.url(""), "tester@", "alice@", 1)
			cmd := psql(t, strings.Replace(url, "sslmode=disable", "sslmode="+mode, 1), "-Atc", "select 1")
			cmd.Env = append(cmd.Env, "PGPASSWORD="+password)
			if out, _ := cmd.CombinedOutput(); !strings.Contains(string(out), want) {
				t.Errorf("%s %s: %s", password, mode, out)
			}
		}
	}
}

// TestPsqlInterrupt: Ctrl-C ends the statement, and psql itself says goodbye: it was not interactive.
func TestPsqlInterrupt(t *testing.T) {
	if testing.Short() {
		return // needs psql
	}
	s := startServer(t)
	cmd := psql(t, s.url(""), "-c", "select pg_sleep(60)")
	var out syncBuffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "psql is connected", func() bool { return s.Connections() == 1 })
	time.Sleep(200 * time.Millisecond)
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	if got := out.String(); !strings.Contains(got, "ERROR:  canceling statement due to user request") {
		t.Error(got)
	}
}
