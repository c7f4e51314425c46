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

// getState answers with a sequence's capsule, a safetensors file.
func (s *Server) getState(w http.ResponseWriter, r *http.Request) {
	h, v, id, f := s.stateOf(r)
	if f != nil {
		s.refuse(w, r, f)
		return
	}
	defer v.release()
	b, err := h.pool.Capsule(id)
	if err != nil {
		s.refuse(w, r, h.failed(err))
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Length", strconv.Itoa(len(b)))
	_, _ = w.Write(b) // who is gone is gone
}

// putState begins a sequence from a capsule, in the place of one that is there.
func (s *Server) putState(w http.ResponseWriter, r *http.Request) {
	h, v, id, f := s.stateOf(r)
	if f != nil {
		s.refuse(w, r, f)
		return
	}
	defer v.release()
	b, f := s.body(w, r)
	if f != nil {
		s.refuse(w, r, f)
		return
	}
	err := h.pool.Restore(id, b)
	if errors.Is(err, live.ErrExists) && r.URL.Query().Get("replace") != "" {
		_ = h.pool.End(id) // or it has ended meanwhile
		err = h.pool.Restore(id, b)
	}
	if err != nil {
		f := h.failed(err)
		if f.kind == conflict {
			f.say += ", or put it with ?replace=1"
		}
		s.refuse(w, r, f)
		return
	}
	n, _ := h.pool.Steps(id) // it may have ended meanwhile
	reply(w, http.StatusOK, map[string]any{"model_name": h.name, "sequence_id": id, "sequence_steps": n})
}

// deleteState ends a sequence.
func (s *Server) deleteState(w http.ResponseWriter, r *http.Request) {
	h, v, id, f := s.stateOf(r)
	if f != nil {
		s.refuse(w, r, f)
		return
	}
	defer v.release()
	if err := h.pool.End(id); err != nil {
		s.refuse(w, r, h.failed(err))
		return
	}
	reply(w, http.StatusOK, map[string]any{"model_name": h.name, "sequence_id": id, "ended": true})
}
