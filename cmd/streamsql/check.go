package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/peterbourgon/ff/v4"

	"github.com/streamsql/streamsql/sql/engine"
)

// errFindings is returned when check has printed what is wrong.
var errFindings = errors.New("errors found")

func checkCommand() *ff.Command {
	fs := ff.NewFlagSet("check")
	return &ff.Command{Name: "check", Usage: "streamsql check FILE…", ShortHelp: "plan migration files without running them", Flags: fs,
		Exec: func(_ context.Context, files []string) error {
			if len(files) == 0 {
				return ff.ErrHelp
			}
			return check(files)
		}}
}

// check plans the files in order, as one migration: a later file sees what an earlier one creates.
func check(files []string) error {
	c, err := engine.NewChecker(allConnectors())
	if err != nil {
		return err
	}
	defer c.Close()
	bad := false
	for _, file := range files {
		src, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		src = bytes.TrimPrefix(src, []byte("\ufeff")) // editors' byte order mark
		for _, f := range c.Check(string(src)) {
			bad = true
			fmt.Printf("%s:%d:%d: %s\n", file, f.Line, f.Column, f.Message)
		}
	}
	if bad {
		return errFindings
	}
	return nil
}
