package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/peterbourgon/ff/v4"

	"github.com/streamsql/streamsql/connectors/kafka/devbroker"
)

// devSettings are the flags that dev has besides those of serve.
type devSettings struct {
	settings
	kafka     string
	noSamples bool
}

func (d *devSettings) register(fs *ff.FlagSet, dataDir string) {
	d.settings.register(fs, dataDir)
	fs.StringVar(&d.kafka, 0, "kafka", "127.0.0.1:19092", "address of the embedded Kafka broker")
	fs.BoolVar(&d.noSamples, 0, "no-samples", "leave the sample streams out")
}

func devCommand() *ff.Command {
	fs := ff.NewFlagSet("dev")
	var d devSettings
	d.register(fs, "streamsql-dev")
	return &ff.Command{Name: "dev", Usage: "streamsql dev [flags]", ShortHelp: "run the server with an embedded Kafka broker and sample streams", Flags: fs,
		Exec: noArguments(func(ctx context.Context) error {
			dev, err := startDev(ctx, &d)
			if err != nil {
				return err
			}
			return dev.wait(ctx)
		})}
}

// dev is a server with its broker.
type dev struct {
	*server
	broker  *devbroker.Broker
	samples *sampler
}

func startDev(ctx context.Context, d *devSettings) (*dev, error) {
	dir := filepath.Join(d.dataDir, "kafka")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	// The state's lock keeps a second server off the directory, so it comes before the broker.
	srv, err := start(ctx, &d.settings)
	if err != nil {
		return nil, err
	}
	out := &dev{server: srv}
	if out.broker, err = devbroker.Start(d.kafka, dir); err != nil {
		srv.close(context.Background())
		return nil, fmt.Errorf("start the embedded Kafka broker: %w", err)
	}
	if !d.noSamples {
		if out.samples, err = startSampler(out.broker.Addr(), dir, srv.log); err != nil {
			out.stop()
			return nil, fmt.Errorf("start the sample streams: %w", err)
		}
	}
	srv.log.Info("embedded Kafka broker", "address", out.broker.Addr())
	return out, nil
}

func (d *dev) wait(ctx context.Context) error {
	var err error
	select {
	case <-ctx.Done():
		d.log.Info("stopping")
	case err = <-d.failed:
	}
	return errors.Join(err, d.stop())
}

// stop ends producers first and the broker last.
func (d *dev) stop() error {
	var err error
	if d.samples != nil {
		err = d.samples.close()
	}
	d.server.close(context.Background())
	d.broker.Close()
	return err
}
