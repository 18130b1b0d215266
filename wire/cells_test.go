package wire

import (
	"bytes"
	"testing"
	"time"

	"github.com/streamsql/streamsql/sql"
)

// TestCells: what is read from columns prints as the datum does, whose printing PostgreSQL has checked.
func TestCells(t *testing.T) {
	loc, err := time.LoadLocation("Asia/Kathmandu")
	if err != nil {
		t.Fatal(err)
	}
	types := map[string][]string{
		"bool": {"t", "f"}, "int2": {"-3"}, "int4": {"-3"}, "int8": {"-9223372036854775808"}, "oid": {"4294967295"}, "float4": {"0.1", "NaN", "-Infinity"},
		"float8": {"0.1", "-0", "1e300"}, "numeric": {"0", "NaN", "-Infinity", "1.50", "123456789012345678901234567890.5", "-0.001", "Infinity", "7"},
		"text": {"", "é"}, "varchar": {"x"}, "name": {"n"}, "json": {`{"a" : 1}`}, "jsonb": {`{"a": 1}`}, "bytea": {`\x`, `\x00ff`}, "date": {"1999-12-31", "infinity", "-infinity"},
		"time": {"24:00:00", "00:00:00.5"}, "timestamp": {"1999-12-31 23:59:59.9", "infinity", "0001-01-01 00:00:00 BC"}, "timestamptz": {"2024-01-01 00:00:00+00", "-infinity"},
		"interval": {"1 year -2 days 00:00:03.5"}, "uuid": {"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"}, "int4[]": {"{1,NULL}"}, "text[]": {`{"a b"}`}, "void": {""}, "\"char\"": {"x"},
	}
	check := func(ty sql.Type, values []string) {
		t.Helper()
		columns := sql.Schema{{Name: "x", Type: ty}}
		var rows [][]sql.Datum
		for _, v := range values {
			d, err := sql.ParseText(ty, v)
			if err != nil {
				t.Fatal(ty, err)
			}
			rows = append(rows, []sql.Datum{d})
		}
		b := fakeBatch(columns, rows)
		text, bin := textCell(b.Columns[0], ty, loc), binaryCell(b.Columns[0], ty)
		for i, row := range rows {
			got, err := text([]byte("<"), i)
			if want := sql.AppendTextIn([]byte("<"), ty, row[0], loc); err != nil || !bytes.Equal(got, want) {
				t.Errorf("%s as text: %q, want %q (%v)", ty, got, want, err)
			}
			want, err := sql.AppendBinary([]byte("<"), ty, row[0])
			if err != nil {
				t.Fatal(ty, err)
			}
			if got, err := bin([]byte("<"), i); err != nil || !bytes.Equal(got, want) {
				t.Errorf("%s in binary: %q, want %q (%v)", ty, got, want, err)
			}
		}
	}
	for name, values := range types {
		ty, err := sql.TypeFromName(name, nil)
		if err != nil {
			t.Fatal(err)
		}
		check(ty, values)
	}
	for _, precision := range []int32{10, 30, 60} {
		check(sql.FixedNumeric(precision, 3), []string{"0", "-1.5", "1234567.125"})
	}
}

// TestRowsDoNotAllocate: the commonest columns cost no memory for each row.
func TestRowsDoNotAllocate(t *testing.T) {
	var columns sql.Schema
	var row []sql.Datum
	for _, c := range [][2]string{{"int4", "1"}, {"int8", "2"}, {"text", "x"}, {"bool", "t"}, {"float8", "1.5"}, {"timestamp", "2024-01-01"}, {"timestamptz", "2024-01-01"},
		{"date", "2024-01-01"}, {"numeric", "1.5"}, {"bytea", `\x01`}, {"uuid", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"}, {"jsonb", "1"}} {
		ty, _ := sql.TypeFromName(c[0], nil)
		d, err := sql.ParseText(ty, c[1])
		if err != nil {
			t.Fatal(err)
		}
		columns = append(columns, sql.Column{Name: c[0], Type: ty})
		row = append(row, d)
	}
	b := fakeBatch(columns, [][]sql.Datum{row})
	w := newRowWriter(columns, nil, time.UTC)
	w.bind(b)
	out := make([]byte, 0, 1024)
	if n := testing.AllocsPerRun(100, func() { out, _ = w.append(out[:0], 0) }); n != 0 {
		t.Errorf("a row takes %v allocations", n)
	}
}
