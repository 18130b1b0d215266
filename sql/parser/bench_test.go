package parser

import (
	"strings"
	"testing"
)

func benchmarkParse(b *testing.B, src string) {
	b.SetBytes(int64(len(src)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse(src); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkParse: a point query as clients send it, the windowed aggregation of the README, one of
// psql's catalog queries and a bulk insert.
func BenchmarkParse(b *testing.B) {
	b.Run("point", func(b *testing.B) {
		benchmarkParse(b, "SELECT category, total FROM revenue WHERE window_start = $1 AND category = $2")
	})
	b.Run("no operators", func(b *testing.B) { benchmarkParse(b, "SELECT a, b, count(*) FROM t GROUP BY a, b") })
	b.Run("window", func(b *testing.B) {
		benchmarkParse(b, `SELECT window_start, window_end, category, COUNT(*) AS order_count, SUM(amount) AS total_revenue,
			AVG(amount) AS avg_order_value FROM TABLE(TUMBLE(TABLE orders, DESCRIPTOR(event_time), INTERVAL '5' MINUTES))
			WHERE amount > 0 AND category IS NOT NULL GROUP BY window_start, window_end, category`)
	})
	b.Run("psql", func(b *testing.B) {
		for _, e := range corpus(b) {
			if e.name == `psql \d orders #9` {
				benchmarkParse(b, e.sql)
			}
		}
	})
	b.Run("insert 1000 rows", func(b *testing.B) {
		benchmarkParse(b, "INSERT INTO t VALUES (1, 'abc', 1.5)"+strings.Repeat(", (1, 'abc', 1.5)", 999))
	})
	b.Run("lex", func(b *testing.B) {
		src := strings.Repeat("SELECT a, \"B\", 'c' FROM t WHERE x >= 1.5 -- d\n;", 100)
		b.SetBytes(int64(len(src)))
		for b.Loop() {
			if _, err := lex(src); err != nil {
				b.Fatal(err)
			}
		}
	})
}
