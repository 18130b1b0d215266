package main

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/jackc/pgx/v5"
	"github.com/peterbourgon/ff/v4"

	"github.com/streamsql/streamsql/sql"
)

func backupCommand() *ff.Command {
	fs := ff.NewFlagSet("backup")
	server := fs.String('s', "server", "postgres://127.0.0.1:4566/streamsql", "the server, as libpq spells it; PGUSER, PGPASSWORD … are understood")
	fs.StringVar(new(string), 0, "config", "", "file with a line `flag value` for each flag")
	return &ff.Command{Name: "backup", Usage: "streamsql backup [--server URL] DIR", ShortHelp: "copy a running server's data directory", Flags: fs,
		Exec: func(ctx context.Context, args []string) error {
			if len(args) != 1 {
				return ff.ErrHelp
			}
			return backup(ctx, *server, args[0])
		}}
}

// backup asks the server for a copy in dir, which is on the server's machine.
func backup(ctx context.Context, server, dir string) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	conn, err := pgx.Connect(ctx, server)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	var path string
	var bytes, epoch, jobs int64
	row := conn.QueryRow(ctx, "BACKUP TO "+sql.QuoteLiteral(dir), pgx.QueryExecModeSimpleProtocol)
	if err := row.Scan(&path, &bytes, &epoch, &jobs); err != nil {
		return err
	}
	fmt.Printf("%s: %.1f MB, %d jobs, tables as of epoch %d\n", path, float64(bytes)/1e6, jobs, epoch)
	return nil
}
