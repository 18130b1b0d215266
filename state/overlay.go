package state

import (
	"bytes"
	"math/rand/v2"
)

// overlay is a sorted map of uncommitted writes: a treap whose nodes are shared between versions.
//
// Invariant: a node whose gen is below the overlay's is frozen; a write copies it first. So a
// version (a root) is taken in constant time by freeze, for a savepoint or an iterator, and a run
// of writes without one works in place.
type overlay struct {
	root  *node
	gen   uint64
	bytes int
}

// node is the last write to a key.
type node struct {
	key, value  []byte
	deleted     bool
	priority    uint32
	gen         uint64
	left, right *node
}

// freeze returns the present version; later writes leave it as it is.
func (o *overlay) freeze() *node {
	o.gen++
	return o.root
}

// put sets key, or marks it deleted. Key and value become the overlay's.
func (o *overlay) put(key, value []byte, deleted bool) {
	o.root = o.insert(o.root, key, value, deleted)
	o.bytes += len(key) + len(value)
}

func (o *overlay) insert(n *node, key, value []byte, deleted bool) *node {
	if n == nil {
		return &node{key: key, value: value, deleted: deleted, priority: rand.Uint32(), gen: o.gen}
	}
	n = o.own(n)
	switch c := bytes.Compare(key, n.key); {
	case c == 0:
		n.value, n.deleted = value, deleted
	case c < 0:
		l := o.insert(n.left, key, value, deleted)
		if n.left = l; l.priority > n.priority {
			n.left, l.right = l.right, n
			return l
		}
	default:
		r := o.insert(n.right, key, value, deleted)
		if n.right = r; r.priority > n.priority {
			n.right, r.left = r.left, n
			return r
		}
	}
	return n
}

func (o *overlay) own(n *node) *node {
	if n.gen == o.gen {
		return n
	}
	c := *n
	c.gen = o.gen
	return &c
}

// get finds the node of key in the version n.
func (n *node) get(key []byte) *node {
	for n != nil {
		switch c := bytes.Compare(key, n.key); {
		case c == 0:
			return n
		case c < 0:
			n = n.left
		default:
			n = n.right
		}
	}
	return nil
}

// above finds the first node with a key > key, or ≥ key when orEqual.
func (n *node) above(key []byte, orEqual bool) (found *node) {
	for n != nil {
		if c := bytes.Compare(n.key, key); c > 0 || c == 0 && orEqual {
			found, n = n, n.left
		} else {
			n = n.right
		}
	}
	return found
}

// below finds the last node with a key < key; a nil key is beyond all.
func (n *node) below(key []byte) (found *node) {
	for n != nil {
		if key == nil || bytes.Compare(n.key, key) < 0 {
			found, n = n, n.right
		} else {
			n = n.left
		}
	}
	return found
}

// each calls f for every node in order.
func (n *node) each(f func(*node) error) error {
	if n == nil {
		return nil
	}
	if err := n.left.each(f); err != nil {
		return err
	}
	if err := f(n); err != nil {
		return err
	}
	return n.right.each(f)
}
