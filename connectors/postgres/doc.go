// Package postgres delivers epochs to tables of PostgreSQL exactly once.
//
//	batches ─ encoders ─▶ rows (COPY's binary form) ─ fold by key ─▶ deletes, upserts
//	BEGIN; epoch N−1 → N in streamsql.sinks; DELETE … unnest; INSERT … unnest … ON CONFLICT │ COPY; COMMIT
//
// The form of a field in COPY and of an element in an array's binary form are the same, so a row is
// encoded once: it is compared when changes are folded, copied as it is, or cut into the arrays that a
// statement unnests.
//
// Invariants:
//   - Rows of an epoch and its number are in the same transaction, which first takes the lock of the
//     sink's row in the bookkeeping table. After an unknown outcome that row is the only truth; reading
//     it waits for the lock, so for a transaction that is still on its way.
//   - The row is made at CREATE. That it is gone later means that the database is not what it was.
//   - A row that PostgreSQL refuses is left out alone: its batch is halved, behind savepoints, until it
//     stands by itself.
//   - Passwords are in no error, log line or status.
package postgres
