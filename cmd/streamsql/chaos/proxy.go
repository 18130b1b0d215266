package main

import (
	"math/rand/v2"
	"net"
	"sync"
	"time"
)

// proxy is a network between clients and a server that can be made worse: it forwards TCP
// connections, and cuts or holds them when told to.
type proxy struct {
	ln     net.Listener
	target func() string

	mu     sync.Mutex
	conns  map[net.Conn]bool
	fuse   *rand.Rand    // not nil: a connection breaks after a random number of bytes
	frozen chan struct{} // not nil: nothing moves until it is closed
	done   sync.WaitGroup
}

// maxFuse is the most that a connection carries while the network is flaky: less than a batch of
// records in one direction at times, more at others, so that requests break anywhere.
const maxFuse = 48 << 10

// listenProxy starts a proxy; target is asked for each connection.
func listenProxy(target func() string) (*proxy, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &proxy{ln: ln, target: target, conns: map[net.Conn]bool{}}
	p.done.Add(1)
	go p.accept()
	return p, nil
}

func (p *proxy) addr() string { return p.ln.Addr().String() }

func (p *proxy) accept() {
	defer p.done.Done()
	for {
		c, err := p.ln.Accept()
		if err != nil {
			return // closed
		}
		p.done.Add(1)
		go p.serve(c)
	}
}

// serve forwards one connection, both ways, until one of them ends or is cut.
func (p *proxy) serve(client net.Conn) {
	defer p.done.Done()
	defer client.Close()
	server, err := net.DialTimeout("tcp", p.target(), 5*time.Second)
	if err != nil {
		return // the client sees that the connection closes, as when the server is away
	}
	defer server.Close()
	p.mu.Lock()
	p.conns[client], p.conns[server] = true, true
	p.mu.Unlock()
	ended := make(chan struct{}, 2)
	go p.forward(server, client, ended)
	go p.forward(client, server, ended)
	<-ended
	client.Close()
	server.Close()
	<-ended
	p.mu.Lock()
	delete(p.conns, client)
	delete(p.conns, server)
	p.mu.Unlock()
}

func (p *proxy) forward(to, from net.Conn, ended chan<- struct{}) {
	defer func() { ended <- struct{}{} }()
	buf := make([]byte, 16<<10)
	left, lit := 0, false
	for {
		n, err := from.Read(buf)
		if n > 0 {
			fuse, frozen := p.state()
			if frozen != nil {
				<-frozen
			}
			switch {
			case fuse < 0:
				lit = false
			case !lit:
				left, lit = fuse, true
			}
			if lit {
				n = min(n, left)
				left -= n
			}
			if _, werr := to.Write(buf[:n]); werr != nil || lit && left == 0 {
				return
			}
		}
		if err != nil {
			return // EOF, cut, or reset: for the other side it is the end in any case
		}
	}
}

// state is how long a fuse a connection gets that has none (-1 = none), and what it waits for.
func (p *proxy) state() (fuse int, frozen chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	fuse = -1
	if p.fuse != nil {
		fuse = p.fuse.IntN(maxFuse)
	}
	return fuse, p.frozen
}

// cut closes all connections.
func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		c.Close()
	}
}

// flaky makes every connection break after some bytes, until steady is called.
func (p *proxy) flaky(r *rand.Rand) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fuse = r
}

func (p *proxy) steady() { p.flaky(nil) }

// freeze holds everything that is on its way until thaw: nobody is told.
func (p *proxy) freeze() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.frozen == nil {
		p.frozen = make(chan struct{})
	}
}

func (p *proxy) thaw() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.frozen != nil {
		close(p.frozen)
		p.frozen = nil
	}
}

func (p *proxy) close() error {
	err := p.ln.Close()
	p.thaw()
	p.cut()
	p.done.Wait()
	return err
}
