package postgres

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"strings"

	"github.com/streamsql/streamsql/sql"
)

// Rows written by one statement. Measured on PostgreSQL 15: upserts gain nothing above a thousand rows,
// and unnest is faster than COPY into a staging table followed by an INSERT up to ten thousand (twice
// as fast below a hundred); COPY gains up to tens of thousands, and then appends at twice the pace of
// unnest.
const (
	putRows  = 4096
	copyRows = 32768
)

// statementBytes bounds a statement of wide rows: PostgreSQL takes no message and no array of a gigabyte,
// and an array of arguments is in its memory and in ours.
const statementBytes = 16 << 20

// transfer writes rows within a transaction that has begun and has the savepoint `rows`.
type transfer struct {
	db     *database
	to     *target
	rows   *rows
	used   bool // since the savepoint
	params [][]byte
}

// write writes what is left of the changes. What PostgreSQL refuses is in rows.dead.
func (t *transfer) write(ctx context.Context) error {
	deletes, puts := t.rows.net()
	if !t.rows.keyed {
		return t.each(ctx, puts, copyRows, t.copy, t.refuse)
	}
	if err := t.each(ctx, deletes, putRows, t.delete, t.refuse); err != nil {
		return err
	}
	// A row that takes another's place and is refused leaves the place empty: the old one is no more.
	// What was in the way of a unique value may be a row whose own change comes later, or one of two
	// that exchange their values: with all changes made and the places empty, there is another try.
	var empty, again []row
	err := t.each(ctx, puts, putRows, t.put, func(r row, why *sql.Error, field string) error {
		if r.replaces {
			empty = append(empty, r)
		}
		if why.Code == sql.CodeUniqueViolation || why.Code == codeExclusionViolation {
			again = append(again, r)
			return nil
		}
		return t.refuse(r, why, field)
	})
	if err != nil {
		return err
	}
	if err := t.each(ctx, empty, putRows, t.delete, t.refuse); err != nil {
		return err
	}
	return t.each(ctx, again, putRows, t.put, t.refuse)
}

func (t *transfer) refuse(r row, why *sql.Error, field string) error {
	return t.rows.refuse(r, field, why)
}

type (
	statement func(ctx context.Context, set []row) error
	refusal   func(r row, why *sql.Error, field string) error
)

// each writes rows some at a time.
func (t *transfer) each(ctx context.Context, all []row, size int, write statement, refuse refusal) error {
	for len(all) > 0 {
		n := portion(all, size)
		if err := t.part(ctx, all[:n], write, refuse); err != nil {
			return err
		}
		all = all[n:]
	}
	return nil
}

// portion is how many of the first rows one statement takes: one at least.
func portion(all []row, size int) int {
	bytes := 0
	for n, r := range all {
		if bytes += r.to - r.from; n == size || n > 0 && bytes > statementBytes {
			return n
		}
	}
	return len(all)
}

// part writes rows by one statement, or, when a row among them is refused, in halves.
func (t *transfer) part(ctx context.Context, set []row, write statement, refuse refusal) error {
	if t.used {
		if _, err := t.db.exec(ctx, "RELEASE SAVEPOINT rows; SAVEPOINT rows"); err != nil {
			return err
		}
	}
	err := write(ctx, set)
	if t.used = err == nil; t.used {
		return nil
	}
	if !isRowError(err) {
		return err
	}
	if _, err := t.db.exec(ctx, "ROLLBACK TO SAVEPOINT rows"); err != nil {
		return err
	}
	if len(set) == 1 {
		e := serverError(err)
		why := sql.Errorf(e.Code, "%s", e.Message)
		why.Detail = e.Detail
		return refuse(set[0], why, e.ColumnName)
	}
	half := len(set) / 2
	if err := t.part(ctx, set[:half], write, refuse); err != nil {
		return err
	}
	return t.part(ctx, set[half:], write, refuse)
}

// What is around the rows in COPY's binary form.
var (
	copyHeader  = []byte("PGCOPY\n\xff\r\n\x00\x00\x00\x00\x00\x00\x00\x00\x00")
	copyTrailer = []byte{0xff, 0xff}
)

// copy appends rows, which lie one behind the other.
func (t *transfer) copy(ctx context.Context, set []row) error {
	data := t.rows.data[set[0].from:set[len(set)-1].to]
	from := io.MultiReader(bytes.NewReader(copyHeader), bytes.NewReader(data), bytes.NewReader(copyTrailer))
	_, err := t.db.conn.CopyFrom(ctx, from, t.to.copySQL)
	return err
}

func (t *transfer) put(ctx context.Context, set []row) error {
	return t.unnest(ctx, set, t.to.putSQL, t.to.all)
}

func (t *transfer) delete(ctx context.Context, set []row) error {
	return t.unnest(ctx, set, t.to.deleteSQL, t.rows.cfg.key)
}

// unnest runs a statement over rows in arrays, one for each of the columns.
func (t *transfer) unnest(ctx context.Context, set []row, statement string, columns []int) error {
	be := binary.BigEndian
	for len(t.params) < len(t.to.columns) {
		t.params = append(t.params, nil)
	}
	for _, c := range columns {
		p := be.AppendUint32(t.params[c][:0], 1) // dimensions
		p = be.AppendUint32(p, 1)                // there may be NULLs
		p = be.AppendUint32(p, t.to.columns[c].wire.OID())
		p = be.AppendUint32(p, uint32(len(set)))
		t.params[c] = be.AppendUint32(p, 1) // the first index
	}
	for i := range set {
		rest := t.rows.data[set[i].from+2 : set[i].to]
		for c := range t.to.columns {
			end := 4
			if n := be.Uint32(rest); n != nullLength {
				end += int(n)
			}
			t.params[c] = append(t.params[c], rest[:end]...)
			rest = rest[end:]
		}
	}
	params, formats := make([][]byte, len(columns)), make([]int16, len(columns))
	for i, c := range columns {
		params[i], formats[i] = t.params[c], 1
	}
	return t.db.conn.ExecParams(ctx, statement, params, nil, formats, nil).Read().Err
}

// statements writes down what writes to the target.
func (t *target) statements(key []int) {
	var names []string
	for i, c := range t.columns {
		names = append(names, c.name)
		t.all = append(t.all, i)
	}
	list := strings.Join(names, ", ")
	if key == nil {
		t.copySQL = fmt.Sprintf("COPY %s (%s) FROM STDIN (FORMAT binary)", t.name, list)
		return
	}
	var keys, values, set, match, at []string
	isKey := map[int]bool{}
	for i, k := range key {
		isKey[k] = true
		keys = append(keys, t.columns[k].name)
		match = append(match, fmt.Sprintf("t.%s = u.c%d::%s", t.columns[k].name, i, t.columns[k].cast))
		at = append(at, fmt.Sprintf("c%d", i))
	}
	var all []string
	for i, c := range t.columns {
		all = append(all, fmt.Sprintf("c%d", i))
		values = append(values, fmt.Sprintf("u.c%d::%s", i, c.cast))
		if !isKey[i] {
			set = append(set, c.name+" = EXCLUDED."+c.name)
		}
	}
	conflict := "NOTHING"
	if len(set) > 0 {
		conflict = "UPDATE SET " + strings.Join(set, ", ")
	}
	t.putSQL = fmt.Sprintf("INSERT INTO %s (%s) OVERRIDING SYSTEM VALUE SELECT %s FROM unnest(%s) AS u(%s) ON CONFLICT (%s) DO %s",
		t.name, list, strings.Join(values, ", "), t.arrays(t.all), strings.Join(all, ", "), strings.Join(keys, ", "), conflict)
	t.deleteSQL = fmt.Sprintf("DELETE FROM %s AS t USING unnest(%s) AS u(%s) WHERE %s", t.name, t.arrays(key), strings.Join(at, ", "), strings.Join(match, " AND "))
}

// arrays are the parameters that hold the columns.
func (t *target) arrays(columns []int) string {
	var p []string
	for i, c := range columns {
		p = append(p, fmt.Sprintf("$%d::%s[]", i+1, t.columns[c].elem))
	}
	return strings.Join(p, ", ")
}
