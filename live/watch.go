package live

import (
	"fmt"
	"slices"

	"github.com/unroll-ml/unroll"
)

// Watched is what a sequence that is watched has stepped.
type Watched struct {
	// First is how many steps it had made before those that are kept.
	First uint64
	// State is the state before them, of StateLen numbers.
	State []float32
	// X are the inputs of its last steps, [n,I]; n is 0 just after Watch.
	X []float32
	// Target is what stepped them.
	Target Target
}

// watch keeps a sequence's last steps in two parts of most steps each, of which the
// older is let go when the newer is full: there has to be a state before the first.
type watch struct {
	most     int
	old, now part
}

type part struct {
	first uint64
	state []float32 // before first
	x     []float32
}

// Watch keeps the inputs of the last steps that a sequence makes from now on, at
// least steps of them where it makes so many and at most twice as many, for Watched.
// One that is watched already goes on. It ends with Unwatch, with the sequence, and
// when that is marked. A sequence that is not watched costs nothing for it.
//
// Errors: ErrUnknown, ErrMarked, and an unroll.ErrUsage for steps below 1.
func (p *Pool) Watch(key string, steps int) error {
	if steps < 1 {
		return &unroll.ArgError{Kind: unroll.ErrUsage, Arg: "steps", Got: fmt.Sprint(steps), Want: "1 or more"}
	}
	s := p.shard(key)
	s.work.Lock()
	defer s.work.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	q := s.all[key]
	if q == nil {
		return s.unknown(key)
	}
	if err := q.marked(); err != nil || s.watched[q] != nil {
		return err
	}
	if s.watched == nil {
		s.watched = map[*sequence]*watch{}
	}
	s.watched[q] = &watch{most: steps, now: s.part(q)}
	return nil
}

// part begins one after the steps that q has made.
func (s *shard) part(q *sequence) part {
	return part{first: q.steps, state: slices.Clone(q.state[:s.state])}
}

// Unwatch lets go of what is kept.
func (p *Pool) Unwatch(key string) {
	s := p.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	if q := s.all[key]; q != nil {
		delete(s.watched, q)
	}
}

// Watched returns a copy of what is kept. It is an ErrUnknown if the sequence is not
// there or not watched.
func (p *Pool) Watched(key string) (Watched, error) {
	s := p.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	q := s.all[key]
	if q == nil {
		return Watched{}, s.unknown(key)
	}
	w := s.watched[q]
	if w == nil {
		return Watched{}, &Error{Kind: ErrUnknown, Key: key, Reason: "it is not watched"}
	}
	from := w.now
	if w.old.state != nil {
		from = w.old
	}
	return Watched{First: from.first, State: slices.Clone(from.state), X: slices.Concat(w.old.x, w.now.x), Target: s.Target}, nil
}

// note keeps a step that q has made. Work and mu are held.
func (s *shard) note(q *sequence, x []float32) {
	w := s.watched[q]
	if w == nil {
		return
	}
	if w.now.x = append(w.now.x, x...); int(q.steps-w.now.first) >= w.most {
		w.old, w.now = w.now, s.part(q)
	}
}

// rewatch begins anew after a swap: what was kept is of another target.
func (s *shard) rewatch() {
	for q, w := range s.watched {
		if q.gone || q.mark != "" {
			delete(s.watched, q)
			continue
		}
		w.old, w.now = part{}, s.part(q)
	}
}
