package kafka

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/streamsql/streamsql/connectors"
	"github.com/streamsql/streamsql/sql"
)

// ensureTopic returns the topic's number of partitions, after creating it when it is missing.
func ensureTopic(ctx context.Context, cfg *config, client *kgo.Client, notice connectors.Notice) (int32, error) {
	ctx, cancel := context.WithTimeout(ctx, requestWait)
	defer cancel()
	created := false
	for try := 0; ; try++ {
		meta, err := topicMetadata(ctx, client, cfg.topic)
		if err == nil && len(meta.Partitions) > 0 {
			return int32(len(meta.Partitions)), nil
		}
		if err != nil && sql.AsError(err).Code != sql.CodeUndefinedTable || try > 0 && ctx.Err() != nil {
			return 0, cfg.client.wrap(err, "read the metadata of topic "+sql.QuoteIdent(cfg.topic))
		}
		if !created {
			if err := createTopic(ctx, cfg, client, notice); err != nil {
				return 0, err
			}
			created = true
		}
		pause(ctx, 0) // until the brokers have heard of it
	}
}

func createTopic(ctx context.Context, cfg *config, client *kgo.Client, notice connectors.Notice) error {
	resp, err := kadm.NewClient(client).CreateTopic(ctx, cfg.topicPartitions, cfg.topicReplication, nil, cfg.topic)
	if err == nil {
		err = resp.Err
	}
	if errors.Is(err, kerr.TopicAlreadyExists) {
		return nil
	}
	if err != nil {
		return cfg.client.wrap(err, "create topic "+sql.QuoteIdent(cfg.topic))
	}
	if notice != nil {
		notice(fmt.Sprintf("topic %q did not exist and was created", cfg.topic))
	}
	return nil
}

// maxMessageBytes asks how large a batch the topic takes; def when it does not say.
func maxMessageBytes(ctx context.Context, client *kgo.Client, topic string, def int) int {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	configs, err := kadm.NewClient(client).DescribeTopicConfigs(ctx, topic)
	if err != nil || len(configs) != 1 {
		return def
	}
	for _, c := range configs[0].Configs {
		if n, err := strconv.Atoi(c.MaybeValue()); c.Key == "max.message.bytes" && err == nil {
			return min(n-batchHeaderBytes, def)
		}
	}
	return def
}
