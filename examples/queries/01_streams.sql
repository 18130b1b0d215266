-- The sample streams, as tables. Event time comes from the records; five seconds of disorder are allowed for.
CREATE TABLE orders (
  order_id STRING,
  customer_id STRING,
  amount DECIMAL(10,2),
  category STRING,
  event_time TIMESTAMP(3),
  WATERMARK FOR event_time AS event_time - INTERVAL '5' SECOND
) WITH (
  'connector' = 'kafka',
  'topic' = 'orders.created',
  'properties.bootstrap.servers' = '127.0.0.1:19092',
  'format' = 'json'
);

CREATE TABLE raw_events (
  event_id STRING,
  event_type STRING,
  user_id BIGINT,
  amount DECIMAL(12,2),
  currency STRING,
  event_time TIMESTAMPTZ,
  WATERMARK FOR event_time AS event_time - INTERVAL '5' SECOND
) WITH (
  'connector' = 'kafka',
  'topic' = 'raw_events',
  'properties.bootstrap.servers' = '127.0.0.1:19092',
  'format' = 'json',
  'dlq.topic' = 'raw_events.dlq'
);

CREATE TABLE sensors (
  sensor_id INT,
  location ROW<building STRING, floor INT>,
  reading ROW<temperature DOUBLE PRECISION, humidity DOUBLE PRECISION>,
  tags ARRAY<STRING>,
  event_time TIMESTAMP(3),
  WATERMARK FOR event_time AS event_time - INTERVAL '2' SECOND
) WITH (
  'connector' = 'kafka',
  'topic' = 'sensors',
  'properties.bootstrap.servers' = '127.0.0.1:19092',
  'format' = 'json'
);

CREATE SOURCE clicks (
  user_id BIGINT,
  session_id UUID,
  url VARCHAR,
  referrer VARCHAR,
  device JSONB,
  event_time TIMESTAMP,
  WATERMARK FOR event_time AS event_time - INTERVAL '10 seconds'
) WITH (
  connector = 'kafka',
  topic = 'clicks',
  properties.bootstrap.server = '127.0.0.1:19092'
) FORMAT PLAIN ENCODE JSON;
