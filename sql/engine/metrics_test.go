package engine

import (
	"fmt"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

// metric is a sample as Prometheus gets it, by the metric's name and the values of its labels in the
// order of their names.
func (n *node) metric(name string, labels ...string) (float64, error) {
	n.t.Helper()
	reg := prometheus.NewRegistry()
	reg.MustRegister(n.e.Collector())
	families, err := reg.Gather()
	if err != nil {
		n.t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			var values []string
			for _, l := range m.GetLabel() {
				values = append(values, l.GetValue())
			}
			if f.GetName() == name && strings.Join(values, " ") == strings.Join(labels, " ") {
				return m.GetGauge().GetValue() + m.GetCounter().GetValue(), nil
			}
		}
	}
	return 0, fmt.Errorf("no metric %s of %s", name, labels)
}

// The lag of a job over a view is the epochs of the view that it has not read.
func TestLagOfAView(t *testing.T) {
	n := newNode(t, "")
	n.exec("CREATE TABLE src (k bigint PRIMARY KEY, n bigint)")
	n.exec("INSERT INTO src VALUES (1, 1), (2, 2)")
	n.exec("CREATE MATERIALIZED VIEW sums AS SELECT k % 2 AS odd, sum(n) AS s FROM src GROUP BY 1")
	n.exec("CREATE MATERIALIZED VIEW counts AS SELECT s, count(*) AS n FROM sums GROUP BY s")
	for _, insert := range []string{"INSERT INTO src VALUES (3, 2)", "INSERT INTO src VALUES (4, 4)"} {
		before := n.exec("SELECT position FROM streamsql.sources WHERE job = 'counts'")
		n.exec(insert)
		eventually(t, testWait, func() error {
			rows := n.exec(`SELECT source, topic, lag, "end" = position FROM streamsql.sources WHERE job = 'counts'`)
			if got := fmt.Sprint(rows); got != "[[sums public.sums 0 t]]" {
				return fmt.Errorf("got %s", got)
			}
			if fmt.Sprint(n.exec("SELECT position FROM streamsql.sources WHERE job = 'counts'")) == fmt.Sprint(before) {
				return fmt.Errorf("position is still %s", before)
			}
			lag, err := n.metric("streamsql_source_lag_records", "counts", "0", "sums", "public.sums")
			if err == nil && lag != 0 {
				err = fmt.Errorf("lag %v", lag)
			}
			return err
		})
	}
}
