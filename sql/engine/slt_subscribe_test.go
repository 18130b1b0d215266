package engine

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"
)

// subscription collects the rows of a SUBSCRIBE.
type subscription struct {
	cancel context.CancelFunc
	done   chan struct{}

	mu  sync.Mutex
	got []string
	err error
}

// subscribe runs a SUBSCRIBE, or a COPY of one, until the script ends. It returns once the server has
// said what the columns are: what changes from then on is in it, with a snapshot or without one. Of a
// COPY only the snapshot tells that it has begun.
func (s *script) subscribe(text string) *subscription {
	c := s.node.connect(nil)
	ctx, cancel := context.WithCancel(context.Background())
	sub := &subscription{cancel: cancel, done: make(chan struct{})}
	begun := make(chan struct{})
	go func() {
		defer close(sub.done)
		defer c.Close(context.Background())
		if strings.HasPrefix(text, "COPY") {
			close(begun)
			_, err := c.CopyTo(ctx, sub, text)
			sub.end(err)
			return
		}
		r := c.Exec(ctx, text)
		more := r.NextResult()
		close(begun)
		for ; more; more = r.NextResult() {
			for rows := r.ResultReader(); rows.NextRow(); {
				var fields []string
				for _, v := range rows.Values() {
					fields = append(fields, fieldText(v))
				}
				sub.add(fields)
			}
		}
		sub.end(r.Close())
	}()
	select {
	case <-begun:
	case <-time.After(testWait):
		s.t.Fatalf("%s has not begun", text)
	}
	return sub
}

// Write takes what a COPY sends: a row at a time.
func (sub *subscription) Write(line []byte) (int, error) {
	sub.add(strings.Split(strings.TrimSuffix(string(line), "\n"), "\t"))
	return len(line), nil
}

// add takes a row, without its epoch.
func (sub *subscription) add(fields []string) {
	sub.mu.Lock()
	defer sub.mu.Unlock()
	sub.got = append(sub.got, strings.Join(fields[1:], "|"))
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
