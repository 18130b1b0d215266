package engine

import (
	"strings"
	"time"

	"github.com/streamsql/streamsql/connectors"
	"github.com/streamsql/streamsql/exec"
	"github.com/streamsql/streamsql/sql"
	"github.com/streamsql/streamsql/sql/engine/catalog"
)

// streamOptions are the options of a connector table that the engine reads itself; the connector
// checked at CREATE that no others are there.
type streamOptions struct {
	onError     exec.OnError
	idleTimeout time.Duration // 0 = the default, below 0 = never idle
	maxSkew     time.Duration // 0 = the default, below 0 = any
	discovery   time.Duration // of partitions; 0 = the default, below 0 = never
}

func readStreamOptions(o *catalog.Object) (streamOptions, error) {
	var out streamOptions
	opts := connectors.NewOptions(o.Options)
	switch opts.Enum("on-error", "dead-letter", "dead-letter", "fail", "skip") {
	case "fail":
		out.onError = exec.Fail
	case "skip":
		out.onError = exec.Skip
	}
	out.idleTimeout = durationOrNone(opts, "watermark.idle-timeout")
	out.maxSkew = durationOrNone(opts, "watermark.max-skew")
	if out.discovery = opts.Duration(discoveryOption, 0); out.discovery == 0 && opts.Has(discoveryOption) {
		out.discovery = -1 // as in Flink
	}
	return out, opts.ValueErr()
}

// checkStreamOptions reads, at CREATE, what jobs will read of the options later.
func checkStreamOptions(o *catalog.Object) error {
	opts := connectors.NewOptions(o.Options)
	opts.Duration("allowed-lateness", 0)
	opts.Enum("delivery", "exactly-once", "exactly-once", "at-least-once")
	if err := opts.ValueErr(); err != nil {
		return err
	}
	_, err := readStreamOptions(o)
	return err
}

const discoveryOption = "scan.topic-partition-discovery.interval"

// followable refuses, for a job, a stream that says of itself that it ends. A SELECT reads any stream
// to its end of the moment.
func followable(snap *catalog.Snapshot, deps []uint32) error {
	for _, id := range deps {
		if o := snap.Get(id); o != nil && strings.EqualFold(o.Options["scan.bounded.mode"], "latest-offset") {
			return sql.Unsupported("a job over table "+o.Name+" with scan.bounded.mode = 'latest-offset'",
				"Leave the option out: a job follows the topic, and a SELECT ends where the topic ends.")
		}
	}
	return nil
}

// durationOrNone reads a duration; `none` is -1, no value 0.
func durationOrNone(opts *connectors.Options, key string) time.Duration {
	if strings.EqualFold(opts.String(key, ""), "none") {
		return -1
	}
	return opts.Duration(key, 0)
}
