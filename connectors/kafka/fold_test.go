package kafka

import (
	"slices"
	"strings"
	"testing"
)

// What a key holds after the changes of an epoch, in whatever order they come.
func TestFold(t *testing.T) {
	for changes, want := range map[string]string{
		"+ka":         "k=a",
		"-ka":         "k",
		"+kb -ka":     "k=b",
		"+ka -ka":     "",
		"+ka +kb +ka": "k=a", // a stream without deletes: the row that came last, also when it was there before
		"+ka +ka +kb": "k=b",
		"+ka +lb -ka": "l=b",
		"-ka +kb -kb": "k",
	} {
		f := newFolder()
		for _, c := range strings.Fields(changes) {
			op := int8(1)
			if c[0] == '-' {
				op = -1
			}
			f.add([]byte(c[1:2]), []byte(c[2:]), op)
		}
		var got []string
		err := f.drain(func(key, value []byte) error {
			text := string(key)
			if value != nil {
				text += "=" + string(value)
			}
			got = append(got, text)
			return nil
		})
		if err != nil || !slices.Equal(got, strings.Fields(want)) {
			t.Errorf("%s: %q, %v; want %q", changes, got, err, want)
		}
	}
}
