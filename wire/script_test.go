package wire

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/streamsql/streamsql/connectors/postgres/pgtest"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }

// TestScripts sends what testdata/protocol says, message by message, to this server and to
// PostgreSQL: both must answer what is written there. A file is one connection.
//
//	send            one message a line; the answer is read up to ReadyForQuery
//	send until=T    … up to a message of type T
//	send only=server   PostgreSQL is not asked: the comment above says why
func TestScripts(t *testing.T) {
	server := startServer(t)
	targets := []scriptTarget{{"server", server.addr(), "tester"}}
	if !testing.Short() {
		targets = append(targets, scriptTarget{"postgres", fmt.Sprintf("127.0.0.1:%d", pgtest.Shared(t).Port), "postgres"})
	}
	for _, target := range targets {
		t.Run(target.name, func(t *testing.T) {
			datadriven.Walk(t, filepath.Join("testdata", "protocol"), func(t *testing.T, path string) {
				c := dialRaw(t, target.addr, target.user)
				datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
					if d.HasArg("only") && target.name != "server" {
						return d.Expected
					}
					for _, line := range strings.Split(d.Input, "\n") {
						c.Send(parseMessage(t, line))
					}
					c.must(c.Flush())
					last := "Z"
					d.MaybeScanArgs(t, "until", &last)
					return c.until(last[0]) + "\n"
				})
			})
		})
	}
}

type scriptTarget struct{ name, addr, user string }

// parseMessage reads a message from a line; "-" is the empty name.
func parseMessage(t *testing.T, line string) pgproto3.FrontendMessage {
	word, rest, _ := strings.Cut(line, " ")
	name := func() string {
		n, r, _ := strings.Cut(rest, " ")
		rest = r
		if n == "-" {
			return ""
		}
		return n
	}
	switch word {
	case "query":
		return &pgproto3.Query{String: rest}
	case "parse":
		m := &pgproto3.Parse{Name: name()}
		if strings.HasPrefix(rest, "oids=") {
			for _, f := range formats(t, strings.TrimPrefix(name(), "oids=")) {
				m.ParameterOIDs = append(m.ParameterOIDs, uint32(f))
			}
		}
		m.Query = rest
		return m
	case "bind":
		m := &pgproto3.Bind{DestinationPortal: name(), PreparedStatement: name()}
		for rest != "" {
			w := name()
			switch {
			case strings.HasPrefix(w, "in="):
				m.ParameterFormatCodes = formats(t, w[3:])
			case strings.HasPrefix(w, "out="):
				m.ResultFormatCodes = formats(t, w[4:])
			case w == "NULL":
				m.Parameters = append(m.Parameters, nil)
			default:
				m.Parameters = append(m.Parameters, []byte(unquote(t, w)))
			}
		}
		return m
	case "describe":
		return &pgproto3.Describe{ObjectType: name()[0], Name: name()}
	case "execute":
		m := &pgproto3.Execute{Portal: name()}
		n, _ := strconv.Atoi(rest)
		m.MaxRows = uint32(n)
		return m
	case "close":
		return &pgproto3.Close{ObjectType: name()[0], Name: name()}
	case "flush":
		return &pgproto3.Flush{}
	case "sync":
		return &pgproto3.Sync{}
	case "copydata":
		return &pgproto3.CopyData{Data: []byte(unquote(t, rest))}
	case "copydone":
		return &pgproto3.CopyDone{}
	case "copyfail":
		return &pgproto3.CopyFail{Message: rest}
	case "function":
		return &pgproto3.FunctionCall{Function: 1}
	}
	t.Fatalf("unknown message %q", line)
	return nil
}

func formats(t *testing.T, s string) []int16 {
	out := []int16{}
	for _, f := range strings.Split(s, ",") {
		n, err := strconv.Atoi(f)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, int16(n))
	}
	return out
}

func unquote(t *testing.T, s string) string {
	out, err := strconv.Unquote(s)
	if err != nil {
		t.Fatalf("%s: %v", s, err)
	}
	return out
}
