package state

import (
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/streamsql/streamsql/exec/stream"
	"github.com/streamsql/streamsql/sql"
)

// quiet is a logger for tests that provoke errors.
var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

func openMem(t testing.TB, fs vfs.FS) *Store {
	t.Helper()
	s, err := Open(Options{Dir: "db", Logger: quiet, CacheBytes: 1 << 20, MemTableBytes: 1 << 20, fs: fs})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// script is what the commands of testdata/* act on: a store, a batch that is being filled, a
// transaction perhaps, named snapshots, and one table of each kind.
type script struct {
	fs        *vfs.MemFS
	store     *Store
	batch     *Batch
	tx        *Tx
	savepoint map[string]Savepoint
	snaps     map[string]*Snapshot
	types     []sql.Type
	rows      *RowTable
	log       *Changelog
	appenders map[string]*Appender
}

func TestScripts(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		s := &script{fs: vfs.NewMem()}
		s.open(t)
		defer func() { s.close(t) }()
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			out, err := s.run(t, d)
			if err != nil {
				e := sql.AsError(err)
				return out + fmt.Sprintf("error (%s): %s\n", e.Code, e.Message)
			}
			return out
		})
	})
}

func (s *script) open(t *testing.T) {
	s.store = openMem(t, s.fs)
	s.batch = s.store.NewBatch()
	s.savepoint, s.snaps, s.appenders = map[string]Savepoint{}, map[string]*Snapshot{}, map[string]*Appender{}
}

func (s *script) close(t *testing.T) {
	if s.tx != nil {
		s.tx.Close()
		s.tx = nil
	}
	for _, snap := range s.snaps {
		snap.Close()
	}
	if err := s.store.Close(); err != nil {
		t.Fatal(err)
	}
}

func (s *script) run(t *testing.T, d *datadriven.TestData) (string, error) {
	switch d.Cmd {
	case "rows": // rows id=N types=(…) key=(…): the row table that the other commands mean
		s.types = parseTypes(t, d)
		var id int
		d.ScanArgs(t, "id", &id)
		s.rows = NewRowTable(TableID(id), s.types, ints(t, d, "key"))
	case "log": // log id=N types=(…): the changelog that the other commands mean
		s.types = parseTypes(t, d)
		var id int
		d.ScanArgs(t, "id", &id)
		s.log = NewChangelog(TableID(id), s.types)
	case "apply": // apply [outside]: changes go to the batch, or to the transaction if one is open
		if d.HasArg("outside") {
			return "", s.rows.Apply(s.batch, s.changes(t, d))
		}
		return "", s.rows.Apply(s.writer(), s.changes(t, d))
	case "commit": // commit [outside]: of the transaction if one is open
		if s.tx != nil && !d.HasArg("outside") {
			err := s.tx.Conflict()
			if err == nil {
				s.tx.ToBatch(s.batch)
			}
			s.tx.Close()
			s.tx = nil
			if err != nil {
				return "", err
			}
		}
		return "", s.batch.Commit()
	case "begin":
		s.tx = s.store.NewTx()
	case "savepoint":
		s.savepoint[d.CmdArgs[0].Key] = s.tx.Mark()
	case "rollback-to":
		s.tx.RollbackTo(s.savepoint[d.CmdArgs[0].Key])
	case "delete-all":
		s.rows.DeleteAll(s.writer())
	case "snapshot":
		s.snaps[d.CmdArgs[0].Key] = s.store.Snapshot()
	case "reopen":
		s.close(t)
		s.open(t)
	case "get":
		row, ok, err := s.rows.Get(s.reader(d), s.datums(t, d, "key"))
		if err != nil || !ok {
			return fmt.Sprintln("none"), err
		}
		return s.line(row, s.types) + "\n", nil
	case "scan":
		return s.scan(t, d)
	case "append": // append epoch=N task=N: changes go to the changelog, through the batch
		var epoch, task int
		d.ScanArgs(t, "epoch", &epoch)
		d.MaybeScanArgs(t, "task", &task)
		name := fmt.Sprint(s.log.ID(), task)
		if s.appenders[name] == nil {
			s.appenders[name] = s.log.Appender(uint16(task))
		}
		return "", s.appenders[name].Append(s.batch, uint64(epoch), s.changes(t, d))
	case "read":
		return s.read(t, d)
	case "trim":
		var upto int
		d.ScanArgs(t, "upto", &upto)
		return "", s.log.Trim(s.store, s.batch, uint64(upto))
	case "ends":
		first, err := s.log.First(s.store)
		if err != nil {
			return "", err
		}
		last, err := s.log.Last(s.store)
		return fmt.Sprintf("%d to %d\n", first, last), err
	default:
		t.Fatalf("unknown command %s", d.Cmd)
	}
	return "", nil
}

func (s *script) writer() Writer {
	if s.tx != nil {
		return s.tx
	}
	return s.batch
}

func (s *script) reader(d *datadriven.TestData) Reader {
	if arg, ok := d.Arg("at"); ok {
		return s.snaps[arg.Vals[0]]
	}
	if s.tx != nil {
		return s.tx
	}
	return s.store
}

func (s *script) scan(t *testing.T, d *datadriven.TestData) (string, error) {
	kr := KeyRange{Lo: s.datums(t, d, "lo"), Hi: s.datums(t, d, "hi"), LoExclusive: d.HasArg("above"), HiExclusive: d.HasArg("below")}
	if d.HasArg("prefix") {
		kr = Prefix(s.datums(t, d, "prefix")...)
	}
	needed, types := s.needed(t, d)
	sc := s.rows.Scan(s.reader(d), kr, needed, d.HasArg("reverse"))
	defer sc.Close()
	var limit int
	if d.MaybeScanArgs(t, "batch", &limit) {
		sc.Limit(limit)
	}
	var out strings.Builder
	for n := 0; ; n++ {
		b, err := sc.Next()
		if err != nil || b == nil {
			return out.String(), err
		}
		if n > 0 {
			out.WriteString("--\n")
		}
		for _, row := range rowsOf(types, b) {
			out.WriteString(s.line(row, types) + "\n")
		}
	}
}

func (s *script) read(t *testing.T, d *datadriven.TestData) (string, error) {
	var from int
	d.ScanArgs(t, "from", &from)
	needed, types := s.needed(t, d)
	r, err := s.log.Read(s.store, uint64(from), needed)
	if err != nil {
		return "", err
	}
	defer r.Close()
	var out strings.Builder
	for {
		epoch, b, err := r.Next()
		if err != nil || b == nil {
			return out.String(), err
		}
		fmt.Fprintf(&out, "epoch %d\n", epoch)
		for i, row := range rowsOf(types, b) {
			fmt.Fprintf(&out, "%s %s\n", map[int8]string{stream.Insert: "+", stream.Delete: "-"}[b.Op(i)], s.line(row, types))
		}
	}
}

func (s *script) needed(t *testing.T, d *datadriven.TestData) ([]int, []sql.Type) {
	if !d.HasArg("needed") {
		return nil, s.types
	}
	cols := ints(t, d, "needed")
	return cols, pickTypes(s.types, cols)
}

func (s *script) changes(t *testing.T, d *datadriven.TestData) *stream.Batch {
	var rows [][]sql.Datum
	var ops []int8
	for line := range strings.Lines(d.Input) {
		words := strings.Fields(line)
		ops = append(ops, map[string]int8{"+": stream.Insert, "-": stream.Delete}[words[0]])
		row := make([]sql.Datum, len(s.types))
		for i, typ := range s.types {
			row[i] = parseDatum(t, typ, words[i+1])
		}
		rows = append(rows, row)
	}
	return batchOf(s.types, rows, ops)
}

func (s *script) line(row []sql.Datum, types []sql.Type) string {
	words := make([]string, len(row))
	for i, v := range row {
		if words[i] = "NULL"; v != nil {
			words[i] = string(sql.AppendText(nil, types[i], v))
		}
	}
	return strings.Join(words, " ")
}

// datums are the values of an argument, which are of the table's key columns.
func (s *script) datums(t *testing.T, d *datadriven.TestData, name string) (out []sql.Datum) {
	arg, ok := d.Arg(name)
	if !ok {
		return nil
	}
	for i, word := range arg.Vals {
		out = append(out, parseDatum(t, s.types[s.rows.key[i]], word))
	}
	return out
}

func parseDatum(t *testing.T, typ sql.Type, word string) sql.Datum {
	if word == "NULL" {
		return nil
	}
	v, err := sql.ParseText(typ, word)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func parseTypes(t *testing.T, d *datadriven.TestData) (out []sql.Type) {
	arg, _ := d.Arg("types")
	names := map[string]sql.Type{"int": sql.TypeInt4, "text": sql.TypeText, "numeric": sql.TypeNumeric,
		"timestamp": sql.TypeTimestamp, "float": sql.TypeFloat8}
	for _, name := range arg.Vals {
		typ, ok := names[name]
		if !ok {
			t.Fatalf("unknown type %s", name)
		}
		out = append(out, typ)
	}
	return out
}

func ints(t *testing.T, d *datadriven.TestData, name string) []int {
	arg, _ := d.Arg(name)
	out := []int{}
	for _, word := range arg.Vals {
		n, err := strconv.Atoi(word)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, n)
	}
	return out
}
