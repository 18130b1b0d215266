// Package json decodes JSON objects straight into typed columns and encodes rows as JSON objects.
//
// The decoder is the hot path of the engine, so it is directed by the schema: it touches each byte
// once, materialises only the columns that a query needs, and allocates nothing per record.
//
//	{"order_id":"ord-17","amount":12.34,"category":"books"}
//	 └ key foreseen: the one that an earlier record had here, a compare of bytes
//	            └ not needed: passed over, but checked as strictly as the rest
//	                     └ digits into a decimal      └ bytes into the column's buffer
//
// Invariants:
//   - A record is accepted exactly when it is one JSON object in valid UTF-8, nested no deeper than
//     maxDepth, whose needed fields fit their columns. What is passed over is checked too, so
//     that a record is not good for one query and malformed for another.
//   - A missing field and a JSON null are NULL. Of a key given twice, the last counts.
//   - No number goes through a float on its way to an integer or a decimal.
//
// A reader of a value is given the record s and the index of the value's first byte, and returns
// the index behind it, or -1 after it has put the error in the input.
package json

import (
	"github.com/streamsql/streamsql/connectors"
)

// maxDepth bounds the nesting of arrays and objects, and with it the stack.
const maxDepth = 1000

// SQLSTATEs of records.
const (
	codeInvalidJSON     = "22032" // invalid_json_text
	codeInvalidEncoding = "22021" // character_not_in_repertoire
	codeNoSuchMember    = "2203A" // sql_json_member_not_found
	codeNoText          = "22P05" // untranslatable_character
	codeNoValue         = "22004" // null_value_not_allowed
)

// options are those of decoder and encoder alike, since a table may be read and written.
type options struct {
	lenient   bool  // a field that does not fit its column is NULL
	strict    bool  // a missing field is an error
	epochUnit int64 // microseconds in a unit of numbers in timestamp columns; 0 = numbers are refused
	iso       bool  // timestamps are written in ISO 8601
	omitNulls bool  // NULLs are not written
}

// readOptions names the options as Flink does, plus `epoch-unit`, and RisingWave's
// `timestamptz.handling.mode` for the same.
func readOptions(o *connectors.Options) options {
	opt := options{
		lenient:   o.Bool("json.ignore-parse-errors", false),
		strict:    o.Bool("json.fail-on-missing-field", false),
		iso:       o.Enum("json.timestamp-format.standard", "SQL", "SQL", "ISO-8601") == "ISO-8601",
		omitNulls: o.Bool("json.encode.ignore-null-fields", false),
	}
	switch o.Enum("json.epoch-unit", "", "s", "ms", "us") {
	case "s":
		opt.epochUnit = 1_000_000
	case "ms":
		opt.epochUnit = 1000
	case "us":
		opt.epochUnit = 1
	}
	switch o.Enum("json.timestamptz.handling.mode", "utc_string", "utc_string", "milli", "micro") {
	case "milli":
		opt.epochUnit = 1000
	case "micro":
		opt.epochUnit = 1
	}
	// Decimals are always written plainly and exactly, and map keys are never null: these say what
	// holds anyway and are accepted so that Flink's statements run unchanged.
	o.Bool("json.encode.decimal-as-plain-number", true)
	o.Enum("json.map-null-key.mode", "FAIL", "FAIL", "DROP", "LITERAL")
	o.String("json.map-null-key.literal", "null")
	return opt
}
