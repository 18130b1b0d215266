package engine

import "testing"

// TestParameters gives parameters to statements that contain a query: drivers send server-side
// cursors so.
func TestParameters(t *testing.T) {
	n := newNode(t, "")
	c := n.connect(nil)
	defer c.Close(t.Context())
	run := func(sql string, params ...string) [][]string {
		t.Helper()
		values := make([][]byte, len(params))
		for i, p := range params {
			values[i] = []byte(p)
		}
		r := c.ExecParams(t.Context(), sql, values, nil, nil, nil).Read()
		if r.Err != nil {
			t.Fatalf("%s: %v", sql, r.Err)
		}
		var out [][]string
		for _, row := range r.Rows {
			var line []string
			for _, v := range row {
				line = append(line, fieldText(v))
			}
			out = append(out, line)
		}
		return out
	}
	run("BEGIN")
	run("DECLARE c CURSOR FOR SELECT g FROM generate_series(1, 5) g WHERE g > $1", "3")
	if got := run("FETCH ALL FROM c"); len(got) != 2 || got[0][0] != "4" {
		t.Errorf("got %v, want 4 and 5", got)
	}
	run("COMMIT")
}
