// Package agg is the columnar machinery of grouping: a hash table from typed keys to dense group
// ids, and accumulators that are columns indexed by those ids.
//
//	key columns ─▶ Table.Lookup ─▶ ids ─▶ Set.Add(ids, batch) ─▶ one column of state per aggregate
//	                                        │
//	           Partial ─▶ exchange or state row ─▶ Load ─▶ Merge      Result ─▶ output columns
//
// Everything works on whole batches; nothing allocates or makes an interface call for a row.
// The exceptions are the aggregates that keep all their values (min and max over an input with
// deletes, array_agg, string_agg) and those over numerics that no machine word holds.
//
// Invariants:
//   - Ids are dense: the k-th new key gets id k, and id k is at position k of every accumulator.
//   - Partial followed by Load gives back an equal accumulator. It is the form that crosses
//     exchanges and that lies in the state store, so a change to it is a change of the state format.
package agg
