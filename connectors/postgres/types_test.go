//go:build integration

package postgres

import (
	"fmt"
	"strings"
	"testing"

	"github.com/streamsql/streamsql/connectors"
	"github.com/streamsql/streamsql/connectors/postgres/pgtest"
	"github.com/streamsql/streamsql/exec/stream"
	"github.com/streamsql/streamsql/sql"
)

// typeCases are a type of ours, the type of the column it is written to, and values as PostgreSQL prints
// them back; where that is another text, it stands behind →.
var typeCases = []struct {
	typ    sql.Type
	column string // empty = what create_table makes
	values string // separated by ;
}{
	{sql.TypeBool, "", "t;f"},
	{sql.TypeInt2, "", "-32768;32767"},
	{sql.TypeInt2, "int", "-32768;7"},
	{sql.TypeInt2, "numeric(6,1)", "-32768→-32768.0"},
	{sql.TypeInt4, "", "-2147483648;0"},
	{sql.TypeInt4, "bigint", "-2147483648"},
	{sql.TypeInt8, "", "-9223372036854775808;9223372036854775807"},
	{sql.TypeInt8, "numeric", "-9223372036854775808;9223372036854775807;0;10000;20000000"},
	{sql.TypeFloat4, "", "1.5;NaN;-Infinity;3.4028235e+38"},
	{sql.TypeFloat4, "float8", "1.5;NaN"},
	{sql.TypeFloat8, "", "-0;NaN;Infinity;1e-300"},
	{sql.TypeNumeric, "", "0.00;-1.50;NaN;Infinity;-Infinity;123456789012345678901234567890.000000001"},
	{sql.FixedNumeric(18, 4), "", "-99999999999999.9999;0.0000;0.0001;10000.0000"},
	{sql.FixedNumeric(18, 18), "numeric", "0.123456789012345678;-0.000000000000000001"},
	{sql.FixedNumeric(5, 2), "numeric", "1.50;-0.05;100.00;999.99"},
	{sql.FixedNumeric(38, 3), "", "-12345678901234567890123456789012345.678"},
	{sql.FixedNumeric(60, 10), "", "1.0000000001"},
	{sql.TypeText, "", "a\"b'c\\;ü 漢字 🙂;"},
	{sql.TypeText, "varchar(10)", "abc"},
	{sql.TypeText, "mood", "happy"},
	{sql.TypeText, "short", "ab"},
	{sql.Type{Kind: sql.Varchar, Precision: 5}, "", "abcde"},
	{sql.Type{Kind: sql.Char, Precision: 4}, "", "ab  "},
	{sql.TypeBytea, "", `\x00ff;\x`},
	{sql.TypeDate, "", "2024-02-29;0044-03-15 BC;infinity;-infinity;5874897-12-31"},
	{sql.TypeTime, "", "00:00:00;24:00:00;23:59:59.999999"},
	{sql.TypeTimestamp, "", "1999-12-31 23:59:59.999999;infinity;-infinity;294246-12-31 23:59:59.999999;4713-01-01 00:00:00 BC"},
	{sql.TypeTimestamp, "timestamp(0)", "1999-12-31 23:59:59.9→2000-01-01 00:00:00"},
	{sql.TypeTimestamptz, "", "2024-06-01 12:00:00+00;infinity;-infinity;294246-12-31 23:59:59.999999+00"},
	{sql.TypeInterval, "", "1 year 2 mons -3 days +04:05:06.789;-00:00:01;00:00:00"},
	{sql.TypeUUID, "", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"},
	{sql.TypeJSON, "", `{"b" : 1, "a": [null]}`},
	{sql.TypeJSONB, "", `{"a": [null], "b": 1};"x"`},
	{sql.TypeJSONB, "json", `{"a": 1}`},
	{sql.ArrayOf(sql.TypeInt4), "", "{1,NULL,3};{}"},
	{sql.ArrayOf(sql.TypeInt4), "bigint[]", "{1,-2}"},
	{sql.ArrayOf(sql.ArrayOf(sql.TypeInt4)), "", "{{1,2},{3,4}}"},
	{sql.ArrayOf(sql.TypeText), "", `{"a\"b",NULL,"NULL","x,y",""}`},
	{sql.ArrayOf(sql.TypeText), "varchar(3)[]", "{abc}"},
	{sql.ArrayOf(sql.TypeNumeric), "", "{1.50,NaN}"},
	{sql.ArrayOf(sql.TypeTimestamptz), "", `{"2024-06-01 12:00:00+00"}`},
	{sql.ArrayOf(sql.TypeInterval), "", `{"-1 days +02:03:04"}`},
	{sql.ArrayOf(sql.TypeJSONB), "", `{"{\"a\": 1}"}`},
	{sql.ArrayOf(sql.TypeBytea), "", `{"\\x01"}`},
	{sql.RowOf(sql.Field{Name: "a", Type: sql.TypeInt4}, sql.Field{Name: "b", Type: sql.TypeText}), "", `(1,x)→{"a": 1, "b": "x"}`},
	{sql.RowOf(sql.Field{Name: "a", Type: sql.TypeInt4}), "json", `(1)→{"a":1}`},
	{sql.MapOf(sql.TypeText, sql.TypeInt4), "", `{a=>1}→{"a": 1}`},
	{sql.ArrayOf(sql.RowOf(sql.Field{Name: "a", Type: sql.TypeInt4})), "", `{"(1)"}→[{"a": 1}]`},
}

// Every type arrives as it was, by COPY and by upserts, as a value and as a key of a row that is deleted.
func TestTypes(t *testing.T) {
	b := newBench(t, pgtest.Shared(t), "CREATE TYPE mood AS ENUM ('happy', 'sad'); CREATE DOMAIN short AS varchar(2) NOT NULL")
	for i, c := range typeCases {
		for keys, how := range []string{"copied", "put"} {
			table := fmt.Sprintf("type_%s_%d", how, i)
			r := b.relation(table, table, keys, "k int8", "create_table", "true")
			r.Columns = append(r.Columns, connectors.Column{Column: sql.Column{Name: "v", Type: c.typ}})
			if c.column != "" {
				b.exec("CREATE TABLE " + table + " (k bigint PRIMARY KEY, v " + c.column + ")")
			}
			s := b.sink(r)
			b.delivered(s, 0)
			values, want := stream.NewBuilder(c.typ), []string{}
			keyColumn := stream.NewBuilder(sql.TypeInt8)
			for n, v := range append(strings.Split(c.values, ";"), "") {
				text, back, other := strings.Cut(v, "→")
				if !other {
					back = text
				}
				d, err := sql.ParseText(c.typ, text)
				switch {
				case n == strings.Count(c.values, ";")+1:
					if c.column == "short" {
						continue
					}
					d, back = nil, "NULL"
				case err != nil:
					t.Fatalf("%s %q: %v", c.typ, text, err)
				}
				values.Append(d)
				keyColumn.Append(int64(n))
				want = append(want, back)
			}
			k := keyColumn.Finish()
			batch := &stream.Batch{Rows: k.Len()}
			batch.Columns = append(batch.Columns, k, values.Finish())
			if refused := b.deliver(s, 1, batch); len(refused) > 0 {
				t.Errorf("%s %s: refused %q", how, c.typ, refused)
			}
			b.holds("SELECT v FROM "+table+" ORDER BY k", want...)
			if comparable := c.typ.Kind != sql.JSON && c.column != "json"; how == "put" && comparable {
				b.deleteByValue(table, c.typ, batch)
			}
			s.Close()
		}
	}
}

// deleteByValue makes the value the key, and deletes the rows by it; a key is not NULL.
func (b *bench) deleteByValue(table string, typ sql.Type, batch *stream.Batch) {
	b.t.Helper()
	b.exec("DELETE FROM " + table + " WHERE v IS NULL; ALTER TABLE " + table + " DROP CONSTRAINT " + table + "_pkey, ADD PRIMARY KEY (v)")
	r := b.relation(table+"-by-value", table, 0, "k int8")
	r.Columns = append(r.Columns, connectors.Column{Column: sql.Column{Name: "v", Type: typ}})
	r.Key = []int{1}
	s := b.sink(r)
	b.delivered(s, 0)
	deletes := *batch
	for range batch.Rows {
		deletes.Ops = append(deletes.Ops, stream.Delete)
	}
	b.deliver(s, 1, &deletes)
	b.holds("SELECT v FROM " + table)
	s.Close()
}

// A type that the column does not take is an error at CREATE, with how to cast it.
func TestTypesThatDoNotFit(t *testing.T) {
	b := newBench(t, pgtest.Shared(t), "")
	for i, c := range []struct {
		typ    sql.Type
		column string
	}{
		{sql.TypeInt8, "int"}, {sql.TypeText, "int"}, {sql.TypeNumeric, "bigint"}, {sql.TypeFloat8, "real"}, {sql.TypeTimestamp, "timestamptz"},
		{sql.TypeText, "inet"}, {sql.TypeInt4, "text"}, {sql.ArrayOf(sql.TypeInt8), "int[]"}, {sql.TypeInt4, "int[]"}, {sql.TypeText, "jsonb"},
		{sql.TypeUUID, "text"}, {sql.ArrayOf(sql.TypeInt4), "int"}, {sql.ArrayOf(sql.TypeInt4), "numeric[]"}, {sql.TypeText, "point"},
	} {
		table := fmt.Sprint("unfit_", i)
		b.exec("CREATE TABLE " + table + " (v " + c.column + ")")
		r := b.relation("", table, 0, "v text")
		r.Columns[0].Type = c.typ
		wantError(t, b.c.Check(b.context(), r, nil), sql.CodeDatatypeMismatch, "CAST(v AS ")
	}
}
