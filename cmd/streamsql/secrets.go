package main

import (
	"errors"
	"io/fs"
	"os"
	"strings"

	"github.com/streamsql/streamsql/sql"
)

// secret is what SECRET name in a statement stands for: the file of that name in --secrets-dir, as
// container platforms and systemd put them there, or the variable STREAMSQL_SECRET_ and the name. No
// other file or variable can be named, for whoever may write SQL must not read the whole machine.
func (s *settings) secret(name string) (string, error) {
	missing := sql.Errorf(sql.CodeUndefinedObject, "secret %q does not exist", name).
		WithHint("Put it into a file of that name in --secrets-dir, or into the variable STREAMSQL_SECRET_%s of the server.", strings.ToUpper(name))
	if s.secretsDir != "" {
		root, err := os.OpenRoot(s.secretsDir) // neither .. nor a link leads out of it
		if err != nil {
			return "", sql.Errorf("58030", "secret %q cannot be read: %w", name, err)
		}
		defer root.Close()
		value, err := root.ReadFile(name)
		if err == nil {
			return strings.TrimRight(string(value), "\r\n"), nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return "", sql.Errorf("58030", "secret %q cannot be read: %w", name, err)
		}
	}
	if value, ok := os.LookupEnv("STREAMSQL_SECRET_" + strings.ToUpper(name)); ok {
		return value, nil
	}
	return "", missing
}
