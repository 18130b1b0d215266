package engine

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/streamsql/streamsql/exec"
	"github.com/streamsql/streamsql/exec/stream"
	"github.com/streamsql/streamsql/sql"
	"github.com/streamsql/streamsql/sql/engine/catalog"
	"github.com/streamsql/streamsql/state"
)

// streamTables are the tables of schema streamsql.
func streamTables() []systemTable {
	const schema = catalog.SystemSchema
	return []systemTable{
		{schema, "jobs", cols("id", sql.TypeInt8, "name", sql.TypeText, "kind", sql.TypeText, "state", sql.TypeText,
			"last_error", sql.TypeText, "last_error_at", sql.TypeTimestamptz, "restarts", sql.TypeInt8, "epoch", sql.TypeInt8,
			"delivered_epoch", sql.TypeInt8, "last_progress_at", sql.TypeTimestamptz, "started_at", sql.TypeTimestamptz,
			"bottleneck", sql.TypeText, "undelivered_bytes", sql.TypeInt8), jobRows},
		{schema, "sources", cols("job", sql.TypeText, "source", sql.TypeText, "topic", sql.TypeText, "partition", sql.TypeInt4,
			"position", sql.TypeInt8, "end", sql.TypeInt8, "lag", sql.TypeInt8, "watermark", sql.TypeTimestamptz, "error", sql.TypeText), sourceRows},
		{schema, "operators", cols("job", sql.TypeText, "fragment", sql.TypeText, "operator", sql.TypeText, "task", sql.TypeInt4,
			"rows_in", sql.TypeInt8, "rows_out", sql.TypeInt8, "busy_ms", sql.TypeFloat8, "blocked_ms", sql.TypeFloat8,
			"late_rows", sql.TypeInt8, "dead_rows", sql.TypeInt8, "state_bytes", sql.TypeInt8, "watermark", sql.TypeTimestamptz), operatorRows},
		{schema, "dead_letters", cols("time", sql.TypeTimestamptz, "job", sql.TypeText, "source", sql.TypeText, "topic", sql.TypeText,
			"partition", sql.TypeInt4, "offset", sql.TypeInt8, "key", sql.TypeBytea, "payload", sql.TypeBytea, "field", sql.TypeText,
			"code", sql.TypeText, "reason", sql.TypeText), deadLetterRows},
		{schema, "late_rows", cols("time", sql.TypeTimestamptz, "job", sql.TypeText, "source", sql.TypeText,
			"event_time", sql.TypeTimestamptz, "watermark", sql.TypeTimestamptz, "row", sql.TypeJSONB), lateRowRows},
		{schema, "sessions", cols("pid", sql.TypeInt4, "user", sql.TypeText, "database", sql.TypeText, "application_name", sql.TypeText,
			"client_addr", sql.TypeText, "connected_at", sql.TypeTimestamptz, "state", sql.TypeText, "query", sql.TypeText,
			"query_start", sql.TypeTimestamptz), sessionRows},
	}
}

func at(t time.Time) sql.Datum {
	if t.IsZero() {
		return nil
	}
	return sql.TimestampValue(t.UnixMicro())
}

func jobRows(v *systemView) ([][]sql.Datum, error) {
	var rows [][]sql.Datum
	for _, j := range v.e.jobs.list() {
		o, st := j.obj, j.status()
		var delivered, undelivered sql.Datum
		if d := j.currentDelivery(); d != nil {
			if epoch, at := d.position(); !at.IsZero() {
				delivered = int64(epoch)
			}
			undelivered = d.backlog.size()
		}
		rows = append(rows, []sql.Datum{int64(o.ID), o.Name, string(o.Kind), st.state, orNull(st.lastError), at(st.errorAt), st.restarts,
			int64(st.epoch), delivered, at(st.progressAt), at(st.started), orNull(st.bottleneck), undelivered})
	}
	return rows, nil
}

func sourceRows(v *systemView) ([][]sql.Datum, error) {
	var rows [][]sql.Datum
	for _, j := range v.e.jobs.list() {
		stats := j.stats()
		for _, src := range stats.Sources {
			slices.SortFunc(src.Splits, func(a, b exec.SplitStats) int {
				return cmp.Or(strings.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition))
			})
			for _, sp := range src.Splits {
				var end, lag sql.Datum
				if sp.End >= 0 {
					end, lag = sp.End, max(0, sp.End-sp.Position)
				}
				rows = append(rows, []sql.Datum{j.obj.Name, src.Name, orNull(sp.Topic), int64(sp.Partition), sp.Position, end, lag,
					watermark(sp.Watermark), orNull(sp.Error)})
			}
		}
	}
	return rows, nil
}

// watermark is event time as a timestamptz; before the first row there is none.
func watermark(w stream.Watermark) sql.Datum {
	switch w {
	case stream.MinWatermark:
		return nil
	case stream.MaxWatermark:
		return sql.TimestampInfinity
	}
	return sql.TimestampValue(w)
}

func operatorRows(v *systemView) ([][]sql.Datum, error) {
	var rows [][]sql.Datum
	for _, j := range v.e.jobs.list() {
		stats := j.stats()
		for _, op := range stats.Operators {
			rows = append(rows, []sql.Datum{j.obj.Name, op.Fragment, op.Name, int64(op.Task), op.RowsIn, op.RowsOut,
				float64(op.Busy.Microseconds()) / 1000, float64(op.Blocked.Microseconds()) / 1000, op.LateRows, op.DeadRows, op.StateBytes,
				watermark(op.Watermark)})
		}
	}
	return rows, nil
}

func deadLetterRows(v *systemView) ([][]sql.Datum, error) {
	var rows [][]sql.Datum
	err := scanEvents(v, v.e.events.dead, func(at time.Time, value []byte) error {
		var l deadLetter
		if err := json.Unmarshal(value, &l); err != nil {
			return err
		}
		var topic, partition, offset, key, payload sql.Datum
		if l.Topic != "" {
			topic, partition, offset = l.Topic, int64(l.Partition), l.Offset
		}
		if l.Key != nil {
			key = l.Key
		}
		if l.Payload != nil {
			payload = l.Payload
		}
		rows = append(rows, []sql.Datum{sql.TimestampValue(at.UnixMicro()), l.Job, orNull(l.Source), topic, partition, offset, key, payload, orNull(l.Field), l.Code, l.Reason})
		return nil
	})
	return rows, err
}

func lateRowRows(v *systemView) ([][]sql.Datum, error) {
	var rows [][]sql.Datum
	err := scanEvents(v, v.e.events.late, func(at time.Time, value []byte) error {
		var l lateRow
		if err := json.Unmarshal(value, &l); err != nil {
			return err
		}
		row, err := sql.ParseJSONB(l.Row)
		if err != nil {
			return err
		}
		rows = append(rows, []sql.Datum{sql.TimestampValue(at.UnixMicro()), l.Job, orNull(l.Source), sql.TimestampValue(l.EventTime), watermark(stream.Watermark(l.Watermark)), row})
		return nil
	})
	return rows, err
}

// scanEvents reads an event log as it is now.
func scanEvents(v *systemView, log *state.EventLog, f func(at time.Time, value []byte) error) error {
	var failed error
	err := log.Scan(v.e.store, false, func(at time.Time, value []byte) bool {
		failed = f(at, value)
		return failed == nil
	})
	if failed != nil {
		return failed
	}
	return err
}

func sessionRows(v *systemView) ([][]sql.Datum, error) {
	var rows [][]sql.Datum
	for _, i := range v.e.sessions.list() {
		i.mu.Lock()
		rows = append(rows, []sql.Datum{int64(i.pid), i.user, i.database, i.app, i.remote, at(i.since), i.state, orNull(i.query), at(i.start)})
		i.mu.Unlock()
	}
	return rows, nil
}
