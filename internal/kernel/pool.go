package kernel

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// Team is a group of workers that run one function together. The zero value is
// ready. A Team belongs to one goroutine at a time and keeps no goroutines of
// its own: helpers come from a pool shared by the process, so a thousand Teams
// cost no more than one.
type Team struct {
	n       int32
	arrived atomic.Int32
	phase   atomic.Uint32
	left    atomic.Int32 // helpers that have not returned
	parked  atomic.Bool  // the caller does not look any more whether they have
	wait    sync.WaitGroup
	waited  atomic.Int64 // nanoseconds that workers of this run waited beyond looking
	naps    atomic.Int64 // of workers at barriers, in all runs
	waits   waits
	turns   *turns // nil but in tests of schedules
}

// Task is what a Team runs: worker w of n.
type Task interface{ Work(w, n int) }

// spins bounds how often a waiting worker looks before it gives way: as many
// pauses take some 10 to 40 µs, which is longer than a step of a small layer
// and shorter than anything a person or an operating system counts. Waking a
// parked goroutine takes 5 to 50 µs, a look at an atomic one tenth.
const spins = 1000

// Where workers are more than processors, one that waits at a barrier longer than
// yieldFor naps: sixteen threads that only give way to each other's goroutines keep two
// processors from the one that is waited for, and one pass of a millisecond took 22 s.
// With a processor for each, a worker that naps wakes late and on the processor of the
// one it waited for: two took 35 ms for a call that takes 22.
const (
	yieldFor = 100 * time.Microsecond
	nap      = 20 * time.Microsecond
)

// lookFor bounds how long a caller looks for helpers that return late: as long as its
// own work took, and this. A helper that was parked begins late, and if the caller
// parks too, its goroutine is woken on the helper's processor, which looks for work
// there: from then on they run one after the other, call for call.
const lookFor = 250 * time.Microsecond

// Run calls task.Work(w, n) for w in [0, n), all at the same time, worker 0 on
// the calling goroutine, and returns when all have returned.
func (t *Team) Run(task Task, n int) {
	t.n = int32(max(n, 1))
	if n <= 1 {
		task.Work(0, 1)
		return
	}
	if o := order.Load(); o != nil {
		t.runInTurns(task, n, *o)
		return
	}
	start := time.Now()
	t.waited.Store(0)
	t.parked.Store(false)
	t.arrived.Store(0)
	t.left.Store(t.n - 1)
	t.wait.Add(n - 1)
	for w := 1; w < n; w++ {
		takeHelper().start(t, task, w)
	}
	task.Work(0, n)
	if !t.look(spins) {
		since := time.Now()
		for until := since.Add(min(since.Sub(start), lookFor)); !t.look(spins/20) && time.Now().Before(until); {
		}
		t.parked.Store(t.left.Load() > 0)
		t.wait.Wait()
		t.waited.Add(int64(time.Since(since)))
	} else {
		t.wait.Wait()
	}
	if lost := t.waited.Load(); lost > 0 || t.waits.watching {
		now := time.Now()
		t.waits.ran(now, now.Sub(start), time.Duration(lost)/time.Duration(n-1))
	}
}

// look looks so many times whether all helpers have returned, and says so.
func (t *Team) look(times int) bool {
	for range times {
		if t.left.Load() == 0 {
			return true
		}
		pause(1)
	}
	return t.left.Load() == 0
}

// Barrier returns when all workers of the running task have called it.
func (t *Team) Barrier() {
	n := t.n
	if n == 1 {
		return
	}
	if t.turns != nil {
		t.turns.barrier()
		return
	}
	phase := t.phase.Load()
	if t.arrived.Add(1) == n {
		t.arrived.Store(0)
		t.phase.Add(1)
		return
	}
	for range spins {
		if t.phase.Load() != phase {
			return
		}
		pause(1)
	}
	since, crowd := time.Now(), int(t.n) > processors()
	for t.phase.Load() == phase {
		if !crowd || time.Since(since) < yieldFor {
			runtime.Gosched() // somebody else may need the processor to get here
		} else {
			t.naps.Add(1)
			time.Sleep(nap) // and another thread, where threads are more than processors
		}
	}
	t.waited.Add(int64(time.Since(since)))
}

// The states of a helper.
const (
	helperFree = iota // looks for work
	helperBusy        // has work
	helperAway        // parked
)

// helper is a goroutine that runs the work of others: worker w of a team. When
// it has none it looks for some a while, and then parks until it is woken. After long
// work it looks longer, a quarter of what that took and at most lookFor: between two
// calls the caller's own part grows with them, and a helper that parks there begins
// every call late.
type helper struct {
	state atomic.Uint32
	team  *Team
	task  Task
	w     int
	rest  parking
	_     [64]byte // no other helper's state on the same cache line
}

// free are the helpers without work; the last one in, which most likely still
// looks, is the first one out.
var free struct {
	sync.Mutex
	helpers []*helper
}

func takeHelper() *helper {
	free.Lock()
	defer free.Unlock()
	if k := len(free.helpers); k > 0 {
		h := free.helpers[k-1]
		free.helpers = free.helpers[:k-1]
		return h
	}
	h := &helper{}
	h.rest.init()
	go h.loop()
	return h
}

// start gives a helper that nobody else holds its work.
func (h *helper) start(t *Team, task Task, w int) {
	h.team, h.task, h.w = t, task, w
	if h.state.Load() == helperAway {
		h.rest.prepare()
	}
	if h.state.Swap(helperBusy) == helperAway {
		h.rest.rouse(&h.state)
	}
}

func (h *helper) loop() {
	var until time.Time
	for {
		for i := 0; h.state.Load() != helperBusy; i++ {
			if i < spins || i%spins != 0 || time.Now().Before(until) {
				pause(1)
				continue
			}
			h.rest.settle()
			if h.state.CompareAndSwap(helperFree, helperAway) {
				h.rest.park(&h.state)
			}
		}
		t, began := h.team, time.Now()
		h.task.Work(h.w, int(t.n))
		now := time.Now()
		until = now.Add(min(now.Sub(began)/4, lookFor))
		h.team, h.task = nil, nil
		h.state.Store(helperFree)
		free.Lock()
		free.helpers = append(free.helpers, h)
		free.Unlock()
		parked := t.parked.Load()
		t.left.Add(-1)
		t.wait.Done()
		if parked {
			runtime.Gosched() // the caller goes on here, and this goroutine elsewhere
		}
	}
}

// Share returns worker w's part [lo, hi) of count things among n workers.
func Share(count, w, n int) (lo, hi int) {
	if n == 1 { // steps ask so often that two divisions are seen
		return 0, count
	}
	return count * w / n, count * (w + 1) / n
}
