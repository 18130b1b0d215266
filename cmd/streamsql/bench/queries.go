package main

import (
	"fmt"

	"github.com/streamsql/streamsql/cmd/streamsql/bench/flink"
)

// The queries, the same text for streamsql and for Flink.
const (
	windowedQuery = `SELECT window_start, window_end, category, COUNT(*) AS orders, SUM(amount) AS total, AVG(amount) AS average
		FROM TABLE(TUMBLE(TABLE orders, DESCRIPTOR(event_time), INTERVAL '5' MINUTES))
		GROUP BY window_start, window_end, category`
	filterQuery = `SELECT order_id, customer_id, amount, event_time FROM orders WHERE amount > 100 AND category <> 'toys'`
	keysQuery   = `SELECT customer_id, COUNT(*) AS orders, SUM(amount) AS total FROM orders GROUP BY customer_id`
)

// ordersTable is the table orders over a topic, from its start on; more are further options.
func ordersTable(broker, topic, more string) string {
	return fmt.Sprintf(`CREATE TABLE orders (order_id STRING, customer_id STRING, amount DECIMAL(10, 2), category STRING, event_time TIMESTAMP(3),
		WATERMARK FOR event_time AS event_time - INTERVAL '5' SECOND)
		WITH ('connector' = 'kafka', 'topic' = '%s', 'properties.bootstrap.servers' = '%s', 'scan.startup.mode' = 'earliest-offset',
		'format' = 'json'%s)`, topic, broker, more)
}

// flinkTable is the same for Flink; a bounded one ends where the topic ends now.
func flinkTable(broker, topic string, bounded bool) string {
	more := ", " + flink.ConsumerOptions
	if bounded {
		more += ", 'scan.bounded.mode' = 'latest-offset'"
	}
	return ordersTable(broker, topic, more)
}

// outTable takes what filterQuery puts out; the topic is there.
func outTable(broker, topic, delivery string) string {
	return fmt.Sprintf(`CREATE TABLE %s (order_id STRING, customer_id STRING, amount DECIMAL(10, 2), event_time TIMESTAMP(3))
		WITH ('connector' = 'kafka', 'topic' = '%[1]s', 'properties.bootstrap.servers' = '%s', 'format' = 'json',
		'sink.delivery-guarantee' = '%s')`, topic, broker, delivery)
}
