package wire

import (
	"encoding/binary"
	"io"
	"net"
	"runtime"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"
)

// FuzzConn sends random messages after a valid start-up. Nothing panics, hangs or takes memory that
// was not sent. framed data is made into messages of right lengths, so that it gets further.
func FuzzConn(f *testing.F) {
	add := func(msgs ...pgproto3.FrontendMessage) {
		var raw, framed []byte
		for _, m := range msgs {
			b, err := m.Encode(nil)
			if err != nil {
				f.Fatal(err)
			}
			raw = append(raw, b...)
			framed = append(append(framed, b[0], byte(len(b)-5)), b[5:]...)
		}
		f.Add(false, raw)
		f.Add(true, framed)
	}
	sync := &pgproto3.Sync{}
	add(&pgproto3.Query{String: "select 1; select generate_series(1,5000)"}, &pgproto3.Query{String: "begin; declare c"})
	add(&pgproto3.Parse{Name: "s", Query: "select $1::int4, $2::text", ParameterOIDs: []uint32{23}}, &pgproto3.Describe{ObjectType: 'S', Name: "s"},
		&pgproto3.Bind{PreparedStatement: "s", ParameterFormatCodes: []int16{1, 0}, Parameters: [][]byte{{0, 0, 0, 1}, nil}, ResultFormatCodes: []int16{1}},
		&pgproto3.Describe{ObjectType: 'P'}, &pgproto3.Execute{MaxRows: 1}, &pgproto3.Flush{}, &pgproto3.Execute{}, &pgproto3.Close{ObjectType: 'P'}, sync)
	add(&pgproto3.Query{String: "create table t (a int4, b text)"}, &pgproto3.Query{String: "copy t from stdin"}, &pgproto3.CopyData{Data: []byte("1\tx\n")},
		&pgproto3.CopyDone{}, &pgproto3.Query{String: "copy t to stdout (format binary)"})
	add(&pgproto3.Query{String: "create table t (a int4)"}, &pgproto3.Parse{Query: "copy t from stdin (format binary)"}, &pgproto3.Bind{}, &pgproto3.Execute{},
		&pgproto3.CopyData{Data: []byte(binarySignature + "\x00\x01\x00\x00\x00\x04\x00\x00\x00\x01\xff\xff")}, &pgproto3.CopyDone{}, sync)
	add(&pgproto3.FunctionCall{}, &pgproto3.CopyFail{}, &pgproto3.Parse{Query: "panic"}, &pgproto3.Bind{}, &pgproto3.Execute{}, sync, &pgproto3.Terminate{})
	f.Add(false, []byte("Q\x3f\xff\xff\xffselect"))

	f.Fuzz(func(t *testing.T, framed bool, data []byte) {
		if framed {
			data = frame(data)
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		done := converse(append(startupPacket(3<<16, "user", "u"), data...))
		select {
		case <-done:
		case <-time.After(20 * time.Second):
			buf := make([]byte, 1<<20)
			t.Fatalf("the connection hangs\n%s", buf[:runtime.Stack(buf, true)])
		}
		runtime.ReadMemStats(&after)
		if n := after.TotalAlloc - before.TotalAlloc; n > 256<<20 {
			t.Errorf("%d bytes were allocated for %d", n, len(data))
		}
	})
}

// frame makes messages: a type, a length in one byte, so many bytes.
func frame(data []byte) (out []byte) {
	for len(data) >= 2 {
		n := min(int(data[1]), len(data)-2)
		out = binary.BigEndian.AppendUint32(append(out, data[0]), uint32(n+4))
		out = append(out, data[2:2+n]...)
		data = data[2+n:]
	}
	return out
}

// converse sends data to a connection of its own and leaves soon after; done is closed when the
// connection has ended.
func converse(data []byte) (done chan struct{}) {
	s := NewServer(Config{Backend: newFakeBackend(), Trust: func(net.Addr) bool { return true }})
	client, server := net.Pipe()
	c := newConn(s, server)
	s.admit(c)
	done = make(chan struct{})
	go func() {
		s.handle(c)
		close(done)
	}()
	go func() { _, _ = io.Copy(io.Discard, client) }()
	go func() {
		_ = client.SetWriteDeadline(time.Now().Add(200 * time.Millisecond)) // it may be busy for ever
		_, _ = client.Write(data)
		bye, _ := (&pgproto3.Terminate{}).Encode(nil)
		_, _ = client.Write(bye)
		_ = client.Close()
	}()
	return done
}
