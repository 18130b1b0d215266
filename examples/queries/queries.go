// Package queries holds the example pipelines over the sample streams of `streamsql dev`. They are
// plain migration files; the demo and the tests run them in the order of their names.
package queries

import (
	"embed"
	"fmt"
)

//go:embed *.sql
var files embed.FS

// Broker is the bootstrap server that the files name: the embedded broker's default address.
const Broker = "127.0.0.1:19092"

// File is one example.
type File struct{ Name, SQL string }

// Files lists the examples in order.
func Files() []File {
	entries, err := files.ReadDir(".")
	if err != nil {
		panic(fmt.Sprintf("queries: embedded files: %v", err)) // they are in the binary
	}
	var out []File
	for _, e := range entries {
		b, err := files.ReadFile(e.Name())
		if err != nil {
			panic(fmt.Sprintf("queries: embedded file %s: %v", e.Name(), err)) // it is in the binary
		}
		out = append(out, File{e.Name(), string(b)})
	}
	return out
}
