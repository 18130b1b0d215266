package engine

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/streamsql/streamsql/connectors/kafka/kafkatest"
)

// A block of a table file is damaged while the server runs. Statements and jobs that meet it fail with
// an error that names the file, others go on, and so does the server. A backup has all of it.
func TestDamageMetWhileRunning(t *testing.T) {
	broker := startBroker(t)
	kafkatest.CreateTopic(t, broker.Addr(), "in", 1)
	n := newNode(t, broker.Addr())
	n.exec(strings.ReplaceAll(`CREATE TABLE src (v INT) WITH (connector = 'kafka', topic = 'in', properties.bootstrap.servers = '$BROKER', format = 'json');
CREATE TABLE a (id INT PRIMARY KEY, s TEXT); CREATE TABLE b (id INT PRIMARY KEY, s TEXT);
CREATE MATERIALIZED VIEW sums AS SELECT sum(v) AS s FROM src;
CREATE MATERIALIZED VIEW of_a AS SELECT count(*) AS n FROM a`, "$BROKER", broker.Addr()))
	var values []string
	r := rand.New(rand.NewPCG(1, 2)) // what does not compress is in the file as it is
	for id := range 2000 {
		values = append(values, fmt.Sprintf("(%d, '%s')", id, randomText(r)))
	}
	n.exec("INSERT INTO a VALUES " + strings.Join(values, ",") + "; INSERT INTO b VALUES (1, 'one')")
	kafkatest.Produce(t, broker.Addr(), "in", 0, `{"v": 1}`)
	n.checkpoint()
	made := filepath.Join(t.TempDir(), "backup")
	n.exec("BACKUP TO '" + made + "'")
	backup := filepath.Join(t.TempDir(), "elsewhere") // not links to the files that are damaged now
	if err := os.CopyFS(backup, os.DirFS(made)); err != nil {
		t.Fatal(err)
	}
	n.stop()
	n.start() // with all of it in table files

	file := n.damage(regexp.MustCompile(`\(1000, '(.*)'\)`).FindStringSubmatch(values[1000])[1])
	says := regexp.MustCompile(`^XX001: .*data is corrupted.*` + file)
	c := n.connect(nil)
	defer c.Close(t.Context())
	for _, q := range []string{"SELECT count(s) FROM a", "SELECT s FROM a WHERE id = 1000", "UPDATE a SET s = s || 'x' WHERE id = 1000"} {
		if _, err := simpleQuery(c, q); err == nil || !says.MatchString(errorLine(err)) || !strings.Contains(errorLine(err), "backup") {
			t.Errorf("%s: %v", q, err)
		}
	}
	n.exec("CREATE MATERIALIZED VIEW late AS SELECT count(s) AS n FROM a") // reads all of it
	eventually(t, testWait, func() error {
		row := n.exec("SELECT state, last_error FROM streamsql.jobs WHERE name = 'late'")[0]
		if row[0] != "restarting" || !regexp.MustCompile("data is corrupted.*"+file).MatchString(row[1]) {
			return fmt.Errorf("the job is %v", row)
		}
		return nil
	})

	kafkatest.Produce(t, broker.Addr(), "in", 0, `{"v": 2}`)
	n.exec("INSERT INTO b VALUES (2, 'two'); INSERT INTO a VALUES (10000, 'new')")
	for query, want := range map[string]string{"SELECT s FROM sums": "3", "SELECT count(*) FROM b": "2", "SELECT n FROM of_a": "2001", "SELECT s FROM a WHERE id = 10000": "new"} {
		eventually(t, testWait, func() error { return n.differs(query, want) })
	}
	c.Close(t.Context())
	n.stop()

	n.dir = backup
	n.start()
	n.exec("CREATE MATERIALIZED VIEW late AS SELECT count(s) AS n FROM a")
	for query, want := range map[string]string{"SELECT count(s) FROM a": "2000", "SELECT n FROM late": "2000", "SELECT n FROM of_a": "2000", "SELECT count(*) FROM b": "1", "SELECT s FROM sums": "3"} {
		eventually(t, testWait, func() error { return n.differs(query, want) })
	}
}

func randomText(r *rand.Rand) string {
	b := make([]byte, 200)
	for i := range b {
		b[i] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"[r.IntN(64)]
	}
	return string(b)
}

// damage changes a byte of the table file that holds a text, in place, and returns the file's number
// as errors have it.
func (n *node) damage(text string) (file string) {
	n.t.Helper()
	names, err := filepath.Glob(filepath.Join(n.dir, "state", "*.sst"))
	if err != nil {
		n.t.Fatal(err)
	}
	damaged := 0
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			n.t.Fatal(err)
		}
		at := bytes.Index(data, []byte(text[80:120]))
		if at < 0 {
			continue
		}
		f, err := os.OpenFile(name, os.O_WRONLY, 0)
		if err != nil {
			n.t.Fatal(err)
		}
		if _, err := f.WriteAt([]byte{data[at] ^ 1}, int64(at)); err != nil {
			n.t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			n.t.Fatal(err)
		}
		file, damaged = strings.TrimLeft(strings.TrimSuffix(filepath.Base(name), ".sst"), "0"), damaged+1
	}
	if damaged != 1 {
		n.t.Fatalf("%d files hold the text, of %d", damaged, len(names))
	}
	return file
}
