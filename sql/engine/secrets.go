package engine

import (
	"maps"
	"regexp"
	"strings"

	"github.com/streamsql/streamsql/connectors"
	"github.com/streamsql/streamsql/sql"
	"github.com/streamsql/streamsql/sql/engine/catalog"
	"github.com/streamsql/streamsql/sql/parser"
	"github.com/streamsql/streamsql/sql/parser/ast"
)

// secretReference begins the value of an option that was given as SECRET name. What it stands for is
// in no catalog and on no disk of ours: whoever starts the server gives it, each time.
const secretReference = "\x00secret:"

// revealed is a relation with the values of its secrets, for its connector only.
func (e *Engine) revealed(r connectors.Relation) (connectors.Relation, error) {
	options := maps.Clone(r.Options)
	for key, value := range r.Options {
		name, ok := strings.CutPrefix(value, secretReference)
		switch {
		case !ok:
			continue
		case e.cfg.checkOnly:
			options[key] = masked
			continue
		case e.cfg.Secret == nil:
			return r, sql.Errorf(sql.CodeUndefinedObject, "secret %q does not exist", name)
		}
		secret, err := e.cfg.Secret(name)
		if err != nil {
			return r, err
		}
		options[key] = secret
	}
	r.Options = options
	return r, nil
}

// masked stands for a secret in what is shown.
const masked = "********"

// secretOption tells whether an option's value must not be shown: a password, a key, a credential
// string.
func secretOption(key string) bool {
	for _, word := range []string{"password", "passphrase", "secret", "jaas", "token", "keystore.key", "ssl.key", "credentials"} {
		if strings.Contains(key, word) {
			return true
		}
	}
	return false
}

// Passwords within other values: in a URL, and in a connection string of words and values.
var (
	urlPassword  = regexp.MustCompile(`(?s)(://[^:/@]*:).*@`) // up to the last @: a password may hold one
	wordPassword = regexp.MustCompile(`(?i)((?:password|passphrase|secret|token)\s*=\s*)('(?:[^'\\]|\\.)*'|[^\s&;]+)`)
)

// maskedValue is an option's value as it may be shown.
func maskedValue(key, value string) string {
	if value != "" && secretOption(strings.ToLower(key)) {
		return masked
	}
	value = urlPassword.ReplaceAllString(value, "${1}"+masked+"@")
	return wordPassword.ReplaceAllString(value, "${1}"+masked)
}

// maskedSQL is an object's definition without its secrets.
func maskedSQL(o *catalog.Object) string { return withoutSecrets(o.SQL) }

// shownSource is a statement's text as it may be shown to others and in logs. Most statements hold
// no secrets and are shown as they were written.
func shownSource(node ast.Stmt, source string) string {
	switch node.(type) {
	case *ast.Query, *ast.Insert, *ast.Update, *ast.Delete, *ast.Begin, *ast.Commit, *ast.Rollback, *ast.Set, *ast.Show, *ast.Copy,
		*ast.Subscribe, *ast.Fetch, *ast.Execute, *ast.Close:
		return source
	}
	return withoutSecrets(source)
}

// withoutSecrets prints a statement anew if it holds secrets. They are masked in a tree of its own, so
// that it does not matter how they were quoted.
func withoutSecrets(source string) string {
	stmts, err := parser.Parse(source)
	if err != nil || len(stmts) != 1 {
		return masked // it was parsed before, and printed from what was: nothing of it is known to be safe
	}
	changed := false
	mask := func(value *string, with string) {
		changed = changed || *value != with
		*value = with
	}
	ast.Walk(stmts[0].Node, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.Option:
			if n.Kind != ast.OptionSecret {
				mask(&n.Value, maskedValue(n.Name, n.Value))
			}
		case *ast.UserOption:
			if strings.HasSuffix(n.Name, "password") && !n.Null {
				mask(&n.Value, masked)
			}
		case *ast.CreateOther: // what it would hold is not known
			mask(&n.Body, masked)
		}
		return true
	})
	if !changed {
		return source
	}
	return ast.SQL(stmts[0].Node)
}
