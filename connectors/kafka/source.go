package kafka

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/streamsql/streamsql/connectors"
	"github.com/streamsql/streamsql/connectors/format"
	"github.com/streamsql/streamsql/sql"
)

// requestWait bounds what is asked of the cluster outside the fetch loop, so that a statement over a
// cluster that is away fails instead of hanging.
const requestWait = 15 * time.Second

// unstablePause is after how long it is asked again what a transaction has in doubt.
const unstablePause = 100 * time.Millisecond

// source is one topic, read with one set of options.
type source struct {
	cfg     *config
	columns []connectors.Column
	needed  []int       // those of the columns that a query needs
	client  *kgo.Client // for metadata and offsets; readers have their own
	admin   *kadm.Client

	mu   sync.Mutex
	seen map[int32]bool // partitions that Splits has returned, nil before its first call
}

var (
	_ connectors.Source          = (*source)(nil)
	_ connectors.OffsetCommitter = (*source)(nil)
)

func newSource(cfg *config, columns []connectors.Column, needed []int) (*source, error) {
	client, err := cfg.client.newClient()
	if err != nil {
		return nil, err
	}
	return &source{cfg: cfg, columns: columns, needed: needed, client: client, admin: kadm.NewClient(client)}, nil
}

// Splits lists the topic's partitions. One that turns up in a later call is new: it is read from its
// beginning whatever the start mode, since everything in it came after the job's start.
func (s *source) Splits(ctx context.Context, bounded bool) ([]connectors.Split, error) {
	ctx, cancel := context.WithTimeout(ctx, requestWait)
	defer cancel()
	partitions, err := s.partitions(ctx)
	if err != nil {
		return nil, s.cfg.client.wrap(err, "read the metadata of topic "+sql.QuoteIdent(s.cfg.topic))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	starts, err := s.starts(ctx, partitions)
	if err != nil {
		return nil, s.cfg.client.wrap(err, "read the offsets of topic "+sql.QuoteIdent(s.cfg.topic))
	}
	ends := map[int32]int64{}
	if bounded {
		list := s.admin.ListEndOffsets
		if s.cfg.readCommitted {
			list = s.admin.ListCommittedOffsets // the last stable offset
		}
		if ends, err = s.list(ctx, list); err != nil {
			return nil, s.cfg.client.wrap(err, "read the offsets of topic "+sql.QuoteIdent(s.cfg.topic))
		}
	}
	splits := make([]connectors.Split, 0, len(partitions))
	for _, p := range partitions {
		split := connectors.Split{Topic: s.cfg.topic, Partition: p, Start: starts[p], End: -1}
		if bounded {
			split.End = ends[p]
		}
		splits = append(splits, split)
	}
	if s.seen == nil {
		s.seen = map[int32]bool{}
	}
	for _, p := range partitions {
		s.seen[p] = true
	}
	return splits, nil
}

// partitions lists the topic's partitions in order.
func (s *source) partitions(ctx context.Context) ([]int32, error) {
	topic, err := topicMetadata(ctx, s.client, s.cfg.topic)
	if err != nil {
		return nil, err
	}
	var out []int32
	for _, p := range topic.Partitions {
		out = append(out, p.Partition)
	}
	slices.Sort(out)
	return out, nil
}

// starts says where the start mode wants each partition to be read first.
func (s *source) starts(ctx context.Context, partitions []int32) (map[int32]connectors.Position, error) {
	earliest, err := s.list(ctx, s.admin.ListStartOffsets)
	if err != nil {
		return nil, err
	}
	starts := map[int32]int64{}
	switch s.cfg.start {
	case startLatest:
		starts, err = s.list(ctx, s.admin.ListEndOffsets)
	case startTimestamp:
		starts, err = s.list(ctx, func(ctx context.Context, topics ...string) (kadm.ListedOffsets, error) {
			return s.admin.ListOffsetsAfterMilli(ctx, s.cfg.startMillis, topics...)
		})
	case startOffsets:
		starts = s.cfg.startOffsets
		err = s.checkOffsets(ctx, partitions)
	case startGroup:
		starts, err = s.groupOffsets(ctx, partitions)
	}
	if err != nil {
		return nil, err
	}
	out := map[int32]connectors.Position{}
	for _, p := range partitions {
		offset, ok := starts[p]
		if !ok || s.seen != nil && !s.seen[p] {
			offset = earliest[p]
		}
		out[p] = connectors.Position{Offset: offset, LeaderEpoch: -1}
	}
	return out, nil
}

// checkOffsets looks at the offsets to start from, when they are first asked for: those that a
// partition does not hold are not to be taken for its end in silence.
func (s *source) checkOffsets(ctx context.Context, partitions []int32) error {
	if s.seen != nil {
		return nil
	}
	ends, err := s.list(ctx, s.admin.ListEndOffsets)
	if err != nil {
		return err
	}
	for p, offset := range s.cfg.startOffsets {
		if !slices.Contains(partitions, p) {
			return sql.Errorf(sql.CodeInvalidParameter, "topic %q has no partition %d, which option %q names", s.cfg.topic, p, "scan.startup.specific-offsets")
		}
		if s.cfg.onGone == onGoneFail && offset > ends[p] {
			return sql.Errorf(sql.CodeObjectNotInState, "offset %d of %s/%d does not exist: the log ends at %d", offset, s.cfg.topic, p, ends[p]).
				WithHint("Start within the log, or set the option \"on-offset-gone\" to 'earliest' or 'latest'.")
		}
	}
	return nil
}

// list runs one of kadm's listings for the topic.
func (s *source) list(ctx context.Context, listing func(context.Context, ...string) (kadm.ListedOffsets, error)) (map[int32]int64, error) {
	listed, err := listing(ctx, s.cfg.topic)
	if err != nil {
		return nil, err
	}
	if err := listed.Error(); err != nil {
		return nil, err
	}
	out := map[int32]int64{}
	listed.Each(func(o kadm.ListedOffset) { out[o.Partition] = o.Offset })
	return out, nil
}

// groupOffsets is where a group has got to. A source that reads committed records only begins at a
// committed place only, and waits for a transaction that has it in doubt, as Kafka's consumer does.
func (s *source) groupOffsets(ctx context.Context, partitions []int32) (map[int32]int64, error) {
	ask := func() (map[int32]committed, error) {
		return fetchCommitted(ctx, s.client, s.cfg.group, s.cfg.topic, partitions, s.cfg.readCommitted)
	}
	found, err := ask()
	for errors.Is(err, kerr.UnstableOffsetCommit) {
		if pauseFor(ctx, unstablePause); ctx.Err() != nil {
			break // what the broker said is the better reason
		}
		found, err = ask()
	}
	if err != nil {
		return nil, err
	}
	out := map[int32]int64{}
	for p, c := range found {
		out[p] = c.offset
	}
	return out, nil
}

// CommitOffsets notes positions for a consumer group, so that lag tools see them.
func (s *source) CommitOffsets(ctx context.Context, group string, positions []connectors.Split) error {
	ctx, cancel := context.WithTimeout(ctx, requestWait)
	defer cancel()
	offsets := kadm.Offsets{}
	for _, p := range positions {
		offsets.AddOffset(p.Topic, p.Partition, p.Start.Offset, p.Start.LeaderEpoch)
	}
	resp, err := s.admin.CommitOffsets(ctx, group, offsets)
	if err == nil {
		err = resp.Error()
	}
	return s.cfg.client.wrap(err, "commit the offsets of group "+group)
}

// Open starts reading the splits; fetching begins at once.
func (s *source) Open(ctx context.Context, splits []connectors.Split) (connectors.Reader, error) {
	decoder, err := format.NewDecoder(s.cfg.format, s.columns, s.needed, s.cfg.formatOptions)
	if err != nil {
		return nil, err
	}
	r, err := newReader(s.cfg, decoder, splits)
	if err != nil {
		return nil, err
	}
	return r, nil
}

func (s *source) Close() error {
	s.client.Close()
	return nil
}

// topicMetadata asks the cluster, not a cache, about a topic; the client learns of brokers thereby.
func topicMetadata(ctx context.Context, client *kgo.Client, topic string) (*kmsg.MetadataResponseTopic, error) {
	req := kmsg.NewPtrMetadataRequest()
	req.AllowAutoTopicCreation = false
	t := kmsg.NewMetadataRequestTopic()
	t.Topic = kmsg.StringPtr(topic)
	req.Topics = append(req.Topics, t)
	resp, err := req.RequestWith(ctx, client)
	if err != nil {
		return nil, err
	}
	if len(resp.Topics) != 1 {
		return nil, sql.Errorf(sql.CodeProtocolViolation, "metadata of %d topics for a request of one", len(resp.Topics))
	}
	found := &resp.Topics[0]
	if err := kafkaError(found.ErrorCode); err != nil {
		if isUnknownTopic(err) {
			return nil, sql.Errorf(sql.CodeUndefinedTable, "topic %q does not exist", topic)
		}
		return nil, err
	}
	return found, nil
}
