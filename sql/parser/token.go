package parser

// kind is the kind of a token.
type kind uint8

const (
	eof    kind = iota
	word        // unquoted identifier or keyword, folded to lower case
	quoted      // "quoted", or `quoted` as in Flink
	str         // string constant, decoded
	bits        // B'…' or X'…': text is "b" or "x", then the digits
	num         // digits as written
	param       // $1: text is "1"
	op          // operator or punctuation; != is <>
)

// token is one token of the source.
type token struct {
	text     string // folded, decoded; see kind
	pos, end int32  // its place in the source
	mate     int32  // of "(" and "[": index of the token that closes it, or of eof
	kind     kind
}

// keywords is PostgreSQL 15's division of its keywords, as far as it matters to a parser that takes
// unreserved keywords for identifiers. TestKeywords compares it with a server's pg_get_keywords.
type keywordSet map[string]struct{}

func (s keywordSet) has(w string) bool { _, ok := s[w]; return ok }

func words(lists ...string) keywordSet {
	s := keywordSet{}
	for _, list := range lists {
		start := 0
		for i := 0; i <= len(list); i++ {
			if i == len(list) || list[i] == ' ' {
				s[list[start:i]] = struct{}{}
				start = i + 1
			}
		}
	}
	return s
}

var (
	// reserved can be neither a column, a table, a function nor a type.
	reserved = words(
		"all analyse analyze and any array as asc asymmetric both case cast check collate column",
		"constraint create current_catalog current_date current_role current_time current_timestamp",
		"current_user default deferrable desc distinct do else end except false fetch for foreign from",
		"grant group having in initially intersect into lateral leading limit localtime localtimestamp",
		"not null offset on only or order placing primary references returning select session_user some",
		"symmetric table then to trailing true union unique user using variadic when where window with")
	// typeFunc can be a function or a type, not a column or a table.
	typeFunc = words(
		"authorization binary collation concurrently cross current_schema freeze full ilike inner is isnull",
		"join left like natural notnull outer overlaps right similar tablesample verbose")
	// asLabel can name a select item only after AS.
	asLabel = words(
		"array as char character create day except fetch filter for from grant group having hour intersect",
		"into isnull limit minute month notnull offset on order over overlaps precision returning second to",
		"union varying where window with within without year")
	// typeWords begin a type name with a grammar of its own.
	typeWords = words(
		"int integer smallint bigint real float double decimal dec numeric boolean bit character char",
		"varchar national nchar time timestamp interval timestamp_ltz")
	// sqlValues are functions called without parentheses.
	sqlValues = words(
		"current_date current_time current_timestamp localtime localtimestamp current_user session_user",
		"user current_catalog current_role current_schema")
)
