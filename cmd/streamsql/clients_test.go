//go:build integration

package main

import (
	"bytes"
	"context"
	_ "embed"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// client runs a program to its end and returns what it says and its exit code.
func client(t testing.TB, stdin, name string, args ...string) (out string, code int) {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatalf("%s not found: install it (Debian: apt-get install postgresql-client openjdk-17-jdk-headless maven python3-venv)", name)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Stdin = strings.NewReader(stdin)
	var b bytes.Buffer
	cmd.Stdout, cmd.Stderr = &b, &b
	_ = cmd.Run() // the exit code tells
	return b.String(), cmd.ProcessState.ExitCode()
}

func startClientServer(t *testing.T, args ...string) *process {
	p := newProcess(t, t.TempDir(), args...)
	p.start()
	p.exec("CREATE TABLE t (id INT PRIMARY KEY, name TEXT, price NUMERIC(10,2), at TIMESTAMPTZ, tags TEXT[]); " +
		"INSERT INTO t SELECT i, 'n' || i, i / 4.0, TIMESTAMPTZ '2024-01-01 00:00:00Z' + i * INTERVAL '1 minute', ARRAY['a', 'b' || i] FROM generate_series(1, 1000) AS s(i)")
	return p
}

func (p *process) psql(stdin string, args ...string) (string, int) {
	p.t.Helper()
	return client(p.t, stdin, "psql", append([]string{"-X", "-A", "-t", "-q", p.url()}, args...)...)
}

// TestPsql runs psql as people and scripts do.
func TestPsql(t *testing.T) {
	p := startClientServer(t)
	expect := func(what, stdin string, wantCode int, want string, args ...string) {
		t.Helper()
		out, code := p.psql(stdin, args...)
		if code != wantCode || strings.TrimSpace(out) != want {
			t.Errorf("%s: exit code %d, not %d\n got %q\nwant %q", what, code, wantCode, strings.TrimSpace(out), want)
		}
	}
	expect("-c", "", 0, "1000|125125.00", "-c", "SELECT count(*), sum(price) FROM t")
	expect("variables", "\\set n 3\nSELECT name FROM t WHERE id = :n;", 0, "n3")
	expect("\\gx and \\gset", "SELECT 41 + 1 AS x \\gset\n\\echo :x\n", 0, "42")
	expect("\\gdesc", "SELECT id, price FROM t \\gdesc\n", 0, "id|integer\nprice|numeric(10,2)")
	expect("FETCH_COUNT", "\\set FETCH_COUNT 100\nSELECT id FROM t WHERE id <= 300 ORDER BY id;", 0, strings.Join(numbers(300), "\n"))
	expect("several statements", "BEGIN; DELETE FROM t WHERE id = 1; ROLLBACK; SELECT count(*) FROM t;", 0, "1000")

	dir := t.TempDir()
	write := func(name, text string) string {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	// A migration in one transaction: all of it or nothing, and psql's exit code 3 for an error in a script.
	good := write("good.sql", "CREATE TABLE m (a INT);\nINSERT INTO m VALUES (1), (2);\nCREATE MATERIALIZED VIEW mv AS SELECT sum(a) AS s FROM m;\n")
	bad := write("bad.sql", "CREATE TABLE m2 (a INT);\nINSERT INTO m2 VALUES (1);\nSELECT nope FROM m2;\n")
	expect("-1 -f", "", 0, "", "-1", "-v", "ON_ERROR_STOP=1", "-f", good)
	if out, code := p.psql("", "-1", "-v", "ON_ERROR_STOP=1", "-f", bad); code != 3 || !strings.Contains(out, `bad.sql:3: ERROR:  column "nope" does not exist`) {
		t.Errorf("a failing script: exit code %d\n%s", code, out)
	}
	expect("after the failure", "", 0, "f", "-c", "SELECT count(*) > 0 FROM information_schema.tables WHERE table_name = 'm2'")
	expect("FLUSH", "FLUSH; SELECT s FROM mv;", 0, "3")

	data := write("data.csv", "id,name\n2001,\"quoted, \"\"x\"\"\"\n2002,plain\n")
	out := filepath.Join(dir, "out.txt")
	expect("\\copy from", fmt.Sprintf("\\copy t (id, name) FROM '%s' WITH (FORMAT csv, HEADER)\nSELECT name FROM t WHERE id > 2000 ORDER BY id;", data), 0, "quoted, \"x\"\nplain")
	expect("\\copy to", fmt.Sprintf("\\copy (SELECT id, name, price FROM t WHERE id > 998 ORDER BY id) TO '%s'", out), 0, "")
	if copied, err := os.ReadFile(out); err != nil || string(copied) != "999\tn999\t249.75\n1000\tn1000\t250.00\n2001\tquoted, \"x\"\t\\N\n2002\tplain\t\\N\n" {
		t.Errorf("\\copy to: %q, %v", copied, err)
	}
	if out, code := p.psql("SELECT 1/0;\nSELECT 2;"); code != 0 || !strings.Contains(out, "division by zero") || !strings.HasSuffix(out, "2\n") {
		t.Errorf("going on after an error: %d %s", code, out)
	}
}

// TestPsqlCancel interrupts psql in a statement that never ends, as Ctrl-C does.
func TestPsqlCancel(t *testing.T) {
	p := startClientServer(t)
	path, err := exec.LookPath("psql")
	if err != nil {
		t.Fatal("psql not found: install it (Debian: apt-get install postgresql-client)")
	}
	cmd := exec.Command(path, "-X", "-q", p.url(), "-c", "COPY (SUBSCRIBE TO t WITH (snapshot = false)) TO STDOUT")
	var out lockedBuffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	await(t, func() string {
		return p.expect("SELECT count(*) FROM streamsql.sessions WHERE query LIKE 'COPY%' AND state = 'active'", "1")
	})
	p.exec("INSERT INTO t (id, name) VALUES (5000, 'seen')")
	time.Sleep(300 * time.Millisecond)
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // the exit code tells
	for _, want := range []string{"insert\t5000\tseen", "canceling statement due to user request"} {
		if !strings.Contains(out.String(), want) { // psql writes what it has when it ends
			t.Errorf("exit code %d, no %q: %s", cmd.ProcessState.ExitCode(), want, out.String())
		}
	}
}

func numbers(n int) []string {
	var out []string
	for i := range n {
		out = append(out, fmt.Sprint(i+1))
	}
	return out
}

// cached makes a directory that is kept between runs, once.
func cached(t testing.TB, name string, fill func(dir string) error) string {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(cache, "streamsql", name)
	if _, err := os.Stat(filepath.Join(dir, ".complete")); err == nil {
		return dir
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := fill(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, ".complete"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

//go:embed testdata/psycopg_client.py
var psycopgClient string

// psycopgVenv has psycopg 3.
func psycopgVenv(t testing.TB) string {
	return cached(t, "psycopg-3.2", func(dir string) error {
		if out, code := client(t, "", "python3", "-m", "venv", dir); code != 0 {
			return fmt.Errorf("python3 -m venv (Debian: apt-get install python3-venv): %s", out)
		}
		if out, code := client(t, "", filepath.Join(dir, "bin", "pip"), "install", "-q", "psycopg[binary]>=3.2,<3.3"); code != 0 {
			return fmt.Errorf("pip install psycopg: %s", out)
		}
		return nil
	})
}

// TestPsycopg runs testdata/psycopg_client.py with psycopg 3.
func TestPsycopg(t *testing.T) {
	p := startClientServer(t)
	if out, code := client(t, psycopgClient, filepath.Join(psycopgVenv(t), "bin", "python"), "-", p.url()); code != 0 {
		t.Errorf("exit code %d\n%s", code, out)
	}
}

const jdbcVersion = "42.7.4"

func jdbcJar(t testing.TB) string {
	jars := cached(t, "pgjdbc-"+jdbcVersion, func(dir string) error {
		out, code := client(t, "", "mvn", "-q", "-B", "dependency:copy", "-Dartifact=org.postgresql:postgresql:"+jdbcVersion, "-DoutputDirectory="+dir)
		if code != 0 {
			return fmt.Errorf("fetch pgjdbc with Maven: %s", out)
		}
		return nil
	})
	return filepath.Join(jars, "postgresql-"+jdbcVersion+".jar")
}

// TestJDBC runs testdata/JDBCClient.java with pgjdbc.
func TestJDBC(t *testing.T) {
	p := startClientServer(t)
	host, port, err := net.SplitHostPort(p.addr)
	if err != nil {
		t.Fatal(err)
	}
	out, code := client(t, "", "java", "-cp", jdbcJar(t), "testdata/JDBCClient.java",
		fmt.Sprintf("jdbc:postgresql://%s:%s/streamsql?user=test", host, port))
	if code != 0 {
		t.Errorf("exit code %d\n%s", code, out)
	}
}
