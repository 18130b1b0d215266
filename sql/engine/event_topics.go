package engine

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/streamsql/streamsql/connectors"
	"github.com/streamsql/streamsql/sql/engine/catalog"
)

// topicSender sends events to the topics of one relation.
type topicSender struct {
	p              RecordProducer
	log            *slog.Logger
	dlq, lateTopic string
}

// topic finds the sender for an option of the relation that an event came from, or of the job itself.
func (v *jobEvents) topic(source, option string) *topicSender {
	rel := v.relation(source, option)
	if rel == nil || v.e.cfg.Producer == nil {
		return nil
	}
	if t, ok := v.topics[rel.ID]; ok {
		return t
	}
	t, err := v.newTopicSender(rel)
	if err != nil {
		v.e.log.Warn("no producer for "+option, "relation", rel.Name, "error", err)
	}
	v.topics[rel.ID] = t
	return t
}

func (v *jobEvents) newTopicSender(rel *catalog.Object) (*topicSender, error) {
	r, err := v.e.revealed(connectorRelation(rel, ""))
	if err != nil {
		return nil, err
	}
	p, err := v.e.cfg.Producer(r)
	if err != nil {
		return nil, err
	}
	return &topicSender{p: p, log: v.e.log, dlq: rel.Options["dlq.topic"], lateTopic: rel.Options["late.topic"]}, nil
}

// relation is the one whose options say where events go: the source by name among what the job reads,
// or the job's own object.
func (v *jobEvents) relation(source, option string) *catalog.Object {
	snap := v.e.catalog.Load()
	for _, id := range v.job.Deps {
		if d := snap.Get(id); d != nil && d.Options[option] != "" && (source == "" || d.Name == source) {
			return d
		}
	}
	if v.job.Options[option] != "" && v.job.Connector != "" {
		return v.job
	}
	if t := snap.Get(v.job.Target); t != nil && t.Options[option] != "" {
		return t
	}
	return nil
}

// close gives the topics a moment to take what was not waited for.
func (v *jobEvents) close() {
	ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	for _, t := range v.topics {
		if t == nil {
			continue
		}
		if v.unsent {
			if err := t.p.Flush(ctx); err != nil {
				v.e.log.Warn("events not sent to their topic", "error", err)
			}
		}
		if err := t.p.Close(); err != nil {
			v.e.log.Warn("producer not closed", "error", err)
		}
	}
}

func (t *topicSender) letter(ctx context.Context, l *connectors.DeadLetter) error {
	return t.note(t.p.SendDeadLetter(ctx, t.dlq, l))
}

func (t *topicSender) late(ctx context.Context, job string, row []byte) error {
	return t.note(t.p.Send(ctx, t.lateTopic, nil, row, "job", job))
}

// note returns the errors that pass, so that the event is sent again. About others it logs why an
// event did not reach its topic; it is in the store all the same.
func (t *topicSender) note(err error) error {
	if err == nil || isAway(err) || errors.Is(err, context.Canceled) {
		return err
	}
	t.log.Warn("event not sent to its topic", "error", err)
	return nil
}
