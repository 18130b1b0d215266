// Package devbroker is an embedded, persistent, single-node Kafka-compatible broker for
// `streamsql dev` and tests: franz-go's kfake behind a small interface. It is no production broker:
// nothing is replicated, and what was written in the last moments before a power cut may be lost
// (not before a crash of the process).
package devbroker

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"syscall"

	"github.com/twmb/franz-go/pkg/kfake"
)

// Broker is a running broker.
type Broker struct {
	cluster *kfake.Cluster
	addr    string
	lock    *os.File // held while a directory is in use; nil in memory
}

// defaults bound what a demo that runs for weeks keeps, per partition.
var defaults = map[string]string{
	"log.retention.bytes": "268435456",
	"log.retention.ms":    "604800000",
}

// Start listens on addr (host:port; port 0 picks a free one) and keeps its data in dir, or in memory
// when dir is empty. Topics are created when clients ask, with 4 partitions unless they say. Further
// options are kfake's (TLS, SASL, SeedTopics …).
func Start(addr, dir string, opts ...kfake.Opt) (*Broker, error) {
	b := &Broker{}
	if dir != "" {
		if err := b.lockDir(dir); err != nil {
			return nil, err
		}
		opts = append(opts, kfake.DataDir(dir))
	}
	base := []kfake.Opt{
		kfake.NumBrokers(1),
		kfake.ClusterID("streamsql-dev"),
		kfake.DefaultNumPartitions(4),
		kfake.AllowAutoTopicCreation(),
		kfake.BrokerConfigs(defaults),
		// kfake itself knows only loopback ports.
		kfake.ListenFn(func(network, _ string) (net.Listener, error) { return net.Listen(network, addr) }),
	}
	cluster, err := kfake.NewCluster(append(base, opts...)...)
	if err != nil {
		b.unlock()
		return nil, fmt.Errorf("start the embedded broker on %s: %w", addr, err)
	}
	b.cluster, b.addr = cluster, cluster.ListenAddrs()[0]
	return b, nil
}

// lockDir keeps two brokers from one directory, which kfake does not.
func (b *Broker) lockDir(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	f, err := os.OpenFile(filepath.Join(dir, "LOCK"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		return fmt.Errorf("another broker uses %s", dir)
	}
	b.lock = f
	return nil
}

func (b *Broker) unlock() {
	if b.lock != nil {
		b.lock.Close()
	}
}

// Addr is the bootstrap server, host:port.
func (b *Broker) Addr() string { return b.addr }

// Cluster is the broker itself, for tests that inject faults (Fault, ControlKey, MoveTopicPartition).
func (b *Broker) Cluster() *kfake.Cluster { return b.cluster }

// Close puts on disk what is not there yet and stops the broker.
func (b *Broker) Close() {
	b.cluster.Close()
	b.unlock()
}
