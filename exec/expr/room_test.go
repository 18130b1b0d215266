package expr

import (
	"fmt"
	"strings"
	"testing"

	"github.com/streamsql/streamsql/exec/stream"
	"github.com/streamsql/streamsql/sql"
)

// What a column has no room for is an error of the rows that don't fit, whatever makes the column. A
// smaller batch may have it, and two rows are never short of it.
func TestRoom(t *testing.T) {
	const rows = 6
	texts, arrays := stream.NewBuilder(sql.TypeText), stream.NewBuilder(sql.ArrayOf(sql.TypeText))
	long := strings.Repeat("é", 20)
	for i := range rows {
		texts.Append(fmt.Sprint(i, long)) // 41 bytes
		arrays.Append([]sql.Datum{fmt.Sprint(i, long)})
	}
	b := &stream.Batch{Rows: rows}
	b.Columns = append(b.Columns, texts.Finish(), arrays.Finish())
	text, array := Column(0, "t", sql.TypeText), Column(1, "a", sql.ArrayOf(sql.TypeText))
	isFirst := must(Operator("=", must(Call("left", []Expr{text, num(1)})), lit("1")))
	constant := Literal(long, sql.TypeText)
	for _, e := range []Expr{
		must(Call("upper", []Expr{text})),
		must(Operator("||", text, lit("!"))),
		must(Call("format", []Expr{lit("%s"), text})),
		must(Call("string_to_array", []Expr{text, lit(",")})),
		must(Call("array_append", []Expr{array, lit("x")})),
		must(Case(nil, []When{{isFirst, text}}, constant)),
		must(Coalesce(must(NullIf(text, lit("0"))), constant)),
		must(Greatest(text, constant)),
		must(Case(nil, []When{{isFirst, array}}, array)),
		must(ArrayCtor([]Expr{text, constant})),
		must(Subscript(must(ArrayCtor([]Expr{constant, constant})), must(Call("length", []Expr{must(Call("left", []Expr{text, num(1)}))})))),
		must(AnyAll("=", text, must(ArrayCtor([]Expr{text, constant})), false)),
		RowCtor([]Expr{text, constant}, nil),
		constant, must(Call("repeat", []Expr{constant, num(1)})),
	} {
		want := results(e, b) // room for all
		if strings.Contains(want, "!54000") {
			t.Errorf("%s: %s", e, want)
		}
		c := &Context{Most: 100}
		Eval(c, e, b)
		if !c.Outgrown() || c.Take()[0].Err.Code != "54000" {
			t.Errorf("%s has room for %d rows", e, rows)
		}
		var got []string
		for lo := 0; lo < rows; lo += 2 {
			part := stream.SliceBatch(b, lo, lo+2)
			if Eval(c, e, part); c.Failed() {
				t.Errorf("%s has no room for two rows: %v", e, c.TakeFirst())
			}
			got = append(got, results(e, part))
		}
		if s := strings.Join(got, " "); s != want {
			t.Errorf("%s: %s in parts, %s as a whole", e, s, want)
		}
	}
}

// A value that is too large is so in any batch, and the other rows have theirs.
func TestValueTooLarge(t *testing.T) {
	defer func(n int) { maxValue = n }(maxValue)
	maxValue = 4
	b := &stream.Batch{Rows: 3}
	texts := stream.NewBuilder(sql.TypeText)
	for _, s := range []string{"a", "abcde", "abcd"} {
		texts.Append(s)
	}
	b.Columns = append(b.Columns, texts.Finish())
	text := Column(0, "t", sql.TypeText)
	for _, e := range []Expr{
		must(Call("upper", []Expr{text})),
		must(Call("string_to_array", []Expr{text, lit(",")})),
		must(Call("format", []Expr{lit("%s"), text})),
	} {
		for n := 1; n <= b.Rows; n++ {
			c := &Context{}
			Eval(c, e, stream.SliceBatch(b, 0, n))
			errs := c.Take()
			if len(errs) != min(n-1, 1) || n > 1 && (errs[0].Row != 1 || errs[0].Err.Code != "54000") {
				t.Errorf("%s over %d rows: %v", e, n, errs)
			}
		}
	}
}
