package expr

import (
	"strings"
	"unicode/utf8"
)

// The templates of to_char, to_date and to_timestamp, as in Oracle and PostgreSQL: keywords with
// prefixes (FM, TM, FX) and suffixes (TH, th), other characters as they are, "quoted text".

// templateNode is a keyword or a piece of plain text.
type templateNode struct {
	key     string // the keyword as listed; "" = text
	text    string // one character of plain text
	fill    bool   // FM: no padding
	ordinal string // "TH" or "th"
}

// parseTemplate cuts a template by the keywords, which are tried longest first.
func parseTemplate(s string, keywords []string, prefixes bool) (nodes []templateNode, exact bool) {
	inQuotes := false
	for s != "" {
		if inQuotes || s[0] == '"' {
			s, inQuotes = quotedText(s, inQuotes, &nodes)
			continue
		}
		var n templateNode
		if prefixes {
			s = templatePrefixes(s, &n, &exact)
		}
		if key := longestKeyword(s, keywords); key != "" {
			n.key = key
			s = s[len(key):]
			if prefixes && (strings.HasPrefix(s, "TH") || strings.HasPrefix(s, "th")) {
				n.ordinal, s = s[:2], s[2:]
			}
			nodes = append(nodes, n)
			continue
		}
		if s == "" {
			break
		}
		if s[0] == '\\' && len(s) > 1 && s[1] == '"' {
			s = s[1:]
		}
		_, size := utf8.DecodeRuneInString(s)
		nodes = append(nodes, templateNode{text: s[:size]})
		s = s[size:]
	}
	return nodes, exact
}

// quotedText handles a quote, or one character inside quotes.
func quotedText(s string, inQuotes bool, nodes *[]templateNode) (rest string, stillQuoted bool) {
	if s[0] == '"' {
		return s[1:], !inQuotes
	}
	if s[0] == '\\' && len(s) > 1 {
		s = s[1:]
	}
	_, size := utf8.DecodeRuneInString(s)
	*nodes = append(*nodes, templateNode{text: s[:size]})
	return s[size:], true
}

func templatePrefixes(s string, n *templateNode, exact *bool) string {
	for {
		switch {
		case strings.HasPrefix(s, "FM") || strings.HasPrefix(s, "fm"):
			n.fill = true
		case strings.HasPrefix(s, "TM") || strings.HasPrefix(s, "tm"):
			n.fill = true // names in the session's language, which is English, without padding
		case strings.HasPrefix(s, "FX") || strings.HasPrefix(s, "fx"):
			*exact = true
		default:
			return s
		}
		s = s[2:]
	}
}

func longestKeyword(s string, keywords []string) string {
	for _, k := range keywords {
		if strings.HasPrefix(s, k) {
			return k
		}
	}
	return ""
}

// ordinalSuffix is the ending of an English ordinal number.
func ordinalSuffix(digits, style string) string {
	suffix := "TH"
	if n := len(digits); n > 0 && !(n > 1 && digits[n-2] == '1') {
		switch digits[n-1] {
		case '1':
			suffix = "ST"
		case '2':
			suffix = "ND"
		case '3':
			suffix = "RD"
		}
	}
	if style == "th" {
		return strings.ToLower(suffix)
	}
	return suffix
}
