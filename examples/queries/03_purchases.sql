-- Raw events to processed purchases, topic to topic. What cannot be decoded goes to raw_events.dlq
-- and to streamsql.dead_letters.
CREATE TABLE processed (
  event_id STRING,
  user_id BIGINT,
  amount DECIMAL(12,2),
  currency STRING,
  event_time TIMESTAMPTZ,
  processed_at TIMESTAMPTZ,
  amount_usd DECIMAL(14,4)
) WITH (
  'connector' = 'kafka',
  'topic' = 'processed',
  'properties.bootstrap.servers' = '127.0.0.1:19092',
  'format' = 'json'
);

INSERT INTO processed
SELECT event_id, user_id, amount, currency, event_time, now() AS processed_at, amount * 1.1 AS amount_usd
FROM raw_events
WHERE event_type = 'purchase';
