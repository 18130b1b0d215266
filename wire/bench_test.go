package wire

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/streamsql/streamsql/sql"
)

// BenchmarkRows encodes rows of the main job's result: two timestamps, a text, a count, two numerics.
func BenchmarkRows(b *testing.B) {
	columns := sql.Schema{{Name: "window_start", Type: sql.TypeTimestamp}, {Name: "window_end", Type: sql.TypeTimestamp}, {Name: "category", Type: sql.TypeText},
		{Name: "order_count", Type: sql.TypeInt8}, {Name: "total_revenue", Type: sql.FixedNumeric(38, 2)}, {Name: "avg", Type: sql.TypeNumeric}}
	benchmarkRows(b, columns, []string{"2024-05-06 07:05:00", "2024-05-06 07:10:00", "electronics", "123456", "98765432.10", "123.4567890123456789"})
}

// BenchmarkRowsByType encodes rows of one column.
func BenchmarkRowsByType(b *testing.B) {
	for typ, v := range map[string]string{"int4": "123456", "int8": "1234567890123", "float8": "3.14159", "text": "some text", "bool": "t",
		"timestamp": "2024-05-06 07:05:00.123", "timestamptz": "2024-05-06 07:05:00+00", "date": "2024-05-06", "uuid": "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
		"jsonb": `{"a": 1}`, "bytea": `\x0102`, "interval": "5 mins", "numeric": "123.456"} {
		t, err := sql.TypeFromName(typ, nil)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(typ, func(b *testing.B) { benchmarkRows(b, sql.Schema{{Name: "x", Type: t}}, []string{v}) })
	}
	b.Run("numeric(10,2)", func(b *testing.B) {
		benchmarkRows(b, sql.Schema{{Name: "x", Type: sql.FixedNumeric(10, 2)}}, []string{"1234.56"})
	})
}

func benchmarkRows(b *testing.B, columns sql.Schema, values []string) {
	const n = 4096
	var row []sql.Datum
	for i, c := range columns {
		d, err := sql.ParseText(c.Type, values[i])
		if err != nil {
			b.Fatal(err)
		}
		row = append(row, d)
	}
	rows := make([][]sql.Datum, n)
	for i := range rows {
		rows[i] = row
	}
	batch := fakeBatch(columns, rows)
	for format, name := range []string{"text", "binary"} {
		b.Run(name, func(b *testing.B) {
			w := newRowWriter(columns, []int16{int16(format)}, time.UTC)
			var out []byte
			b.ReportAllocs()
			for b.Loop() {
				w.bind(batch)
				out = out[:0]
				for i := range n {
					var err error
					if out, err = w.append(out, i); err != nil {
						b.Fatal(err)
					}
				}
			}
			b.ReportMetric(float64(n*b.N)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}

// BenchmarkPointQuery is a prepared query of one row through pgx and back.
func BenchmarkPointQuery(b *testing.B) {
	s := startServer(b)
	for _, mode := range []string{"cache_statement", "simple_protocol"} {
		b.Run(mode, func(b *testing.B) {
			conn := s.pgx(b, "default_query_exec_mode="+mode)
			b.ReportAllocs()
			for b.Loop() {
				var n int32
				if err := conn.QueryRow(context.Background(), "select $1::int4", int32(5)).Scan(&n); err != nil || n != 5 {
					b.Fatal(n, err)
				}
			}
		})
	}
}

// BenchmarkBatch is 100 prepared queries in one pipeline.
func BenchmarkBatch(b *testing.B) {
	conn := startServer(b).pgx(b, "")
	b.ReportAllocs()
	for b.Loop() {
		batch := &pgx.Batch{}
		for i := range 100 {
			batch.Queue("select $1::int4", int32(i))
		}
		if err := conn.SendBatch(context.Background(), batch).Close(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(100*float64(b.N)/b.Elapsed().Seconds(), "queries/s")
}

// BenchmarkStream is a result of a million rows through a socket.
func BenchmarkStream(b *testing.B) {
	conn := startServer(b).pgx(b, "").PgConn()
	for _, format := range []int16{textFormat, binaryFormat} {
		b.Run(fmt.Sprint(format), func(b *testing.B) {
			for b.Loop() {
				r := conn.ExecParams(context.Background(), "select generate_series(1,1000000)", nil, nil, nil, []int16{format})
				for r.NextRow() {
				}
				if _, err := r.Close(); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(1e6*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}
