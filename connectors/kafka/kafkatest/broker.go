package kafkatest

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// Options are how to run a broker. The zero value is right for tests.
type Options struct {
	Dir        string   // where data and logs go; empty = a temporary directory that Close removes
	Heap       string   // empty = 512m
	JVM        []string // nil = flags for a quick start; a benchmark wants the optimising compiler
	Properties []string // more lines of server.properties, key=value
	// Proxy is host:port where a proxy in front of the broker listens, which forwards to Behind.
	// Clients that come that way are told to stay on it. Empty = the broker has no such listener.
	Proxy string
}

// Broker is a Kafka of one node.
type Broker struct {
	dir       string
	temporary bool
	addr      string
	behind    string   // where a proxy forwards to, empty without one
	args      []string // of java
	cmd       *exec.Cmd
	exited    chan struct{}
}

const startWait = 60 * time.Second

// Run starts a broker on free ports and waits until it answers.
func Run(o Options) (*Broker, error) {
	lib, err := jars()
	if err != nil {
		return nil, err
	}
	b := &Broker{dir: o.Dir}
	if b.dir == "" {
		if b.dir, err = os.MkdirTemp("", "kafka-"); err != nil {
			return nil, err
		}
		b.temporary = true
	}
	ports, err := freePorts(3)
	if err != nil {
		return nil, err
	}
	b.addr = fmt.Sprintf("127.0.0.1:%d", ports[0])
	more := o.Properties
	if o.Proxy != "" {
		b.behind = fmt.Sprintf("127.0.0.1:%d", ports[2])
		more = append(proxied(b.addr, b.behind, o.Proxy, ports[1]), more...)
	}
	file := filepath.Join(b.dir, "server.properties")
	if err := os.WriteFile(file, []byte(properties(b.dir, ports[0], ports[1], more)), 0o644); err != nil {
		return nil, err
	}
	jvm := o.JVM
	if jvm == nil {
		jvm = []string{"-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"}
	}
	heap := o.Heap
	if heap == "" {
		heap = "512m"
	}
	classpath := []string{"-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-cp", filepath.Join(lib, "*")}
	var id [16]byte
	rand.Read(id[:])
	id[0] &= 0x3f // no leading '-', which would look like a flag
	format := exec.Command("java", append(classpath, "kafka.tools.StorageTool", "format", "--ignore-formatted",
		"-t", base64.RawURLEncoding.EncodeToString(id[:]), "-c", file)...)
	if out, err := format.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("format Kafka's storage: %w: %s", err, out)
	}
	b.args = append(append(append([]string{"-Xms" + heap, "-Xmx" + heap}, jvm...), classpath...), "kafka.Kafka", file)
	if err := b.Restart(); err != nil {
		b.Close()
		return nil, err
	}
	return b, nil
}

// properties configure a broker that is quick to notice. It keeps what it has, whatever its records' timestamps
// say: those of tests are of years ago, and the log's cleaner comes by half a minute after the start.
func properties(dir string, port, controller int, more []string) string {
	return fmt.Sprintf(`process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:%[2]d
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://127.0.0.1:%[1]d,CONTROLLER://127.0.0.1:%[2]d
advertised.listeners=PLAINTEXT://127.0.0.1:%[1]d
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
log.dirs=%[3]s
num.partitions=4
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
transaction.abort.timed.out.transaction.cleanup.interval.ms=500
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
log.retention.ms=-1
broker.session.timeout.ms=2000
broker.heartbeat.interval.ms=500
%[4]s
`, port, controller, filepath.Join(dir, "data"), strings.Join(more, "\n"))
}

// proxied are the lines of a broker that is also behind a proxy.
func proxied(addr, behind, proxy string, controller int) []string {
	return []string{
		fmt.Sprintf("listeners=PLAINTEXT://%s,PROXY://%s,CONTROLLER://127.0.0.1:%d", addr, behind, controller),
		fmt.Sprintf("advertised.listeners=PLAINTEXT://%s,PROXY://%s", addr, proxy),
		"inter.broker.listener.name=PLAINTEXT",
		"listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,PROXY:PLAINTEXT",
	}
}

// freePorts finds ports that nobody listens on.
func freePorts(n int) ([]int, error) {
	var ports []int
	for range n {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer ln.Close()
		ports = append(ports, ln.Addr().(*net.TCPAddr).Port)
	}
	return ports, nil
}

// Restart starts a stopped or killed broker again, on the same port and data.
func (b *Broker) Restart() error {
	log, err := os.OpenFile(filepath.Join(b.dir, "kafka.log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	b.cmd = exec.Command("java", b.args...)
	b.cmd.Stdout, b.cmd.Stderr, b.cmd.SysProcAttr = log, log, childAttr()
	if err := b.cmd.Start(); err != nil {
		return err
	}
	exited := make(chan struct{})
	b.exited = exited
	go func() { b.cmd.Wait(); close(exited) }()
	deadline := time.Now().Add(startWait)
	for time.Now().Before(deadline) {
		select {
		case <-exited:
			text, _ := os.ReadFile(filepath.Join(b.dir, "kafka.log"))
			return fmt.Errorf("kafka did not start: %s", text[max(0, len(text)-2000):])
		case <-time.After(50 * time.Millisecond):
		}
		if c, err := net.Dial("tcp", b.addr); err == nil {
			c.Close()
			return nil
		}
	}
	return errors.New("kafka did not answer within a minute")
}

// Addr is the bootstrap server, host:port.
func (b *Broker) Addr() string { return b.addr }

// Behind is where a proxy forwards to.
func (b *Broker) Behind() string { return b.behind }

// Pid is the process's, of a broker that runs.
func (b *Broker) Pid() int { return b.cmd.Process.Pid }

// Stop shuts the broker down in order.
func (b *Broker) Stop() error { return b.signal(syscall.SIGTERM) }

// Kill ends the broker as a crash would.
func (b *Broker) Kill() error { return b.signal(syscall.SIGKILL) }

func (b *Broker) signal(sig syscall.Signal) error {
	if b.cmd == nil {
		return nil
	}
	b.cmd.Process.Signal(sig)
	select {
	case <-b.exited:
		b.cmd = nil
		return nil
	case <-time.After(30 * time.Second):
		return fmt.Errorf("kafka (pid %d) is still running", b.cmd.Process.Pid)
	}
}

// Killed tells whether somebody else has ended the broker by kill -9; Restart brings it back.
func (b *Broker) Killed() bool {
	if b.cmd == nil {
		return false
	}
	select {
	case <-b.exited:
		status, ok := b.cmd.ProcessState.Sys().(syscall.WaitStatus)
		return ok && status.Signaled() && status.Signal() == syscall.SIGKILL
	default:
		return false
	}
}

// Close kills the broker and removes its temporary directory.
func (b *Broker) Close() error {
	err := b.Kill()
	if b.temporary {
		os.RemoveAll(b.dir)
	}
	return err
}
