package server

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/unroll-ml/unroll/live"
	"github.com/unroll-ml/unroll/model"
)

// infer answers a request. The answer must be released once it is encoded.
func (s *Server) infer(ctx context.Context, r *request) (*answer, *failure) {
	h, v, f := s.host(r.model, r.version)
	if f != nil {
		return nil, f
	}
	start := time.Now()
	a, err := h.answer(ctx, v, r)
	h.meter.answered(time.Since(start), err)
	if err != nil {
		v.release()
		return nil, h.failed(err)
	}
	a.model, a.version, a.id = h.name, v.name, r.id
	back := a.release
	a.release = func() {
		if back != nil {
			back()
		}
		v.release()
	}
	return a, nil
}

func (h *host) answer(ctx context.Context, v *version, r *request) (*answer, error) {
	if len(r.sequence.ids) > 0 {
		return h.sequences(ctx, v, r)
	}
	for _, name := range r.outputs {
		if !v.hasOutput(name) {
			return nil, failf(badRequest, "model %s has no output %.80q", h.name, name)
		}
	}
	return h.alone(ctx, v, r)
}

func (v *version) hasOutput(name string) bool {
	for _, p := range v.model.Outputs() {
		if p.Name == name {
			return true
		}
	}
	return false
}

// alone runs the model once, on inputs that hold all of its state.
func (h *host) alone(ctx context.Context, v *version, r *request) (*answer, error) {
	select { // a run cannot be broken off: it begins only if someone waits for it
	case h.server.runs <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-h.server.runs }()
	p := v.passes.Get().(*model.Pass)
	set := 0
	back := func() {
		for _, t := range r.inputs[:set] {
			_ = p.Set(t.name, model.Value{}) // it was set before
		}
		v.passes.Put(p)
	}
	for _, t := range r.inputs {
		if err := p.Set(t.name, t.value); err != nil {
			back()
			return nil, err
		}
		set++
	}
	if err := p.Run(); err != nil {
		back()
		return nil, err
	}
	a := &answer{steps: -1, release: back}
	for _, port := range v.model.Outputs() {
		if r.wants(port.Name) {
			a.outputs = append(a.outputs, tensor{port.Name, p.Output(port.Name)})
		}
	}
	return a, nil
}

// sequences steps sequences that the server keeps.
func (h *host) sequences(ctx context.Context, v *version, r *request) (*answer, error) {
	seq := &r.sequence
	c, f := h.call(v, r) // before anything is begun
	if f != nil {
		return nil, f
	}
	if seq.start {
		if err := h.begin(seq); err != nil {
			return nil, err
		}
	}
	y, err := v.step.run(ctx, h.pool, seq.ids, seq.step, &c)
	if err != nil {
		return nil, err
	}
	a := &answer{steps: -1, own: true}
	if a.outputs, err = v.step.results(r, &c, y); err != nil {
		return nil, err
	}
	if !seq.many {
		if n, err := h.pool.Steps(seq.ids[0]); err == nil {
			a.steps = int64(n)
		}
	}
	if seq.end {
		for _, id := range seq.ids {
			_ = h.pool.End(id) // one that ended by itself has ended
		}
	}
	return a, nil
}

// call reads the steps of a request.
func (h *host) call(v *version, r *request) (c call, f *failure) {
	if v.step == nil {
		return c, failf(badRequest, "model %s has no sequences; send it without a sequence_id, and its state, if it has any, as inputs", h.name)
	}
	for _, name := range r.outputs {
		if !slices.ContainsFunc(v.step.outputs, func(p slot) bool { return p.name == name }) {
			return c, failf(badRequest, "output %.80q is not given for a sequence, whose state the server keeps; GET its capsule, or carry the state yourself without a sequence_id", name)
		}
	}
	return v.step.call(r, len(r.sequence.ids))
}

// begin begins sequences from zeros, in the place of those that are there. A first
// step that is sent again (sequence_step 0 of a sequence that has made one) begins
// nothing: it is answered again.
func (h *host) begin(seq *sequence) error {
	for _, id := range seq.ids {
		if seq.step > 0 {
			return failf(badRequest, "sequence_start with sequence_step %d: a sequence starts with step 0", seq.step)
		}
		if _, err := h.pool.Steps(id); err == nil && seq.step == 0 {
			continue
		}
		_ = h.pool.End(id) // there may be none
		if err := h.pool.Open(id); err != nil && !errors.Is(err, live.ErrExists) {
			return err
		}
	}
	return nil
}

// failed says an error of a model, with the reason why a sequence is not there.
func (h *host) failed(err error) *failure {
	var e *live.Error
	if errors.As(err, &e) && (errors.Is(e.Kind, live.ErrUnknown) || errors.Is(e.Kind, live.ErrEnded)) {
		switch e.Ended {
		case live.EndedIdle:
			return failf(expired, "sequence %.80q has expired: it was idle for longer than %v; begin it again with sequence_start", e.Key, h.server.opt.Limits.Idle)
		case live.EndedByCall:
			return failf(ended, "sequence %.80q has ended; begin it again with sequence_start", e.Key)
		case live.ModelChanged:
			return failf(modelChanged, "sequence %.80q has ended: the model has changed; begin it again with sequence_start", e.Key)
		case "":
			return failf(neverStarted, "sequence %.80q was never started here, or ended long ago; begin it with sequence_start", e.Key)
		}
		return failf(ended, "sequence %.80q has ended: %s; begin it again with sequence_start", e.Key, e.Ended)
	}
	f := failed(err)
	if f.kind == internal {
		h.server.log.Error("a request failed", "model", h.name, "error", f.say)
	}
	return f
}

// errPanic is a bug of ours that a request met.
func errPanic(v any) *failure { return failf(internal, "%s", fmt.Sprintf("panic: %.200v", v)) }
