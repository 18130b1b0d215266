package engine

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/streamsql/streamsql/connectors/kafka/kafkatest"
)

// A backup of a server under load: its copy holds whole transactions and epochs, reads on from there,
// and ends with what the original has. A sink whose topic is ahead of it says so, and goes on when it
// is made anew.
func TestBackup(t *testing.T) {
	broker := startBroker(t)
	kafkatest.CreateTopic(t, broker.Addr(), "in", 3)
	n := newNode(t, broker.Addr())
	n.exec(strings.ReplaceAll(`CREATE TABLE src (k INT, v INT) WITH (connector = 'kafka', topic = 'in', properties.bootstrap.servers = '$BROKER', format = 'json');
CREATE MATERIALIZED VIEW totals AS SELECT k, count(*) AS n, sum(v) AS s FROM src GROUP BY k;
CREATE SINK out AS SELECT v FROM src WHERE k = 1 WITH (connector = 'kafka', topic = 'out', properties.bootstrap.servers = '$BROKER', format = 'json');
CREATE TABLE pairs (id INT PRIMARY KEY, n INT); INSERT INTO pairs VALUES (1, 0), (2, 0);`, "$BROKER", broker.Addr()))
	stop, stopped := make(chan struct{}), make(chan int)
	go func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				stopped <- i
				return
			default:
			}
			kafkatest.Produce(t, broker.Addr(), "in", int32(i%3), fmt.Sprintf(`{"k": %d, "v": %d}`, i%5, i))
			n.exec(fmt.Sprintf("BEGIN; UPDATE pairs SET n = %d WHERE id = 1; UPDATE pairs SET n = -%d WHERE id = 2; COMMIT", i, i))
		}
	}()
	time.Sleep(300 * time.Millisecond)
	var copies []*node
	for i := range 3 {
		dir := filepath.Join(t.TempDir(), fmt.Sprint("copy", i))
		rows := n.exec("BACKUP TO '" + dir + "'")
		if len(rows) != 1 || rows[0][0] != dir || rows[0][1] == "0" {
			t.Errorf("backup: %v", rows)
		}
		copies = append(copies, &node{t: t, dir: dir, broker: broker.Addr(), connectors: n.connectors})
		time.Sleep(50 * time.Millisecond)
	}
	close(stop)
	records := <-stopped
	n.checkpoint()
	want := n.exec("SELECT k, n, s FROM totals ORDER BY k")
	n.stop()
	for i, c := range copies {
		c.start()
		if rows := c.exec("SELECT sum(n) FROM pairs"); rows[0][0] != "0" {
			t.Errorf("copy %d holds half a transaction: %v", i, rows)
		}
		eventually(t, testWait, func() error {
			if got := c.exec("SELECT k, n, s FROM totals ORDER BY k"); fmt.Sprint(got) != fmt.Sprint(want) {
				return fmt.Errorf("copy %d has %v, not %v, of %d records", i, got, want, records)
			}
			return nil
		})
		if i == 0 {
			c.sinkBehind()
		}
		c.stop()
	}
}

// sinkBehind: the topic is ahead of the sink of an older directory.
func (n *node) sinkBehind() {
	n.t.Helper()
	ahead := regexp.MustCompile(`holds epochs up to \d+, but the job has made only`)
	eventually(n.t, testWait, func() error {
		rows := n.exec("SELECT state, last_error FROM streamsql.jobs WHERE name = 'out'")
		if !ahead.MatchString(rows[0][1]) {
			return fmt.Errorf("the sink is %v", rows)
		}
		return nil
	})
	n.exec(strings.ReplaceAll(`DROP SINK out; CREATE SINK out AS SELECT v FROM src WHERE k = 1 WITH (connector = 'kafka', topic = 'out2', properties.bootstrap.servers = '$BROKER', format = 'json')`, "$BROKER", n.broker))
	n.checkpoint()
	if rows := n.exec("SELECT last_error FROM streamsql.jobs WHERE name = 'out'"); rows[0][0] != "NULL" {
		n.t.Errorf("the sink that was made anew: %v", rows)
	}
}

func TestBackupRefuses(t *testing.T) {
	n := newNode(t, "")
	full := t.TempDir()
	if err := os.WriteFile(filepath.Join(full, "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	c := n.connect(nil)
	defer c.Close(t.Context())
	for dir, want := range map[string]string{full: "55000: .* is not empty", "here": "22023: .* is not absolute", filepath.Join(full, "file"): "22023: could not back up"} {
		_, err := simpleQuery(c, "BACKUP TO '"+dir+"'")
		if err == nil || !regexp.MustCompile(want).MatchString(errorLine(err)) {
			t.Errorf("%s: %v", dir, err)
		}
	}
	if _, err := simpleQuery(c, "BEGIN; BACKUP TO '/nowhere'"); err == nil || !strings.Contains(err.Error(), "25001") {
		t.Errorf("in a block: %v", err)
	}
}
