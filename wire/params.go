package wire

import (
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/streamsql/streamsql/sql"
)

// decodeParams reads the values of Bind.
func decodeParams(m *pgproto3.Bind, types []sql.Type, loc *time.Location) ([]sql.Datum, error) {
	if n := len(m.ParameterFormatCodes); n > 1 && n != len(m.Parameters) {
		return nil, sql.Errorf(sql.CodeProtocolViolation, "bind message has %d parameter formats but %d parameters", n, len(m.Parameters))
	}
	if len(m.Parameters) != len(types) {
		return nil, sql.Errorf(sql.CodeProtocolViolation, "bind message supplies %d parameters, but prepared statement %q requires %d",
			len(m.Parameters), m.PreparedStatement, len(types))
	}
	values := make([]sql.Datum, len(types))
	for i, raw := range m.Parameters {
		if raw == nil {
			continue
		}
		format, err := formatOf(m.ParameterFormatCodes, i)
		if err != nil {
			return nil, err
		}
		if values[i], err = decodeValue(types[i], raw, format, loc); err != nil {
			return nil, &located{err, fmt.Sprintf("portal %q parameter $%d", m.DestinationPortal, i+1)}
		}
	}
	return values, nil
}

// decodeValue copies what it keeps of raw.
func decodeValue(t sql.Type, raw []byte, format int16, loc *time.Location) (sql.Datum, error) {
	if format == binaryFormat {
		return sql.ParseBinary(t, raw)
	}
	if err := sql.CheckUTF8(raw); err != nil {
		return nil, err
	}
	return sql.ParseTextIn(t, string(raw), sql.TextEnv{Loc: loc})
}
