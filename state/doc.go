// Package state keeps everything that outlives the process: rows of tables and views, changelogs,
// the state of operators, positions and the catalog. There is one Store per node, on Pebble, which
// appears nowhere else in the project.
//
//	task ─ writes ─▶ Batch ┐                     ┌ small: log and memory table ┐
//	task ─ writes ─▶ Batch ┴ Gathered ─▶ Commit ─┤                             ├ durable, one epoch ─▶ Watch
//	                                             └ large: tables, ingested     ┘
//	session ─ Snapshot or Tx ─▶ RowTable.Scan, RowTable.Get
//	job, sink, SUBSCRIBE ─ Watch, Store ─▶ Changelog.Read
//
// # Keys
//
// Every key starts with a table id (4 bytes, big endian) and a shard (1 byte). What follows keeps
// the order of the values it encodes, so that ranges of values are ranges of keys:
//
//	table             shard  rest of the key                          value
//	store's own (0)   0      name                                     format version
//	meta              0      name                                     JSON
//	RowTable          0      the key columns, memcomparable           the whole row
//	Changelog         0      epoch (8), task (2), sequence (4)        a batch, column by column
//	                  1      -                                        the last trimmed epoch (8)
//	State             hash   whatever the operator keeps its state by whatever it keeps
//	EventLog          0      time (8), unique number (8)              an event
//
// Row tables live in shard 0, because they are read in the order of their key; operator state is
// spread over all 256 by the hash of its key, as the exchanges are, so that a task's state is a
// few ranges at any parallelism.
//
// # Invariants
//
//   - A Batch is atomic. What Commit acknowledged survives a crash of the machine. A commit that
//     survives does so whole, and with all that had been committed when it began.
//   - A reader sees committed batches only, each wholly or not at all; a Snapshot, a Tx and an
//     Iter see one state for as long as they live.
//   - Equal values have equal keys, whatever their display scale (1.0 and 1.00), sign of zero or
//     trailing blanks of character(n); that is why a row table keeps whole rows in its values.
//   - A restart replays at most the memory tables' worth of log, whatever the history.
package state
