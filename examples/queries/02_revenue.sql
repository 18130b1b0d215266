-- Orders in five-minute windows per category, kept up to date and read like a table.
CREATE MATERIALIZED VIEW revenue AS
SELECT window_start, window_end, category,
       COUNT(*) AS order_count, SUM(amount) AS total_revenue, AVG(amount) AS avg_order_value
FROM TABLE(TUMBLE(TABLE orders, DESCRIPTOR(event_time), INTERVAL '5' MINUTES))
GROUP BY window_start, window_end, category;

-- The same windows as a topic: each is written once, when it closes.
CREATE SINK revenue_topic AS
SELECT window_start, window_end, category, COUNT(*) AS order_count, SUM(amount) AS total_revenue
FROM TABLE(TUMBLE(TABLE orders, DESCRIPTOR(event_time), INTERVAL '5' MINUTES))
GROUP BY window_start, window_end, category
WITH (connector = 'kafka', topic = 'revenue', properties.bootstrap.server = '127.0.0.1:19092', format = 'json');
