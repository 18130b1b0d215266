package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// TestNoSecretsShown plants secrets wherever a statement can hold one, lets statements succeed, fail
// and wait, and looks for them in every answer, system table, page, log and file.
func TestNoSecretsShown(t *testing.T) {
	const planted = "hushhush"
	secrets := t.TempDir()
	if err := os.WriteFile(filepath.Join(secrets, "from_file"), []byte(planted+"file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("STREAMSQL_SECRET_FROM_ENV", planted+"env")
	dir := filepath.Join(t.TempDir(), "data")
	web := freeAddress(t)
	p := newProcess(t, dir, "--http", web, "--log-level", "debug", "--secrets-dir", secrets, "--pprof")
	p.start()
	var seen bytes.Buffer
	c := p.connect(func(cfg *pgx.ConnConfig) {
		cfg.OnNotice = func(_ *pgconn.PgConn, n *pgconn.Notice) { fmt.Fprintf(&seen, "notice %+v\n", *n) }
	})
	defer c.Close(context.Background())
	run := func(c *pgx.Conn, statement string) {
		ctx, cancel := context.WithTimeout(context.Background(), processWait)
		defer cancel()
		results, err := c.PgConn().Exec(ctx, statement).ReadAll()
		if e, ok := err.(*pgconn.PgError); ok {
			fmt.Fprintf(&seen, "%s: error %+v\n", strings.ReplaceAll(statement, planted, ""), *e)
		}
		for _, r := range results {
			for _, row := range r.Rows {
				fmt.Fprintf(&seen, "%s: %s\n", strings.ReplaceAll(statement, planted, ""), bytes.Join(row, []byte("|")))
			}
		}
	}
	sasl := func(n int) string {
		return fmt.Sprintf(`properties.bootstrap.servers = '127.0.0.1:1', format = 'json', properties.security.protocol = 'SASL_PLAINTEXT', properties.sasl.mechanism = 'PLAIN',
			properties.sasl.jaas.config = 'org.apache.kafka.common.security.plain.PlainLoginModule required username="u" password="%s%d";'`, planted, n)
	}
	look := []string{"SHOW CREATE TABLE k1", "SHOW CREATE TABLE k2", "SHOW CREATE TABLE k3", "SHOW CREATE SINK s1", "SHOW CREATE TABLE k5", "SHOW JOBS", "SHOW ALL", "SHOW USERS", "EXPLAIN VERBOSE SELECT * FROM k1", "DESCRIBE k1"}
	for _, statement := range append([]string{
		"CREATE USER a PASSWORD '" + planted + "1'",
		"ALTER USER a PASSWORD E'" + planted + "\\x32'",
		"CREATE ROLE b LOGIN ENCRYPTED PASSWORD $$" + planted + "3$$",
		"CREATE USER a PASSWORD '" + planted + "4'",                             // exists
		"ALTER USER nobody PASSWORD '" + planted + "5'",                         // does not
		"ALTER USER a PASSWORD '" + planted + "6' garbage",                      // syntax error behind it
		"ALTER USER a PASSWORD ('" + planted + "7')",                            // and before it
		"PREPARE p AS ALTER USER a PASSWORD '" + planted + "8'",                 // not a query
		"BEGIN; ALTER USER a PASSWORD '" + planted + "9'; SELECT 1/0; COMMIT;",  // fails later
		"ROLLBACK; SELECT 1; ALTER USER a PASSWORD '" + planted + "10'; SELECT", // several in a message
		"CREATE TABLE k1 (id BIGINT) WITH (connector = 'kafka', topic = 'in', " + sasl(11) + ")",
		"CREATE TABLE k2 (id BIGINT) WITH (connector = 'kafka', topic = 'in', properties.sasl.jaas.config = U&'\\0068" + planted + "12', " +
			"properties.bootstrap.servers = '127.0.0.1:1', format = 'json')",
		"CREATE TABLE k3 (id BIGINT) WITH (connector = 'kafka', topic = 'in', properties.sasl.username = 'u', properties.sasl.password = SECRET from_file, " +
			"properties.security.protocol = 'SASL_PLAINTEXT', properties.sasl.mechanism = 'PLAIN', properties.bootstrap.servers = '127.0.0.1:1', format = 'json')",
		"CREATE TABLE k4 (id BIGINT) WITH (connector = 'kafka', topic = 'in', nonsense = 1, " + sasl(13) + ")",
		"CREATE TABLE k5 (id BIGINT) WITH (connector = 'kafka', topic = 'in', properties.sasl.username = 'u', properties.sasl.password = SECRET from_env, " +
			"properties.security.protocol = 'SASL_PLAINTEXT', properties.sasl.mechanism = 'PLAIN', properties.bootstrap.servers = '127.0.0.1:1', format = 'json')",
		"CREATE TABLE k6 (id BIGINT) WITH (connector = 'kafka', topic = 'in', properties.sasl.password = SECRET missing, properties.bootstrap.servers = '127.0.0.1:1', format = 'json')",
		"CREATE TABLE plain (id BIGINT PRIMARY KEY)",
		"CREATE SINK s1 FROM plain WITH (connector = 'kafka', topic = 'out', type = 'upsert', " + sasl(14) + ")",
		"CREATE MATERIALIZED VIEW v1 AS SELECT count(*) FROM k1",
		"CREATE SECRET s WITH (backend = 'meta') AS '" + planted + "15'",
		"CREATE TABLE pg1 (id BIGINT PRIMARY KEY) WITH (connector = 'postgres', url = 'postgres://u:" + planted + "16@127.0.0.1:1/db', \"table\" = 't')",
		"CREATE TABLE pg2 (id BIGINT PRIMARY KEY) WITH (connector = 'postgres', url = 'host=127.0.0.1 password=''" + planted + " 17'' dbname=x', \"table\" = 't')",
		"SET statement_timeout = '300ms'; SELECT * FROM k1", // waits for a broker that is not there
		"SET statement_timeout = 0",
	}, look...) {
		run(c, statement)
		other := p.connect()
		run(other, "SELECT * FROM streamsql.sessions; SELECT * FROM pg_stat_activity; SELECT * FROM streamsql.jobs")
		_ = other.Close(context.Background())
	}
	tables, err := p.rows("SELECT table_schema || '.' || table_name FROM information_schema.tables")
	if err != nil || len(tables) < 10 {
		t.Fatal(tables, err)
	}
	for _, table := range tables {
		if !strings.HasPrefix(table, "public.") {
			run(c, "SELECT * FROM "+table)
		}
	}
	for _, page := range []string{"/", "/metrics", "/debug/pprof/goroutine?debug=2", "/debug/pprof/cmdline"} {
		r, err := http.Get("http://" + web + page)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(r.Body)
		_ = r.Body.Close()
		fmt.Fprintf(&seen, "%s: %s\n", page, body)
	}
	time.Sleep(200 * time.Millisecond)
	for _, line := range strings.Split(seen.String()+p.log.String(), "\n") {
		if strings.Contains(line, planted) {
			t.Errorf("shown: %.400s", line)
		}
	}
	for want, not := range map[string]string{"PASSWORD '********'": "", "SECRET from_file": "", "'properties.sasl.jaas.config' = '********'": "", `secret "missing" does not exist`: ""} {
		if !strings.Contains(seen.String(), want) {
			t.Errorf("no %s in what was shown%s", want, not)
		}
	}
	checkFiles(t, p, dir, planted)
}

// checkFiles: values behind SECRET names are in no file; other passwords are in the state only, which
// is nobody else's to read.
func checkFiles(t *testing.T, p *process, dir, planted string) {
	if i, err := os.Stat(dir); err != nil || i.Mode().Perm() != 0o700 {
		t.Errorf("the data directory: %v, %v", i.Mode(), err)
	}
	p.kill()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		for _, s := range []string{planted + "file", planted + "env"} {
			if bytes.Contains(b, []byte(s)) {
				t.Errorf("%s is in %s", s, path)
			}
		}
		if bytes.Contains(b, []byte(planted)) && !strings.HasPrefix(path, filepath.Join(dir, "state")+"/") {
			t.Errorf("a password is in %s", path)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}
