package explain

import (
	"fmt"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/tensor"
)

// snapshot is what a session was before a change. Layers, inputs and traces are
// not changed once they are a session's, so it shares them.
type snapshot struct {
	id      int
	layer   *unroll.Layer
	trace   *Trace // nil: forgotten, the run is computed again
	kept    *Trace
	fresh   []int
	x       tensor.Dense
	s0      unroll.State
	example bool
	drawn   bool
}

// What a session remembers, in bytes: runs, which can be computed again, and then
// layers and inputs. The first snapshot always stays, for reset.
const (
	historyRuns   = 128 << 20
	historyModels = 256 << 20
)

// remember takes what there is now for undo, before a change.
func (s *Session) remember() {
	if s.trace == nil {
		return
	}
	s.history = append(s.history, snapshot{s.at, s.layer, s.trace, s.kept, append([]int{}, s.fresh...), s.x, s.s0, s.example, s.drawn})
	s.changes++
	s.at = s.changes
	runs, models := 0, 0
	for i := len(s.history) - 1; i >= 0; i-- {
		h := &s.history[i]
		if h.trace != nil {
			if runs += h.trace.recordBytes(); runs > historyRuns && i < len(s.history)-1 {
				h.trace = nil
			}
		}
		models += 4 * (parameters(h.layer) + len(h.x.Data))
		if models > historyModels && i > 1 {
			s.history = append(s.history[:1], s.history[i:]...)
			break
		}
	}
}

// recordBytes returns the memory that the states of a trace take.
func (t *Trace) recordBytes() int {
	n := 0
	for _, list := range [][]tensor.Dense{t.H, t.C} {
		for _, d := range list {
			n += 4 * len(d.Data)
		}
	}
	return n
}

func parameters(l *unroll.Layer) int {
	n := 0
	for _, p := range l.Params() {
		n += len(p.Value.Data)
	}
	return n
}

// undo goes back by one change; reset by all. Without a change it is an ErrUsage.
func (s *Session) undo(Args, []byte) (any, []byte, error) { return s.back(len(s.history) - 1) }

func (s *Session) reset(Args, []byte) (any, []byte, error) { return s.back(0) }

func (s *Session) back(to int) (any, []byte, error) {
	if len(s.history) == 0 {
		return nil, nil, fmt.Errorf("%w: nothing is changed", unroll.ErrUsage)
	}
	h := s.history[to]
	s.history = s.history[:to]
	s.at, s.layer, s.kept, s.x, s.s0, s.example, s.drawn = h.id, h.layer, h.kept, h.x, h.s0, h.example, h.drawn
	if h.trace == nil {
		t, err := NewTrace(h.layer, h.x, h.s0)
		if err != nil {
			return nil, nil, err
		}
		h.trace, h.fresh = t, make([]int, t.Lanes())
	}
	s.trace, s.fresh = h.trace, h.fresh
	return s.compute()
}
