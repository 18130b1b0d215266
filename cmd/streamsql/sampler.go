package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/streamsql/streamsql/connectors"
	"github.com/streamsql/streamsql/connectors/kafka"
	"github.com/streamsql/streamsql/connectors/sample"
)

const (
	sampleTick    = 50 * time.Millisecond
	sampleHistory = 15 * time.Minute // made at the first start, so that there are closed windows to see
)

// sampler feeds the sample streams. A record's number is the moment it is due at, in the stream's
// rate: a restart goes on with the right one, without any state.
type sampler struct {
	p    *kafka.Producer
	log  *slog.Logger
	stop context.CancelFunc
	done sync.WaitGroup
}

func startSampler(addr, dir string, log *slog.Logger) (*sampler, error) {
	p, err := kafka.NewProducer(connectors.Relation{Name: "samples", Options: map[string]string{
		"topic": "samples", "properties.bootstrap.servers": addr, "format": "raw", "topic.partitions": "4"}})
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	s := &sampler{p: p, log: log, stop: stop}
	began := time.Now()
	from := began
	marker := filepath.Join(dir, "samples")
	if _, err := os.Stat(marker); errors.Is(err, os.ErrNotExist) {
		from = began.Add(-sampleHistory)
		if err := os.WriteFile(marker, []byte(began.UTC().Format(time.RFC3339)+"\n"), 0o600); err != nil {
			return nil, errors.Join(err, s.close())
		}
	}
	for _, stream := range sample.Streams {
		if err := s.produce(ctx, stream, from, began); err != nil {
			return nil, errors.Join(err, s.close())
		}
	}
	for _, stream := range sample.Streams {
		s.done.Add(1)
		go func() {
			defer s.done.Done()
			s.run(ctx, stream, began)
		}()
	}
	return s, nil
}

// run produces what has become due, tick by tick.
func (s *sampler) run(ctx context.Context, stream sample.Stream, from time.Time) {
	tick := time.NewTicker(sampleTick)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			if err := s.produce(ctx, stream, from, now); err != nil && ctx.Err() == nil {
				s.log.Warn("sample stream", "topic", stream.Topic, "error", err)
			}
			from = now
		}
	}
}

// produce sends the records that are due in (from, to].
func (s *sampler) produce(ctx context.Context, stream sample.Stream, from, to time.Time) error {
	period := int64(time.Second) / int64(stream.Rate)
	for n := from.UnixNano()/period + 1; n <= to.UnixNano()/period; n++ {
		// The producer keeps what it is given, so each record has memory of its own.
		key, value, _ := stream.Append(nil, n, time.Unix(0, n*period))
		if err := s.p.Send(ctx, stream.Topic, key, value); err != nil {
			return fmt.Errorf("send to %s: %w", stream.Topic, err)
		}
	}
	return nil
}

func (s *sampler) close() error {
	s.stop()
	s.done.Wait()
	return s.p.Close()
}
