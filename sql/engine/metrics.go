package engine

import (
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/streamsql/streamsql/exec"
	"github.com/streamsql/streamsql/exec/stream"
)

// counters are what the engine counts itself; what jobs and the store measure is read when
// /metrics is asked for.
type counters struct {
	sessions        atomic.Int64
	statements      atomic.Int64
	statementErrors atomic.Int64

	epochSeconds *prometheus.HistogramVec
	commits      *prometheus.HistogramVec
	latency      *prometheus.HistogramVec
}

func newCounters() counters {
	buckets := prometheus.ExponentialBuckets(0.0005, 2, 16)
	return counters{
		epochSeconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "streamsql_epoch_duration_seconds",
			Help: "Time from an epoch's barrier until it is committed, by job.", Buckets: buckets}, []string{"job"}),
		commits: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "streamsql_commit_duration_seconds",
			Help: "Time of an epoch's synced commit, by job.", Buckets: buckets}, []string{"job"}),
		latency: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "streamsql_latency_seconds",
			Help: "Time from the timestamp of an epoch's oldest record until the epoch is committed and can be read, by job.", Buckets: buckets}, []string{"job"}),
	}
}

func (c *counters) epoch(job string, ep *exec.Epoch) {
	c.epochSeconds.WithLabelValues(job).Observe((ep.Aligned + ep.Commit).Seconds())
	c.commits.WithLabelValues(job).Observe(ep.Commit.Seconds())
	if !ep.Oldest.IsZero() {
		c.latency.WithLabelValues(job).Observe(time.Since(ep.Oldest).Seconds())
	}
}

// collector reads everything for Prometheus when it is asked for.
type collector struct{ e *Engine }

// Collector is the engine's metrics.
func (e *Engine) Collector() prometheus.Collector { return &collector{e} }

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("streamsql_"+name, help, labels, nil)
}

var (
	descUp          = desc("up_seconds", "Seconds since the server started.")
	descSessions    = desc("sessions", "Client sessions now.")
	descStatements  = desc("statements_total", "Statements executed.")
	descErrors      = desc("statement_errors_total", "Statements that failed.")
	descJobUp       = desc("job_up", "1 when the job runs, else 0.", "job")
	descRestarts    = desc("job_restarts_total", "Restarts of the job.", "job")
	descEpoch       = desc("job_epoch", "The last committed epoch.", "job")
	descDelivered   = desc("sink_delivered_epoch", "The last epoch that the sink's target has confirmed.", "job")
	descDead        = desc("dead_letters_total", "Records and rows that could not be handled, by job.", "job")
	descLate        = desc("late_rows_total", "Rows that came after their windows had closed, by job.", "job")
	descRecords     = desc("source_records_total", "Records read, by job and source.", "job", "source")
	descBytes       = desc("source_bytes_total", "Payload bytes read, by job and source.", "job", "source")
	descAhead       = desc("source_ahead_rows_total", "Rows whose event time was further ahead of the wall clock than watermark.max-skew.", "job", "source")
	descUntimed     = desc("source_untimed_rows_total", "Rows without an event time, which belong to no window.", "job", "source")
	descLag         = desc("source_lag_records", "Records behind the end of the log; epochs, where the source is a view or a table.", "job", "source", "topic", "partition")
	descDelay       = desc("watermark_delay_seconds", "Wall clock less watermark.", "job", "source", "topic", "partition")
	descOut         = desc("job_rows_out_total", "Rows that the job's last operators have put out.", "job")
	descState       = desc("job_state_bytes", "Memory that the job's operators hold for state.", "job")
	descDisk        = desc("state_disk_bytes", "Bytes of state on disk.")
	descMemtable    = desc("state_memtable_bytes", "Bytes of state in memory tables.")
	descCacheHits   = desc("state_cache_hits_total", "Lookups that the block cache answered.")
	descCacheMisses = desc("state_cache_misses_total", "Lookups that had to read the disk.")
)

// Describe implements prometheus.Collector.
func (c *collector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{descUp, descSessions, descStatements, descErrors, descJobUp, descRestarts, descEpoch, descDelivered, descDead, descLate,
		descRecords, descBytes, descAhead, descUntimed, descLag, descDelay, descOut, descState, descDisk, descMemtable, descCacheHits, descCacheMisses} {
		ch <- d
	}
	for _, v := range c.vectors() {
		v.Describe(ch)
	}
}

func (c *collector) vectors() []prometheus.Collector {
	k := &c.e.counters
	return []prometheus.Collector{k.epochSeconds, k.commits, k.latency}
}

// Collect implements prometheus.Collector.
func (c *collector) Collect(ch chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	count := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, v, labels...)
	}
	k := &c.e.counters
	gauge(descUp, time.Since(c.e.started).Seconds())
	gauge(descSessions, float64(k.sessions.Load()))
	count(descStatements, float64(k.statements.Load()))
	count(descErrors, float64(k.statementErrors.Load()))
	for _, j := range c.e.jobs.list() {
		c.job(j, gauge, count)
	}
	m := c.e.store.Metrics()
	gauge(descDisk, float64(m.DiskBytes))
	gauge(descMemtable, float64(m.MemTableBytes))
	count(descCacheHits, float64(m.CacheHits))
	count(descCacheMisses, float64(m.CacheMisses))
	for _, v := range c.vectors() {
		v.Collect(ch)
	}
}

func (c *collector) job(j *job, gauge, count func(*prometheus.Desc, float64, ...string)) {
	name, st := j.obj.Name, j.status()
	up := 0.0
	if st.state == jobRunning {
		up = 1
	}
	gauge(descJobUp, up, name)
	count(descRestarts, float64(st.restarts), name)
	gauge(descEpoch, float64(st.epoch), name)
	events, err := c.e.eventsOf(j.obj.ID)
	if err != nil {
		c.e.log.Warn("events not counted", "job", name, "error", err)
	}
	count(descDead, float64(events.Dead), name) // from 0 on, or a rate would miss the first
	count(descLate, float64(events.Late), name)
	if d := j.currentDelivery(); d != nil {
		if epoch, at := d.position(); !at.IsZero() {
			gauge(descDelivered, float64(epoch), name)
		}
	}
	stats := j.stats()
	var stateBytes int64
	for _, op := range stats.Operators {
		stateBytes += op.StateBytes
	}
	gauge(descState, float64(stateBytes), name)
	if n := len(stats.Operators); n > 0 {
		var out int64
		for _, op := range stats.Operators {
			if last := stats.Operators[n-1]; op.Fragment == last.Fragment && op.Name == last.Name {
				out += op.RowsIn
			}
		}
		count(descOut, float64(out), name)
	}
	now := time.Now().UnixMicro()
	for _, src := range stats.Sources {
		count(descRecords, float64(src.Records), name, src.Name)
		count(descBytes, float64(src.Bytes), name, src.Name)
		count(descAhead, float64(src.Skewed), name, src.Name)
		count(descUntimed, float64(src.Untimed), name, src.Name)
		for _, sp := range src.Splits {
			partition := itoa(uint32(sp.Partition))
			if sp.End >= 0 {
				gauge(descLag, float64(max(0, sp.End-sp.Position)), name, src.Name, sp.Topic, partition)
			}
			if sp.Watermark != stream.MinWatermark && sp.Watermark != stream.MaxWatermark {
				gauge(descDelay, float64(now-int64(sp.Watermark))/1e6, name, src.Name, sp.Topic, partition)
			}
		}
	}
}
