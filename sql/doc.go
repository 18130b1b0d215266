// Package sql holds what every layer of the engine shares: types, schemas, single values
// ("datums") with their PostgreSQL text forms, and the one error type.
//
// It is the bottom of the import graph: it imports nothing of this module.
package sql
