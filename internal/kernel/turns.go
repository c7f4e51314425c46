package kernel

import (
	"sync"
	"sync/atomic"
)

// Workers of a team may only rely on each other's work from before a barrier.
// Whether they do is not seen where they run side by side at the same pace, so a
// test lets them run one after another, each as far as the next barrier, in an
// order that it chooses: two pieces of work between the same barriers that
// depend on each other give another result in one of two opposite orders.

// order, if set, makes teams run in turns.
var order atomic.Pointer[func(phase, n int) []int]

// RunInTurns makes every team run its workers one after another from barrier to
// barrier: next returns the order of the n workers for each phase of a run. Nil
// ends that. It is for tests; no team may run meanwhile.
func RunInTurns(next func(phase, n int) []int) {
	if next == nil {
		order.Store(nil)
		return
	}
	order.Store(&next)
}

// turns is the state of one run in turns.
type turns struct {
	sync.Mutex
	moved sync.Cond
	next  func(phase, n int) []int
	phase int
	order []int // of the phase
	at    int   // place in order of who runs
	n     int
	left  int // workers that have not returned
	met   int // workers that wait at the barrier
}

func (t *Team) runInTurns(task Task, n int, next func(phase, n int) []int) {
	s := &turns{next: next, n: n, left: n, order: next(0, n)}
	s.moved.L = &s.Mutex
	t.turns = s
	var all sync.WaitGroup
	for w := range n {
		all.Go(func() {
			s.await(w)
			task.Work(w, n)
			s.done()
		})
	}
	all.Wait()
	t.turns = nil
}

// await waits for the turn of worker w.
func (s *turns) await(w int) {
	s.Lock()
	defer s.Unlock()
	for s.order[s.at] != w {
		s.moved.Wait()
	}
}

// barrier ends the turn of the worker that runs and waits for its next.
func (s *turns) barrier() {
	s.Lock()
	defer s.Unlock()
	w := s.order[s.at]
	phase := s.phase
	s.met++
	s.pass()
	for s.phase == phase || s.order[s.at] != w {
		s.moved.Wait()
	}
}

// done ends the last turn of the worker that runs.
func (s *turns) done() {
	s.Lock()
	defer s.Unlock()
	s.left--
	s.pass()
}

// pass gives the turn to the next worker, in the next phase where all have had
// theirs.
func (s *turns) pass() {
	if s.at++; s.at == s.n {
		if s.met > 0 && s.met < s.n {
			panic("kernel: some workers returned while others wait at a barrier")
		}
		s.at, s.met = 0, 0
		s.phase++
		s.order = s.next(s.phase, s.n)
	}
	s.moved.Broadcast()
}
