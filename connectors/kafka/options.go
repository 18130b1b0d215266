package kafka

import (
	"strconv"
	"strings"
	"time"

	"github.com/streamsql/streamsql/connectors"
	"github.com/streamsql/streamsql/connectors/format"
	"github.com/streamsql/streamsql/sql"
)

// EngineOptions are options of a relation that the connector accepts and leaves to the engine.
var EngineOptions = []string{
	"delivery", "dlq.topic", "late.topic", "checkpoint_interval", "parallelism",
	"watermark.idle-timeout", "watermark.max-skew", "allowed-lateness",
	"scan.topic-partition-discovery.interval",
}

// What to do with a record that cannot be decoded.
const (
	onErrorDeadLetter = "dead-letter"
	onErrorFail       = "fail"
	onErrorSkip       = "skip"
)

// What to do when the log no longer holds a position.
const (
	onGoneFail     = "fail"
	onGoneEarliest = "earliest"
	onGoneLatest   = "latest"
)

// The starts of a source.
const (
	startEarliest  = "earliest"
	startLatest    = "latest"
	startGroup     = "group-offsets"
	startTimestamp = "timestamp"
	startOffsets   = "specific-offsets"
)

// config is a relation's options, read and checked.
type config struct {
	relation string
	topic    string
	client   clientConfig

	format        string
	formatOptions map[string]string
	keyFormat     string
	keyOptions    map[string]string
	keyFields     []int // indexes into the relation's columns, nil = the primary key or no key

	// Sources.
	group         string
	start         string
	startMillis   int64           // of startTimestamp
	startOffsets  map[int32]int64 // of startOffsets, by partition
	onError       string
	onGone        string
	readCommitted bool
	fetch         fetchLimits

	// Sinks.
	upsert            bool
	partitioner       string
	transactionPrefix string
	transactionWait   time.Duration // how long the broker keeps a transaction open
	topicPartitions   int32         // for a topic to be created; -1 = the broker's default
	topicReplication  int16
	compression       int
}

// fetchLimits bounds fetch requests and what is read ahead.
type fetchLimits struct {
	partitionBytes int32
	requestBytes   int32
	minBytes       int32
	wait           time.Duration
	bufferBytes    int64 // over all partitions of a reader
}

// readConfig reads the options of r. Every option it asks for is thereby known.
func readConfig(r connectors.Relation) (*config, error) {
	o := connectors.NewOptions(r.Options)
	c := &config{relation: r.Name}
	c.topic = o.Required("topic")
	if strings.ContainsAny(c.topic, ";,") {
		o.Fail(sql.Unsupported("a list of topics", "Create one table for each topic and combine them with UNION ALL."))
	}
	c.client = readClient(o)
	c.readFormats(o, r)
	c.readSource(o)
	c.readSink(o)
	for _, name := range EngineOptions {
		o.Has(name)
	}
	for _, name := range []string{"scan.parallelism", "sink.parallelism"} {
		o.Has(name) // how Flink spreads work over its own tasks
	}
	o.Enum("scan.bounded.mode", "unbounded", "unbounded", "latest-offset")
	return c, o.Err()
}

func (c *config) readFormats(o *connectors.Options, r connectors.Relation) {
	c.format, c.formatOptions = format.Read(o)
	c.keyFormat = strings.ToLower(o.String("key.format", c.format))
	c.keyOptions = map[string]string{}
	if c.keyFormat == c.format {
		for k, v := range c.formatOptions {
			c.keyOptions[k] = v
		}
	}
	for k, v := range o.Prefix("key." + c.keyFormat + ".") {
		c.keyOptions[c.keyFormat+"."+k] = v
	}
	o.Enum("value.fields-include", "ALL", "ALL")
	if fields := o.String("key.fields", ""); fields != "" {
		c.keyFields = columnList(o, r, "key.fields", strings.FieldsFunc(fields, func(c rune) bool { return c == ';' || c == ',' }))
	}
	if key := o.String("primary_key", ""); key != "" && c.keyFields == nil {
		c.keyFields = columnList(o, r, "primary_key", connectors.KeyNames(key))
	}
	if c.keyFields == nil {
		c.keyFields = r.Key
	}
}

// columnList finds the columns that an option names.
func columnList(o *connectors.Options, r connectors.Relation, option string, names []string) []int {
	var out []int
	for _, name := range names {
		name = strings.TrimSpace(name)
		i := columnIndex(r, name)
		if i < 0 {
			o.Fail(sql.Errorf(sql.CodeUndefinedColumn, "column %q named in option %q does not exist", name, option))
			return nil
		}
		out = append(out, i)
	}
	return out
}

func columnIndex(r connectors.Relation, name string) int {
	for i, col := range r.Columns {
		if col.Name == name && col.Metadata == "" {
			return i
		}
	}
	return -1
}

func (c *config) readSource(o *connectors.Options) {
	c.group = o.String("properties.group.id", "")
	mode := o.Enum("scan.startup.mode", "earliest-offset",
		"earliest-offset", startEarliest, "latest-offset", startLatest, startGroup, startTimestamp, startOffsets)
	c.start = strings.TrimSuffix(mode, "-offset")
	c.startMillis = o.Int("scan.startup.timestamp-millis", -1, 0, 1<<53)
	if c.startMillis < 0 {
		c.startMillis = o.Int("scan.startup.timestamp.millis", -1, 0, 1<<53)
	}
	if c.startMillis >= 0 && !o.Has("scan.startup.mode") {
		c.start = startTimestamp // RisingWave's way to say so
	}
	if c.start == startTimestamp && c.startMillis < 0 {
		o.Fail(sql.Errorf(sql.CodeInvalidParameter, "option %q is required with scan.startup.mode = 'timestamp'", "scan.startup.timestamp-millis"))
	}
	offsets := o.String("scan.startup.specific-offsets", "")
	if c.start == startOffsets {
		c.startOffsets = readOffsets(o, offsets)
	}
	if c.start == startGroup && c.group == "" {
		o.Fail(sql.Errorf(sql.CodeInvalidParameter, "option %q is required with scan.startup.mode = 'group-offsets'", "properties.group.id"))
	}
	c.onError = o.Enum("on-error", onErrorDeadLetter, onErrorDeadLetter, onErrorFail, onErrorSkip)
	c.onGone = o.Enum("on-offset-gone", onGoneFail, onGoneFail, onGoneEarliest, onGoneLatest)
	isolation := o.Enum("isolation.level", "read_committed", "read_committed", "read_uncommitted")
	if o.Has("properties.isolation.level") && !o.Has("isolation.level") {
		isolation = o.Enum("properties.isolation.level", "", "read_committed", "read_uncommitted")
	}
	c.readCommitted = isolation != "read_uncommitted"
	c.fetch = fetchLimits{
		partitionBytes: int32(o.Size("properties.max.partition.fetch.bytes", 4<<20, 1, 1<<30)),
		requestBytes:   int32(o.Size("properties.fetch.max.bytes", 32<<20, 1, 1<<30)),
		minBytes:       int32(o.Size("properties.fetch.min.bytes", 1, 0, 1<<30)),
		wait:           o.Duration("properties.fetch.max.wait.ms", 500*time.Millisecond),
		bufferBytes:    o.Size("scan.buffer-bytes", 64<<20, 1<<20, 1<<40),
	}
	if o.Has("properties.fetch.message.max.bytes") { // librdkafka's name
		c.fetch.partitionBytes = int32(o.Size("properties.fetch.message.max.bytes", 4<<20, 1, 1<<30))
	}
	if o.Has("properties.fetch.wait.max.ms") {
		c.fetch.wait = o.Duration("properties.fetch.wait.max.ms", 500*time.Millisecond)
	}
}

// readOffsets reads 'partition:0,offset:42;partition:1,offset:300'.
func readOffsets(o *connectors.Options, list string) map[int32]int64 {
	offsets := map[int32]int64{}
	for _, item := range strings.Split(list, ";") {
		p, off, ok := strings.Cut(strings.ReplaceAll(item, " ", ""), ",")
		p, ok1 := strings.CutPrefix(p, "partition:")
		off, ok2 := strings.CutPrefix(off, "offset:")
		partition, err1 := strconv.ParseInt(p, 10, 32)
		offset, err2 := strconv.ParseInt(off, 10, 64)
		if !ok || !ok1 || !ok2 || err1 != nil || err2 != nil || partition < 0 || offset < 0 {
			o.Fail(sql.Errorf(sql.CodeInvalidParameter, "invalid value for option %q: %q", "scan.startup.specific-offsets", list).
				WithHint("Write partition:0,offset:42;partition:1,offset:300."))
			return nil
		}
		offsets[int32(partition)] = offset
	}
	return offsets
}

func (c *config) readSink(o *connectors.Options) {
	kind := o.Enum("type", "append-only", "append-only", "upsert")
	c.upsert = kind == "upsert"
	if c.upsert && len(c.keyFields) == 0 {
		o.Fail(sql.Errorf(sql.CodeInvalidParameter, "an upsert sink requires a primary key").
			WithHint("Declare PRIMARY KEY … NOT ENFORCED, or set the option primary_key."))
	}
	c.partitioner = o.Enum("sink.partitioner", "default", "default", "fixed", "round-robin")
	o.Enum("sink.delivery-guarantee", "exactly-once", "exactly-once", "at-least-once", "none") // the engine's choice
	c.transactionPrefix = o.String("sink.transactional-id-prefix", "streamsql")
	c.transactionWait = o.Duration("properties.transaction.timeout.ms", 5*time.Minute)
	c.topicPartitions = int32(o.Int("topic.partitions", -1, 1, 100_000))
	c.topicReplication = int16(o.Int("topic.replication-factor", -1, 1, 1000))
	codecs := map[string]int{"none": codecNone, "gzip": codecGzip, "snappy": codecSnappy, "lz4": codecLZ4, "zstd": codecZstd}
	c.compression = codecs[o.Enum("properties.compression.type", "lz4", "none", "gzip", "snappy", "lz4", "zstd")]
}
