// Package flink runs a query on Apache Flink SQL, as fast as Flink does it on one machine: a local
// cluster in one JVM with the parallel collector, heap state, mini-batches, object reuse and large
// fetches, measured after two warm-up runs, start-up and planning left out.
//
// Maven fetches the jars once, to the user's cache. Run.java is what runs in the JVM.
package flink

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/streamsql/streamsql/cmd/streamsql/bench/process"
)

const version = "2.2.1" // as in pom.xml

var (
	//go:embed pom.xml
	pom []byte
	//go:embed Run.java
	source []byte
)

// Flink is an installed Flink.
type Flink struct {
	Heap string // of the JVM, as in -Xmx

	jars, dir string
}

// Install fetches Flink where that was not done before and compiles Run.java to a directory of the
// caller's, which also takes checkpoints.
func Install(ctx context.Context, dir, heap string) (*Flink, error) {
	for _, program := range []string{"java", "javac"} {
		if _, err := exec.LookPath(program); err != nil {
			return nil, fmt.Errorf("%s not found: install a JDK, at least 17 (Debian: apt-get install openjdk-17-jdk-headless)", program)
		}
	}
	f := &Flink{Heap: heap, dir: dir}
	var err error
	if f.jars, err = fetch(ctx); err != nil {
		return nil, err
	}
	file := filepath.Join(dir, "Run.java")
	if err := os.WriteFile(file, source, 0o644); err != nil {
		return nil, err
	}
	if _, err := process.Output(ctx, exec.Command("javac", "-nowarn", "-d", dir, "-cp", filepath.Join(f.jars, "*"), file)); err != nil {
		return nil, fmt.Errorf("compile Run.java: %w", err)
	}
	return f, nil
}

// fetch returns the directory with Flink's jars. The directory appears at once, when it is complete.
func fetch(ctx context.Context) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, "streamsql", "flink-"+version)
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	if _, err := exec.LookPath("mvn"); err != nil {
		return "", errors.New("mvn not found, which fetches Flink: install Maven (Debian: apt-get install maven)")
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return "", err
	}
	partial, err := os.MkdirTemp(filepath.Dir(dir), "flink-partial-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(partial)
	file, jars := filepath.Join(partial, "pom.xml"), filepath.Join(partial, "jars")
	if err := os.WriteFile(file, pom, 0o644); err != nil {
		return "", err
	}
	out, err := process.Output(ctx, exec.Command("mvn", "-q", "-B", "-f", file, "dependency:copy-dependencies", "-DoutputDirectory="+jars))
	if err != nil {
		return "", fmt.Errorf("fetch Flink %s with Maven: %w: %s", version, err, out)
	}
	if err := os.Rename(jars, dir); err != nil && !errors.Is(err, os.ErrExist) { // another was faster
		return "", err
	}
	return dir, nil
}

// Job is what to run.
type Job struct {
	Table     string // CREATE TABLE of what the query reads
	WarmTable string // the same over a small set; empty = no warm-up
	Query     string

	Sink       string        // Blackhole, Kafka or KafkaExactlyOnce
	Brokers    string        // of a Kafka sink
	Out        string        // its topic
	WarmOut    string        // its topic for the warm-up runs
	Linger     time.Duration // of its producer
	Checkpoint time.Duration // between checkpoints
}

// Sinks.
const (
	Blackhole        = "blackhole"
	Kafka            = "kafka"
	KafkaExactlyOnce = "kafka-eos"
)

// ConsumerOptions make Flink's Kafka consumer fast; they belong into WITH of a table.
const ConsumerOptions = `'properties.fetch.max.bytes' = '33554432', 'properties.max.partition.fetch.bytes' = '8388608',
	'properties.max.poll.records' = '10000', 'properties.check.crcs' = 'false', 'properties.receive.buffer.bytes' = '4194304'`

// Result is what Run.java prints.
type Result struct {
	Seconds    float64 `json:"seconds"`
	CPUSeconds float64 `json:"cpuSeconds"` // during Seconds
	PeakBytes  int64   `json:"peakBytes"`
	// What the query over WarmTable returned: rows, and the sums of its columns orders and total.
	Rows   int64 `json:"rows"`
	Orders int64 `json:"orders"`
	Cents  int64 `json:"cents"`
}

// Run runs a job whose table is bounded to its end.
func (f *Flink) Run(ctx context.Context, j *Job) (*Result, error) {
	cmd, err := f.command(j)
	if err != nil {
		return nil, err
	}
	return process.OutputJSON[Result](ctx, cmd)
}

// Start starts a job that does not end.
func (f *Flink) Start(j *Job) (*process.Process, error) {
	cmd, err := f.command(j)
	if err != nil {
		return nil, err
	}
	return process.Start(cmd)
}

func (f *Flink) command(j *Job) (*exec.Cmd, error) {
	work := filepath.Join(f.dir, "work")
	if err := os.RemoveAll(work); err != nil { // the checkpoints of the job before
		return nil, err
	}
	args := []string{"-Xms" + f.Heap, "-Xmx" + f.Heap, "-XX:MaxDirectMemorySize=4g", "-XX:+UseParallelGC", "-Dorg.slf4j.simpleLogger.defaultLogLevel=error"}
	// What Flink's own start scripts open.
	for _, p := range strings.Fields("lang lang.invoke lang.reflect net io nio util util.concurrent util.concurrent.atomic util.concurrent.locks text time") {
		args = append(args, "--add-opens", "java.base/java."+p+"=ALL-UNNAMED")
	}
	args = append(args, "--add-opens", "java.base/sun.nio.ch=ALL-UNNAMED", "--add-exports", "java.base/sun.net.util=ALL-UNNAMED",
		"-cp", f.dir+string(os.PathListSeparator)+filepath.Join(f.jars, "*"), "Run",
		"dir="+work, "table="+j.Table, "query="+j.Query, "sink="+j.Sink, "brokers="+j.Brokers, "out="+j.Out, "warmOut="+j.WarmOut,
		fmt.Sprintf("linger=%d", j.Linger.Milliseconds()), fmt.Sprintf("checkpoint=%d ms", j.Checkpoint.Milliseconds()))
	if j.WarmTable != "" {
		args = append(args, "warmTable="+j.WarmTable)
	}
	return exec.Command("java", args...), nil
}
