package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"

	"github.com/streamsql/streamsql/connectors/kafka/kafkatest"
	"github.com/streamsql/streamsql/connectors/postgres/pgtest"
)

// cluster is what stays through all topologies: a Kafka and a PostgreSQL, each with a proxy in front
// that the server and the generator go through, and that nobody uses who verifies.
type cluster struct {
	kafka      *kafkatest.Broker
	kafkaProxy *proxy
	kafkaMu    sync.Mutex // held through a fault of Kafka's

	postgres      *pgtest.Server
	postgresProxy *proxy
	postgresMu    sync.Mutex // held through a fault of PostgreSQL's
}

func startCluster(dir string) (c *cluster, err error) {
	c = &cluster{}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.close())
			c = nil
		}
	}()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return c, err
	}
	if c.kafkaProxy, err = listenProxy(func() string { return c.kafka.Behind() }); err != nil {
		return c, err
	}
	if c.kafka, err = kafkatest.Run(kafkatest.Options{Dir: dir, Proxy: c.kafkaProxy.addr()}); err != nil {
		return c, err
	}
	if c.postgres, err = pgtest.Run(); err != nil {
		return c, err
	}
	c.postgresProxy, err = listenProxy(func() string { return fmt.Sprintf("127.0.0.1:%d", c.postgres.Port) })
	return c, err
}

func (c *cluster) close() error {
	var errs []error
	for _, p := range []*proxy{c.kafkaProxy, c.postgresProxy} {
		if p != nil {
			errs = append(errs, p.close())
		}
	}
	if c.kafka != nil {
		errs = append(errs, c.kafka.Close())
	}
	if c.postgres != nil {
		c.postgres.Close()
	}
	return errors.Join(errs...)
}

// signalAll sends a signal to processes that may have ended.
func signalAll(pids []int, sig syscall.Signal) {
	for _, pid := range pids {
		_ = syscall.Kill(pid, sig)
	}
}

// postgresURL is the way through the proxy.
func (c *cluster) postgresURL() string {
	return fmt.Sprintf("postgres://postgres@%s/postgres?sslmode=disable", c.postgresProxy.addr())
}

// oracle connects past the proxy.
func (c *cluster) oracle(ctx context.Context) (*oracle, error) {
	o := &oracle{url: c.postgres.URL()}
	return o, o.connect(ctx)
}
