package json

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/streamsql/streamsql/connectors"
	"github.com/streamsql/streamsql/sql"
)

// orders makes order records as the end-to-end benchmark has them.
func orders(n int) (records [][]byte, size int) {
	categories := []string{"electronics", "books", "clothing", "grocery", "toys", "sports", "beauty", "garden", "automotive", "music"}
	r := rand.New(rand.NewPCG(1, 2))
	var all []byte
	var ends []int
	for i := range n {
		lag := r.IntN(51)
		if r.IntN(10) == 0 {
			lag = r.IntN(2001)
		}
		cents := 100 + r.IntN(50_000)
		t := 2000 + i - lag
		all = fmt.Appendf(all, `{"order_id":"ord-%010d","customer_id":"cust-%06d","amount":%d.%02d,"category":"%s","event_time":"2026-01-01 %02d:%02d:%02d.%03d"}`,
			i, r.IntN(100_000), cents/100, cents%100, categories[r.IntN(len(categories))], t/3600_000%24, t/60_000%60, t/1000%60, t%1000)
		ends = append(ends, len(all))
	}
	for start := 0; len(ends) > 0; ends = ends[1:] {
		records = append(records, all[start:ends[0]])
		start = ends[0]
	}
	return records, len(all)
}

var orderColumns = []connectors.Column{
	{Column: sql.Column{Name: "order_id", Type: sql.TypeText}},
	{Column: sql.Column{Name: "customer_id", Type: sql.TypeText}},
	{Column: sql.Column{Name: "amount", Type: sql.FixedNumeric(10, 2)}},
	{Column: sql.Column{Name: "category", Type: sql.TypeText}},
	{Column: sql.Column{Name: "event_time", Type: sql.Type{Kind: sql.Timestamp, Precision: 4}}},
}

func BenchmarkDecode(b *testing.B) {
	records, _ := orders(20_000)
	for _, c := range []struct {
		name string
		cols []connectors.Column
	}{
		{"none", nil},
		{"3of5", []connectors.Column{orderColumns[3], orderColumns[2], orderColumns[4]}},
		{"5of5", orderColumns},
	} {
		b.Run(c.name, func(b *testing.B) { decode(b, c.cols, records) })
	}
}

// BenchmarkDecodeShapes decodes all columns of orders as other producers might write them.
func BenchmarkDecodeShapes(b *testing.B) {
	plain, _ := orders(2000)
	r := rand.New(rand.NewPCG(1, 2))
	members := func(record []byte) []string { return strings.Split(strings.Trim(string(record), "{}"), ",") }
	for _, c := range []struct {
		name  string
		write func(record []byte) string
	}{
		{"spaced", func(record []byte) string {
			return strings.NewReplacer(`":`, `": `, `,"`, `, "`).Replace(string(record))
		}},
		{"unicode", func(record []byte) string {
			return strings.Replace(string(record), `ory":"`, `ory":"категория `, 1)
		}},
		{"optional", func(record []byte) string {
			kept := slices.DeleteFunc(members(record), func(string) bool { return r.IntN(4) == 0 })
			return "{" + strings.Join(kept, ",") + "}"
		}},
		{"shuffled", func(record []byte) string {
			m := members(record)
			r.Shuffle(len(m), func(i, j int) { m[i], m[j] = m[j], m[i] })
			return "{" + strings.Join(m, ",") + "}"
		}},
	} {
		var records [][]byte
		for _, record := range plain {
			records = append(records, []byte(c.write(record)))
		}
		b.Run(c.name, func(b *testing.B) { decode(b, orderColumns, records) })
	}
}

func decode(b *testing.B, cols []connectors.Column, records [][]byte) {
	d := newDecoder(b, cols)
	size := 0
	for _, r := range records {
		size += len(r)
	}
	b.ReportAllocs()
	b.SetBytes(int64(size / len(records)))
	b.ResetTimer()
	for i := 0; i < b.N; i++ {
		if err := d.Decode(records[i%len(records)]); err != nil {
			b.Fatal(err)
		}
		if i%4096 == 4095 {
			d.Finish()
		}
	}
}
