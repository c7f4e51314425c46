package server

import (
	"errors"
	"net/http"
	"strconv"

	"github.com/unroll-ml/unroll/live"
)

// stateOf reads whose state is asked for.
func (s *Server) stateOf(r *http.Request) (h *host, v *version, id string, f *failure) {
	h, v, f = s.host(r.PathValue("model"), "")
	if f != nil {
		return nil, nil, "", f
	}
	id = r.PathValue("id")
	switch {
	case v.step == nil:
		f = failf(badRequest, "model %s has no sequences", h.name)
	case id == "" || id == "0":
		f = failf(badRequest, "the id %q means no sequence", id)
	case len(id) > s.opt.Limits.ID:
		f = failf(badRequest, "the id has %d bytes, expected at most %d", len(id), s.opt.Limits.ID)
	}
	if f != nil {
		v.release()
		return nil, nil, "", f
	}
	return h, v, id, nil
}

// asked is a request about one sequence.
type asked struct {
	*http.Request
	host    *host
	version *version
	id      string
}

// about answers requests about one sequence, or refuses them with the error.
func (s *Server) about(answer func(http.ResponseWriter, *asked) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		h, v, id, f := s.stateOf(r)
		if f != nil {
			s.refuse(w, r, f)
			return
		}
		defer v.release()
		if err := answer(w, &asked{r, h, v, id}); err != nil {
			s.refuse(w, r, h.failed(err))
		}
	}
}

// reply answers with what became of the sequence.
func (a *asked) reply(w http.ResponseWriter, body map[string]any) {
	body["model_name"], body["sequence_id"] = a.host.name, a.id
	reply(w, http.StatusOK, body)
}

// getState answers with a sequence's capsule, a safetensors file.
func (s *Server) getState(w http.ResponseWriter, a *asked) error {
	b, err := a.host.pool.Capsule(a.id)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Length", strconv.Itoa(len(b)))
	_, _ = w.Write(b) // who is gone is gone
	return nil
}

// putState begins a sequence from a capsule, in the place of one that is there.
func (s *Server) putState(w http.ResponseWriter, a *asked) error {
	b, f := s.body(w, a.Request)
	if f != nil {
		return f
	}
	pool := a.host.pool
	err := pool.Restore(a.id, b)
	if errors.Is(err, live.ErrExists) && a.URL.Query().Get("replace") != "" {
		_ = pool.End(a.id) // or it has ended meanwhile
		err = pool.Restore(a.id, b)
	}
	if err != nil {
		f := a.host.failed(err)
		if f.kind == conflict {
			f.say += ", or put it with ?replace=1"
		}
		return f
	}
	n, _ := pool.Steps(a.id) // it may have ended meanwhile
	a.reply(w, map[string]any{"sequence_steps": n})
	return nil
}

// deleteState ends a sequence.
func (s *Server) deleteState(w http.ResponseWriter, a *asked) error {
	if err := a.host.pool.End(a.id); err != nil {
		return err
	}
	a.reply(w, map[string]any{"ended": true})
	return nil
}
