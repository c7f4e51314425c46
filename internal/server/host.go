package server

import (
	"cmp"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/unroll-ml/unroll/internal/modelfile"
	"github.com/unroll-ml/unroll/live"
	"github.com/unroll-ml/unroll/model"
	"github.com/unroll-ml/unroll/nn"
	"github.com/unroll-ml/unroll/task"
)

// Source is a model to serve.
type Source struct {
	// Name is what clients call it: letters, digits, ".", "-" and "_", at most 64;
	// "": the file's name without its ending.
	Name string
	Path string
	Open model.Options
	// Rows say what is the same in every step of a sequence, such as a sample rate.
	Rows model.RowsOptions
}

var modelName = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._-]{0,63}$`)

// Called returns what clients call the model, or an error if it cannot be a name.
func (s Source) Called() (string, error) {
	name := s.Name
	if name == "" {
		name = filepath.Base(filepath.Clean(s.Path))
		name = strings.TrimSuffix(name, filepath.Ext(name))
	}
	if !modelName.MatchString(name) {
		return "", fmt.Errorf("server: a model cannot be called %q: expected 1 to 64 letters, digits, \".\", \"-\" or \"_\"; give NAME=%s", name, s.Path)
	}
	return name, nil
}

// host is a model under its name, of which one version after the other is served.
type host struct {
	name   string
	source Source
	server *Server
	meter  *meter

	looking  looking
	swapping sync.Mutex // held through a swap
	mu       sync.Mutex
	now      *version
	pool     *live.Pool // of all versions; nil if the model has no sequences
}

// version is a model as it was opened at a time. It is closed when it is no longer
// the host's and nobody uses it.
type version struct {
	name    string // "1" for the first
	model   *model.Model
	step    *stepping // nil: no sequences
	task    task.Task // nil: no task
	trained *nn.Model // with task
	opened  time.Time
	print   string // of the files, when they were opened
	passes  sync.Pool
	users   atomic.Int64 // one for the host
}

func (v *version) release() {
	if v.users.Add(-1) == 0 {
		_ = v.model.Close() // it was only read
	}
}

// use returns the version of now for one request, which releases it.
func (h *host) use() *version {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.now.users.Add(1)
	return h.now
}

// open opens the model's files and prepares all that a first request needs.
func (h *host) open() (*version, error) {
	print, err := fingerprint(h.source.Path)
	if err != nil {
		return nil, err
	}
	opt := h.source.Open
	opt.Limits = model.Limits{Memory: h.server.opt.Limits.Run, Work: h.server.opt.Limits.Work}
	m, err := opt.Open(h.source.Path)
	if err != nil {
		return nil, err
	}
	v := &version{model: m, opened: time.Now(), print: print}
	v.users.Store(1)
	v.passes.New = func() any { return m.NewPass() }
	if trained := m.Trained(); trained != nil {
		t, err := task.Of(trained.Config())
		if err == nil {
			v.task, v.trained = t, trained
		} else {
			h.server.log.Info("the folder has no task", "model", h.name, "why", err.Error())
		}
	}
	if f, ok := v.task.(*task.Forecast); ok {
		v.step, err = steppingOfForecast(f, v.trained)
	} else {
		v.step, err = steppingOf(m, h.source.Rows)
	}
	if err != nil {
		h.server.log.Info("the model has no sequences", "model", h.name, "why", err.Error())
	}
	return v, nil
}

// load opens the first version.
func (h *host) load() error {
	v, err := h.open()
	if err != nil {
		return err
	}
	v.name = "1"
	if v.step != nil {
		if h.pool, err = live.Over(v.step.target, h.poolOptions()); err != nil {
			v.release()
			return fmt.Errorf("%s: %w", h.source.Path, err)
		}
	}
	h.now = v
	return nil
}

func (h *host) poolOptions() live.Options {
	l, o := &h.server.opt.Limits, &h.server.opt
	opt := live.Options{
		Shards: o.Shards, Rows: o.Rows, Queue: l.Queue, MaxSequences: l.Sequences, MaxBytes: l.StateBytes,
		Idle: max(l.Idle, 0), Strict: true, Metrics: h.meter, Every: o.Every, Foreign: live.EndForeign, Remember: 1 << 16,
		Failed: func(err error) { h.server.log.Error("states are not written", "model", h.name, "error", err.Error()) },
	}
	if o.Snapshots != "" {
		opt.Snapshot = filepath.Join(o.Snapshots, h.name+".sequences")
	}
	if o.KeepStates {
		opt.Foreign = live.KeepForeign
	}
	return opt
}

// swap opens the files anew and serves them in the place of what was. After an
// error the old version stays. Requests that are under way finish with the old.
func (h *host) swap() error {
	h.swapping.Lock()
	defer h.swapping.Unlock()
	v, err := h.open()
	if err != nil {
		return err
	}
	h.mu.Lock()
	old := h.now
	h.mu.Unlock()
	n, _ := strconv.Atoi(old.name) // ours
	v.name = strconv.Itoa(n + 1)
	switch {
	case (v.step == nil) != (h.pool == nil):
		err = errors.New("the new version has sequences and the old has none, or the other way round; start the server anew")
	case v.step != nil && !v.step.like(old.step):
		err = fmt.Errorf("the new version steps %s and the old %s; start the server anew", v.step, old.step)
	case v.step != nil:
		err = h.pool.Swap(v.step.target)
	}
	if err != nil {
		v.release()
		return fmt.Errorf("%s: %w", h.source.Path, err)
	}
	h.mu.Lock()
	h.now = v
	h.mu.Unlock()
	old.release()
	return nil
}

// close ends the sequences, writes their states, and closes the model.
func (h *host) close() (err error) {
	if h.pool != nil {
		err = h.pool.Close()
	}
	h.now.release()
	return err
}

// fingerprint tells a file or folder from what was there before it: names, sizes and
// times.
func fingerprint(path string) (string, error) {
	files := []string{path}
	if format, err := modelfile.Detect(path); err == nil && format == modelfile.Folder {
		inside, err := filepath.Glob(filepath.Join(path, "*"))
		if err != nil {
			return "", err
		}
		files = append(files, inside...)
	}
	return prints(files)
}

// host returns the model of a name and checks the version, "" being any.
func (s *Server) host(name, ver string) (*host, *version, *failure) {
	h := s.hosts[name]
	if h == nil {
		return nil, nil, failf(notFound, "there is no model %.80q; the models are %s", name, strings.Join(s.names, ", "))
	}
	v := h.use()
	if ver != "" && ver != v.name {
		v.release()
		return nil, nil, failf(notFound, "model %s has the version %s, not %.80q", name, cmp.Or(v.name, "?"), ver)
	}
	return h, v, nil
}
