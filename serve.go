package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/oklog/run"
	"github.com/prometheus/exporter-toolkit/web"
	"golang.org/x/net/netutil"

	"shopwatch/internal/guard"
)

// maxConnections is how many an address holds open at once; a visitor with a
// modern browser holds one.
const maxConnections = 2000

// stopWithin is how long requests under way may take to end.
const stopWithin = 500 * time.Millisecond

// listen binds an address, or says which one is taken and by which flag to
// choose another.
func listen(flag, address string) (net.Listener, error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("--%s: %w; choose another address", flag, err)
	}
	// The public page and the alarms are one process: visitors must not take
	// all its descriptors.
	return netutil.LimitListener(l, maxConnections), nil
}

// prepare makes the data directory and checks that it can be written to.
func prepare(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("--data.dir: %w", err)
	}
	probe, err := os.CreateTemp(dir, ".writable-*")
	if err != nil {
		return fmt.Errorf("--data.dir %q is not writable: %w", dir, err)
	}
	return errors.Join(probe.Close(), os.Remove(probe.Name()))
}

// addServer serves a listener as one actor of the group, with limits on
// everything that a stranger can hold open. webConfig is exporter-toolkit's
// file, "" for none.
func addServer(group *run.Group, l net.Listener, webConfig string, handler http.Handler, logger *slog.Logger) {
	server := &http.Server{
		Handler: handler, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 30 * time.Second,
		WriteTimeout: time.Minute, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 32 << 10,
		ErrorLog: slog.NewLogLogger(logger.Handler(), slog.LevelDebug),
	}
	stopped := make(chan struct{})
	group.Add(func() error {
		serve := server.Serve
		if webConfig != "" {
			serve = func(l net.Listener) error {
				return web.Serve(l, server, &web.FlagConfig{WebConfigFile: &webConfig}, logger)
			}
		}
		if err := serve(l); !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, net.ErrClosed) {
			return err
		}
		<-stopped
		return nil
	}, func(error) {
		go func() { // the group asks one actor after the other to end
			defer close(stopped)
			ctx, cancel := context.WithTimeout(context.Background(), stopWithin)
			defer cancel()
			if server.Shutdown(ctx) != nil {
				server.Close()
			}
		}()
	})
}

// checkWebConfig refuses a --web.config.file with a mistake before anything starts.
func (f flags) checkWebConfig() error {
	if err := web.Validate(f.webConfig); err != nil {
		return fmt.Errorf("--web.config.file: %w", err)
	}
	return nil
}

// privateScheme is how people reach the private address.
func (f flags) privateScheme() string {
	content, err := os.ReadFile(f.webConfig)
	var config struct {
		TLS map[string]any `yaml:"tls_server_config"`
	}
	if err == nil && yaml.Unmarshal(content, &config) == nil && len(config.TLS) > 0 {
		return "https"
	}
	return "http"
}

// addRun runs a part as one actor of the group.
func addRun(group *run.Group, part func(context.Context) error) {
	ctx, stop := context.WithCancel(context.Background())
	group.Add(func() error { return part(ctx) }, func(error) { stop() })
}

// addSignal ends the group when ctx does.
func addSignal(group *run.Group, ctx context.Context) {
	addRun(group, func(own context.Context) error {
		select {
		case <-ctx.Done():
		case <-own.Done():
		}
		return nil
	})
}

// private guards a handler of the private address, and answers whether the
// process lives and is ready.
func private(f flags, l net.Listener, mux *http.ServeMux, ready <-chan struct{}) (http.Handler, error) {
	mux.HandleFunc("GET /-/healthy", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "shopwatch is healthy\n") })
	mux.HandleFunc("GET /-/ready", func(w http.ResponseWriter, _ *http.Request) {
		select {
		case <-ready:
			io.WriteString(w, "shopwatch is ready\n")
		default:
			http.Error(w, "shopwatch is starting", http.StatusServiceUnavailable)
		}
	})
	wrap, err := guard.New(guard.Config{Listen: l.Addr().String(), Hosts: f.privateHosts})
	if err != nil {
		return nil, err
	}
	return wrap(mux), nil
}

// operator makes the door keeper of the private address from the token in the
// data directory.
func operator(f flags) (*guard.Operator, error) {
	token, err := guard.TokenFile(filepath.Join(f.dataDir, operatorToken))
	if err != nil {
		return nil, err
	}
	return guard.NewOperator(token, clock), nil
}

// Files of the data directory that hold secrets of the private address.
const (
	operatorToken = "operator.token"
	webhookToken  = "webhook.token"
)

// reach is the address by which this machine reaches a listener that may be
// bound to all addresses.
func reach(l net.Listener) string {
	host, port, err := net.SplitHostPort(l.Addr().String())
	if ip := net.ParseIP(host); err == nil && ip != nil && ip.IsUnspecified() {
		return net.JoinHostPort("127.0.0.1", port)
	}
	return l.Addr().String()
}
