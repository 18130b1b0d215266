package sql

import (
	"errors"
	"fmt"
)

// Error is the only error a user meets. Wording, SQLSTATE and position are PostgreSQL's:
// lower case, no full stop, the object's kind named. A hint is a sentence.
type Error struct {
	Code     string // SQLSTATE, five characters
	Message  string
	Detail   string       // a sentence, or empty
	Hint     string       // a sentence, or empty
	Position int          // 1-based byte offset into the statement's source; 0 = unknown
	Object   *ErrorObject // what a constraint's error is about, or nil
	Cause    error        // what it wraps, or nil; never shown to a client
}

// ErrorObject names what an error is about, for programs: drivers hand it on.
type ErrorObject struct{ Schema, Table, Column, Constraint string }

// SQLSTATEs used in more than one package.
const (
	CodeFeatureNotSupported    = "0A000"
	CodeDivisionByZero         = "22012"
	CodeNumericOutOfRange      = "22003"
	CodeInvalidText            = "22P02"
	CodeDatetimeOverflow       = "22008"
	CodeInvalidDatetime        = "22007"
	CodeInvalidParameter       = "22023"
	CodeStringTooLong          = "22001"
	CodeNotNullViolation       = "23502"
	CodeUniqueViolation        = "23505"
	CodeSyntaxError            = "42601"
	CodeUndefinedColumn        = "42703"
	CodeUndefinedFunction      = "42883"
	CodeUndefinedTable         = "42P01"
	CodeUndefinedObject        = "42704"
	CodeDuplicateTable         = "42P07"
	CodeDuplicateColumn        = "42701"
	CodeAmbiguousColumn        = "42702"
	CodeAmbiguousFunction      = "42725"
	CodeGrouping               = "42803"
	CodeDatatypeMismatch       = "42804"
	CodeWrongObjectType        = "42809"
	CodeCannotCoerce           = "42846"
	CodeDependentObjects       = "2BP01"
	CodeSerializationFailure   = "40001"
	CodeQueryCanceled          = "57014"
	CodeAdminShutdown          = "57P01"
	CodeObjectNotInState       = "55000"
	CodeInternal               = "XX000"
	CodeConnectionFailure      = "08006"
	CodeProtocolViolation      = "08P01"
	CodeInsufficientPrivilege  = "42501"
	CodeStatementTooComplex    = "54001"
	CodeActiveTransaction      = "25001"
	CodeNoActiveTransaction    = "25P01"
	CodeInFailedTransaction    = "25P02"
	CodeInvalidSchema          = "3F000"
	CodeUndefinedParameter     = "42P02"
	CodeIndeterminateType      = "42P18"
	CodeInvalidTableDefinition = "42P16"
)

// Errorf makes an Error. A %w in format becomes the Cause.
func Errorf(code, format string, args ...any) *Error {
	err := fmt.Errorf(format, args...)
	return &Error{Code: code, Message: err.Error(), Cause: errors.Unwrap(err)}
}

// Unsupported is the 0A000 error: `what` is recognised and not supported.
func Unsupported(what, hint string) *Error {
	return &Error{Code: CodeFeatureNotSupported, Message: what + " is not supported", Hint: hint}
}

func (e *Error) Error() string { return e.Message }
func (e *Error) Unwrap() error { return e.Cause }

// At returns e with its position set to the 0-based byte offset off, unless it has one already.
// An off below 0 means unknown.
func (e *Error) At(off int) *Error {
	if e.Position != 0 || off < 0 {
		return e
	}
	c := *e
	c.Position = off + 1
	return &c
}

// WithHint returns e with a hint.
func (e *Error) WithHint(format string, args ...any) *Error {
	c := *e
	c.Hint = fmt.Sprintf(format, args...)
	return &c
}

// WithDetail returns e with a detail.
func (e *Error) WithDetail(format string, args ...any) *Error {
	c := *e
	c.Detail = fmt.Sprintf(format, args...)
	return &c
}

// ErrorAt gives err the position of the 0-based byte offset off if it is an *Error without one.
func ErrorAt(err error, off int) error {
	var e *Error
	if errors.As(err, &e) && e.Position == 0 && off >= 0 {
		return e.At(off)
	}
	return err
}

// AsError finds the *Error in err's chain; any other error becomes XX000 with err as its cause.
func AsError(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return &Error{Code: CodeInternal, Message: err.Error(), Cause: err}
}
