package planner

import (
	"fmt"
	"strings"

	"github.com/streamsql/streamsql/sql"
)

// Explain prints the plan as a tree, a line for each element of the result. A node's second line is
// its properties; verbose adds every node's columns.
func (p *Plan) Explain(verbose bool) []string {
	var lines []string
	explain(p.Root, verbose, "", "", map[*Physical]bool{}, &lines)
	return lines
}

// explain prints n. first is the prefix of its first line, rest that of all others;
// seen has what was printed already: a scan that several branches share.
func explain(n *Physical, verbose bool, first, rest string, seen map[*Physical]bool, lines *[]string) {
	if scan, ok := n.op.(*scanOp); ok && seen[n] {
		*lines = append(*lines, first+n.op.name()+" "+scan.rel.QualifiedName()+": the one above")
		return
	}
	seen[n] = true
	head := n.op.name()
	if d := n.op.detail(n); d != "" {
		head += " " + d
	}
	*lines = append(*lines, first+head)
	bar := rest + "    "
	if len(n.Inputs) > 0 {
		bar = rest + "│   "
	}
	*lines = append(*lines, bar+properties(n))
	if verbose {
		*lines = append(*lines, bar+"columns: "+describeColumns(n.Schema))
	}
	for i, in := range n.Inputs {
		if i < len(n.Inputs)-1 {
			explain(in, verbose, rest+"├─ ", rest+"│  ", seen, lines)
		} else {
			explain(in, verbose, rest+"└─ ", rest+"   ", seen, lines)
		}
	}
}

func properties(n *Physical) string {
	key := "none"
	if n.StreamKey != nil {
		key = "(" + columnNames(n.Schema, n.StreamKey) + ")"
	}
	parts := []string{n.Mode.String(), "key " + key}
	if len(n.Watermarks) > 0 {
		parts = append(parts, "watermark "+columnNames(n.Schema, n.Watermarks))
	}
	if n.Emission != "" {
		parts = append(parts, "emit "+n.Emission)
	}
	if n.State != "" {
		parts = append(parts, "state "+n.State)
	}
	return strings.Join(parts, ", ")
}

func columnNames(s sql.Schema, cols []int) string {
	names := make([]string, len(cols))
	for i, c := range cols {
		names[i] = sql.QuoteIdent(s[c].Name)
	}
	return strings.Join(names, ", ")
}

func describeColumns(s sql.Schema) string {
	parts := make([]string, len(s))
	for i, c := range s {
		parts[i] = fmt.Sprintf("%s %s", sql.QuoteIdent(c.Name), c.Type)
	}
	return strings.Join(parts, ", ")
}
