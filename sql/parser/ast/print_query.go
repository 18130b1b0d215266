package ast

import "strconv"

func (p *printer) query(q *Query) {
	if q == nil {
		return
	}
	p.with(q.Recursive, q.With)
	p.body(q.Body)
	if q.OrderBy != nil {
		p.add(" ")
		p.orderBy(q.OrderBy)
	}
	if q.Limit != nil && !q.WithTies {
		p.add(" LIMIT ")
		p.expr(q.Limit)
	}
	if q.Offset != nil {
		p.add(" OFFSET ")
		p.expr(q.Offset)
	}
	if q.Limit != nil && q.WithTies {
		p.add(" FETCH FIRST ")
		p.paren(q.Limit)
		p.add(" ROWS WITH TIES")
	}
	for _, l := range q.Locking {
		p.add(" FOR ", l.Strength)
		if l.Of != nil {
			p.add(" OF ")
			list(p, l.Of, p.name)
		}
		p.clause(" ", l.Wait)
	}
	p.clause(" EMIT ", string(q.Emit))
}

func (p *printer) with(recursive bool, ctes []*CTE) {
	if ctes == nil {
		return
	}
	p.add("WITH ")
	p.when(recursive, "RECURSIVE ")
	list(p, ctes, func(c *CTE) {
		p.ident(c.Name)
		p.idents("", c.Cols)
		p.add(" AS ")
		p.when(c.Materialized != "", c.Materialized+" ")
		p.add("(")
		p.stmt(c.Stmt)
		p.add(")")
	})
	p.add(" ")
}

func (p *printer) body(b QueryBody) {
	switch b := b.(type) {
	case *Query:
		p.add("(")
		p.query(b)
		p.add(")")
	case *SetOp:
		p.setOperand(b.L, b, false)
		p.add(" ", b.Op, " ")
		p.when(b.All, "ALL ")
		p.setOperand(b.R, b, true)
	case *Values:
		p.add("VALUES ")
		list(p, b.Rows, func(row []Expr) {
			p.add("(")
			p.exprs(row)
			p.add(")")
		})
	case *Select:
		p.selectBody(b)
	}
}

// setOperand adds the parentheses that a tree not made by the parser may need.
func (p *printer) setOperand(b QueryBody, of *SetOp, right bool) {
	in, ok := b.(*SetOp)
	looser := ok && in.Op != "INTERSECT" && of.Op == "INTERSECT"
	same := ok && (in.Op == "INTERSECT") == (of.Op == "INTERSECT")
	if looser || same && right {
		b = &Query{Body: in}
	}
	p.body(b)
}

func (p *printer) selectBody(s *Select) {
	p.add("SELECT")
	p.when(s.Distinct, " DISTINCT")
	if s.DistinctOn != nil {
		p.add(" DISTINCT ON (")
		p.exprs(s.DistinctOn)
		p.add(")")
	}
	p.when(s.Targets != nil, " ")
	p.targets(s.Targets)
	if s.Into != nil {
		p.add(" INTO ")
		p.when(s.Into.Temp, "TEMP ")
		p.when(s.Into.Unlogged, "UNLOGGED ")
		p.name(s.Into.Name)
	}
	p.fromClause(" FROM ", s.From)
	p.where(s.Where)
	if s.GroupBy != nil {
		p.add(" GROUP BY ")
		p.when(s.GroupDistinct, "DISTINCT ")
		p.exprs(s.GroupBy)
	}
	if s.Having != nil {
		p.add(" HAVING ")
		p.expr(s.Having)
	}
	if s.Windows != nil {
		p.add(" WINDOW ")
		list(p, s.Windows, func(w *WindowDef) {
			p.add(ident(w.Name), " AS ")
			p.window(w.Spec)
		})
	}
}

func (p *printer) where(x Expr) {
	if x != nil {
		p.add(" WHERE ")
		p.expr(x)
	}
}

func (p *printer) targets(l []*Target) {
	list(p, l, func(t *Target) {
		p.expr(t.X)
		if t.Alias != "" {
			p.add(" AS ", ident(t.Alias))
		}
	})
}

func (p *printer) orderBy(l []*SortKey) {
	p.add("ORDER BY ")
	p.sortKeys(l)
}

func (p *printer) sortKeys(l []*SortKey) {
	list(p, l, func(k *SortKey) {
		p.expr(k.X)
		p.when(k.Desc, " DESC")
		p.clause(" USING ", k.Using)
		p.clause(" NULLS ", k.Nulls)
	})
}

func (p *printer) window(w *WindowSpec) {
	if w.Name != "" {
		p.ident(w.Name)
		return
	}
	sep := ""
	part := func() { p.add(sep); sep = " " }
	p.add("(")
	if w.Base != "" {
		part()
		p.ident(w.Base)
	}
	if w.PartitionBy != nil {
		part()
		p.add("PARTITION BY ")
		p.exprs(w.PartitionBy)
	}
	if w.OrderBy != nil {
		part()
		p.orderBy(w.OrderBy)
	}
	if f := w.Frame; f != nil {
		part()
		p.add(f.Unit, " BETWEEN ")
		p.bound(f.Start)
		p.add(" AND ")
		p.bound(f.End)
		p.clause(" EXCLUDE ", f.Exclude)
	}
	p.add(")")
}

func (p *printer) bound(b *Bound) {
	if b.X != nil {
		p.operand(b.X)
		p.add(" ")
	}
	p.add(string(b.Kind))
}

func (p *printer) fromClause(before string, l []From) {
	if l != nil {
		p.add(before)
		list(p, l, p.from)
	}
}

func (p *printer) alias(a string, cols []string) {
	if a != "" {
		p.add(" AS ", ident(a))
		p.idents(" ", cols)
	}
}

func (p *printer) from(f From) {
	switch f := f.(type) {
	case *TableRef:
		p.tableRef(f)
	case *SubqueryRef:
		p.when(f.Lateral, "LATERAL ")
		p.add("(")
		p.query(f.Query)
		p.add(")")
		p.alias(f.Alias, f.Cols)
		p.sample(f.Sample)
	case *FuncRef:
		p.funcRef(f)
	case *Join:
		p.join(f)
	case *WindowTVF:
		p.windowTVF(f)
	case *MatchRecognize:
		p.matchRecognize(f)
	}
}

func (p *printer) tableRef(t *TableRef) {
	p.when(t.Only, "ONLY ")
	p.name(t.Name)
	if t.AsOf != nil {
		p.add(" FOR SYSTEM_TIME AS OF ")
		p.operand(t.AsOf)
	}
	p.alias(t.Alias, t.Cols)
	p.sample(t.Sample)
}

func (p *printer) sample(s *Sample) {
	if s == nil {
		return
	}
	p.add(" TABLESAMPLE ", name(s.Method), " (")
	p.exprs(s.Args)
	p.add(")")
	if s.Repeatable != nil {
		p.add(" REPEATABLE ")
		p.paren(s.Repeatable)
	}
}

func (p *printer) funcRef(f *FuncRef) {
	p.when(f.Lateral, "LATERAL ")
	p.when(f.RowsFrom, "ROWS FROM (")
	list(p, f.Calls, func(c *FuncItem) {
		if cast, ok := c.X.(*Cast); ok { // x::t is no function
			p.add("CAST(")
			p.expr(cast.X)
			p.add(" AS ")
			p.typeName(cast.Type)
			p.add(")")
		} else {
			p.expr(c.X)
		}
		if c.ColDefs != nil {
			p.add(" AS ")
			p.colDefs(c.ColDefs)
		}
	})
	p.when(f.RowsFrom, ")")
	p.when(f.Ordinality, " WITH ORDINALITY")
	p.alias(f.Alias, f.Cols)
	if f.ColDefs != nil {
		p.when(f.Alias == "", " AS")
		p.add(" ")
		p.colDefs(f.ColDefs)
	}
}

func (p *printer) colDefs(l []*ColDef) {
	p.add("(")
	list(p, l, func(c *ColDef) {
		p.add(ident(c.Name), " ")
		p.typeName(c.Type)
		p.clause(" COLLATE ", name(c.Collation))
	})
	p.add(")")
}

func (p *printer) join(j *Join) {
	p.when(j.Alias != "", "(")
	p.from(j.L)
	p.when(j.Natural, " NATURAL")
	p.when(j.Kind != "INNER", " "+j.Kind)
	p.add(" JOIN ")
	if r, ok := j.R.(*Join); ok && r.Alias == "" {
		p.add("(")
		p.from(r)
		p.add(")")
	} else {
		p.from(j.R)
	}
	if j.On != nil {
		p.add(" ON ")
		p.expr(j.On)
	}
	p.idents(" USING ", j.Using)
	if j.UsingAlias != "" {
		p.add(" AS ", ident(j.UsingAlias))
	}
	p.when(j.Alias != "", ")")
	p.alias(j.Alias, j.Cols)
}

func (p *printer) windowTVF(w *WindowTVF) {
	p.add("TABLE(", string(w.Kind), "(")
	switch in := w.Input.(type) {
	case *TableRef:
		p.add("TABLE ", name(in.Name))
	default:
		p.from(in)
	}
	if w.PartitionBy != nil {
		p.add(" PARTITION BY (")
		p.exprs(w.PartitionBy)
		p.add(")")
	}
	p.add(", DESCRIPTOR(", name(w.TimeCol.Parts), ")")
	for _, x := range []Expr{w.Slide, w.Size, w.Offset} {
		if x != nil {
			p.add(", ")
			p.expr(x)
		}
	}
	p.add("))")
	p.alias(w.Alias, w.Cols)
}

func (p *printer) matchRecognize(m *MatchRecognize) {
	p.from(m.Input)
	p.add(" MATCH_RECOGNIZE (")
	if m.PartitionBy != nil {
		p.add("PARTITION BY ")
		p.exprs(m.PartitionBy)
		p.add(" ")
	}
	if m.OrderBy != nil {
		p.orderBy(m.OrderBy)
		p.add(" ")
	}
	if m.Measures != nil {
		p.add("MEASURES ")
		p.targets(m.Measures)
		p.add(" ")
	}
	if m.AllRows {
		p.add("ALL ROWS PER MATCH ")
	} else {
		p.add("ONE ROW PER MATCH ")
	}
	if m.Skip != "" {
		p.add("AFTER MATCH SKIP ", m.Skip, " ")
		p.when(m.SkipTo != "", ident(m.SkipTo)+" ")
	}
	p.add("PATTERN (")
	p.pattern(m.Pattern)
	p.add(")")
	if m.Within != nil {
		p.add(" WITHIN ")
		p.expr(m.Within)
	}
	for _, s := range m.Subsets {
		p.add(" SUBSET ", ident(s.Name), " = ")
		p.idents("", s.Vars)
	}
	p.add(" DEFINE ")
	list(p, m.Define, func(t *Target) {
		p.add(ident(t.Alias), " AS ")
		p.expr(t.X)
	})
	p.add(")")
	p.alias(m.Alias, m.Cols)
}

func (p *printer) pattern(x *Pattern) {
	switch x.Kind {
	case PatternVar:
		p.ident(x.Name)
	case PatternSeq:
		for k, it := range x.Items {
			p.when(k > 0, " ")
			p.patternOperand(it)
		}
		p.when(len(x.Items) == 0, "()")
	case PatternAlt:
		for k, it := range x.Items {
			p.when(k > 0, " | ")
			p.patternOperand(it)
		}
	case PatternRepeat:
		p.patternOperand(x.Items[0])
		p.add("{", strconv.Itoa(x.Min), ",")
		p.when(x.Max >= 0, strconv.Itoa(x.Max))
		p.add("}")
		p.when(x.Reluctant, "?")
	case PatternExclude:
		p.add("{- ")
		p.pattern(x.Items[0])
		p.add(" -}")
	case PatternPermute:
		p.add("PERMUTE(")
		list(p, x.Items, p.pattern)
		p.add(")")
	}
}

func (p *printer) patternOperand(x *Pattern) {
	grouped := x.Kind == PatternAlt || x.Kind == PatternRepeat || x.Kind == PatternSeq && len(x.Items) > 0
	p.when(grouped, "(")
	p.pattern(x)
	p.when(grouped, ")")
}
