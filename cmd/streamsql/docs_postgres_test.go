//go:build integration

package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/streamsql/streamsql/connectors/postgres/pgtest"
)

// TestDocsPostgres runs the SQL of the page on PostgreSQL, in order, with a database to write to.
func TestDocsPostgres(t *testing.T) {
	pg := pgtest.Start(t)
	target := pg.Conn(t)
	for _, text := range []string{"CREATE ROLE loader SUPERUSER LOGIN", "CREATE DATABASE marts"} {
		if _, err := target.Exec(t.Context(), text); err != nil {
			t.Fatal(err)
		}
	}
	dev := startTestDev(t)
	conn := connect(t, dev)
	blocks := sqlBlock.FindAllStringSubmatch(readDoc(t, "docs/connectors/postgres.md"), -1)
	if len(blocks) == 0 {
		t.Fatal("no SQL")
	}
	for _, b := range blocks {
		if err := runBlock(t.Context(), conn, strings.ReplaceAll(b[2], "127.0.0.1:5432", fmt.Sprint("127.0.0.1:", pg.Port))); err != nil {
			t.Errorf("%v, in\n%s", err, b[2])
		}
	}
	await(t, func() string {
		marts := strings.Replace(pg.URL(), "/postgres?", "/marts?", 1)
		return queryDiffers(t, marts, "SELECT string_agg(category || total, ' ' ORDER BY category) || (SELECT string_agg(id || '=' || amount, ' ' ORDER BY id) FROM big_orders) FROM totals",
			"books12.50 games250.000=0.00 2=250.00")
	})
}

// queryDiffers says how the single value of a query differs from what is wanted, or nothing.
func queryDiffers(t *testing.T, url, query, want string) string {
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		return err.Error()
	}
	defer conn.Close(t.Context())
	var got *string
	if err := conn.QueryRow(t.Context(), query).Scan(&got); err != nil {
		return err.Error()
	}
	if got == nil || *got != want {
		return fmt.Sprintf("%s: got %v, want %s", query, got, want)
	}
	return ""
}
