package kafka

import (
	"context"
	"errors"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/streamsql/streamsql/sql"
)

// committed is what a group has committed for a partition.
type committed struct {
	offset   int64
	metadata string
}

// fetchCommitted asks a group's coordinator what is committed for partitions of a topic. With stable
// set it refuses to say, with a retriable error, while a transaction has that in doubt.
//
// A partition that is not in the result has nothing, and that is the coordinator's word: an answer
// without a partition that was asked for is an error. Taken for "nothing", it would start a source at
// the beginning, and a sink would deliver again what its target holds.
func fetchCommitted(ctx context.Context, client *kgo.Client, group, topic string, partitions []int32, stable bool) (map[int32]committed, error) {
	req := kmsg.NewPtrOffsetFetchRequest()
	req.Group, req.RequireStable = group, stable
	rt := kmsg.NewOffsetFetchRequestTopic()
	rt.Topic, rt.Partitions = topic, partitions
	req.Topics = append(req.Topics, rt)
	resp, err := req.RequestWith(ctx, client) // which makes one form of the versions before and since batches of groups
	if err == nil {
		err = kafkaError(resp.ErrorCode)
	}
	if errors.Is(err, kerr.GroupIDNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	answered := map[int32]bool{}
	out := map[int32]committed{}
	for _, rt := range resp.Topics {
		if rt.Topic != topic {
			continue
		}
		for _, p := range rt.Partitions {
			if err := kafkaError(p.ErrorCode); err != nil {
				return nil, err
			}
			answered[p.Partition] = true
			if p.Offset < 0 {
				continue
			}
			c := committed{offset: p.Offset}
			if p.Metadata != nil {
				c.metadata = *p.Metadata
			}
			out[p.Partition] = c
		}
	}
	for _, p := range partitions {
		if !answered[p] {
			return nil, sql.Errorf(sql.CodeProtocolViolation, "the broker does not say what group %q has committed for %s/%d", group, topic, p)
		}
	}
	return out, nil
}
