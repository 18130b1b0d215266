package expr

import (
	"sync"

	"github.com/streamsql/streamsql/sql"
)

// lookupCast finds a conversion other than through text, by the contexts PostgreSQL's pg_cast allows
// it in.
func lookupCast(from, to sql.Kind) (castEntry, bool) {
	casts.once.Do(func() { casts.byKinds = castTable() })
	entry, ok := casts.byKinds[castKey{from, to}]
	return entry, ok
}

// casts is filled on first use: its kernels refer back to it, which package initialisation forbids.
var casts struct {
	once    sync.Once
	byKinds map[castKey]castEntry
}

func castTable() map[castKey]castEntry {
	m := map[castKey]castEntry{}
	add := func(context CastContext, v Volatility, kernel func(from, to sql.Type, how CastContext) Kernel, from sql.Kind, to ...sql.Kind) {
		for _, k := range to {
			m[castKey{from, k}] = castEntry{context, v, kernel}
		}
	}
	addNumberCasts(add)
	addStringCasts(add)
	addDatetimeCasts(add)
	addOIDCasts(add)

	add(Assignment, Immutable, jsonToJSONB, sql.JSON, sql.JSONB)
	add(Assignment, Immutable, nil, sql.JSONB, sql.JSON)
	add(Explicit, Immutable, jsonbToScalar, sql.JSONB, sql.Bool, sql.Numeric, sql.Int2, sql.Int4, sql.Int8, sql.Float4, sql.Float8)
	return m
}

// addCast is the function through which the parts of the table are filled.
type addCast func(context CastContext, v Volatility, kernel func(from, to sql.Type, how CastContext) Kernel, from sql.Kind, to ...sql.Kind)

func addNumberCasts(add addCast) {
	add(Implicit, Immutable, intCast, sql.Int2, sql.Int4, sql.Int8)
	add(Implicit, Immutable, intCast, sql.Int4, sql.Int8)
	add(Assignment, Immutable, intCast, sql.Int4, sql.Int2)
	add(Assignment, Immutable, intCast, sql.Int8, sql.Int2, sql.Int4)
	for _, k := range []sql.Kind{sql.Int2, sql.Int4, sql.Int8} {
		add(Implicit, Immutable, intToFloat, k, sql.Float4, sql.Float8)
		add(Implicit, Immutable, intToNumeric, k, sql.Numeric)
		add(Assignment, Immutable, floatToInt, sql.Float4, k)
		add(Assignment, Immutable, floatToInt, sql.Float8, k)
		add(Assignment, Immutable, numericToInt, sql.Numeric, k)
	}
	add(Implicit, Immutable, floatCast, sql.Float4, sql.Float8)
	add(Assignment, Immutable, floatCast, sql.Float8, sql.Float4)
	add(Assignment, Immutable, floatToNumeric, sql.Float4, sql.Numeric)
	add(Assignment, Immutable, floatToNumeric, sql.Float8, sql.Numeric)
	add(Implicit, Immutable, numericToFloat, sql.Numeric, sql.Float4, sql.Float8)
	add(Explicit, Immutable, boolToInt, sql.Bool, sql.Int4)
	add(Explicit, Immutable, intToBool, sql.Int4, sql.Bool)
	add(Assignment, Immutable, boolToText, sql.Bool, sql.Text, sql.Varchar, sql.Char)
}

func addStringCasts(add addCast) {
	add(Implicit, Immutable, nil, sql.Text, sql.Varchar)
	add(Implicit, Immutable, nil, sql.Varchar, sql.Text)
	add(Implicit, Immutable, nil, sql.Text, sql.Char)
	add(Implicit, Immutable, nil, sql.Varchar, sql.Char)
	add(Implicit, Immutable, charToText, sql.Char, sql.Text, sql.Varchar)
	add(Implicit, Immutable, nil, sql.Name, sql.Text)
	add(Assignment, Immutable, nil, sql.Name, sql.Varchar, sql.Char)
	add(Implicit, Immutable, toName, sql.Text, sql.Name)
	add(Implicit, Immutable, toName, sql.Varchar, sql.Name)
	add(Implicit, Immutable, toName, sql.Char, sql.Name)
	add(Implicit, Immutable, nil, sql.InternalChar, sql.Text)
	add(Assignment, Immutable, nil, sql.InternalChar, sql.Varchar, sql.Char)
	for _, k := range []sql.Kind{sql.Text, sql.Varchar, sql.Char} {
		add(Assignment, Immutable, toInternalChar, k, sql.InternalChar)
	}
	add(Explicit, Immutable, internalCharToInt, sql.InternalChar, sql.Int4)
	add(Explicit, Immutable, intToInternalChar, sql.Int4, sql.InternalChar)
	for _, k := range []sql.Kind{sql.JSON, sql.JSONB} {
		add(Assignment, Immutable, nil, k, sql.Text, sql.Varchar)
	}
}

func addDatetimeCasts(add addCast) {
	add(Implicit, Immutable, dateToTimestamp, sql.Date, sql.Timestamp)
	add(Implicit, Stable, dateToTimestamptz, sql.Date, sql.Timestamptz)
	add(Assignment, Immutable, timestampToDate, sql.Timestamp, sql.Date)
	add(Assignment, Stable, timestamptzToDate, sql.Timestamptz, sql.Date)
	add(Implicit, Stable, timestampToTimestamptz, sql.Timestamp, sql.Timestamptz)
	add(Assignment, Stable, timestamptzToTimestamp, sql.Timestamptz, sql.Timestamp)
	add(Assignment, Immutable, timestampToTime, sql.Timestamp, sql.Time)
	add(Assignment, Stable, timestamptzToTime, sql.Timestamptz, sql.Time)
	add(Implicit, Immutable, timeToInterval, sql.Time, sql.Interval)
	add(Assignment, Immutable, intervalToTime, sql.Interval, sql.Time)
}

func addOIDCasts(add addCast) {
	regs := []sql.Kind{sql.Regclass, sql.Regtype, sql.Regproc, sql.Regnamespace}
	for _, k := range append([]sql.Kind{sql.OID}, regs...) {
		add(Implicit, Immutable, intToOID, sql.Int2, k)
		add(Implicit, Immutable, intToOID, sql.Int4, k)
		add(Implicit, Immutable, intToOID, sql.Int8, k)
		add(Assignment, Immutable, oidToInt4, k, sql.Int4)
		add(Assignment, Immutable, nil, k, sql.Int8)
	}
	for _, k := range regs {
		add(Implicit, Immutable, nil, sql.OID, k)
		add(Implicit, Immutable, nil, k, sql.OID)
	}
	for _, k := range []sql.Kind{sql.Text, sql.Varchar} {
		add(Implicit, Stable, func(_, to sql.Type, _ CastContext) Kernel { return textInput(to) }, k, sql.Regclass)
	}
}
