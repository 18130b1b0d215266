// Package kafkatest runs a real Apache Kafka (one node, KRaft) for tests and benchmarks.
//
// The jars come from Maven once, into the user's cache directory; Java 17 runs them. A broker dies
// with the process that started it, even when that is killed.
//
//	func TestMain(m *testing.M) { kafkatest.Main(m) }   // stops the shared broker
//	func TestX(t *testing.T)    { b := kafkatest.Shared(t); … }
package kafkatest
