package main

import (
	"fmt"
	"html/template"
	"net"
	"net/http"
	"net/http/pprof"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/streamsql/streamsql/sql/engine"
)

// startHTTP serves the console, metrics and health. It shows no secrets, but it asks for none
// either: it belongs on loopback or behind something that asks.
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
	mux.HandleFunc("GET /{$}", srv.console)
	if srv.s.pprof {
		mux.HandleFunc("/debug/pprof/", pprof.Index)
		mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
		mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
		mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	}
	srv.http = &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	go func() {
		if err := srv.http.Serve(ln); err != nil && err != http.ErrServerClosed {
			srv.failed <- fmt.Errorf("serve HTTP: %w", err)
		}
	}()
	return nil
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
