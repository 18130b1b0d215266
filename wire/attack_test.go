package wire

import (
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/xdg-go/scram"
)

// What a fuzzed client does beside sending its data.
const (
	attackFramed   = 1 << iota // the data is made into messages of right lengths, so that it gets further
	attackBare                 // it is sent from the first byte on, without a start-up message of ours
	attackPassword             // the user has a password, so that the data is read before authentication
	attackLogsIn               // … and the client knows it: SCRAM is gone through before
	attackPieces               // the data comes in pieces, cut anywhere
	attackCancels              // a cancel request comes between pieces
	attackDeaf                 // the client reads nothing of what it is told after start-up
	attackAbrupt               // it leaves without a word
)

// AttackPassword is what fuzzed clients know of the user "secretive".
const AttackPassword = "fuzzed"

// Attack is the life of one fuzzed client, from connecting to hanging up.
type Attack struct {
	Flags uint16
	Seed  uint16 // of where the pieces are cut
	Data  []byte
}

// Run plays the client against a server that nobody else uses and fails when the server's side hangs
// or leaves something behind.
func (a *Attack) Run(t *testing.T, s *Server) {
	client, server := pipe()
	c := newConn(s, server)
	if !s.admit(c) {
		t.Fatal("not admitted")
	}
	done := make(chan struct{})
	go func() {
		s.handle(c)
		close(done)
	}()
	played := make(chan struct{})
	go func() {
		a.play(s, client)
		close(played)
	}()
	select {
	case <-done:
	case <-time.After(attackHang):
		buf := make([]byte, 1<<20)
		t.Fatalf("the connection hangs\n%s", buf[:runtime.Stack(buf, true)])
	}
	<-played // its cancel requests too
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.starting)+len(s.conns) > 0 {
		t.Errorf("%d connections starting and %d started are left", len(s.starting), len(s.conns))
	}
}

const (
	attackPatience = 150 * time.Millisecond // the server may be busy with a statement that never ends
	attackHang     = 8 * time.Second        // the fuzzer itself gives up after 10
)

// play is the client. It gives up writing after a while.
func (a *Attack) play(s *Server, nc net.Conn) {
	defer nc.Close()
	_ = nc.SetDeadline(time.Now().Add(attackPatience))
	pid, secret, ok := a.begin(nc)
	if !ok {
		return
	}
	if a.Flags&attackDeaf == 0 {
		go func() { _, _ = io.Copy(io.Discard, nc) }()
	} else {
		_ = nc.SetDeadline(time.Now().Add(attackPatience / 50)) // a pipe has no buffer: soon the server waits for us, and we for it
	}
	data := a.Data
	if a.Flags&attackFramed != 0 {
		data = frame(data)
	}
	cuts := rand.New(rand.NewPCG(uint64(a.Seed), 1))
	for len(data) > 0 {
		n := len(data)
		if a.Flags&attackPieces != 0 {
			n = 1 + cuts.IntN(min(n, 64))
		}
		if _, err := nc.Write(data[:n]); err != nil {
			return
		}
		data = data[n:]
		if a.Flags&attackCancels != 0 && secret != nil {
			cancel(s, pid, secret)
		}
	}
	if a.Flags&attackAbrupt == 0 {
		_, _ = nc.Write([]byte{'X', 0, 0, 0, 4})
	}
}

// begin goes through the start-up, as far as the flags want it.
func (a *Attack) begin(nc net.Conn) (pid uint32, secret []byte, ok bool) {
	if a.Flags&attackBare != 0 {
		return 0, nil, true
	}
	user := "u"
	if a.Flags&attackPassword != 0 {
		user = "secretive"
	}
	hello, _ := (&pgproto3.StartupMessage{ProtocolVersion: protocolMajor << 16, Parameters: map[string]string{"user": user}}).Encode(nil)
	if _, err := nc.Write(hello); err != nil {
		return 0, nil, false
	}
	if a.Flags&attackPassword != 0 && a.Flags&attackLogsIn == 0 {
		return 0, nil, true
	}
	f := pgproto3.NewFrontend(nc, nc)
	var conv *scram.ClientConversation
	for {
		m, err := f.Receive()
		if err != nil {
			return 0, nil, false
		}
		switch m := m.(type) {
		case *pgproto3.AuthenticationSASL:
			client, err := scram.SHA256.NewClient("", AttackPassword, "")
			if err != nil {
				return 0, nil, false
			}
			conv = client.NewConversation()
			first, _ := conv.Step("")
			f.Send(&pgproto3.SASLInitialResponse{AuthMechanism: scramMechanism, Data: []byte(first)})
		case *pgproto3.AuthenticationSASLContinue:
			answer, _ := conv.Step(string(m.Data))
			f.Send(&pgproto3.SASLResponse{Data: []byte(answer)})
		case *pgproto3.BackendKeyData:
			pid, secret = m.ProcessID, append([]byte(nil), m.SecretKey...)
			continue
		case *pgproto3.ReadyForQuery:
			return pid, secret, true
		default:
			continue
		}
		if f.Flush() != nil {
			return 0, nil, false
		}
	}
}

// pipe is net.Pipe, but deadlines end with the first Close, as a socket's do: their timers would keep
// the pipe in memory until then, and a fuzzer makes hundreds a second.
func pipe() (client, server net.Conn) {
	client, server = net.Pipe()
	return pipeEnd{client, server}, pipeEnd{server, client}
}

type pipeEnd struct {
	net.Conn
	other net.Conn
}

func (p pipeEnd) Close() error {
	_ = p.SetDeadline(time.Time{}) // fails when it is closed
	_ = p.other.SetDeadline(time.Time{})
	return p.Conn.Close()
}

// cancel sends a cancel request over a connection of its own.
func cancel(s *Server, pid uint32, secret []byte) {
	client, server := pipe()
	defer client.Close()
	c := newConn(s, server)
	if !s.admit(c) {
		return
	}
	done := make(chan struct{})
	go func() {
		s.handle(c)
		close(done)
	}()
	_ = client.SetDeadline(time.Now().Add(attackPatience))
	m, _ := (&pgproto3.CancelRequest{ProcessID: pid, SecretKey: secret}).Encode(nil)
	_, _ = client.Write(m)
	_, _ = io.Copy(io.Discard, client) // until the server has acted on it
	_ = client.Close()
	<-done
}

// frame makes messages: a type, a length in two bytes, so many bytes.
func frame(data []byte) (out []byte) {
	for len(data) >= 3 {
		n := min(int(binary.BigEndian.Uint16(data[1:])), len(data)-3)
		out = binary.BigEndian.AppendUint32(append(out, data[0]), uint32(n+4))
		out = append(out, data[3:3+n]...)
		data = data[3+n:]
	}
	return out
}

// AddAttack adds a conversation to a fuzzer's seeds: whole, in frames, in pieces, interrupted, before
// and after authentication.
func AddAttack(f *testing.F, msgs ...pgproto3.FrontendMessage) {
	var raw, framed []byte
	for _, m := range msgs {
		b, err := m.Encode(nil)
		if err != nil {
			f.Fatal(err)
		}
		raw = append(raw, b...)
		framed = append(binary.BigEndian.AppendUint16(append(framed, b[0]), uint16(len(b)-5)), b[5:]...)
	}
	f.Add(uint16(0), uint16(0), raw)
	f.Add(uint16(attackFramed|attackPieces), uint16(1), framed)
	f.Add(uint16(attackFramed|attackPieces|attackCancels|attackAbrupt), uint16(2), framed)
	f.Add(uint16(attackFramed|attackPassword|attackLogsIn|attackDeaf), uint16(3), framed)
	f.Add(uint16(attackPassword), uint16(4), raw)
}

// Growth watches what a process takes while a fuzzer runs in it: what is there after some runs must
// be there, and not much more, after all of them. With STREAMSQL_FUZZ_LOG it writes what it sees to
// that file.
type Growth struct {
	mu         sync.Mutex
	runs       int
	heap       uint64
	goroutines int
}

const (
	growthEvery   = 500
	growthHeap    = 64 << 20
	growthThreads = 50
)

// Check is called after each run.
func (g *Growth) Check(t *testing.T) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.runs++; g.runs%growthEvery != 0 {
		return
	}
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	n := runtime.NumGoroutine()
	for i := 0; i < 100 && n > g.goroutines+growthThreads/2; i++ { // those that only need the processor once more
		time.Sleep(20 * time.Millisecond)
		n = runtime.NumGoroutine()
	}
	if file := os.Getenv("STREAMSQL_FUZZ_LOG"); file != "" {
		if f, err := os.OpenFile(file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644); err == nil {
			fmt.Fprintf(f, "%s process %d runs %d heap %d KiB goroutines %d\n", time.Now().Format(time.TimeOnly), os.Getpid(), g.runs, m.HeapAlloc>>10, n)
			_ = f.Close()
		}
	}
	if g.heap == 0 {
		g.heap, g.goroutines = m.HeapAlloc, n
		return
	}
	if m.HeapAlloc > g.heap+growthHeap || n > g.goroutines+growthThreads {
		buf := make([]byte, 1<<20)
		t.Fatalf("after %d runs: heap of %d bytes, %d at first; %d goroutines, %d at first\n%s", g.runs, m.HeapAlloc, g.heap, n, g.goroutines,
			buf[:runtime.Stack(buf, true)])
	}
}
