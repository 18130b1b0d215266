package engine

import (
	"strings"

	"github.com/streamsql/streamsql/sql"
	"github.com/streamsql/streamsql/sql/engine/catalog"
)

// masked stands for a secret in what is shown.
const masked = "********"

// secretOption tells whether an option's value must not be shown: a password, a key, a credential
// string.
func secretOption(key string) bool {
	for _, word := range []string{"password", "secret", "jaas", "token", "keystore.key", "ssl.key", "credentials"} {
		if strings.Contains(key, word) {
			return true
		}
	}
	return false
}

// maskedSQL is an object's definition without the values of its secret options.
func maskedSQL(o *catalog.Object) string {
	text := o.SQL
	for key, value := range o.Options {
		if value != "" && secretOption(key) {
			text = strings.ReplaceAll(text, sql.QuoteLiteral(value), sql.QuoteLiteral(masked))
		}
	}
	return text
}
