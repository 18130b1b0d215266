package sql

import "testing"

func BenchmarkText(b *testing.B) {
	buf := make([]byte, 0, 64)
	dec, _ := ParseNumeric("12345.67")
	for _, bc := range []struct {
		name string
		f    func()
	}{
		{"ParseTimestamp", func() { _, _ = ParseTimestamp("2024-01-31 10:00:00.123456") }},
		{"ParseTimestampGeneral", func() { _, _ = ParseTimestamp("Jan 31 2024 10:00:00.123456") }},
		{"AppendTimestamp", func() { buf = AppendTimestamp(buf[:0], 1_706_695_200_123_456) }},
		{"ParseNumeric", func() { _, _ = ParseNumeric("12345.67") }},
		{"AppendNumericText", func() { buf = AppendNumericText(buf[:0], dec) }},
		{"ParseInterval", func() { _, _ = ParseInterval("1 day 02:03:04.5") }},
		{"ParseJSONB", func() { _, _ = ParseJSONB(`{"id": 17, "tags": ["a", "b"], "user": {"name": "x"}, "amount": 12.50}`) }},
	} {
		b.Run(bc.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				bc.f()
			}
		})
	}
}
