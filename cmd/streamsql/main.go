// Command streamsql is the whole product in one binary:
//
//	streamsql serve --data-dir DIR   the server
//	streamsql dev                    the server, an embedded Kafka broker and sample streams
//	streamsql demo                   dev in a scratch directory, with windows updating in the terminal
//	streamsql backup DIR             a consistent copy of a running server's data directory
//	streamsql check FILE…            plans migration files without running them
//	streamsql version
//
// Every flag has a variable, STREAMSQL_ and the flag's name in capitals, and a key in the file that
// --config names.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	_ "time/tzdata" // time zones, on a machine without them too

	"github.com/peterbourgon/ff/v4"
	"github.com/peterbourgon/ff/v4/ffhelp"
)

// version is set by the linker.
var version = "dev"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:]))
}

// run executes a command line and returns the exit code.
func run(ctx context.Context, args []string) int {
	root := &ff.Command{Name: "streamsql", Usage: "streamsql <serve|dev|demo|backup|check|version> [flags]",
		ShortHelp: "streaming SQL over Kafka, served to PostgreSQL clients"}
	root.Exec = func(context.Context, []string) error { return ff.ErrHelp }
	root.Subcommands = []*ff.Command{serveCommand(), devCommand(), demoCommand(), backupCommand(), checkCommand(), versionCommand()}
	options := []ff.Option{ff.WithEnvVarPrefix("STREAMSQL"), ff.WithConfigFileFlag("config"), ff.WithConfigFileParser(ff.PlainParser)}
	err := root.Parse(args, options...)
	if err == nil {
		err = root.Run(ctx)
	}
	switch {
	case err == nil, errors.Is(err, errStopped):
		return 0
	case errors.Is(err, ff.ErrHelp):
		fmt.Fprintln(os.Stderr, ffhelp.Command(root.GetSelected()))
		return 2
	case errors.Is(err, errFindings):
		return 1
	}
	fmt.Fprintln(os.Stderr, "streamsql:", describe(err))
	return 1
}

// noArguments refuses what stands behind the flags: mostly a flag without its dashes.
func noArguments(f func(ctx context.Context) error) func(context.Context, []string) error {
	return func(ctx context.Context, args []string) error {
		if len(args) > 0 {
			return fmt.Errorf("unexpected argument %q", args[0])
		}
		return f(ctx)
	}
}

func versionCommand() *ff.Command {
	return &ff.Command{Name: "version", Usage: "streamsql version", ShortHelp: "print the version",
		Exec: func(context.Context, []string) error {
			fmt.Println("streamsql", version)
			return nil
		}}
}
