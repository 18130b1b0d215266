package main

import (
	"context"
	"os"
	"path/filepath"
	"testing"
)

// TestBadCommandLines end at once with a code that scripts see.
func TestBadCommandLines(t *testing.T) {
	dir := t.TempDir()
	serve := []string{"serve", "--data-dir", dir, "--listen", "127.0.0.1:0", "--http", ""}
	for _, extra := range [][]string{{"extra"}, {"--nope"}, {"--max-connections", "0"}, {"--parallelism", "-1"}, {"--log-level", "loud"},
		{"--memory-budget", "0"}, {"--listen", "0.0.0.0:0"}, {"--tls-cert", "nope"}, {"--config", filepath.Join(dir, "nope")}} {
		ctx, cancel := context.WithTimeout(context.Background(), processWait)
		if code := run(ctx, append(serve[:len(serve):len(serve)], extra...)); code != 1 || ctx.Err() != nil {
			t.Errorf("%v: exit code %d", extra, code)
		}
		cancel()
	}
}

func TestCheckFiles(t *testing.T) {
	for content, want := range map[string]int{
		"":                                     0,
		"-- nothing":                           0,
		"\ufeffSELECT 1;":                      0,
		"CREATE TABLE t (a INT); TABLE t;\r\n": 0,
		"SELECT a FROM t":                      1,
		"SELECT '\xff'":                        1,
		"\\d":                                  1,
	} {
		file := filepath.Join(t.TempDir(), "m.sql")
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if code := run(context.Background(), []string{"check", file}); code != want {
			t.Errorf("check of %q: exit code %d", content, code)
		}
	}
}
