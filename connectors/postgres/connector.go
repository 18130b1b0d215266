package postgres

import (
	"context"
	"crypto/rand"
	"strings"
	"sync"

	"github.com/streamsql/streamsql/connectors"
	"github.com/streamsql/streamsql/sql"
)

// Connector is the connector 'postgres'. One of them is a server to its targets.
type Connector struct {
	server string // names this process in the bookkeeping of its targets

	mu   sync.Mutex
	held map[string]uint64 // by job: the epoch that this process has left in the target, and so must find there
}

var (
	_ connectors.Connector = (*Connector)(nil)
	_ connectors.Checker   = (*Connector)(nil)
	_ connectors.Forgetter = (*Connector)(nil)
	_ connectors.WriteOnly = (*Connector)(nil)
)

// New makes the connector.
func New() *Connector { return &Connector{server: rand.Text(), held: map[string]uint64{}} }

// Name is the value of the option connector. 'jdbc', as Flink and RisingWave call it, is accepted by
// the engine as the same.
func (*Connector) Name() string { return "postgres" }

// Validate checks a relation's options at CREATE, without touching the network.
func (*Connector) Validate(r connectors.Relation, sink bool) error {
	_, err := readConfig(r)
	return err
}

// WriteOnly says why a table of PostgreSQL can't be read.
func (*Connector) WriteOnly() string { return "reading a table of PostgreSQL" }

// Source is refused by the planner already.
func (c *Connector) Source(context.Context, connectors.Relation, []int) (connectors.Source, error) {
	return nil, sql.Unsupported(c.WriteOnly(), "")
}

// AppendOnly tells whether rows of r can't be taken back, for want of a key.
func (*Connector) AppendOnly(r connectors.Relation) bool { return !isUpsert(r) }

// Check connects to the target, sees that r fits it, and creates what is missing and wanted: the
// table, and the bookkeeping of a job's deliveries.
func (c *Connector) Check(ctx context.Context, r connectors.Relation, notice connectors.Notice) error {
	cfg, err := readConfig(r)
	if err != nil {
		return err
	}
	d := newDatabase(cfg)
	defer d.close()
	if err := d.connect(ctx); err != nil {
		return err
	}
	if err := d.ensureTable(ctx, notice); err != nil {
		return err
	}
	if _, err := d.target(ctx); err != nil || r.Job == "" {
		return err
	}
	return c.marker(cfg).create(ctx, d, notice)
}

// Forget removes the bookkeeping of a job that is no more.
func (c *Connector) Forget(ctx context.Context, r connectors.Relation) error {
	cfg, err := readConfig(r)
	if err != nil {
		return err
	}
	c.mu.Lock()
	delete(c.held, r.Job)
	c.mu.Unlock()
	d := newDatabase(cfg)
	defer d.close()
	if err := d.connect(ctx); err != nil {
		return err
	}
	return c.marker(cfg).remove(ctx, d)
}

// Sink binds r for writing exactly once. It connects when it is first used, so that the job goes on
// while the database is away.
func (c *Connector) Sink(_ context.Context, r connectors.Relation, _ connectors.Notice) (connectors.Sink, error) {
	cfg, err := readConfig(r)
	if err != nil {
		return nil, err
	}
	return &sink{cfg: cfg, c: c, db: newDatabase(cfg), marker: c.marker(cfg), limit: r.Epoch}, nil
}

// Writer binds r for writing at least once.
func (c *Connector) Writer(_ context.Context, r connectors.Relation, _ connectors.Notice) (connectors.Writer, error) {
	cfg, err := readConfig(r)
	if err != nil {
		return nil, err
	}
	if r.Job == "" {
		cfg.onError = onErrorFail // of a statement: all of its rows, or an error
	}
	return &writer{cfg: cfg, db: newDatabase(cfg)}, nil
}

func (c *Connector) marker(cfg *config) *marker {
	return &marker{table: quoteName(cfg.bookkeeping, "sinks"), schema: cfg.bookkeeping, sink: cfg.job, owner: c.server}
}

// last returns the epoch that this process has left in a job's target, and whether it ever claimed it.
func (c *Connector) last(job string) (epoch uint64, claimed bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	epoch, claimed = c.held[job]
	return epoch, claimed
}

func (c *Connector) note(job string, epoch uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.held[job] = epoch
}

// quoteName quotes a name that may be of any letters.
func quoteName(parts ...string) string {
	var b strings.Builder
	for i, p := range parts {
		if i > 0 {
			b.WriteByte('.')
		}
		b.WriteString(`"` + strings.ReplaceAll(p, `"`, `""`) + `"`)
	}
	return b.String()
}
