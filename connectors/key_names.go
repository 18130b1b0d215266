package connectors

import (
	"regexp"
	"strings"
)

// keyName is a name, and what ends it.
var keyName = regexp.MustCompile(`^\s*("(?:[^"]|"")+"|[^,]*?)\s*(?:,|$)`)

// KeyNames takes the columns of the option primary_key apart. A name in double quotes may hold commas,
// and two quotes for one.
func KeyNames(list string) (names []string) {
	for more := true; more; {
		m := keyName.FindStringSubmatch(list)
		name := m[1]
		if len(name) > 2 && name[0] == '"' && name[len(name)-1] == '"' {
			name = strings.ReplaceAll(name[1:len(name)-1], `""`, `"`)
		}
		names = append(names, name)
		list, more = list[len(m[0]):], strings.HasSuffix(m[0], ",")
	}
	return names
}
