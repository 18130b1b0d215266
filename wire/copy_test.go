package wire

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/streamsql/streamsql/connectors/postgres/pgtest"
	"github.com/streamsql/streamsql/sql"
	"github.com/streamsql/streamsql/sql/seedtest"
)

// readCopy parses data, cut where cut says, and prints the rows and the error.
func readCopy(in *CopyIn, data []byte, cut func(rest int) int) string {
	var out strings.Builder
	row := func(r []sql.Datum) error {
		for i, d := range r {
			if i > 0 {
				out.WriteByte('|')
			}
			if d == nil {
				out.WriteString("NULL")
			} else {
				fmt.Fprintf(&out, "%q", d)
			}
		}
		out.WriteByte('\n')
		return nil
	}
	s := newCopySplitter(in, time.UTC)
	for len(data) > 0 {
		n := cut(len(data))
		piece := bytes.Clone(data[:n])
		if err := s.feed(piece, false, row); err != nil {
			return out.String() + copyError(err)
		}
		for i := range piece { // what was fed must not be looked at again
			piece[i] = 0xee
		}
		data = data[n:]
	}
	if err := s.feed(nil, true, row); err != nil {
		return out.String() + copyError(err)
	}
	return out.String()
}

func copyError(err error) string {
	e := sql.AsError(err)
	return fmt.Sprintf("%s %s (%s) %s", e.Code, e.Message, e.Hint, whereOf(err))
}

func textColumns(n int) sql.Schema {
	var out sql.Schema
	for i := range n {
		out = append(out, sql.Column{Name: string(rune('a' + i)), Type: sql.TypeText})
	}
	return out
}

// copyCase makes random data of bytes that mean something to the format.
func copyCase(r *rand.Rand) (options string, columns int, data []byte) {
	option := []string{"format text", "format csv", "format text, delimiter ',', null 'x'", "format csv, header true", `format csv, escape '\'`,
		"format csv, quote '''', null 'a'", `format csv, delimiter ';', null '\N'`, "format text, header true"}[r.IntN(8)]
	alphabet := []string{"a", "b", "x", ",", ";", "\t", `\`, `"`, "'", "\n", "\n", `\N`, `\.`, "\\.\n", `\n`, `\x4`, `\07`, `""`, "é", "\\\n"}
	switch r.IntN(4) {
	case 0:
		alphabet = append(alphabet, "\r", "\r\n", "\\\r")
	case 1:
		alphabet = append(alphabet, "\r\n", "\r\n", "\r\n")
	case 2:
		alphabet = append(alphabet, "\xff", "\x00", `\xff`, `\0`)
	}
	for range r.IntN(24) {
		data = append(data, alphabet[r.IntN(len(alphabet))]...)
	}
	return option, 1 + r.IntN(3), data
}

// TestCopyInLikePostgreSQL reads random text and CSV data, here in random pieces; rows, errors and
// their lines are PostgreSQL's.
func TestCopyInLikePostgreSQL(t *testing.T) {
	if testing.Short() {
		return // needs PostgreSQL
	}
	conn := pgtest.Shared(t).Conn(t).PgConn()
	ctx := context.Background()
	exec := func(sql string) []*pgconn.Result {
		res, err := conn.Exec(ctx, sql).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		return res
	}
	for n, columns := range []string{"a text", "a text, b text", "a text, b text, c text"} {
		exec(fmt.Sprintf("create temp table t%d (n serial, %s)", n+1, columns))
	}
	const cases = 2000
	seed := seedtest.Seed(t)
	for i := range cases {
		r := rand.New(rand.NewPCG(seed, uint64(i)))
		options, n, data := copyCase(r)
		exec(fmt.Sprintf("delete from t%d", n))
		names := strings.Join([]string{"a", "b", "c"}[:n], ",")
		want := ""
		_, err := conn.CopyFrom(ctx, bytes.NewReader(data), fmt.Sprintf("copy t%d (%s) from stdin (%s)", n, names, options))
		var pe *pgconn.PgError
		if errors.As(err, &pe) {
			where, _, _ := strings.Cut(pe.Where, ": \"")
			want = fmt.Sprintf("%s %s (%s) %s", pe.Code, pe.Message, pe.Hint, strings.Replace(where, fmt.Sprintf("COPY t%d,", n), "COPY,", 1))
		} else if err != nil {
			t.Fatal(err)
		}
		for _, row := range exec(fmt.Sprintf("select %s from t%d order by n", names, n))[0].Rows {
			for j, v := range row {
				if j > 0 {
					want += "|"
				}
				if v == nil {
					want += "NULL"
				} else {
					want += fmt.Sprintf("%q", v)
				}
			}
			want += "\n"
		}
		in := &CopyIn{Format: fakeFormat(options), Columns: textColumns(n)}
		got := readCopy(in, data, func(rest int) int { return 1 + r.IntN(min(rest, 7)) })
		if j := strings.LastIndexByte(got, '\n'); j+1 < len(got) { // an error takes the rows before it along
			got = got[j+1:]
		}
		if sql.CheckUTF8(data) != nil && strings.HasPrefix(want, "22021") {
			continue // PostgreSQL looks at the bytes of a whole buffer before it looks for lines: here another error or the end mark may come first
		}
		if got != want {
			t.Fatalf("seed %d case %d: (%s) %d columns %q\ngot  %s\nwant %s", seed, i, options, n, data, got, want)
		}
	}
}

// FuzzCopyPieces: however data is cut, the same comes out.
func FuzzCopyPieces(f *testing.F) {
	for i := range 40 {
		r := rand.New(rand.NewPCG(1, uint64(i)))
		_, _, data := copyCase(r)
		f.Add(uint8(i), data)
	}
	f.Add(uint8(2), []byte(binarySignature+"\x00\x01\x00\x00\x00\x02ab\x00\x01\xff\xff\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, kind uint8, data []byte) {
		format := []string{"text", "csv", "binary"}[kind%3]
		in := &CopyIn{Format: fakeFormat("format " + format), Columns: textColumns(1 + int(kind/3)%3)}
		if kind > 100 {
			in.Format.Header, in.Format.Escape = true, '\\'
		}
		whole := readCopy(in, data, func(rest int) int { return rest })
		for _, size := range []int{1, 2, 5} {
			if got := readCopy(in, data, func(rest int) int { return min(size, rest) }); got != whole {
				t.Fatalf("%s %q in pieces of %d:\n%s\nwhole:\n%s", format, data, size, got, whole)
			}
		}
	})
}

// TestCopyRoundTrip: what COPY TO writes, COPY FROM reads, and so does PostgreSQL.
func TestCopyRoundTrip(t *testing.T) {
	if testing.Short() {
		return // needs PostgreSQL
	}
	conn := pgtest.Shared(t).Conn(t).PgConn()
	ctx := context.Background()
	r := rand.New(rand.NewPCG(7, 7))
	columns := textColumns(2)
	var rows [][]sql.Datum
	for range 500 {
		var row []sql.Datum
		for range columns {
			_, _, data := copyCase(r)
			if s := strings.ToValidUTF8(strings.ReplaceAll(string(data), "\x00", ""), ""); r.IntN(10) > 0 {
				row = append(row, s)
			} else {
				row = append(row, nil)
			}
		}
		rows = append(rows, row)
	}
	for _, options := range []string{"format text", "format csv", "format csv, header true, null 'a'", `format csv, escape '\', quote ''''`, "format text, delimiter ';', null ''", "format binary"} {
		out := &CopyOut{Format: fakeFormat(options), Columns: columns, Rows: &fakeRows{}}
		e := newCopyEncoder(out, &fakeSession{})
		data := e.header(nil)
		e.bind(fakeBatch(columns, rows))
		for i := range rows {
			var err error
			if data, err = e.row(data, i); err != nil {
				t.Fatal(err)
			}
		}
		if out.Format.Format == "binary" {
			data = append(data, 0xff, 0xff)
		}
		want := readBack(rows, options)
		in := &CopyIn{Format: out.Format, Columns: columns}
		if got := readCopy(in, data, func(rest int) int { return min(rest, 1+r.IntN(50)) }); got != want {
			t.Errorf("(%s): our own data reads as\n%s", options, firstDifference(got, want))
		}
		if _, err := conn.Exec(ctx, "drop table if exists t; create temp table t (n serial, a text, b text)").ReadAll(); err != nil {
			t.Fatal(err)
		}
		if _, err := conn.CopyFrom(ctx, bytes.NewReader(data), fmt.Sprintf("copy t (a, b) from stdin (%s)", options)); err != nil {
			t.Errorf("(%s): PostgreSQL: %v", options, err)
			continue
		}
		var back bytes.Buffer
		if _, err := conn.CopyTo(ctx, &back, fmt.Sprintf("copy (select a, b from t order by n) to stdout (%s)", options)); err != nil {
			t.Fatal(err)
		}
		if back.String() != string(data) {
			t.Errorf("(%s): PostgreSQL writes\n%s", options, firstDifference(back.String(), string(data)))
		}
	}
}

// readBack is rows as readCopy prints them, after a trip through a format that has no difference
// between its NULL string and NULL.
func readBack(rows [][]sql.Datum, options string) string {
	var out strings.Builder
	text := strings.Contains(options, "text")
	null := fakeFormat(options).Null
	for _, r := range rows {
		for i, d := range r {
			if i > 0 {
				out.WriteByte('|')
			}
			if d == nil || text && d == null && !strings.ContainsAny(null, `\`) {
				out.WriteString("NULL")
			} else {
				fmt.Fprintf(&out, "%q", d)
			}
		}
		out.WriteByte('\n')
	}
	return out.String()
}

func firstDifference(got, want string) string {
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range g {
		if i >= len(w) || g[i] != w[i] {
			return fmt.Sprintf("line %d: %q, want %q", i+1, g[i], append(w, "nothing")[min(i, len(w))])
		}
	}
	return "shorter than wanted"
}

// TestCopyHugeLine: a line in many small pieces takes time in proportion to its length.
func TestCopyHugeLine(t *testing.T) {
	for _, format := range []string{"text", "csv", "binary"} {
		in := &CopyIn{Format: fakeFormat("format " + format), Columns: textColumns(1)}
		s := newCopySplitter(in, time.UTC)
		const size = 8 << 20
		if format == "binary" {
			head := binary.BigEndian.AppendUint32([]byte(binarySignature+"\x00\x01"), size)
			if err := s.feed(head, false, nil); err != nil {
				t.Fatal(err)
			}
		}
		got := 0
		row := func(r []sql.Datum) error { got = len(r[0].(string)); return nil }
		piece := bytes.Repeat([]byte("x"), 1<<10)
		start := time.Now()
		for range size / len(piece) {
			if err := s.feed(piece, false, row); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.feed(nil, true, row); err != nil {
			t.Fatal(err)
		}
		if d := time.Since(start); got != size || d > 20*time.Second {
			t.Errorf("%s: %d bytes of %d in %v", format, got, size, d)
		}
	}
}

func BenchmarkCopyIn(b *testing.B) {
	line := []byte("12345\tsome text of a usual length\t3.25\n")
	columns := sql.Schema{{Name: "a", Type: sql.TypeInt8}, {Name: "b", Type: sql.TypeText}, {Name: "c", Type: sql.TypeFloat8}}
	in := &CopyIn{Format: fakeFormat("format text"), Columns: columns}
	data := bytes.Repeat(line, 1000)
	b.ReportAllocs()
	b.SetBytes(int64(len(data)))
	s := newCopySplitter(in, time.UTC)
	for b.Loop() {
		if err := s.feed(data, false, func([]sql.Datum) error { return nil }); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(1000*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}
