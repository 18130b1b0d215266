package engine

import (
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
)

// A sink whose key may be that of several rows is told so, and no other.
func TestSharedKeysOfSinks(t *testing.T) {
	n := newNode(t, "", &memoryTarget{})
	n.exec("CREATE TABLE src (id int PRIMARY KEY, g text, ts timestamptz)")
	n.exec("CREATE MATERIALIZED VIEW by_two AS SELECT g, id % 3 AS m, count(*) AS c FROM src GROUP BY g, id % 3")
	var warnings []pgconn.Notice
	c := n.connect(func(w *pgconn.Notice) {
		if w.Severity == "WARNING" {
			warnings = append(warnings, *w)
		}
	})
	defer c.Close(t.Context())
	for _, sink := range []struct{ query, key, lacks string }{
		{"SELECT g, m, c FROM by_two", "g,m", ""},
		{"SELECT g, m, c FROM by_two", "m,c,g", ""},
		{"SELECT g, m, c FROM by_two", "", ""},
		{"SELECT g, m, c FROM by_two", "g", ": m."},
		{`SELECT g, m AS "M", c FROM by_two`, "c", `: g, "M".`},
		{"SELECT g, count(*) AS c FROM src GROUP BY g", "g", ""},
		{"SELECT g, c FROM by_two", "g", ": m."},
		{"SELECT g, ts FROM src", "g", ": id."},
	} {
		warnings = nil
		with := "connector = 'memory'"
		if sink.key != "" {
			with += ", primary_key = '" + sink.key + "'"
		}
		for _, statement := range []string{"CREATE SINK s AS " + sink.query + " WITH (" + with + ")", "DROP SINK s"} {
			if _, err := simpleQuery(c, statement); err != nil {
				t.Fatal(err)
			}
		}
		switch {
		case sink.lacks == "" && len(warnings) > 0:
			t.Errorf("%s, key %s: %s %s", sink.query, sink.key, warnings[0].Message, warnings[0].Detail)
		case sink.lacks != "" && (len(warnings) != 1 || !strings.Contains(warnings[0].Detail, sink.lacks) || warnings[0].Hint == ""):
			t.Errorf("%s, key %s: %d warnings: %+v", sink.query, sink.key, len(warnings), warnings)
		}
	}
}
