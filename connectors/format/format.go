// Package format makes the decoders and encoders between the bytes of records and columns.
//
//	Record ─▶ decoder ─┬▶ value columns: json, raw, …   ─┐
//	                   └▶ metadata columns: key, offset … ┴▶ Batch
//
// Invariants:
//   - Decode appends exactly one row to every column, or to none and returns a *DecodeError.
//   - The rows do not depend on where the batches are cut.
//   - Whether a record is well-formed does not depend on the columns that a query needs.
//
// A format is one package below this one and one line in `formats`.
package format

import (
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/streamsql/streamsql/connectors"
	"github.com/streamsql/streamsql/connectors/format/json"
	"github.com/streamsql/streamsql/connectors/format/raw"
	"github.com/streamsql/streamsql/sql"
)

// values decodes the value of a record into the columns that are not metadata. It is what a format
// implements.
type values interface {
	// Decode appends one row, or none and says why. A nil value is Kafka's null.
	Decode(value []byte) *connectors.DecodeError
	// Finish returns the columns held, in order, and starts anew.
	Finish() []arrow.Array
}

// formats lists what is supported. The constructors read their options from o and leave it to the
// caller to ask o.Err for unknown ones.
var formats = map[string]struct {
	// The names are those of all fields of the relation's values, of which cols are the ones to read.
	decoder func(cols []connectors.Column, names []string, o *connectors.Options) (values, error)
	encoder func(cols []connectors.Column, o *connectors.Options) (connectors.Encoder, error)
}{
	"json": {
		func(cols []connectors.Column, names []string, o *connectors.Options) (values, error) {
			return json.NewDecoder(cols, names, o)
		},
		func(cols []connectors.Column, o *connectors.Options) (connectors.Encoder, error) {
			return json.NewEncoder(cols, o)
		},
	},
	"raw": {
		func(cols []connectors.Column, _ []string, o *connectors.Options) (values, error) {
			return raw.NewDecoder(cols, o)
		},
		func(cols []connectors.Column, o *connectors.Options) (connectors.Encoder, error) {
			return raw.NewEncoder(cols, o)
		},
	},
}

// planned are the formats that are recognised and refused.
var planned = []string{"csv", "avro", "avro-confluent", "protobuf", "debezium", "debezium-json",
	"debezium-avro-confluent", "canal-json", "maxwell-json", "ogg-json", "upsert", "bytes"}

// Read takes the format's name and options from a relation's: `format` (or Flink's `value.format`),
// and everything that starts with `<name>.`, `value.<name>.` or `format.`. The options returned are
// for NewDecoder and NewEncoder, with names that start with `<name>.`; those check them.
func Read(o *connectors.Options) (name string, opts map[string]string) {
	name = o.String("value.format", "")
	if f := o.String("format", ""); f != "" {
		name = f
	}
	name = strings.ToLower(name)
	if name == "" {
		o.Fail(sql.Errorf(sql.CodeInvalidParameter, "option \"format\" is required").
			WithHint("Supported formats are json and raw."))
		return "", nil
	}
	opts = map[string]string{}
	for _, prefix := range []string{"format.", "value." + name + ".", name + "."} {
		for k, v := range o.Prefix(prefix) {
			opts[name+"."+k] = v
		}
	}
	return name, opts
}

// NewDecoder makes a decoder of a relation's columns: of those that a query needs, indexes into cols. Its
// batches have exactly these, in this order.
func NewDecoder(name string, cols []connectors.Column, needed []int, opts map[string]string) (connectors.Decoder, error) {
	f, ok := formats[name]
	if !ok {
		return nil, unknown(name)
	}
	d := &decoder{columns: make([]arrow.Array, len(needed))}
	var fields []connectors.Column
	for i, n := range needed {
		c := cols[n]
		if c.Metadata == "" {
			fields = append(fields, c)
			d.fields = append(d.fields, i)
			continue
		}
		m, err := newMetadata(c)
		if err != nil {
			return nil, err
		}
		d.metadata = append(d.metadata, m)
		d.metadataAt = append(d.metadataAt, i)
	}
	var names []string
	for _, c := range cols {
		if c.Metadata == "" {
			names = append(names, c.Field())
		}
	}
	o := connectors.NewOptions(opts)
	v, err := f.decoder(fields, names, o)
	if err == nil {
		err = o.Err()
	}
	if err != nil {
		return nil, err
	}
	d.values = v
	return d, nil
}

// NewEncoder makes an encoder of rows of all the relation's columns; metadata columns are not
// part of the value.
func NewEncoder(name string, cols []connectors.Column, opts map[string]string) (connectors.Encoder, error) {
	f, ok := formats[name]
	if !ok {
		return nil, unknown(name)
	}
	o := connectors.NewOptions(opts)
	e, err := f.encoder(cols, o)
	if err == nil {
		err = o.Err()
	}
	if err != nil {
		return nil, err
	}
	return e, nil
}

func unknown(name string) error {
	names := make([]string, 0, len(formats))
	for n := range formats {
		names = append(names, n)
	}
	for _, p := range planned {
		if name == p {
			return sql.Unsupported("format \""+name+"\"", "Supported formats are json and raw.")
		}
	}
	err := sql.Errorf(sql.CodeInvalidParameter, "unrecognized format %q", name)
	if n := connectors.Nearest(name, names); n != "" {
		return err.WithHint("Did you mean %q?", n)
	}
	return err.WithHint("Supported formats are json and raw.")
}
