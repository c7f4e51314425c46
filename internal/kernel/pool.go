package kernel

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// Team is a group of workers that run one function together. The zero value is
// ready. A Team belongs to one goroutine at a time and keeps no goroutines of
// its own: helpers come from a pool shared by the process, so a thousand Teams
// cost no more than one.
type Team struct {
	wait    sync.WaitGroup
	n       int32
	arrived atomic.Int32
	phase   atomic.Uint32
}

// Task is what a Team runs: worker w of n.
type Task interface{ Work(w, n int) }

type job struct {
	team *Team
	task Task
	w    int
}

// helper is a parked goroutine; idle helpers wait on a stack.
type helper struct{ jobs chan job }

var idle struct {
	sync.Mutex
	helpers []*helper
}

// Run calls task.Work(w, n) for w in [0, n), all at the same time, worker 0 on
// the calling goroutine, and returns when all have returned.
func (t *Team) Run(task Task, n int) {
	if n <= 1 {
		t.n = 1
		task.Work(0, 1)
		return
	}
	t.n = int32(n)
	t.arrived.Store(0)
	t.wait.Add(n - 1)
	for w := 1; w < n; w++ {
		takeHelper().jobs <- job{t, task, w}
	}
	task.Work(0, n)
	t.wait.Wait()
}

// Barrier returns when all workers of the running task have called it.
func (t *Team) Barrier() {
	n := t.n
	if n == 1 {
		return
	}
	phase := t.phase.Load()
	if t.arrived.Add(1) == n {
		t.arrived.Store(0)
		t.phase.Add(1)
		return
	}
	for spin := 0; t.phase.Load() == phase; spin++ {
		if spin > 1000 {
			runtime.Gosched()
		}
	}
}

func takeHelper() *helper {
	idle.Lock()
	defer idle.Unlock()
	if k := len(idle.helpers); k > 0 {
		h := idle.helpers[k-1]
		idle.helpers = idle.helpers[:k-1]
		return h
	}
	h := &helper{jobs: make(chan job, 1)}
	go h.loop()
	return h
}

func (h *helper) loop() {
	for j := range h.jobs {
		j.task.Work(j.w, int(j.team.n))
		team := j.team
		j = job{}
		idle.Lock()
		idle.helpers = append(idle.helpers, h)
		idle.Unlock()
		team.wait.Done()
	}
}

// Share returns worker w's part [lo, hi) of count things among n workers.
func Share(count, w, n int) (lo, hi int) { return count * w / n, count * (w + 1) / n }
