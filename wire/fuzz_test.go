package wire

import (
	"net"
	"runtime"
	"testing"

	"github.com/jackc/pgx/v5/pgproto3"
)

// FuzzConn plays random clients against the fake backend: start-up, authentication, messages, COPY,
// cancel requests, cut anywhere. Nothing panics, hangs or takes memory that was not sent.
func FuzzConn(f *testing.F) {
	sync := &pgproto3.Sync{}
	AddAttack(f, &pgproto3.Query{String: "select 1; select generate_series(1,5000)"}, &pgproto3.Query{String: "begin; declare c"})
	AddAttack(f, &pgproto3.Parse{Name: "s", Query: "select $1::int4, $2::text", ParameterOIDs: []uint32{23}}, &pgproto3.Describe{ObjectType: 'S', Name: "s"},
		&pgproto3.Bind{PreparedStatement: "s", ParameterFormatCodes: []int16{1, 0}, Parameters: [][]byte{{0, 0, 0, 1}, nil}, ResultFormatCodes: []int16{1}},
		&pgproto3.Describe{ObjectType: 'P'}, &pgproto3.Execute{MaxRows: 1}, &pgproto3.Flush{}, &pgproto3.Execute{}, &pgproto3.Close{ObjectType: 'P'}, sync)
	AddAttack(f, &pgproto3.Query{String: "create table t (a int4, b text)"}, &pgproto3.Query{String: "copy t from stdin"}, &pgproto3.CopyData{Data: []byte("1\tx\n")},
		&pgproto3.CopyDone{}, &pgproto3.Query{String: "copy t to stdout (format binary)"})
	AddAttack(f, &pgproto3.Query{String: "create table t (a int4)"}, &pgproto3.Parse{Query: "copy t from stdin (format binary)"}, &pgproto3.Bind{}, &pgproto3.Execute{},
		&pgproto3.CopyData{Data: []byte(binarySignature + "\x00\x01\x00\x00\x00\x04\x00\x00\x00\x01\xff\xff")}, &pgproto3.CopyDone{}, sync)
	AddAttack(f, &pgproto3.FunctionCall{}, &pgproto3.CopyFail{}, &pgproto3.Parse{Query: "panic"}, &pgproto3.Bind{}, &pgproto3.Execute{}, sync, &pgproto3.Terminate{})
	AddAttack(f, &pgproto3.Query{String: "select pg_sleep(60)"}, &pgproto3.Query{String: "select 2"})
	f.Add(uint16(0), uint16(0), []byte("Q\x3f\xff\xff\xffselect"))
	for _, start := range []string{string(packet(sslRequestCode, "")), string(packet(gssRequestCode, "")), string(packet(cancelRequestCode, "\x00\x00\x00\x01key!"))} {
		f.Add(uint16(attackBare), uint16(0), append([]byte(start), startupPacket(3<<16, "user", "u", "options", "-c a.b=c --x.y=z")...))
		f.Add(uint16(attackBare|attackPieces), uint16(5), append([]byte(start), startupPacket(3<<16|7, "user", "u", "_pq_.x", "")...))
	}
	first := &pgproto3.SASLInitialResponse{AuthMechanism: scramMechanism, Data: []byte("n,,n=,r=abcdefghijklmnop")}
	AddAttack(f, first, &pgproto3.SASLResponse{Data: []byte("c=biws,r=abcdefghijklmnop,p=AAAA")})

	cred, err := NewCredentials(AttackPassword)
	if err != nil {
		f.Fatal(err)
	}
	var growth Growth
	f.Fuzz(func(t *testing.T, flags, seed uint16, data []byte) {
		backend := newFakeBackend()
		backend.users["secretive"] = cred
		s := NewServer(Config{Backend: backend, Trust: func(net.Addr) bool { return true }})
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		(&Attack{Flags: flags, Seed: seed, Data: data}).Run(t, s)
		runtime.ReadMemStats(&after)
		if n := after.TotalAlloc - before.TotalAlloc; n > 256<<20 {
			t.Errorf("%d bytes were allocated for %d", n, len(data))
		}
		if n := backend.sessions.Load(); n != 0 {
			t.Errorf("%d sessions were not closed", n)
		}
		growth.Check(t)
	})
}
