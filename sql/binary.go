package sql

// AppendBinary appends d in PostgreSQL's binary wire format. d is not nil.
func AppendBinary(dst []byte, t Type, d Datum) ([]byte, error) { return dst, Unsupported("binary", "") }

// ParseBinary reads a value of PostgreSQL's binary wire format; the errors are 22P03 and 08P01.
// Modifiers of t are applied.
func ParseBinary(t Type, b []byte) (Datum, error) { return nil, Unsupported("binary", "") }
