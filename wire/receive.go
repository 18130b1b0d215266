package wire

import (
	"bufio"
	"encoding/binary"
	"io"
	"slices"
	"sync/atomic"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/streamsql/streamsql/sql"
)

const (
	readBuffer      = 4 << 10   // of every connection
	bodyStep        = 256 << 10 // memory is given to a message as its bytes come, not as its length claims
	maxKeptBody     = 1 << 20   // while messages follow one another
	maxSmallMessage = 10_000    // of messages that hold no statement, values or data, as in PostgreSQL
)

// receiver reads messages. One that is returned is valid until the next call.
//
// Invariants:
//   - What has been read and not returned is in r's buffer, or is the beginning of a large message in
//     body: a watch peeks in the buffer, and a read that a deadline has cut short is gone on with.
//   - A watch moves that buffer, so the bytes that CopyData and Bind refer to are used up before one
//     begins. The other messages hold copies.
type receiver struct {
	r        *bufio.Reader
	maxBytes int    // of a message's body
	inBuffer int    // bytes of r that the last message lies in
	body     []byte // of the last message, when it is larger than r's buffer
	missing  bool   // body's message has not come whole
	kind     byte   // of body's message
	size     int    // of body's message
	large    *largeMessages

	bind      pgproto3.Bind
	close     pgproto3.Close
	copyData  pgproto3.CopyData
	copyFail  pgproto3.CopyFail
	describe  pgproto3.Describe
	execute   pgproto3.Execute
	function  pgproto3.FunctionCall
	parse     pgproto3.Parse
	query     pgproto3.Query
	copyDone  pgproto3.CopyDone
	flush     pgproto3.Flush
	sync      pgproto3.Sync
	terminate pgproto3.Terminate
}

func newReceiver(r io.Reader, large *largeMessages) *receiver {
	return &receiver{r: bufio.NewReaderSize(r, readBuffer), large: large}
}

// largeMessages is the memory that all clients' large messages share.
type largeMessages struct{ bytes atomic.Int64 }

func (l *largeMessages) take(n int) error {
	if l.bytes.Add(int64(n)) > maxLargeBytes {
		l.bytes.Add(-int64(n))
		return sql.Errorf("53200", "out of memory for messages").WithHint("All clients' large messages may take %d bytes at a time.", maxLargeBytes)
	}
	return nil
}

// taken is what a body of that capacity counts: small ones are left out.
func taken(capacity int) int {
	if capacity <= bodyStep {
		return 0
	}
	return capacity
}

// receive reads a message. Errors that are *sql.Error are the client's fault; others the network's.
func (r *receiver) receive() (pgproto3.FrontendMessage, error) {
	kind, body, err := r.next()
	if err != nil {
		return nil, err
	}
	m, small := r.message(kind)
	if m == nil {
		return nil, sql.Errorf(sql.CodeProtocolViolation, "invalid frontend message type %d", kind)
	}
	if small && len(body) > maxSmallMessage {
		return nil, sql.Errorf(sql.CodeProtocolViolation, "invalid message length")
	}
	if err := m.Decode(body); err != nil {
		return nil, sql.Errorf(sql.CodeProtocolViolation, "invalid message format")
	}
	return m, nil
}

// next reads a message's type and body.
func (r *receiver) next() (kind byte, body []byte, err error) {
	if r.missing {
		return r.readBody()
	}
	_, _ = r.r.Discard(r.inBuffer) // it is all there
	r.inBuffer = 0
	if cap(r.body) > maxKeptBody {
		r.release()
	}
	head, err := r.r.Peek(5)
	if err != nil {
		return 0, nil, err
	}
	kind = head[0]
	size := int(binary.BigEndian.Uint32(head[1:])) - 4
	if size < 0 || size > r.maxBytes {
		return 0, nil, sql.Errorf(sql.CodeProtocolViolation, "invalid message length")
	}
	if 5+size <= r.r.Size()/2 { // the other half is for what a watch finds behind it
		b, err := r.r.Peek(5 + size)
		if err != nil {
			return 0, nil, err
		}
		r.inBuffer = 5 + size
		return kind, b[5:], nil
	}
	_, _ = r.r.Discard(5)
	r.body, r.missing, r.kind, r.size = r.body[:0], true, kind, size
	return r.readBody()
}

// readBody reads what is missing of a large message.
func (r *receiver) readBody() (kind byte, body []byte, err error) {
	for len(r.body) < r.size {
		if len(r.body) == cap(r.body) {
			if err := r.grow(min(bodyStep, r.size-len(r.body))); err != nil {
				return 0, nil, err
			}
		}
		n, err := r.r.Read(r.body[len(r.body):min(cap(r.body), r.size)])
		r.body = r.body[:len(r.body)+n]
		if err != nil {
			return 0, nil, err
		}
	}
	r.missing = false
	return r.kind, r.body, nil
}

func (r *receiver) grow(n int) error {
	before := cap(r.body)
	body := slices.Grow(r.body, n)
	if err := r.large.take(taken(cap(body)) - taken(before)); err != nil {
		return err
	}
	r.body = body
	return nil
}

// release gives up what the last message takes: an idle connection keeps only the small buffer.
func (r *receiver) release() {
	if !r.missing {
		r.drop()
	}
}

// drop gives up also what has come of a message.
func (r *receiver) drop() {
	_ = r.large.take(-taken(cap(r.body))) // giving back cannot fail
	r.body, r.missing = nil, false
	r.bind, r.parse, r.query, r.function, r.copyData = pgproto3.Bind{}, pgproto3.Parse{}, pgproto3.Query{}, pgproto3.FunctionCall{}, pgproto3.CopyData{}
}

// message is the message of a type, and whether it may only be small; nil = there is no such type.
func (r *receiver) message(kind byte) (m pgproto3.FrontendMessage, small bool) {
	switch kind {
	case 'B':
		return &r.bind, false
	case 'C':
		return &r.close, true
	case 'D':
		return &r.describe, true
	case 'E':
		return &r.execute, true
	case 'F':
		return &r.function, false
	case 'H':
		return &r.flush, true
	case 'P':
		return &r.parse, false
	case 'Q':
		return &r.query, false
	case 'S':
		return &r.sync, true
	case 'X':
		return &r.terminate, true
	case 'c':
		return &r.copyDone, true
	case 'd':
		return &r.copyData, false
	case 'f':
		return &r.copyFail, true
	}
	return nil, false
}
