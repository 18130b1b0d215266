package json

import (
	"fmt"
	"unicode/utf8"

	"github.com/streamsql/streamsql/connectors"
)

// input is what the readers of one decoder share while they read a record.
type input struct {
	options
	err     connectors.DecodeError // of the record being read; its path grows while readers return
	scratch []byte                 // the last unescaped string
}

// fail notes why the record is refused and returns -1.
func (in *input) fail(code, format string, args ...any) int {
	in.err = connectors.DecodeError{Code: code, Reason: fmt.Sprintf(format, args...)}
	return -1
}

// failWith is fail with an error of the sql package.
func (in *input) failWith(err error) int {
	in.err = *connectors.NewDecodeError("", err)
	return -1
}

// within puts a field's name, or an index in brackets, before the error's path, and returns -1.
func (in *input) within(step string) int {
	if in.err.Field != "" && in.err.Field[0] != '[' {
		step += "."
	}
	in.err.Field = step + in.err.Field
	return -1
}

// syntax fails because of the byte at i, or because there is none.
func (in *input) syntax(s []byte, i int) int {
	if i >= len(s) {
		return in.fail(codeInvalidJSON, "invalid JSON: unexpected end of input at byte %d", len(s))
	}
	if s[i] < utf8.RuneSelf {
		return in.fail(codeInvalidJSON, "invalid JSON: unexpected %q at byte %d", s[i], i)
	}
	return in.fail(codeInvalidJSON, "invalid JSON: unexpected byte 0x%02x at byte %d", s[i], i)
}

// malformed tells whether the error is one of the record and not of a field that does not fit.
func (in *input) malformed() bool {
	return in.err.Code == codeInvalidJSON || in.err.Code == codeInvalidEncoding
}
