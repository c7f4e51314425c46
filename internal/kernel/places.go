package kernel

import (
	"runtime"
	"sync"
	"time"
)

// A thread that is woken while no processor is idle begins where it ran last, or where
// who woke it runs. Two workers on one processor run one after the other, and a system
// that weighs processors by what wants to run on them sees nothing to mend: the other
// processor has somebody's spinning thread. So a worker that begins where another of
// its team is goes to a processor without one.

// processorSet is a set of the system's processors, by number.
type processorSet [16]uint64

func (s *processorSet) has(c int) bool { return s[c/64%len(s)]>>(c%64)&1 != 0 }
func (s *processorSet) add(c int)      { s[c/64%len(s)] |= 1 << (c % 64) }

// without returns what of s is not in t.
func (s processorSet) without(t *processorSet) processorSet {
	for i := range s {
		s[i] &^= t[i]
	}
	return s
}

// fresh is how long a place is taken for certain: a worker that another one keeps from its
// processor is soon moved to the free one, and who left then would come there too.
const fresh = 100 * time.Microsecond

// places is where the workers of a run began that were looked at.
type places struct {
	sync.Mutex
	taken processorSet
	since time.Time
}

// begin takes the place of the first worker, which calls it.
func (p *places) begin() {
	p.Lock()
	defer p.Unlock()
	p.taken, p.since = processorSet{}, time.Now()
	if c := here(); c >= 0 {
		p.taken.add(c)
	}
}

// settle takes a place for the worker that calls it: where its thread is or, if a
// worker is there, where none is, of the processors that the thread may use.
func (p *places) settle() {
	p.Lock()
	defer p.Unlock()
	runtime.LockOSThread() // what is asked of a thread is taken back from the same one
	defer runtime.UnlockOSThread()
	c := here()
	if c < 0 {
		return
	}
	if p.taken.has(c) && time.Since(p.since) < fresh {
		c = leave(c, &p.taken)
	}
	p.taken.add(c)
}
