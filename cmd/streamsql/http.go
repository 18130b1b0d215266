package main

import (
	"fmt"
	"html/template"
	"net"
	"net/http"
	"net/http/pprof"
	"net/netip"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/streamsql/streamsql/sql/engine"
)

// startHTTP serves the console, metrics and health. It shows no secrets, but it asks for none
// either: what is for people is shown to those on this machine only.
func (srv *server) startHTTP() error {
	if srv.s.http == "" {
		return nil
	}
	ln, err := net.Listen("tcp", srv.s.http)
	if err != nil {
		return fmt.Errorf("listen for HTTP: %w", err)
	}
	reg := prometheus.NewRegistry()
	reg.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), srv.engine.Collector())
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(reg, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if err := srv.engine.Ready(); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "ready")
	})
	mux.HandleFunc("GET /{$}", here(srv.console))
	if srv.s.pprof {
		mux.HandleFunc("/debug/pprof/", here(pprof.Index))
		mux.HandleFunc("/debug/pprof/profile", here(pprof.Profile))
		mux.HandleFunc("/debug/pprof/trace", here(pprof.Trace))
		mux.HandleFunc("/debug/pprof/symbol", here(pprof.Symbol))
	}
	srv.http = &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	go func() {
		if err := srv.http.Serve(ln); err != nil && err != http.ErrServerClosed {
			srv.failed <- fmt.Errorf("serve HTTP: %w", err)
		}
	}()
	return nil
}

// here is a page for clients on this machine. The Host must be this machine too: a page of another
// site whose name has been made to point here (DNS rebinding) is not to read it.
func here(page http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		from, err := netip.ParseAddrPort(r.RemoteAddr)
		host, _, splitErr := net.SplitHostPort(r.Host)
		if splitErr != nil {
			host = r.Host
		}
		to, hostErr := netip.ParseAddr(host)
		if err != nil || !from.Addr().Unmap().IsLoopback() || host != "localhost" && (hostErr != nil || !to.Unmap().IsLoopback()) {
			http.Error(w, "this page is shown on the server's own machine only", http.StatusForbidden)
			return
		}
		page(w, r)
	}
}

var consolePage = template.Must(template.New("console").Parse(`<!doctype html>
<meta charset="utf-8"><meta http-equiv="refresh" content="2"><title>streamsql</title>
<style>body{font:15px/1.4 system-ui,sans-serif;margin:2em;color:#222}table{border-collapse:collapse}
th,td{text-align:left;padding:.3em 1em .3em 0;border-bottom:1px solid #ddd}td.n{text-align:right}.bad{color:#b00}</style>
<h1>streamsql {{.Version}}</h1>
<p>psql -h {{.Host}} -p {{.Port}} · <a href="/metrics">metrics</a></p>
<table><tr><th>job<th>kind<th>state<th>epoch<th>restarts<th>last error</tr>
{{range .Jobs}}<tr><td>{{.Name}}<td>{{.Kind}}<td{{if ne .State "running"}} class="bad"{{end}}>{{.State}}<td class="n">{{.Epoch}}<td class="n">{{.Restarts}}<td>{{.LastError}}</tr>
{{else}}<tr><td colspan="6">no jobs yet: CREATE MATERIALIZED VIEW makes one</tr>{{end}}</table>
`))

// console is one page that says what runs.
func (srv *server) console(w http.ResponseWriter, _ *http.Request) {
	host, port, _ := net.SplitHostPort(srv.ln.Addr().String())
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	err := consolePage.Execute(w, struct {
		Version, Host, Port string
		Jobs                []engine.JobInfo
	}{version, host, port, srv.engine.Jobs()})
	if err != nil {
		srv.log.Debug("console page not written", "error", err)
	}
}
