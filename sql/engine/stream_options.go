package engine

import (
	"strings"
	"time"

	"github.com/streamsql/streamsql/connectors"
	"github.com/streamsql/streamsql/exec"
	"github.com/streamsql/streamsql/sql/engine/catalog"
)

// streamOptions are the options of a connector table that the engine reads itself; the connector
// checked at CREATE that no others are there.
type streamOptions struct {
	onError     exec.OnError
	idleTimeout time.Duration // 0 = the default, below 0 = never idle
	maxSkew     time.Duration // 0 = the default, below 0 = any
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
	return out, opts.ValueErr()
}

// durationOrNone reads a duration; `none` is -1, no value 0.
func durationOrNone(opts *connectors.Options, key string) time.Duration {
	if strings.EqualFold(opts.String(key, ""), "none") {
		return -1
	}
	return opts.Duration(key, 0)
}
