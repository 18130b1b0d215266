// Package limits reads a whole topic and does next to nothing with it: the lines that say how fast this
// machine, with this broker on it, can be at most.
//
//	Count     franz-go's records, counted                  what any consumer written in Go starts from
//	ByHand    fetch responses walked in place, and the     what an engine would be if it cost nothing
//	          windowed query written out in plain Go
//
// Both run in a process of their own (Main), so that their CPU time and memory are theirs alone.
package limits

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os/exec"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/streamsql/streamsql/cmd/streamsql/bench/process"
)

// The modes.
const (
	Count  = "count"
	ByHand = "by-hand"
)

// Result is what a reader found and how long it took.
type Result struct {
	Orders, Cents, Groups int64 // Count knows Orders only
	Seconds               float64
	Usage                 Usage
}

// Usage is the reader's own: it is measured from the inside, when it is done.
type Usage = process.Usage

// Run runs a reader: this program again, with the arguments that Main takes.
func Run(ctx context.Context, program, mode, broker, topic string) (*Result, error) {
	return process.OutputJSON[Result](ctx, exec.Command(program, Argument, mode, broker, topic))
}

// Argument is the first one of a program that is to be a reader.
const Argument = "limits"

// Main is the reader's process; args are those after Argument.
func Main(ctx context.Context, args []string, stdout io.Writer) error {
	if len(args) != 3 {
		return fmt.Errorf("usage: %s %s|%s BROKER TOPIC", Argument, Count, ByHand)
	}
	read := count
	switch args[0] {
	case Count:
	case ByHand:
		read = byHand
	default:
		return fmt.Errorf("there is no mode %s", args[0])
	}
	began := time.Now()
	r, err := read(ctx, args[1], args[2])
	if err != nil {
		return err
	}
	r.Seconds = time.Since(began).Seconds()
	if r.Usage, err = process.Own(); err != nil {
		return err
	}
	return json.NewEncoder(stdout).Encode(r)
}

// count polls franz-go's records.
func count(ctx context.Context, broker, topic string) (*Result, error) {
	cl, err := kgo.NewClient(kgo.SeedBrokers(broker), kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchMaxPartitionBytes(8<<20), kgo.FetchMaxBytes(32<<20))
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	ends, err := endOffsets(ctx, cl, topic)
	if err != nil {
		return nil, err
	}
	want := int64(0)
	for _, end := range ends {
		want += end
	}
	r := &Result{}
	for r.Orders < want {
		fetches := cl.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return nil, err
		}
		r.Orders += int64(fetches.NumRecords())
	}
	return r, nil
}

// endOffsets are where the topic's partitions end.
func endOffsets(ctx context.Context, cl *kgo.Client, topic string) (map[int32]int64, error) {
	listed, err := kadm.NewClient(cl).ListEndOffsets(ctx, topic)
	if err == nil {
		err = listed.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("ends of topic %s: %w", topic, err)
	}
	ends := map[int32]int64{}
	listed.Each(func(o kadm.ListedOffset) { ends[o.Partition] = o.Offset })
	return ends, nil
}
