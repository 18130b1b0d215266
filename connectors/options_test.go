package connectors

import (
	"errors"
	"testing"
	"time"

	"github.com/streamsql/streamsql/sql"
)

func TestOptions(t *testing.T) {
	read := func(o *Options) {
		o.Required("topic")
		o.Enum("scan.startup.mode", "earliest-offset", "earliest-offset", "latest-offset")
		o.Bool("a.bool", false)
		o.Int("an.int", 3, 1, 10)
		o.Duration("a.duration", time.Second)
		o.Size("a.size", 1<<20, 1, 1<<30)
		o.Prefix("properties.")
	}
	for _, c := range []struct {
		options       map[string]string
		message, hint string
	}{
		{map[string]string{"connector": "kafka", "topic": "t", "properties.anything": "1"}, "", ""},
		{map[string]string{}, `option "topic" is required`, ""},
		{map[string]string{"topic": "t", "topik": "u"}, `unrecognized option "topik"`, `Did you mean "topic"?`},
		{map[string]string{"topic": "t", "scan.statrup.mode": "u"}, `unrecognized option "scan.statrup.mode"`, `Did you mean "scan.startup.mode"?`},
		{map[string]string{"topic": "t", "zzz": "u"}, `unrecognized option "zzz"`, ""},
		{map[string]string{"topic": "t", "scan.startup.mode": "LATEST-offset"}, "", ""},
		{map[string]string{"topic": "t", "scan.startup.mode": "latest-ofset"}, `invalid value for option "scan.startup.mode": "latest-ofset"`, `Did you mean "latest-offset"?`},
		{map[string]string{"topic": "t", "scan.startup.mode": "x"}, `invalid value for option "scan.startup.mode": "x"`, `Valid values are earliest-offset, latest-offset.`},
		{map[string]string{"topic": "t", "a.bool": "maybe"}, `option "a.bool" requires a Boolean value, not "maybe"`, ""},
		{map[string]string{"topic": "t", "an.int": "x"}, `option "an.int" requires an integer, not "x"`, ""},
		{map[string]string{"topic": "t", "an.int": "11"}, `11 is outside the valid range for option "an.int" (1 .. 10)`, ""},
		{map[string]string{"topic": "t", "a.duration": "soon"}, `option "a.duration" requires a duration, not "soon"`, "Write a number and a unit: ms, s, min, h or d."},
		{map[string]string{"topic": "t", "a.size": "1 XB"}, `option "a.size" requires a size in bytes, not "1 XB"`, "Write a number and a unit: B, kB, MB, GB or TB."},
		{map[string]string{"topic": "t", "a.size": "2 GB"}, `2 GB is outside the valid range for option "a.size" (1 .. 1073741824)`, ""},
	} {
		o := NewOptions(c.options)
		read(o)
		err := o.Err()
		if c.message == "" {
			if err != nil {
				t.Errorf("%v: %v", c.options, err)
			}
			continue
		}
		var e *sql.Error
		if !errors.As(err, &e) || e.Code != sql.CodeInvalidParameter || e.Message != c.message || e.Hint != c.hint {
			t.Errorf("%v: got %+v, want %s / %s", c.options, err, c.message, c.hint)
		}
	}
}

func TestOptionValues(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"100": 100 * time.Millisecond, "100 ms": 100 * time.Millisecond, "5s": 5 * time.Second,
		"1h30m": 90 * time.Minute, "1 hour 30 minutes": 90 * time.Minute, "2 days": 48 * time.Hour, "0.5 s": 500 * time.Millisecond,
	} {
		if got, ok := parseDuration(text); !ok || got != want {
			t.Errorf("duration %q: %v %v, want %v", text, got, ok, want)
		}
	}
	for _, text := range []string{"", "s", "-5s", "5 fortnights", "1e30 d", "99999999999999 d"} {
		if got, ok := parseDuration(text); ok {
			t.Errorf("duration %q: %v", text, got)
		}
	}
	for text, want := range map[string]int64{"0": 0, "17": 17, "17b": 17, "1 kB": 1024, "16mb": 16 << 20, "3 GiB": 3 << 30} {
		if got, ok := parseSize(text); !ok || got != want {
			t.Errorf("size %q: %v %v, want %v", text, got, ok, want)
		}
	}
	for _, text := range []string{"", "kb", "-1", "1.5 MB", "9999999999 TB"} {
		if got, ok := parseSize(text); ok {
			t.Errorf("size %q: %v", text, got)
		}
	}
}

func TestNearest(t *testing.T) {
	names := []string{"topic", "format", "scan.startup.mode", "delivery"}
	for word, want := range map[string]string{"topik": "topic", "tpoic": "topic", "TOPIC": "topic", "fromat": "format", "dilivery": "delivery", "x": "", "properties": ""} {
		if got := Nearest(word, names); got != want {
			t.Errorf("%q: %q, want %q", word, got, want)
		}
	}
}
