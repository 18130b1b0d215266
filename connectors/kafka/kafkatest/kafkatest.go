package kafkatest

import (
	"context"
	"os"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// TB is what is needed of a *testing.T or *testing.B.
type TB interface {
	Helper()
	Fatalf(format string, args ...any)
	Cleanup(func())
}

// Start runs a broker of the test's own, for one that stops or kills it.
func Start(tb TB, properties ...string) *Broker {
	tb.Helper()
	b, err := Run(Options{Properties: properties})
	if err != nil {
		tb.Fatalf("kafkatest: %v", err)
	}
	tb.Cleanup(func() { b.Close() })
	return b
}

var shared struct {
	sync.Mutex
	broker *Broker
	err    error
}

// Shared returns the broker that all tests of the package use; give your topics names of your own.
func Shared(tb TB) *Broker {
	tb.Helper()
	shared.Lock()
	defer shared.Unlock()
	if shared.broker == nil && shared.err == nil {
		shared.broker, shared.err = Run(Options{})
	}
	if shared.err != nil {
		tb.Fatalf("kafkatest: %v", shared.err)
	}
	return shared.broker
}

// Main runs a package's tests and stops its shared broker: call it from TestMain.
func Main(m interface{ Run() int }) {
	code := m.Run()
	if shared.broker != nil {
		shared.broker.Close()
	}
	os.Exit(code)
}

// Client connects to a broker; the test closes it when it ends.
func Client(tb TB, addr string, opts ...kgo.Opt) *kgo.Client {
	tb.Helper()
	cl, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(addr)}, opts...)...)
	if err != nil {
		tb.Fatalf("kafkatest: %v", err)
	}
	tb.Cleanup(cl.Close)
	return cl
}

const helperWait = 30 * time.Second

// CreateTopic creates a topic at the broker on addr, real or embedded; configs are pairs of key and value.
func CreateTopic(tb TB, addr, topic string, partitions int32, configs ...string) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), helperWait)
	defer cancel()
	values := map[string]*string{}
	for i := 0; i+1 < len(configs); i += 2 {
		values[configs[i]] = &configs[i+1]
	}
	resp, err := kadm.NewClient(Client(tb, addr)).CreateTopic(ctx, partitions, -1, values, topic)
	if err == nil {
		err = resp.Err
	}
	if err != nil {
		tb.Fatalf("kafkatest: create topic %s: %v", topic, err)
	}
}

// Produce writes values to a partition, in order.
func Produce(tb TB, addr, topic string, partition int32, values ...string) {
	tb.Helper()
	records := make([]*kgo.Record, len(values))
	for i, v := range values {
		records[i] = &kgo.Record{Topic: topic, Partition: partition, Value: []byte(v)}
	}
	ProduceRecords(tb, Client(tb, addr, kgo.RecordPartitioner(kgo.ManualPartitioner())), records...)
}

// ProduceRecords writes records and waits for them.
func ProduceRecords(tb TB, cl *kgo.Client, records ...*kgo.Record) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), helperWait)
	defer cancel()
	if err := cl.ProduceSync(ctx, records...).FirstErr(); err != nil {
		tb.Fatalf("kafkatest: produce: %v", err)
	}
}
