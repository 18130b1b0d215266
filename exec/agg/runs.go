package agg

import (
	"slices"
	"sort"
)

// runs is a list of values in order, of any length. It is cut into blocks, so that an insert or a
// delete moves the values of a block and not all behind it: in a bounded query, and until it is large, a
// group may have a million. No block is empty.
type runs [][]value

const maxBlock = 512

// after is the place behind the last value whose key is at most key.
func (r runs) after(key []byte) (b, i int) {
	b = sort.Search(len(r), func(b int) bool { return r[b][0].key > string(key) }) - 1
	if b < 0 {
		return 0, 0
	}
	return b, sort.Search(len(r[b]), func(i int) bool { return r[b][i].key > string(key) })
}

// before is the place in front of one; ok is false at the beginning.
func (r runs) before(b, i int) (int, int, bool) {
	switch {
	case i > 0:
		return b, i - 1, true
	case b > 0:
		return b - 1, len(r[b-1]) - 1, true
	}
	return 0, 0, false
}

// insert puts x at a place.
func (r runs) insert(b, i int, x value) runs {
	switch {
	case len(r) == 0, b == len(r)-1 && i == maxBlock: // values that come in order fill their blocks
		return append(r, []value{x})
	case len(r[b]) == maxBlock:
		const half = maxBlock / 2
		r = slices.Insert(r, b+1, slices.Clone(r[b][half:]))
		clear(r[b][half:])
		r[b] = r[b][:half]
		if i > half {
			b, i = b+1, i-half
		}
	}
	r[b] = slices.Insert(r[b], i, x)
	return r
}

// push puts x at the end.
func (r runs) push(x value) runs {
	if len(r) == 0 {
		return r.insert(0, 0, x)
	}
	return r.insert(len(r)-1, len(r[len(r)-1]), x)
}

// remove takes the value at a place away.
func (r runs) remove(b, i int) runs {
	if r[b] = slices.Delete(r[b], i, i+1); len(r[b]) == 0 {
		return slices.Delete(r, b, b+1)
	}
	return r
}

// each calls fn for every value in order.
func (r runs) each(fn func(x *value)) {
	for _, block := range r {
		for i := range block {
			fn(&block[i])
		}
	}
}
