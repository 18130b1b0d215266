package kafka

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/streamsql/streamsql/connectors"
	"github.com/streamsql/streamsql/sql"
)

// deletedWait is how long a topic may be unknown before the reader gives up: brokers that start or
// take over partitions say so for a moment.
const deletedWait = time.Minute

// trouble decides what an error means for a partition. The caller holds the lock.
func (r *reader) trouble(p *partition, err error) {
	switch {
	case errors.Is(err, kerr.OffsetOutOfRange):
		p.lose(phaseRange, "")
	case isFinal(err):
		p.fail(r.cfg.client.wrap(err, fmt.Sprintf("read %s/%d", r.cfg.topic, p.number)))
		r.signal()
	default:
		p.lose(phaseLocate, reason(err))
	}
	select {
	case r.lost <- struct{}{}:
	default:
	}
}

// reason is an error in a line of streamsql.sources.
func reason(err error) string {
	var broker *kerr.Error
	if errors.As(err, &broker) {
		return broker.Description
	}
	return err.Error()
}

// recoverLoop finds the leaders of partitions that have none, or whose leader refused them.
func (r *reader) recoverLoop(ctx context.Context) {
	defer r.running.Done()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		case <-r.lost:
		}
		due, pause := r.due()
		if len(due) > 0 {
			r.recover(ctx, due)
			_, pause = r.due()
		}
		if pause >= 0 {
			timer.Reset(pause)
		}
	}
}

// due lists the partitions to recover now; pause is the time until the next one, −1 = none.
func (r *reader) due() (due []*partition, pause time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	pause = -1
	now := time.Now()
	for _, p := range r.parts {
		if p.phase != phaseLocate && p.phase != phaseRange || p.inFlight {
			continue
		}
		wait := p.retryAt.Sub(now)
		if wait <= 0 {
			due = append(due, p)
			wait = 0
		}
		if pause < 0 || wait < pause {
			pause = wait
		}
	}
	return due, pause
}

// recover brings partitions back to fetching, or leaves them for a later try with the reason.
func (r *reader) recover(ctx context.Context, parts []*partition) {
	ctx, cancel := context.WithTimeout(ctx, requestWait)
	defer cancel()
	meta, err := topicMetadata(ctx, r.client, r.cfg.topic)
	if err == nil {
		err = r.checkTopic(ctx, meta)
	}
	if err == nil {
		err = r.checkRange(ctx, parts)
	}
	if err == nil {
		err = r.checkEpochs(ctx, parts, meta)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil {
		r.postpone(parts, err)
		return
	}
	r.unknownSince = time.Time{}
	for _, p := range parts {
		if p.phase == phaseRange { // its leader was not there to ask
			p.lose(phaseRange, "the log's range is not known yet")
		}
		if p.phase != phaseLocate {
			continue
		}
		leader, epoch, err := leaderOf(meta, p.number)
		if err != nil {
			p.lose(phaseLocate, reason(err))
			continue
		}
		p.phase, p.leader, p.leaderEpoch = phaseFetch, leader, epoch
		if p.end >= 0 && p.fetch.Offset >= p.end {
			p.phase = phaseFinished
		}
		r.fetcherOf(leader)
	}
	r.kick()
	r.signal()
}

// postpone notes why nothing could be recovered. The caller holds the lock.
func (r *reader) postpone(parts []*partition, err error) {
	if sql.AsError(err).Code == sql.CodeUndefinedTable {
		if r.unknownSince.IsZero() {
			r.unknownSince = time.Now()
		}
	} else {
		r.unknownSince = time.Time{}
	}
	final := isFinal(err) || !r.unknownSince.IsZero() && time.Since(r.unknownSince) > deletedWait
	for _, p := range parts {
		if final {
			p.fail(r.cfg.client.wrap(err, "read "+r.cfg.topic))
		} else {
			p.lose(p.phase, reason(err))
		}
	}
	r.signal()
}

// leaderOf finds a partition's leader in the topic's metadata.
func leaderOf(meta *kmsg.MetadataResponseTopic, number int32) (leader, epoch int32, err error) {
	for i := range meta.Partitions {
		if p := &meta.Partitions[i]; p.Partition == number {
			if err := kafkaError(p.ErrorCode); err != nil {
				return -1, -1, err
			}
			if p.Leader < 0 {
				return -1, -1, kerr.LeaderNotAvailable
			}
			return p.Leader, p.LeaderEpoch, nil
		}
	}
	return -1, -1, kerr.UnknownTopicOrPartition
}

// checkTopic notices that the topic was deleted and created again: its offsets are other records'.
func (r *reader) checkTopic(ctx context.Context, meta *kmsg.MetadataResponseTopic) error {
	r.mu.Lock()
	old := r.topicID
	if old == ([16]byte{}) { // seen for the first time
		r.topicID, old = meta.TopicID, meta.TopicID
	}
	r.mu.Unlock()
	if old == meta.TopicID {
		return nil
	}
	listed, err := r.listRange(ctx)
	if err != nil {
		return err // and notices it again
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.topicID = meta.TopicID
	for _, p := range r.parts {
		if p.phase != phaseFailed && p.phase != phaseFinished {
			r.gone(p, listed[p.number], fmt.Sprintf("topic %q was deleted and created again", r.cfg.topic))
		}
	}
	return nil
}

// offsetRange is what the log of a partition holds: from start, up to but not including end.
type offsetRange struct{ start, end int64 }

func (r *reader) listRange(ctx context.Context) (map[int32]offsetRange, error) {
	starts, err := r.admin.ListStartOffsets(ctx, r.cfg.topic)
	if err != nil {
		return nil, err
	}
	ends, err := r.admin.ListEndOffsets(ctx, r.cfg.topic)
	if err != nil {
		return nil, err
	}
	out := map[int32]offsetRange{}
	starts.Each(func(o kadm.ListedOffset) {
		if end, ok := ends.Lookup(o.Topic, o.Partition); ok && o.Err == nil && end.Err == nil {
			out[o.Partition] = offsetRange{o.Offset, end.Offset}
		}
	})
	return out, nil
}

// checkRange decides on the partitions whose offset the log does not hold.
func (r *reader) checkRange(ctx context.Context, parts []*partition) error {
	wanted := false
	for _, p := range parts {
		wanted = wanted || p.phase == phaseRange
	}
	if !wanted {
		return nil
	}
	listed, err := r.listRange(ctx)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, p := range parts {
		held, ok := listed[p.number]
		if p.phase != phaseRange || !ok {
			continue
		}
		switch {
		case p.fetch.Offset < held.start:
			r.gone(p, held, fmt.Sprintf("the log now starts at %d: %d offsets are missing", held.start, held.start-p.fetch.Offset))
		case p.fetch.Offset > held.end:
			r.gone(p, held, fmt.Sprintf("the log ends at %d: the last %d offsets read are missing", held.end, p.fetch.Offset-held.end))
		default: // it was so for a moment, while the leader changed
			p.phase = phaseLocate
		}
	}
	return nil
}

// gone does what on-offset-gone says about a position that the log no longer holds. The caller holds the lock.
func (r *reader) gone(p *partition, held offsetRange, why string) {
	at := p.fetch.Offset
	to := held.start
	switch r.cfg.onGone {
	case onGoneFail:
		p.fail(sql.Errorf(sql.CodeObjectNotInState, "offset %d of %s/%d is gone: %s", at, r.cfg.topic, p.number, why).
			WithHint("ALTER TABLE … SET (\"on-offset-gone\" = 'earliest') or 'latest' goes on without them."))
		return
	case onGoneLatest:
		to = held.end
	}
	slog.Warn("kafka: position is gone, going on elsewhere", "topic", r.cfg.topic, "partition", p.number, "offset", at, "to", to, "reason", why)
	p.fetch = connectors.Position{Offset: to, LeaderEpoch: -1}
	p.phase = phaseLocate
}

// checkEpochs notices that the log was cut behind our back: after an unclean election the new leader
// may lack records that we have read. It asks each leader where the epoch of our last record ends.
func (r *reader) checkEpochs(ctx context.Context, parts []*partition, meta *kmsg.MetadataResponseTopic) error {
	var ask kadm.OffsetForLeaderEpochRequest
	r.mu.Lock()
	for _, p := range parts {
		_, epoch, err := leaderOf(meta, p.number)
		if p.phase == phaseLocate && err == nil && p.fetch.LeaderEpoch >= 0 && epoch != p.leaderEpoch {
			ask.Add(r.cfg.topic, p.number, p.fetch.LeaderEpoch)
		}
	}
	r.mu.Unlock()
	if ask == nil {
		return nil
	}
	answers, err := r.admin.OffsetForLeaderEpoch(ctx, ask)
	if err != nil {
		return err
	}
	var listed map[int32]offsetRange
	for _, p := range parts {
		a, ok := answers[r.cfg.topic][p.number]
		if !ok || a.Err != nil || a.EndOffset < 0 || a.EndOffset >= p.fetch.Offset {
			continue
		}
		if listed == nil {
			if listed, err = r.listRange(ctx); err != nil {
				return err
			}
		}
		r.mu.Lock()
		held := listed[p.number]
		held.start = max(held.start, a.EndOffset) // the first record not read from this log
		r.gone(p, held, fmt.Sprintf("the log was truncated to %d: the last %d offsets read are missing", a.EndOffset, p.fetch.Offset-a.EndOffset))
		r.mu.Unlock()
	}
	return nil
}
