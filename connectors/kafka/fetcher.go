package kafka

import (
	"context"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// fetcher asks one broker for the partitions it leads, one request at a time: a broker answers a
// connection's requests in turn, so more would only wait behind each other.
type fetcher struct {
	r      *reader
	broker int32
	wake   chan struct{} // capacity 1: a partition may want data again
}

func (f *fetcher) run(ctx context.Context) {
	defer f.r.running.Done()
	for {
		req, parts := f.plan()
		if req == nil {
			select {
			case <-ctx.Done():
				return
			case <-f.wake:
			}
			continue
		}
		resp, err := req.RequestWith(ctx, f.r.client.Broker(int(f.broker)))
		if ctx.Err() != nil {
			return
		}
		f.r.deliver(parts, resp, err)
	}
}

// shortWait is the long poll while other partitions of the broker have unread data: they want to be
// in a request again soon, and this one would keep them out.
const shortWait = 3 * time.Millisecond

// plan makes the next request, nil when no partition wants data or the buffer is full.
func (f *fetcher) plan() (*kmsg.FetchRequest, []*partition) {
	r := f.r
	r.mu.Lock()
	defer r.mu.Unlock()
	room := r.cfg.fetch.bufferBytes - r.buffered
	if room < int64(r.cfg.fetch.partitionBytes) && r.buffered > 0 {
		return nil, nil
	}
	req := kmsg.NewPtrFetchRequest()
	topic := kmsg.NewFetchRequestTopic()
	topic.Topic, topic.TopicID = r.cfg.topic, r.topicID
	var parts []*partition
	wait := r.cfg.fetch.wait
	for i := range r.parts {
		p := r.parts[(r.fetchTurn+i)%len(r.parts)]
		if p.leader != f.broker || p.phase != phaseFetch {
			continue
		}
		if !p.wants() {
			wait = min(wait, shortWait)
			continue
		}
		rp := kmsg.NewFetchRequestTopicPartition()
		rp.Partition, rp.FetchOffset, rp.PartitionMaxBytes, rp.CurrentLeaderEpoch = p.number, p.fetch.Offset, p.maxBytes, p.leaderEpoch
		topic.Partitions = append(topic.Partitions, rp)
		p.inFlight = true
		parts = append(parts, p)
	}
	if len(parts) == 0 {
		return nil, nil
	}
	r.fetchTurn++ // a broker fills a response in the order asked for
	req.Topics = append(req.Topics, topic)
	req.MaxWaitMillis, req.MinBytes = int32(wait.Milliseconds()), r.cfg.fetch.minBytes
	req.MaxBytes = int32(min(int64(r.cfg.fetch.requestBytes), max(room, int64(r.cfg.fetch.partitionBytes))))
	req.SessionEpoch = -1 // no fetch session: the partitions asked for change with every request
	if r.cfg.readCommitted {
		req.IsolationLevel = 1
	}
	return req, parts
}

// deliver queues what a request brought.
func (r *reader) deliver(parts []*partition, resp *kmsg.FetchResponse, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, p := range parts {
		p.inFlight = false
	}
	if err == nil {
		err = kafkaError(resp.ErrorCode)
	}
	if err != nil {
		for _, p := range parts {
			r.trouble(p, err)
		}
		return
	}
	for i := range resp.Topics {
		for j := range resp.Topics[i].Partitions {
			rp := &resp.Topics[i].Partitions[j]
			for _, p := range parts {
				if p.number == rp.Partition {
					r.arrive(p, rp)
					break
				}
			}
		}
	}
	r.signal()
}

// arrive handles one partition of a response.
func (r *reader) arrive(p *partition, rp *kmsg.FetchResponseTopicPartition) {
	if err := kafkaError(rp.ErrorCode); err != nil {
		r.trouble(p, err)
		return
	}
	if p.phase != phaseFetch {
		return // it failed or moved while the request was under way
	}
	p.failures, p.waiting = 0, ""
	p.logEnd = rp.HighWatermark
	if r.cfg.readCommitted && rp.LastStableOffset >= 0 {
		p.logEnd = rp.LastStableOffset
	}
	whole, next, epoch := scanBatches(rp.RecordBatches)
	if len(whole) == 0 {
		if len(rp.RecordBatches) > 0 { // only brokers before Kafka 0.10.1 cut the first batch
			p.maxBytes = min(2*p.maxBytes, 1<<30)
		}
		return
	}
	in := &response{batches: whole, from: p.fetch.Offset}
	if r.cfg.readCommitted {
		for _, a := range rp.AbortedTransactions {
			in.aborted = append(in.aborted, abortedTxn{a.ProducerID, a.FirstOffset})
		}
	}
	r.buffered += int64(len(whole))
	p.fetched(in, max(next, p.fetch.Offset), epoch)
}
