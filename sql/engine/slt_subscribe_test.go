package engine

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
)

// subscription collects the rows of a SUBSCRIBE.
type subscription struct {
	cancel context.CancelFunc
	done   chan struct{}

	mu  sync.Mutex
	got []string
	err error
}

func (s *script) subscribe(text string) *subscription {
	c := s.node.connect(nil)
	ctx, cancel := context.WithCancel(context.Background())
	sub := &subscription{cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(sub.done)
		defer c.Close(context.Background())
		for r := c.Exec(ctx, text); ; {
			if !r.NextResult() {
				sub.end(r.Close())
				return
			}
			for rows := r.ResultReader(); rows.NextRow(); {
				var fields []string
				for _, v := range rows.Values()[1:] { // without the epoch
					fields = append(fields, fieldText(v))
				}
				sub.add(strings.Join(fields, "|"))
			}
		}
	}()
	return sub
}

func (sub *subscription) add(row string) {
	sub.mu.Lock()
	defer sub.mu.Unlock()
	sub.got = append(sub.got, row)
}

func (sub *subscription) end(err error) {
	sub.mu.Lock()
	defer sub.mu.Unlock()
	if sub.err = err; err == nil {
		sub.err = errors.New("the subscription has ended")
	}
}

// rows is what has come since the last forget; an error is told once all that was wanted is there.
func (sub *subscription) rows(want int) ([]string, error) {
	sub.mu.Lock()
	defer sub.mu.Unlock()
	if sub.err != nil && len(sub.got) < want {
		return []string{"error " + errorLine(sub.err)}, nil
	}
	return slices.Clone(sub.got), nil
}

func (sub *subscription) forget(n int) {
	sub.mu.Lock()
	defer sub.mu.Unlock()
	sub.got = sub.got[min(n, len(sub.got)):]
}
