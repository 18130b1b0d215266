package wire

import (
	"bytes"
	"encoding/binary"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/streamsql/streamsql/sql"
)

// What a start-up packet's first number says, beside protocol versions (major<<16 | minor).
const (
	sslRequestCode    = 80877103
	gssRequestCode    = 80877104
	cancelRequestCode = 80877102

	protocolMajor = 3
	newestMinor   = 2
)

// readStartupPacket reads one packet without a type byte, and not a byte beyond it.
func readStartupPacket(r io.Reader) (code uint32, body []byte, err error) {
	var head [8]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return 0, nil, errGone
	}
	size := binary.BigEndian.Uint32(head[:])
	if size < 8 || size > maxStartupMessageBytes {
		return 0, nil, sql.Errorf(sql.CodeProtocolViolation, "invalid length of startup packet")
	}
	body = make([]byte, size-8)
	if _, err := io.ReadFull(r, body); err != nil {
		return 0, nil, errGone
	}
	return binary.BigEndian.Uint32(head[4:]), body, nil
}

func parseCancel(body []byte) (pid uint32, key []byte, ok bool) {
	if len(body) < 8 {
		return 0, nil, false
	}
	return binary.BigEndian.Uint32(body), body[4:], true
}

// hello is the start-up message.
type hello struct {
	minor  uint32 // of protocol 3
	params map[string]string
}

func parseHello(version uint32, body []byte) (*hello, error) {
	if version>>16 != protocolMajor {
		return nil, sql.Errorf(sql.CodeFeatureNotSupported, "unsupported frontend protocol %d.%d: server supports 3.0 to 3.%d",
			version>>16, version&0xffff, newestMinor)
	}
	h := &hello{minor: version & 0xffff, params: map[string]string{}}
	for {
		name, rest, ok := bytes.Cut(body, []byte{0})
		if ok && len(name) == 0 && len(rest) == 0 {
			return h, nil
		}
		value, rest, ok2 := bytes.Cut(rest, []byte{0})
		if !ok || !ok2 || len(name) == 0 {
			return nil, sql.Errorf(sql.CodeProtocolViolation, "invalid startup packet layout: expected terminator as last byte")
		}
		for _, part := range [][]byte{name, value} {
			if err := sql.CheckUTF8(part); err != nil {
				return nil, err
			}
		}
		h.params[string(name)] = string(value)
		body = rest
	}
}

// negotiation tells a client that asks for more than there is what there is; nil when all is well.
func (h *hello) negotiation() *pgproto3.NegotiateProtocolVersion {
	var unknown []string
	for _, name := range slices.Sorted(maps.Keys(h.params)) {
		if strings.HasPrefix(name, "_pq_.") {
			unknown = append(unknown, name)
		}
	}
	if h.minor <= newestMinor && unknown == nil {
		return nil
	}
	return &pgproto3.NegotiateProtocolVersion{NewestMinorProtocol: protocolMajor<<16 | min(h.minor, newestMinor), UnrecognizedOptions: unknown}
}

// secretBytes is the length of the cancel key: since protocol 3.2 it may be a long one.
func (h *hello) secretBytes() int {
	if h.minor >= 2 {
		return 32
	}
	return 4
}

// startupSettings is the settings a client asks for: those of its options parameter (-c name=value),
// overridden by parameters of their own.
func startupSettings(params map[string]string) (map[string]string, error) {
	out := map[string]string{}
	words := splitOptions(params["options"])
	for i := 0; i < len(words); i++ {
		w := words[i]
		switch {
		case w == "-c" && i+1 < len(words):
			i++
			w = words[i]
		case strings.HasPrefix(w, "-c"):
			w = w[2:]
		case strings.HasPrefix(w, "--"):
			w = w[2:]
		default:
			return nil, sql.Errorf("22023", "invalid command-line argument for server process: %s", w)
		}
		name, value, ok := strings.Cut(w, "=")
		if !ok {
			return nil, sql.Errorf(sql.CodeSyntaxError, "-c %s requires a value", w)
		}
		out[strings.ReplaceAll(strings.ToLower(name), "-", "_")] = value
	}
	for name, value := range params {
		switch {
		case name == "options", strings.HasPrefix(name, "_pq_."):
		case name == "replication":
			if v, err := sql.ParseBool(value); err != nil || v {
				return nil, sql.Unsupported("a replication connection", "Read changes with SUBSCRIBE.")
			}
		default:
			out[strings.ToLower(name)] = value
		}
	}
	return out, nil
}

// splitOptions splits at white space; a backslash takes the next byte as it is.
func splitOptions(s string) []string {
	var words []string
	var cur strings.Builder
	in := false
	for i := 0; i < len(s); i++ {
		switch b := s[i]; {
		case b == '\\' && i+1 < len(s):
			i++
			cur.WriteByte(s[i])
			in = true
		case b == ' ' || b == '\t' || b == '\n' || b == '\r':
			if in {
				words = append(words, cur.String())
				cur.Reset()
				in = false
			}
		default:
			cur.WriteByte(b)
			in = true
		}
	}
	if in {
		words = append(words, cur.String())
	}
	return words
}
