package kafka

import (
	"context"
	"errors"
	"net"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/streamsql/streamsql/connectors"
	"github.com/streamsql/streamsql/connectors/format"
	"github.com/streamsql/streamsql/sql"
)

// Connector is the connector 'kafka'. Its zero value is ready.
type Connector struct {
	// Dial replaces the network, in tests.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
}

var (
	_ connectors.Connector = Connector{}
	_ connectors.Forgetter = Connector{}
)

// Name is the value of the option connector. 'upsert-kafka', Flink's name for a topic with a primary
// key, is accepted by the engine as the same connector with type = 'upsert'.
func (Connector) Name() string { return "kafka" }

// Validate checks a relation's options and formats at CREATE, without touching the network.
func (Connector) Validate(r connectors.Relation, sink bool) error {
	cfg, err := readConfig(r)
	if err != nil {
		return err
	}
	if sink {
		_, err = newEncoders(cfg, r)
		return err
	}
	all := make([]int, len(r.Columns))
	for i := range all {
		all[i] = i
	}
	_, err = format.NewDecoder(cfg.format, r.Columns, all, cfg.formatOptions)
	return err
}

// Source binds r for reading.
func (c Connector) Source(ctx context.Context, r connectors.Relation, needed []int) (connectors.Source, error) {
	cfg, err := c.config(r)
	if err != nil {
		return nil, err
	}
	source, err := newSource(cfg, r.Columns, needed)
	if err != nil {
		return nil, err // not a nil *source, which is not a nil Source
	}
	return source, nil
}

// Sink binds r for writing exactly once.
func (c Connector) Sink(ctx context.Context, r connectors.Relation, notice connectors.Notice) (connectors.Sink, error) {
	cfg, err := c.config(r)
	if err != nil {
		return nil, err
	}
	sink, err := openSink(ctx, cfg, r, notice)
	if err != nil {
		return nil, err
	}
	return sink, nil
}

// Writer binds r for writing at least once.
func (c Connector) Writer(ctx context.Context, r connectors.Relation, notice connectors.Notice) (connectors.Writer, error) {
	cfg, err := c.config(r)
	if err != nil {
		return nil, err
	}
	w, err := openWriter(ctx, cfg, r, notice)
	if err != nil {
		return nil, err
	}
	return w, nil
}

// Forget deletes the group in which a dropped job kept its marker.
func (c Connector) Forget(ctx context.Context, r connectors.Relation) error {
	cfg, err := c.config(r)
	if err != nil {
		return err
	}
	client, err := cfg.client.newClient()
	if err != nil {
		return err
	}
	defer client.Close()
	_, err = kadm.NewClient(client).DeleteGroup(ctx, markerGroup(r.Job))
	if errors.Is(err, kerr.GroupIDNotFound) {
		return nil
	}
	return cfg.client.wrap(err, "delete the group "+sql.QuoteIdent(markerGroup(r.Job)))
}

// AppendOnly tells whether r is a plain topic, which has no way to take a row back.
func (Connector) AppendOnly(r connectors.Relation) bool {
	return !strings.EqualFold(r.Options["type"], "upsert")
}

// config reads r's options.
func (c Connector) config(r connectors.Relation) (*config, error) {
	cfg, err := readConfig(r)
	if err == nil {
		cfg.client.dial = c.Dial
	}
	return cfg, err
}
