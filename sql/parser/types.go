package parser

import (
	"strconv"

	"github.com/streamsql/streamsql/sql"
	"github.com/streamsql/streamsql/sql/parser/ast"
)

// typeName parses a type: PostgreSQL's spelling, Flink's, and row(a int) and map(k, v), which is how
// sql.Type prints.
func (p *parser) typeName() *ast.TypeName {
	t := &ast.TypeName{Position: p.position()}
	if !p.enter() {
		return t
	}
	defer p.leave()
	t.SetOf = p.accept("setof")
	p.simpleType(t)
	for p.is("[") {
		p.skip(1)
		if p.tok().kind == num {
			p.skip(1) // PostgreSQL ignores the size too
		}
		p.expect("]")
		t.Dims++
	}
	if t.Dims == 0 && p.accept("array") {
		t.Dims = 1
		if p.accept("[") {
			p.number()
			p.expect("]")
		}
	}
	return t
}

func (p *parser) simpleType(t *ast.TypeName) {
	if w := p.tok(); w.kind == word {
		if p.at(1).isAngle() && p.angleType(t, w.text) || p.at(1).is("(") && p.parenType(t, w.text) {
			return
		}
		if typeWords.has(w.text) {
			p.keywordType(t)
			return
		}
	}
	if !p.tok().isTypeName() {
		p.fail()
		return
	}
	t.Name = p.anyName()
	p.modifiers(t)
}

// keywordType parses the types whose names are keywords, and names them as PostgreSQL does inside.
func (p *parser) keywordType(t *ast.TypeName) {
	w := p.label()
	name := w
	switch w {
	case "int", "integer":
		name = "int4"
	case "smallint":
		name = "int2"
	case "bigint":
		name = "int8"
	case "real":
		name = "float4"
	case "boolean":
		name = "bool"
	case "float":
		name = p.floatName()
	case "double":
		if p.accept("precision") {
			name = "float8"
		}
	case "dec", "decimal", "numeric":
		name = "numeric"
		p.modifiers(t)
	case "bit":
		if p.accept("varying") {
			name = "varbit"
		}
		p.modifiers(t)
	case "varchar":
		p.modifiers(t)
	case "national", "nchar", "char", "character":
		if w == "national" {
			p.expectAny("char", "character")
		}
		p.characterType(t)
		return
	case "interval":
		p.modifiers(t)
		p.intervalFields(t, false)
	case "time", "timestamp", "timestamp_ltz":
		p.modifiers(t)
		name = p.zoned(w)
	}
	t.Name = ast.Name{name}
}

func (p *parser) characterType(t *ast.TypeName) {
	t.Name = ast.Name{"bpchar"}
	if p.accept("varying") {
		t.Name[0] = "varchar"
	}
	p.modifiers(t)
	if t.Mods == nil && t.Name[0] == "bpchar" {
		t.Mods = []string{"1"}
	}
}

// zoned reads WITH or WITHOUT [LOCAL] TIME ZONE after time or timestamp.
func (p *parser) zoned(w string) string {
	if w == "timestamp_ltz" {
		return "timestamptz"
	}
	if p.accept("with", "time", "zone") || p.accept("with", "local", "time", "zone") {
		return w + "tz"
	}
	p.accept("without", "time", "zone")
	return w
}

// floatName reads the precision of float(p), which chooses the type.
func (p *parser) floatName() string {
	if !p.is("(") {
		return "float8"
	}
	p.skip(1)
	pos := p.pos()
	n, err := strconv.Atoi(p.number())
	p.expect(")")
	switch {
	case p.err != nil:
	case n < 1:
		p.failWith(sql.Errorf(sql.CodeInvalidParameter, "precision for type float must be at least 1 bit").At(pos))
	case err != nil || n > 53:
		p.failWith(sql.Errorf(sql.CodeInvalidParameter, "precision for type float must be less than 54 bits").At(pos))
	case n <= 24:
		return "float4"
	}
	return "float8"
}

// modifiers parses (10, 2), ('x') or (-1) after a type's name.
func (p *parser) modifiers(t *ast.TypeName) {
	if !p.is("(") {
		return
	}
	t.Mods = parens(p, func() []string {
		return list(p, func() string {
			sign := ""
			if p.accept("-") {
				sign = "-"
			}
			k := p.tok().kind
			return sign + p.take(k == num || sign == "" && (k == str || k == word || k == quoted))
		})
	})
}

// isAngle tells whether t begins with "<": the lexer makes one token of ROW<>>.
func (t *token) isAngle() bool { return t.kind == op && t.text[0] == '<' }

// angleType parses ROW<a INT, …>, ARRAY<T>, MULTISET<T> and MAP<K, V>; false if name is none of them.
func (p *parser) angleType(t *ast.TypeName, name string) bool {
	switch name {
	case "row", "struct":
		p.skip(1)
		t.Name = ast.Name{"row"}
		p.acceptPrefix("<")
		if p.acceptPrefix(">") {
			return true
		}
		t.RowFields = list(p, p.rowField)
	case "array", "multiset":
		p.skip(2)
		t.Name = ast.Name{name}
		t.Elem = p.elementType()
	case "map":
		p.skip(2)
		t.Name = ast.Name{name}
		t.Key = p.elementType()
		p.expect(",")
		t.Elem = p.elementType()
	default:
		return false
	}
	if !p.acceptPrefix(">") {
		p.fail()
	}
	return true
}

// parenType parses row(a int, …) and map(k, v); false if name is neither.
func (p *parser) parenType(t *ast.TypeName, name string) bool {
	switch name {
	case "row":
		p.skip(1)
		t.Name = ast.Name{name}
		if !p.accept("(", ")") {
			t.RowFields = parens(p, func() []*ast.RowField { return list(p, p.rowField) })
		}
	case "map":
		p.skip(2)
		t.Name = ast.Name{name}
		t.Key = p.elementType()
		p.expect(",")
		t.Elem = p.elementType()
		p.expect(")")
	default:
		return false
	}
	return true
}

func (p *parser) rowField() *ast.RowField {
	f := &ast.RowField{Position: p.position(), Written: p.written()}
	f.Name = p.label()
	p.accept(":") // struct<a: int>
	f.Type = p.elementType()
	if p.tok().kind == str { // Flink's comment
		f.Comment = p.string()
	}
	return f
}

// elementType is a type that may say NOT NULL.
func (p *parser) elementType() *ast.TypeName {
	t := p.typeName()
	if p.accept("not", "null") {
		t.NotNull = true
	} else {
		p.accept("null")
	}
	return t
}

// typedLiteralAhead tells whether a keyword type and then a string come next: TIMESTAMP(3) WITH TIME
// ZONE '…'. All these words can be columns as well.
func (p *parser) typedLiteralAhead() bool {
	k := 1
	switch first := p.tok().text; first {
	case "double", "bit", "char", "character", "nchar":
		if p.at(k).isAny("precision", "varying") {
			k++
		}
	case "national":
		for p.at(k).isAny("char", "character", "varying") {
			k++
		}
	}
	if t := p.at(k); t.is("(") {
		k = int(t.mate) + 1 - p.i
	}
	if p.tok().isAny("time", "timestamp") && p.at(k).isAny("with", "without") {
		for p.at(k).isAny("with", "without", "local", "time", "zone") {
			k++
		}
	}
	return p.at(k).kind == str
}

// typedLiteral parses TYPE 'literal' as a cast.
func (p *parser) typedLiteral() ast.Expr {
	x := &ast.Cast{Position: p.position(), Type: &ast.TypeName{Position: p.position()}}
	interval := p.is("interval")
	p.keywordType(x.Type)
	text := p.tok().text
	p.literal(ast.String, text).into(&x.X)
	if interval {
		p.literalFields(x.Type, text)
	}
	return x
}

// intervalUnits maps units to PostgreSQL's names. The first ones are PostgreSQL's own; the others are
// Flink's and are units only after a plain number, as they may be aliases: interval '1 day' days.
var intervalUnits = map[string]string{
	"year": "year", "month": "month", "day": "day", "hour": "hour", "minute": "minute", "second": "second",
	"years": "year", "months": "month", "days": "day", "hours": "hour", "minutes": "minute", "seconds": "second",
	"week": "week", "weeks": "week", "quarter": "quarter", "quarters": "quarter",
	"millisecond": "millisecond", "milliseconds": "millisecond", "microsecond": "microsecond", "microseconds": "microsecond",
}

// intervalRanges are the units that a range of fields from a unit may end in.
var intervalRanges = map[string]keywordSet{
	"year": words("month"), "day": words("hour minute second"), "hour": words("minute second"),
	"minute": words("second"),
}

// literalFields parses the unit after INTERVAL 'text'.
func (p *parser) literalFields(t *ast.TypeName, text string) {
	_, err := strconv.ParseFloat(text, 64)
	p.intervalFields(t, err == nil)
}

// intervalFields parses DAY, DAY TO SECOND(3) and the like, if there are any; Flink's units only if
// more is true.
func (p *parser) intervalFields(t *ast.TypeName, more bool) {
	isUnit := func(t *token) bool {
		return t.kind == word && intervalUnits[t.text] != "" && (more || asLabel.has(t.text))
	}
	if !isUnit(p.tok()) {
		return
	}
	t.Fields = p.intervalField(t)
	if ends := intervalRanges[t.Fields]; ends != nil && p.accept("to") {
		if !ends.has(intervalUnits[p.tok().text]) {
			p.fail()
			return
		}
		t.Fields += " to " + p.intervalField(t)
	}
}

func (p *parser) intervalField(t *ast.TypeName) string {
	unit := intervalUnits[p.label()]
	if p.is("(") {
		p.skip(1)
		n := p.number()
		p.expect(")")
		if unit == "second" { // of others, as in Flink's DAY(3), it only bounds the digits
			t.Mods = []string{n}
		}
	}
	return unit
}
