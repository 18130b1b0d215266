package engine

import (
	"fmt"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/streamsql/streamsql/connectors/kafka/kafkatest"
)

// The positions of a job get to the consumer group of its source: lag tools look there.
func TestGroupOffsets(t *testing.T) {
	if testing.Short() {
		return // waits for groupCommitPeriod
	}
	t.Parallel()
	broker := startBroker(t)
	kafkatest.CreateTopic(t, broker.Addr(), "in", 2)
	kafkatest.Produce(t, broker.Addr(), "in", 0, `{"a":1}`, `{"a":2}`)
	kafkatest.Produce(t, broker.Addr(), "in", 1, `{"a":3}`)
	n := newNode(t, broker.Addr())
	n.exec(fmt.Sprintf(`CREATE TABLE src (a INT, twice INT AS (a * 2)) WITH (connector='kafka', topic='in', properties.bootstrap.servers='%s', format='json', properties.group.id='readers');
		CREATE MATERIALIZED VIEW v AS SELECT sum(twice) AS s FROM src`, broker.Addr()))
	admin := kadm.NewClient(kafkatest.Client(t, broker.Addr()))
	eventually(t, testWait, func() error {
		offsets, err := admin.FetchOffsets(t.Context(), "readers")
		if err != nil {
			return err
		}
		for p, want := range []int64{2, 1} {
			if o, ok := offsets.Lookup("in", int32(p)); !ok || o.At != want {
				return fmt.Errorf("the group has %d of partition %d, not %d", o.At, p, want)
			}
		}
		return nil
	})
}
