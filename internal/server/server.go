package server

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/trace"
)

// Options say what is served, to whom, and within which limits.
type Options struct {
	Models []Source
	// HTTP and GRPC are the addresses to listen at, such as "127.0.0.1:8000"; ""
	// is not at all. A port of 0 is one that is free.
	HTTP, GRPC string
	// TokenFile holds tokens, one a line; a request must have one of them. It is
	// read again when it changes. Health needs no token.
	TokenFile string
	// Cert and Key are the files of the server's certificate, and ClientCA that of
	// the authorities whose clients are let in. They are read again when they
	// change.
	Cert, Key, ClientCA string
	// Insecure lets everybody in who reaches an address beyond loopback.
	Insecure bool
	Limits   Limits
	// Shards and Rows are live.Options'.
	Shards, Rows int
	// Snapshots is a folder for the states of sequences, which are written when the
	// server ends and every Every, and read when it begins; "": none.
	Snapshots string
	Every     time.Duration
	// KeepStates lets sequences go on in a new version of a model, where the
	// signature is equal.
	KeepStates bool
	// Watch is how often the models' files are looked at for a new version; 0: only
	// when Reload is called.
	Watch time.Duration
	// Grace is how long requests under way may take when the server ends; 0: 10 s.
	Grace time.Duration
	// Delay is how long the server says that it is not ready before it refuses
	// connections, for balancers to see it.
	Delay time.Duration
	// Debug adds Go's profiles at /debug/pprof/.
	Debug bool
	// Version is that of the program, for metadata.
	Version string
	// Spans gets a span of OpenTelemetry for each request of either protocol, and
	// makes it whatever else the process has set; nil: none are made, since a span for
	// nobody is a tenth of what a small request costs.
	Spans trace.TracerProvider
	// Log gets what happens; nil: slog.Default.
	Log *slog.Logger
}

// Server serves models. Its methods may be called by many goroutines at once.
type Server struct {
	opt     Options
	log     *slog.Logger
	names   []string
	hosts   map[string]*host
	metrics *metrics
	guard   *guard
	runs    chan struct{} // a place for each run that goes on
	tasks   chan struct{} // likewise of tasks
	ready   atomic.Bool
	ending  chan struct{} // closed when the server drains
	once    sync.Once
	began   time.Time
	grids   grids
}

// New opens the models and prepares them; nobody is served before Run.
func New(opt Options) (s *Server, err error) {
	if err := opt.Limits.fill(); err != nil {
		return nil, err
	}
	fill(&opt.Grace, 10*time.Second)
	if opt.Log == nil {
		opt.Log = slog.Default()
	}
	if len(opt.Models) == 0 {
		return nil, errors.New("server: no model is given")
	}
	if opt.HTTP == "" && opt.GRPC == "" {
		return nil, errors.New("server: neither an address for HTTP nor one for gRPC is given")
	}
	if opt.Snapshots != "" {
		if err := os.MkdirAll(opt.Snapshots, 0o700); err != nil {
			return nil, fmt.Errorf("server: %w", err)
		}
	}
	n := runtime.GOMAXPROCS(0)
	s = &Server{opt: opt, log: opt.Log, hosts: map[string]*host{}, runs: make(chan struct{}, n), tasks: make(chan struct{}, 2*n), ending: make(chan struct{}), began: time.Now()}
	s.metrics = newMetrics(s)
	if s.guard, err = newGuard(&s.opt); err != nil {
		return nil, err
	}
	opened := s // s is nil with an error
	defer func() {
		if err != nil {
			_ = opened.close() // the first error is told
		}
	}()
	for _, src := range opt.Models {
		name, err := src.Called()
		if err != nil {
			return nil, err
		}
		if s.hosts[name] != nil {
			return nil, fmt.Errorf("server: two models are called %s; give NAME=%s", name, src.Path)
		}
		h := &host{name: name, source: src, server: s, meter: s.metrics.of(name)}
		if err := h.load(); err != nil {
			return nil, err
		}
		s.hosts[name] = h
		s.names = append(s.names, name)
		for _, n := range h.now.model.Notes() {
			s.log.Info(n, "model", name)
		}
	}
	slices.Sort(s.names)
	if err := known(s.hosts); err != nil {
		return nil, err
	}
	return s, nil
}

// Reload opens the files of all models anew and serves them in the place of what
// was; those that cannot be opened stay as they were, and the error says which.
func (s *Server) Reload() error {
	var errs []error
	for _, name := range s.names {
		errs = append(errs, s.reload(s.hosts[name]))
	}
	return errors.Join(errs...)
}

func (s *Server) reload(h *host) error {
	start := time.Now()
	err := h.swap()
	result := "ok"
	if err != nil {
		result = "error"
		s.log.Error("the model stays as it was", "model", h.name, "error", err.Error())
	} else {
		v := h.use()
		s.log.Info("a new version is served", "model", h.name, "version", v.name, "took", time.Since(start))
		v.release()
	}
	s.metrics.swaps.WithLabelValues(h.name, result).Inc()
	return err
}

// watch reloads models whose files have changed and lie still for a turn.
func (s *Server) watch() {
	tick := time.NewTicker(s.opt.Watch)
	defer tick.Stop()
	seen := map[string]string{}
	for {
		select {
		case <-s.ending:
			return
		case <-tick.C:
		}
		for _, name := range s.names {
			h := s.hosts[name]
			print, err := fingerprint(h.source.Path)
			if err != nil {
				continue // it is being replaced
			}
			v := h.use()
			changed := print != v.print && print == seen[name]
			v.release()
			if changed {
				seen[name] = "" // one that cannot be opened is tried once
				_ = s.reload(h) // which is logged
				continue
			}
			seen[name] = print
		}
	}
}

// close ends what New has begun.
func (s *Server) close() error {
	var errs []error
	for _, h := range s.hosts {
		errs = append(errs, h.close())
	}
	return errors.Join(errs...)
}

// prints tells files from what was there before them.
func prints(files []string) (string, error) {
	var b strings.Builder
	for _, f := range files {
		st, err := os.Stat(f)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&b, "%s %d %d\n", f, st.Size(), st.ModTime().UnixNano())
	}
	return b.String(), nil
}
