package server

import (
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/http/pprof"
	"runtime/debug"
	"strconv"
	"strings"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// headerLength is where a request or an answer with bytes says how much of it is
// JSON.
const headerLength = "Inference-Header-Content-Length"

// handler returns everything that is served over HTTP.
func (s *Server) handler() http.Handler {
	open, closed := http.NewServeMux(), http.NewServeMux()
	for _, mux := range []*http.ServeMux{open, closed} { // the latter says what else is not allowed there
		mux.HandleFunc("GET /v2/health/live", s.getLive)
		mux.HandleFunc("GET /v2/health/ready", s.getReady)
		s.pages(mux)
	}
	for _, base := range []string{"/v2/models/{model}", "/v2/models/{model}/versions/{version}"} {
		closed.HandleFunc("GET "+base, s.getModel)
		closed.HandleFunc("GET "+base+"/ready", s.getModelReady)
		closed.HandleFunc("POST "+base+"/infer", s.postInfer)
		closed.HandleFunc("POST "+base+"/predict", s.postPredict)
	}
	closed.HandleFunc("GET /v2/models/{model}/sequences/{id}/state", s.about(s.getState))
	closed.HandleFunc("PUT /v2/models/{model}/sequences/{id}/state", s.about(s.putState))
	closed.HandleFunc("DELETE /v2/models/{model}/sequences/{id}/state", s.about(s.deleteState))
	s.looks(open, closed)
	closed.HandleFunc("GET /v2", s.getServer)
	closed.HandleFunc("GET /v2/status", s.getStatus)
	closed.Handle("GET /metrics", promhttp.HandlerFor(s.metrics.registry, promhttp.HandlerOpts{}))
	if s.opt.Debug {
		closed.HandleFunc("GET /debug/pprof/", pprof.Index)
		closed.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
		closed.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	}
	open.Handle("/", s.authorised(closed))
	cross := http.NewCrossOriginProtection()
	cross.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.refuse(w, r, failf(denied, "a page of another origin may not ask this server"))
	}))
	return s.careful(httpSpansOf(s.opt.Spans, cross.Handler(open)))
}

// careful is around every request: a panic is an answer, and a host that is not
// ours is none.
func (s *Server) careful(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			if v := recover(); v != nil && v != http.ErrAbortHandler {
				s.log.Error("panic", "value", v, "stack", string(debug.Stack()))
				s.refuse(w, r, errPanic(v))
			}
		}()
		if s.guard.rebound(r) {
			s.refuse(w, r, failf(denied, "the host %.80q is not this server's", r.Host))
			return
		}
		next.ServeHTTP(w, r)
	})
}

// authorised asks for a token and answers what no path is for.
func (s *Server) authorised(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if f := s.guard.admit(r.Header.Get("Authorization")); f != nil {
			w.Header().Set("WWW-Authenticate", "Bearer")
			s.refuse(w, r, f)
			return
		}
		if _, pattern := mux.Handler(r); pattern == "" {
			mux.ServeHTTP(&plainErrors{ResponseWriter: w, s: s, r: r}, r)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// plainErrors makes the mux's own 404 and 405 into errors of the protocol.
type plainErrors struct {
	http.ResponseWriter
	s *Server
	r *http.Request
}

func (p *plainErrors) WriteHeader(code int) {
	k := *notFound
	k.http, k.reason = code, strings.ToLower(strings.ReplaceAll(http.StatusText(code), " ", "_"))
	p.s.refuse(p.ResponseWriter, p.r, failf(&k, "%s %.200s: %s", p.r.Method, p.r.URL.Path, strings.ToLower(http.StatusText(code))))
}

func (p *plainErrors) Write(b []byte) (int, error) { return len(b), nil }

// refuse answers with an error.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request, f *failure) {
	if f.kind == full {
		w.Header().Set("Retry-After", "1")
	}
	s.log.Debug("refused", "method", r.Method, "path", r.URL.Path, "code", f.http, "error", f.say)
	body := map[string]any{"error": f.say, "reason": f.reason}
	if f.steps >= 0 {
		body["steps"] = f.steps
	}
	reply(w, f.http, body)
}

// reply writes a body of JSON.
func reply(w http.ResponseWriter, code int, body any) {
	b, err := json.Marshal(body)
	if err != nil { // what we marshal has no NaN: it is checked before
		code, b = http.StatusInternalServerError, []byte(`{"error":"the answer has no JSON","reason":"internal"}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(b)+1))
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(code)
	_, _ = w.Write(append(b, '\n')) // who is gone is gone
}

// body reads a request's body, within the limit.
func (s *Server) body(w http.ResponseWriter, r *http.Request) ([]byte, *failure) {
	if e := r.Header.Get("Content-Encoding"); e != "" && e != "identity" {
		return nil, failf(wrongMedia, "the body is encoded as %.40q; send it as it is", e)
	}
	most := s.opt.Limits.Body
	if r.ContentLength > most {
		w.Header().Set("Connection", "close")
		return nil, failf(tooLarge, "the body has %d bytes, the limit is %d", r.ContentLength, most)
	}
	in := http.MaxBytesReader(w, r.Body, most)
	var b []byte
	var err error
	if r.ContentLength >= 0 {
		b = make([]byte, r.ContentLength)
		_, err = io.ReadFull(in, b)
	} else {
		b, err = io.ReadAll(in)
	}
	var over *http.MaxBytesError
	switch {
	case errors.As(err, &over):
		return nil, failf(tooLarge, "the body has more than %d bytes", most)
	case err != nil:
		return nil, failf(badRequest, "the body cannot be read: %v", err)
	}
	return b, nil
}

func (s *Server) postInfer(w http.ResponseWriter, r *http.Request) {
	if a, b, header, f := s.inferREST(w, r); f != nil {
		s.refuse(w, r, f)
	} else {
		defer a.release()
		h := w.Header()
		h.Set("Content-Type", "application/json")
		if header >= 0 {
			h.Set("Content-Type", "application/octet-stream")
			h.Set(headerLength, strconv.Itoa(header))
		}
		h.Set("Content-Length", strconv.Itoa(len(b)))
		_, _ = w.Write(b) // who is gone is gone
	}
}

func (s *Server) inferREST(w http.ResponseWriter, r *http.Request) (a *answer, b []byte, header int, f *failure) {
	body, f := s.body(w, r)
	if f != nil {
		return nil, nil, 0, f
	}
	if t, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err == nil && t == "application/x-www-form-urlencoded" && len(body) > 0 && body[0] != '{' {
		return nil, nil, 0, failf(badRequest, "the body is a form, expected JSON")
	}
	q := &request{model: r.PathValue("model"), version: r.PathValue("version")}
	length := len(body)
	raw := false
	if text := r.Header.Get(headerLength); text != "" {
		var err error
		if length, err = strconv.Atoi(text); err != nil {
			return nil, nil, 0, failf(badRequest, "%s is %.40q, expected a whole number", headerLength, text)
		}
		raw = length == 0
	}
	var want wanted
	if raw {
		want, f = s.readRaw(q, body)
	} else {
		want, f = q.readREST(body, length, &s.opt.Limits)
	}
	if f != nil {
		return nil, nil, 0, f
	}
	if a, f = s.infer(r.Context(), q); f != nil {
		return nil, nil, 0, f
	}
	if b, header, f = a.appendREST(nil, want); f != nil {
		a.release()
		return nil, nil, 0, f
	}
	return a, b, header, nil
}

// readRaw reads a body that is the bytes of the one input alone, a batch of one.
func (s *Server) readRaw(q *request, body []byte) (wanted, *failure) {
	_, v, f := s.host(q.model, q.version)
	if f != nil {
		return wanted{}, f
	}
	defer v.release()
	q.sequence.step = -1
	states := map[string]bool{}
	for _, st := range v.model.States() {
		states[st.Input] = true
	}
	var found bool
	for _, p := range v.model.Inputs() {
		if states[p.Name] {
			continue
		}
		if found {
			return wanted{}, failf(badRequest, "model %s has several inputs; a body of bytes alone is for one", q.model)
		}
		found = true
		shape := make([]int64, len(p.Shape))
		for i, d := range p.Shape {
			n, err := strconv.ParseInt(d, 10, 32)
			if err != nil {
				n = 1
			}
			shape[i] = n
		}
		value, f := fromBytes(p.Name, datatypeOf(p.Type), shape, body)
		if f != nil {
			return wanted{}, f
		}
		q.inputs = append(q.inputs, tensor{p.Name, value})
	}
	return wanted{all: true}, nil
}
