package exec

import (
	"bytes"
	"encoding/binary"
	"slices"

	"github.com/streamsql/streamsql/connectors"
	"github.com/streamsql/streamsql/sql"
	"github.com/streamsql/streamsql/state"
)

// A job's own record, in the table JobConfig.Meta.
//
// State: shard 0:
//
//	'e'                                     the last committed epoch (8)
//	'p', source id, 0, topic, 0, partition  position and event time of the split, as varints, and its cursor
//
// Invariant: it is written in the same batch as what the positions led to.

// positionRecord is where a split stands.
type positionRecord struct {
	source string
	id     splitID
	next   connectors.Position
	time   splitTime
	cursor []byte // of a cursorReader
}

func metaKey(meta state.TableID, kind byte) []byte {
	return append(state.AppendPrefix(nil, meta, 0), kind)
}

func (p *positionRecord) put(meta state.TableID, w state.Writer) {
	key := append(append(metaKey(meta, 'p'), p.source...), 0)
	key = append(append(key, p.id.topic...), 0)
	key = binary.BigEndian.AppendUint32(key, uint32(p.id.partition))
	var value []byte
	live := int64(0)
	if p.time.live {
		live = 1
	}
	for _, v := range []int64{p.next.Offset, int64(p.next.LeaderEpoch), p.time.watermark, live, p.time.lastRow} {
		value = binary.AppendVarint(value, v)
	}
	w.Put(key, append(value, p.cursor...))
}

// readPositions reads the positions of a source.
func readPositions(r state.Reader, meta state.TableID, source string) (map[splitID]positionRecord, error) {
	prefix := append(append(metaKey(meta, 'p'), source...), 0)
	out := map[splitID]positionRecord{}
	it := r.Iter(prefix, state.PrefixEnd(prefix))
	defer it.Close()
	for ok := it.First(); ok; ok = it.Next() {
		rest := it.Key()[len(prefix):]
		p := positionRecord{source: source, id: splitID{
			topic:     string(rest[:len(rest)-5]),
			partition: int32(binary.BigEndian.Uint32(rest[len(rest)-4:])),
		}}
		value := it.Value()
		var vs [5]int64
		for i := range vs {
			v, n := binary.Varint(value)
			if n <= 0 {
				return nil, sql.Errorf("XX001", "position of partition %d of %q is damaged", p.id.partition, p.id.topic)
			}
			vs[i], value = v, value[n:]
		}
		p.next = connectors.Position{Offset: vs[0], LeaderEpoch: int32(vs[1])}
		p.time = splitTime{watermark: vs[2], live: vs[3] == 1, lastRow: vs[4]}
		p.cursor = bytes.Clone(value)
		out[p.id] = p
	}
	return out, it.Close()
}

// readSources lists the sources that have positions.
func readSources(r state.Reader, meta state.TableID) ([]string, error) {
	prefix := metaKey(meta, 'p')
	it := r.Iter(prefix, state.PrefixEnd(prefix))
	defer it.Close()
	var sources []string
	for ok := it.First(); ok; ok = it.Next() {
		name, _, _ := bytes.Cut(it.Key()[len(prefix):], []byte{0})
		if n := len(sources); n == 0 || sources[n-1] != string(name) {
			sources = append(sources, string(name))
		}
	}
	return sources, it.Error()
}

// checkPositions refuses to go on from positions of sources that the graph does not have. The state
// holds what was read of each; from fewer positions it can't be gone on without losing rows or
// counting some twice.
func (r *run) checkPositions(from state.Reader, meta state.TableID) error {
	sources, err := readSources(from, meta)
	if err != nil {
		return err
	}
	for _, name := range sources {
		if !slices.ContainsFunc(r.sources, func(g *sourceGroup) bool { return g.spec.ID == name }) {
			return sql.Errorf(sql.CodeObjectNotInState, "the job's state has read source %q, which its query does not read any more", name).
				WithHint("The state was made by another version, which planned the query differently. Drop the object and create it anew.")
		}
	}
	return nil
}

func putEpoch(meta state.TableID, w state.Writer, epoch uint64) {
	w.Put(metaKey(meta, 'e'), binary.BigEndian.AppendUint64(nil, epoch))
}

// ReadEpoch is the last epoch that the job whose record is in meta has committed, 0 for none.
func ReadEpoch(r state.Reader, meta state.TableID) (uint64, error) {
	v, ok, err := r.Get(metaKey(meta, 'e'))
	if err != nil || !ok {
		return 0, err
	}
	return binary.BigEndian.Uint64(v), nil
}
