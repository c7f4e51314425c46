package server

import (
	"bytes"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/unroll-ml/unroll/task"
)

// postPredict answers for the task of a model folder as "unroll predict" prints it.
// The body is the input: a text, lines of them, or a CSV file; the query has the
// command's flags.
func (s *Server) postPredict(w http.ResponseWriter, r *http.Request) {
	h, v, f := s.host(r.PathValue("model"), r.PathValue("version"))
	if f != nil {
		s.refuse(w, r, f)
		return
	}
	defer v.release()
	start := time.Now()
	out := &patient{w: w, limit: s.opt.Limits.Write}
	err := s.predict(out, r, h, v)
	h.meter.answered(time.Since(start), err)
	switch {
	case err == nil:
		out.begin() // an empty answer has a header too
	case out.begun:
		s.log.Debug("an answer broke off", "model", h.name, "error", err.Error())
		panic(http.ErrAbortHandler) // the client must not take it for whole
	default:
		s.refuse(w, r, h.failed(err))
	}
}

func (s *Server) predict(out *patient, r *http.Request, h *host, v *version) error {
	if v.task == nil {
		return failf(notFound, "model %s has no task; it was not trained by unroll train", h.name)
	}
	q, f := s.query(r.URL.Query(), v.task)
	if f != nil {
		return f
	}
	body, f := s.body(out.w, r)
	if f != nil {
		return f
	}
	var notes bytes.Buffer
	q.Log = &notes
	switch kind := v.task.Kind().Name; {
	case kind == "music":
		q.File = "-"
		out.kind = "audio/midi"
		if len(body) > 0 {
			return failf(badRequest, "a model of music takes no body")
		}
	case len(body) > 0 && (kind == "text"):
		q.Input, q.Text = string(body), true
	case len(body) > 0:
		q.Input, q.In = "-", bytes.NewReader(body)
	case kind != "text":
		return failf(badRequest, "the body is empty, expected what unroll predict reads for the task %s", kind)
	}
	if q.JSON {
		out.kind = "application/x-ndjson"
	}
	select {
	case s.tasks <- struct{}{}:
	default:
		return failf(full, "%d answers of tasks are under way", cap(s.tasks))
	}
	defer func() { <-s.tasks }()
	q.Out, out.notes = out, &notes
	return v.task.Answer(r.Context(), v.trained, *q)
}

// query reads the command's flags from a URL.
func (s *Server) query(values url.Values, t task.Task) (*task.Query, *failure) {
	q := task.DefaultQuery()
	q.Length = min(q.Length, s.opt.Limits.Tokens)
	known := []string{"prompt", "length", "temperature", "top-k", "seed", "json"}
	for name, list := range values {
		if !slices.Contains(known, name) {
			return nil, failf(badRequest, "there is no parameter %.40q; expected %s", name, strings.Join(known, ", "))
		}
		text := list[0]
		var err error
		switch name {
		case "prompt":
			q.Prompt = text
		case "length":
			q.Length, err = strconv.Atoi(text)
		case "temperature":
			q.Temperature, err = strconv.ParseFloat(text, 64)
		case "top-k":
			q.Top, err = strconv.Atoi(text)
		case "seed":
			q.Seed, err = strconv.ParseUint(text, 10, 64)
		case "json":
			q.JSON, err = strconv.ParseBool(text)
		}
		if err != nil {
			return nil, failf(badRequest, "parameter %s is %.40q: %v", name, text, errors.Unwrap(err))
		}
	}
	switch most := s.opt.Limits.Tokens; { // before a word of the answer is sent
	case q.Length < 1 || q.Length > most:
		return nil, failf(badRequest, "parameter length is %d, the limit is %d, expected at least 1", q.Length, most)
	case !(q.Temperature > 0):
		return nil, failf(badRequest, "parameter temperature is %v, expected above 0", q.Temperature)
	case q.Top < 0:
		return nil, failf(badRequest, "parameter top-k is %d, expected 0 or more", q.Top)
	}
	if n := t.Kind().Name; q.JSON && (n == "text" || n == "music") {
		return nil, failf(badRequest, "parameter json is for classify, tag and forecast")
	}
	return &q, nil
}

// patient writes an answer as it comes, each part at once and with a time of its
// own to be taken.
type patient struct {
	w     http.ResponseWriter
	limit time.Duration
	kind  string
	notes *bytes.Buffer // what is said beside the answer
	begun bool
}

func (p *patient) begin() {
	if p.begun {
		return
	}
	p.begun = true
	h := p.w.Header()
	if p.kind == "" {
		p.kind = "text/plain; charset=utf-8"
	}
	h.Set("Content-Type", p.kind)
	h.Set("X-Content-Type-Options", "nosniff")
	if p.notes != nil && p.notes.Len() > 0 {
		h.Set("Unroll-Note", headerText(p.notes.String()))
	}
}

func (p *patient) Write(b []byte) (int, error) {
	p.begin()
	c := http.NewResponseController(p.w)
	_ = c.SetWriteDeadline(time.Now().Add(p.limit)) // a recorder has none
	n, err := p.w.Write(b)
	if err != nil {
		return n, failf(left, "the client is gone: %v", err)
	}
	_ = c.Flush() // likewise
	return n, nil
}

// Flush is for tasks that hand on what a writer keeps; this one keeps nothing.
func (p *patient) Flush() error {
	return nil
}

// headerText is a text as a header can hold it.
func headerText(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n':
			return ';'
		case r < ' ' || r > '~':
			return '?'
		}
		return r
	}, strings.TrimSpace(s[:min(len(s), 1000)]))
}
