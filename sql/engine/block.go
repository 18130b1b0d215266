package engine

import (
	"context"
	"strings"

	"github.com/streamsql/streamsql/sql"
	"github.com/streamsql/streamsql/sql/engine/catalog"
	"github.com/streamsql/streamsql/sql/parser/ast"
)

// beginBlock starts a transaction block. An implicit transaction that is open, in a pipeline or a
// multi-statement query, becomes the block, as in PostgreSQL.
func (s *session) beginBlock(n *ast.Begin) error {
	if s.tx != nil && s.tx.explicit {
		s.warning(sql.CodeActiveTransaction, "there is already a transaction in progress")
		return nil
	}
	if s.tx == nil {
		s.tx = s.e.begin(true)
		s.set.begin()
	}
	s.tx.explicit = true
	if v, _ := s.set.get("default_transaction_read_only"); v == "on" {
		s.tx.readOnly = true
	}
	modes := n.Modes
	if modes.Isolation == "" {
		modes.Isolation, _ = s.set.get("default_transaction_isolation")
	}
	return s.applyModes(modes)
}

func (s *session) applyModes(m ast.TransactionModes) error {
	switch m.Isolation {
	case "serializable", "repeatable read":
		s.tx.repeat = true
	case "read committed", "read uncommitted":
		s.tx.repeat = false
	}
	if m.Access != "" {
		s.tx.readOnly = m.Access == "read only"
	}
	access := "off"
	if s.tx.readOnly {
		access = "on"
	}
	if _, err := s.set.set("transaction_read_only", access, true); err != nil {
		return err
	}
	if m.Isolation != "" {
		if _, err := s.set.set("transaction_isolation", m.Isolation, true); err != nil {
			return err
		}
	}
	return nil
}

func (s *session) setTransaction(n *ast.SetTransaction) error {
	if n.Session {
		if n.Modes.Access != "" {
			v := "off"
			if n.Modes.Access == "read only" {
				v = "on"
			}
			if _, err := s.set.set("default_transaction_read_only", v, false); err != nil {
				return err
			}
		}
		if n.Modes.Isolation != "" {
			_, err := s.set.set("default_transaction_isolation", n.Modes.Isolation, false)
			return err
		}
		return nil
	}
	if s.tx == nil || !s.tx.explicit {
		s.warning(sql.CodeNoActiveTransaction, "SET TRANSACTION can only be used in transaction blocks")
		return nil
	}
	return s.applyModes(n.Modes)
}

// commitBlock ends the block; a failed transaction is rolled back, and the tag says so.
func (s *session) commitBlock() (string, error) {
	if s.tx == nil || !s.tx.explicit {
		s.warning(sql.CodeNoActiveTransaction, "there is no transaction in progress")
		if s.tx != nil {
			return "COMMIT", s.endTx(true)
		}
		return "COMMIT", nil
	}
	if s.tx.failed {
		return "ROLLBACK", s.endTx(false)
	}
	return "COMMIT", s.endTx(true)
}

func (s *session) rollbackBlock(n *ast.Rollback) error {
	if n.Savepoint != "" {
		if s.tx == nil || !s.tx.explicit {
			return sql.Errorf(sql.CodeNoActiveTransaction, "ROLLBACK TO SAVEPOINT can only be used in transaction blocks")
		}
		return s.tx.rollbackTo(n.Savepoint)
	}
	if s.tx == nil || !s.tx.explicit {
		s.warning(sql.CodeNoActiveTransaction, "there is no transaction in progress")
		if s.tx == nil {
			return nil
		}
	}
	return s.endTx(false)
}

func (s *session) savepoint(name string) error {
	if s.tx == nil || !s.tx.explicit {
		return sql.Errorf(sql.CodeNoActiveTransaction, "SAVEPOINT can only be used in transaction blocks")
	}
	s.tx.savepoint(name)
	return nil
}

func (s *session) release(name string) error {
	if s.tx == nil || !s.tx.explicit {
		return sql.Errorf(sql.CodeNoActiveTransaction, "RELEASE SAVEPOINT can only be used in transaction blocks")
	}
	return s.tx.releaseSavepoint(name)
}

// setSetting is SET.
func (s *session) setSetting(n *ast.Set) error {
	if n.Local && (s.tx == nil || !s.tx.explicit) {
		s.warning(sql.CodeNoActiveTransaction, "SET LOCAL can only be used in transaction blocks")
		return nil
	}
	switch n.Name {
	case "role", "session_authorization":
		return nil // every user may do everything: there is nothing to take on
	}
	if n.Values == nil {
		return s.resetSetting(&ast.Reset{Name: n.Name})
	}
	var parts []string
	for _, v := range n.Values {
		text, err := settingText(v)
		if err != nil {
			return err
		}
		if n.Name == "search_path" && len(n.Values) > 1 {
			text = sql.QuoteIdent(text)
		}
		parts = append(parts, text)
	}
	return s.applySetting(n.Name, strings.Join(parts, ", "), n.Local)
}

func (s *session) applySetting(name, value string, local bool) error {
	v, err := s.set.set(name, value, local)
	if err != nil {
		return err
	}
	if d := settings[strings.ToLower(name)]; d.report {
		s.client.ParameterStatus(displayName(strings.ToLower(name)), v)
	}
	return nil
}

// settingText is the text of one value of SET.
func settingText(x ast.Expr) (string, error) {
	switch v := x.(type) {
	case *ast.Literal:
		return v.Value, nil
	case *ast.Cast:
		if l, ok := v.X.(*ast.Literal); ok {
			iv, err := sql.ParseInterval(l.Value)
			if err != nil {
				return "", err
			}
			return offsetZone(iv), nil
		}
	}
	return "", sql.Errorf(sql.CodeSyntaxError, "the value of a setting must be a literal").At(x.Pos())
}

// offsetZone is the time zone of SET TIME ZONE INTERVAL '+02:00': POSIX signs are the other way.
func offsetZone(iv sql.IntervalValue) string {
	secs := iv.Micros / sql.MicrosPerSecond
	sign := "-"
	if secs < 0 {
		sign, secs = "+", -secs
	}
	return "UTC" + sign + itoa(uint32(secs/3600)) + ":" + itoa(uint32(secs/60%60))
}

func (s *session) resetSetting(n *ast.Reset) error {
	name := strings.ToLower(n.Name)
	if name == "" {
		name = "all"
	}
	if name == "role" || name == "session_authorization" {
		return nil
	}
	if err := s.set.reset(name); err != nil {
		return err
	}
	s.reportSettings()
	return nil
}

// reportSettings tells the client every reported setting; telling an unchanged one does no harm.
func (s *session) reportSettings() {
	if s.set.changedReported() {
		for name, v := range s.set.reported() {
			s.client.ParameterStatus(name, v)
		}
	}
}

func (s *session) discard(what string) error {
	if what == "all" {
		if s.tx != nil && s.tx.explicit {
			return sql.Errorf(sql.CodeActiveTransaction, "DISCARD ALL cannot run inside a transaction block")
		}
		if err := s.deallocate(""); err != nil {
			return err
		}
		for _, c := range s.cursors {
			c.close()
		}
		clear(s.cursors)
		return s.resetSetting(&ast.Reset{})
	}
	return nil
}

// lockTables is LOCK TABLE: it takes the tables as a writer does.
func (s *session) lockTables(ctx context.Context, n *ast.Lock) error {
	if !s.tx.explicit {
		return sql.Errorf(sql.CodeNoActiveTransaction, "LOCK TABLE can only be used in transaction blocks")
	}
	for _, name := range n.Tables {
		o, err := s.relation(name)
		if err != nil {
			return err
		}
		if o.Kind == catalog.Table && o.Connector == "" {
			if err := s.tx.lock(ctx, o.ID); err != nil {
				return err
			}
		}
	}
	return nil
}

// existing checks that the relations are there.
func (s *session) existing(names []ast.Name) error {
	for _, n := range names {
		if _, err := s.relation(n); err != nil {
			return err
		}
	}
	return nil
}
