package expr

import (
	"fmt"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/streamsql/streamsql/exec/stream"
	"github.com/streamsql/streamsql/sql"
)

func lit(s string) Expr { return Literal(s, sql.TypeUnknown) }
func num(n int64) Expr  { return Literal(n, sql.TypeInt4) }

func must(e Expr, err error) Expr {
	if err != nil {
		panic(err)
	}
	return e
}

// testRows is a batch with columns x integer (NULL in row 2), t text, and r row(a integer, m map).
func testRows() (*stream.Batch, Expr, Expr, Expr) {
	rowType := sql.RowOf(sql.Field{Name: "a", Type: sql.TypeInt4}, sql.Field{Name: "m", Type: sql.MapOf(sql.TypeText, sql.TypeInt4)})
	types := []sql.Type{sql.TypeInt4, sql.TypeText, rowType}
	rows := [][]sql.Datum{
		{int64(0), "zero", sql.RowValue{int64(1), sql.MapValue{{Key: "k", Value: int64(7)}}}},
		{int64(2), "two", nil},
		{nil, "none", sql.RowValue{nil, nil}},
		{int64(-5), nil, sql.RowValue{int64(4), sql.MapValue{{Key: "j", Value: nil}}}},
	}
	b := &stream.Batch{Rows: len(rows)}
	for i, t := range types {
		builder := stream.NewBuilder(t)
		for _, r := range rows {
			builder.Append(r[i])
		}
		b.Columns = append(b.Columns, builder.Finish())
	}
	return b, Column(0, "x", sql.TypeInt4), Column(1, "t", sql.TypeText), Column(2, "r", rowType)
}

// results is the value of every row, or its error's code.
func results(e Expr, b *stream.Batch) string {
	c := &Context{}
	arr := Eval(c, e, b)
	errs := map[int]string{}
	for _, re := range c.Take() {
		errs[re.Row] = "!" + re.Err.Code
	}
	out := make([]string, b.Rows)
	for i := range out {
		switch d := stream.Value(arr, e.Type(), i); {
		case errs[i] != "":
			out[i] = errs[i]
		case d == nil:
			out[i] = "NULL"
		default:
			out[i] = sql.FormatText(e.Type(), d)
		}
	}
	return strings.Join(out, " ")
}

// What the random comparisons don't reach: maps, rows of columns, errors in branches that are not
// taken, and how expressions print.
func TestRows(t *testing.T) {
	b, x, text, row := testRows()
	div := func(n int64) Expr { return must(Operator("/", num(n), x)) }
	nonZero := must(Operator("<>", x, num(0)))
	m := must(FieldAccess(row, "m"))
	pair := func(a, b Expr) Expr { return RowCtor([]Expr{a, b}, nil) }
	for _, test := range []struct {
		e             Expr
		want, printed string
	}{
		{div(10), "!22012 5 NULL -2", "10 / x"},
		{must(And(nonZero, must(Operator(">", div(10), num(2))))), "f t NULL f", "(x <> 0) AND ((10 / x) > 2)"},
		{must(Or(must(Not(nonZero)), must(Operator(">", div(10), num(2))))), "t t NULL f", "(NOT (x <> 0)) OR ((10 / x) > 2)"},
		{must(Case(nil, []When{{nonZero, div(10)}}, num(-1))), "-1 5 -1 -2", "CASE WHEN x <> 0 THEN 10 / x ELSE '-1'::integer END"},
		{must(Case(nil, []When{{must(Operator("=", div(1), num(0))), num(1)}}, num(2))), "!22012 1 2 1", ""},
		{must(Coalesce(x, div(0))), "0 2 NULL -5", "COALESCE(x, 0 / x)"},
		{must(Coalesce(div(1), num(9))), "!22012 0 9 0", ""},
		{must(Operator("/", num(1), num(0))), "!22012 !22012 !22012 !22012", "1 / 0"},
		{must(And(Literal(false, sql.TypeBool), must(Operator("=", div(1), num(1))))), "f f f f", ""},
		{must(FieldAccess(row, "a")), "1 NULL NULL 4", "(r).a"},
		{must(Subscript(m, lit("k"))), "7 NULL NULL NULL", "(r).m['k'::text]"},
		{must(Is(row, TestNull)), "f t t f", "r IS NULL"},
		{must(Is(row, TestNotNull)), "t f f t", "r IS NOT NULL"},
		{must(Operator("=", row, row)), "t NULL t t", "r = r"},
		{must(Operator("<", pair(x, text), pair(num(0), lit("zz")))), "t f NULL t", ""},
		{must(Operator("=", pair(x, text), pair(num(-5), lit("five")))), "f f f NULL", ""},
		{must(Distinct(pair(x, text), pair(num(2), lit("two")), false)), "t f t t", ""},
		{must(In(x, []Expr{num(2), num(-5)}, false)), "f t NULL t", "x = ANY (ARRAY[2, '-5'::integer])"},
		{must(In(x, []Expr{num(2), Literal(nil, sql.TypeUnknown)}, true)), "NULL f NULL NULL", ""},
		{must(In(x, []Expr{num(1), must(Operator("+", x, num(0)))}, false)), "t t NULL t", "(x = 1) OR (x = (x + 0))"},
		{must(AnyAll(">", x, must(ArrayCtor([]Expr{x, num(-9)})), true)), "f f NULL f", ""},
		{must(ArrayCtor([]Expr{x, num(1)})), "{0,1} {2,1} {NULL,1} {-5,1}", "ARRAY[x, 1]"},
		{pair(x, text), "(0,zero) (2,two) (,none) (-5,)", "ROW(x, t)"},
		{must(CastTo(text, sql.Type{Kind: sql.Varchar, Precision: 2}, Explicit)), "ze tw no NULL", "t::character varying(2)"},
		{must(CastTo(text, sql.Type{Kind: sql.Varchar, Precision: 3}, Assignment)), "!22001 two !22001 NULL", "t"},
		{must(CastTo(row, sql.RowOf(sql.Field{Name: "a", Type: sql.TypeText}, sql.Field{Name: "m", Type: sql.MapOf(sql.TypeText, sql.TypeInt8)}), Explicit)),
			"(1,{k=>7}) NULL (,) (4,{j=>NULL})", ""},
		{must(Like(text, lit("%o"), nil, false, false)), "t t f NULL", "t ~~ '%o'::text"},
		{must(Greatest(x, num(1))), "1 2 1 1", "GREATEST(x, 1)"},
	} {
		if got := results(test.e, b); got != test.want {
			t.Errorf("%s\n  got  %s\n  want %s", test.e, got, test.want)
		}
		if got := results(Fold(test.e), b); got != test.want {
			t.Errorf("%s, folded to %s\n  got  %s\n  want %s", test.e, Fold(test.e), got, test.want)
		}
		if got := test.e.String(); test.printed != "" && got != test.printed {
			t.Errorf("got %s, want %s", got, test.printed)
		}
	}
}

// Results don't depend on how rows are cut into batches.
func TestSlices(t *testing.T) {
	b, x, text, row := testRows()
	for _, e := range []Expr{
		must(Operator("*", x, x)), must(Operator("||", text, x)), must(FieldAccess(row, "a")), must(Is(text, TestNull)),
		must(Not(must(Operator(">", x, num(0))))), must(CastTo(x, sql.FixedNumeric(12, 2), Explicit)), must(Coalesce(text, lit("?"))),
	} {
		whole := strings.Fields(results(e, b))
		for lo := range b.Rows {
			if got := results(e, stream.SliceBatch(b, lo, b.Rows)); got != strings.Join(whole[lo:], " ") {
				t.Errorf("%s from row %d: got %s, want %s", e, lo, got, whole[lo:])
			}
		}
	}
}

func TestErrors(t *testing.T) {
	_, x, text, row := testRows()
	for _, test := range []struct {
		make func() (Expr, error)
		want string
	}{
		{func() (Expr, error) { return Operator("+", x, text) }, "42883 operator does not exist: integer + text | No operator matches the given name and argument types. You might need to add explicit type casts."},
		{func() (Expr, error) { return Operator("-", text) }, "42883 operator does not exist: - text | No operator matches the given name and argument type. You might need to add an explicit type cast."},
		{func() (Expr, error) { return Operator("+", lit("1"), lit("2")) }, "42725 operator is not unique: unknown + unknown | Could not choose a best candidate operator. You might need to add explicit type casts."},
		{func() (Expr, error) { return Call("nope", []Expr{x, lit("a")}) }, "42883 function nope(integer, unknown) does not exist | No function matches the given name and argument types. You might need to add explicit type casts."},
		{func() (Expr, error) { return Operator("+", x, lit("a")) }, `22P02 invalid input syntax for type integer: "a"`},
		{func() (Expr, error) { return CastTo(x, sql.TypeUUID, Explicit) }, "42846 cannot cast type integer to uuid"},
		{func() (Expr, error) { return CastTo(text, sql.TypeInt4, Assignment) }, "42804 expression is of type text but type integer is required | You will need to rewrite or cast the expression."},
		{func() (Expr, error) { return Coalesce(x, text) }, "42804 COALESCE types integer and text cannot be matched"},
		{func() (Expr, error) { return And(x, x) }, "42804 argument of AND must be type boolean, not type integer"},
		{func() (Expr, error) { return Case(nil, []When{{text, x}}, nil) }, "42804 argument of CASE/WHEN must be type boolean, not type text"},
		{func() (Expr, error) { return FieldAccess(row, "zz") }, `42703 column "zz" not found in data type row(a integer, m map(text, integer))`},
		{func() (Expr, error) { return FieldAccess(x, "a") }, "42809 column notation .a applied to type integer, which is not a composite type"},
		{func() (Expr, error) { return Operator("=", RowCtor([]Expr{x}, nil), RowCtor([]Expr{x, x}, nil)) }, "42601 unequal number of entries in row expressions"},
		{func() (Expr, error) { return AnyAll("=", x, x, false) }, "42809 op ANY/ALL (array) requires array on right side"},
	} {
		_, err := test.make()
		got := "no error"
		if err != nil {
			e := sql.AsError(err)
			if got = e.Code + " " + e.Message; e.Hint != "" {
				got += " | " + e.Hint
			}
		}
		if got != test.want {
			t.Errorf("got  %s\nwant %s", got, test.want)
		}
	}
}

func TestParams(t *testing.T) {
	b, x, _, _ := testRows()
	types := &ParamTypes{}
	first := Param(1, types)
	sum := must(Operator("+", x, first))
	if types.Types[0].Kind != sql.Int4 {
		t.Fatalf("$1 is %s beside an integer", types.Types[0])
	}
	if got := results(Bind(sum, []sql.Datum{int64(10)}), b); got != "10 12 NULL 5" {
		t.Fatal(got)
	}
	if _, err := CastTo(first, sql.TypeText, Explicit); sql.AsError(err).Code != "42P08" {
		t.Fatalf("$1 as integer and text: %v", err)
	}
	if Fold(sum) != sum {
		t.Fatal("a parameter is not a constant")
	}
}

func TestFold(t *testing.T) {
	_, x, _, _ := testRows()
	null := Literal(nil, sql.TypeInt4)
	failing := must(Operator("/", num(1), num(0)))
	isTrue, isFalse := Literal(true, sql.TypeBool), Literal(false, sql.TypeBool)
	cond := must(Operator("=", x, num(1)))
	for _, test := range []struct {
		e    Expr
		want string
	}{
		{must(Operator("+", x, must(Operator("*", num(2), num(3))))), "x + 6"},
		{must(Operator("+", x, failing)), "x + (1 / 0)"},
		{must(Operator("+", failing, null)), "NULL"},
		{must(And(cond, isTrue)), "x = 1"},
		{must(And(cond, isFalse)), "false"},
		{must(Or(cond, isTrue)), "true"},
		{must(Case(nil, []When{{isFalse, failing}, {cond, num(1)}, {isTrue, num(2)}}, failing)), "CASE WHEN x = 1 THEN 1 ELSE 2 END"},
		{must(Coalesce(null, x, num(3), failing)), "COALESCE(x, 3)"},
		{must(Coalesce(null, num(3), x)), "3"},
		{must(CastTo(lit("2024-01-01 00:00:00"), sql.TypeTimestamptz, Explicit)), "'2024-01-01 00:00:00'::text::timestamp with time zone"},
		{must(CastTo(lit("2024-01-01 00:00:00+02"), sql.TypeTimestamptz, Explicit)), "'2023-12-31 22:00:00+00'::timestamp with time zone"},
	} {
		if got := Fold(test.e).String(); got != test.want {
			t.Errorf("%s folds to %s, want %s", test.e, got, test.want)
		}
	}
}

func TestTree(t *testing.T) {
	_, x, text, _ := testRows()
	e := must(And(must(Operator(">", x, num(1))), must(Operator("=", text, lit("a"))), must(Operator("<", x, num(5)))))
	if got := fmt.Sprint(Columns(e), len(Conjuncts(e)), IsVolatile(e)); got != "[0 1] 3 false" {
		t.Fatal(got)
	}
	moved := Rewrite(e, func(e Expr) Expr {
		if i, ok := ColumnIndex(e); ok {
			return Column(i+3, "c", e.Type())
		}
		return e
	})
	if got := moved.String(); got != "(c > 1) AND (c = 'a'::text) AND (c < 5)" {
		t.Fatal(got)
	}
	if e.String() != "(x > 1) AND (t = 'a'::text) AND (x < 5)" {
		t.Fatal("Rewrite changed its argument")
	}
}

// Fixed numerics stay fixed, with PostgreSQL's display scale, as long as 38 digits hold the result.
func TestNumericTypes(t *testing.T) {
	amount := Column(0, "amount", sql.FixedNumeric(10, 2))
	wide := Column(0, "wide", sql.FixedNumeric(30, 4))
	for _, test := range []struct {
		e    Expr
		want string
	}{
		{must(Operator("*", amount, Literal(new(sql.Decimal).SetFinite(11, -1), sql.TypeNumeric))), "numeric(12,3)"},
		{must(Operator("+", amount, num(1))), "numeric(13,2)"},
		{must(Operator("-", amount, lit("0.125"))), "numeric(12,3)"},
		{must(Operator("-", amount)), "numeric(10,2)"},
		{must(Operator("*", wide, amount)), "numeric"},
		{must(Operator("/", amount, num(3))), "numeric"},
		{must(Coalesce(amount, num(0))), "numeric"},
		{must(Coalesce(amount, amount)), "numeric(10,2)"},
	} {
		if got := test.e.Type().String(); got != test.want {
			t.Errorf("%s is %s, want %s", test.e, got, test.want)
		}
	}
}

// Two functions of the same name and arguments would make every call of them ambiguous.
func TestCatalogHasNoDuplicates(t *testing.T) {
	seen := map[string]bool{}
	for f := range Functions {
		if seen[f.Signature()] {
			t.Errorf("%s is there twice", f.Signature())
		}
		seen[f.Signature()] = true
		if f.Kernel == nil {
			t.Errorf("%s has no kernel", f.Signature())
		}
	}
}

// A kernel may not write to its arguments' memory: a column is used by several expressions.
func TestInputsStayAsTheyAre(t *testing.T) {
	b, x, _, _ := testRows()
	before := results(x, b)
	e := must(Operator("/", x, x))
	if got := results(e, b); got != "!22012 1 NULL 1" {
		t.Fatal(got)
	}
	if after := results(x, b); after != before {
		t.Fatalf("x was %s and is %s", before, after)
	}
}

// Evaluating a column or a constant costs nothing a row.
func TestColumnsAreNotCopied(t *testing.T) {
	b, x, _, _ := testRows()
	c := &Context{}
	if Eval(c, x, b) != b.Columns[0] {
		t.Fatal("a column was copied")
	}
	if v := EvalVector(c, num(1), b); !v.Const || v.Array.Len() != 1 {
		t.Fatal("a constant was spread out")
	}
	var _ arrow.Array = Eval(c, num(1), b)
}
