package kernel

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// sumTask has each worker write its number, and after a barrier read all.
type sumTask struct {
	team  *Team
	seen  []int
	wrong atomic.Int32
}

func (s *sumTask) Work(w, n int) {
	for round := range 20 {
		s.seen[w] = round*n + w
		s.team.Barrier()
		for v := range n {
			if s.seen[v] != round*n+v {
				s.wrong.Add(1)
			}
		}
		s.team.Barrier()
	}
}

// TestTeamBarriers: what a worker wrote before a barrier all read after it, for
// more workers than processors too, and many teams at once.
func TestTeamBarriers(t *testing.T) {
	var wait sync.WaitGroup
	for range 8 {
		wait.Add(1)
		go func() {
			defer wait.Done()
			var team Team
			for n := 1; n <= 6; n++ {
				for range 20 {
					task := &sumTask{team: &team, seen: make([]int, n)}
					team.Run(task, n)
					if k := task.wrong.Load(); k > 0 {
						t.Errorf("%d workers: %d values were not there after a barrier", n, k)
					}
				}
			}
		}()
	}
	wait.Wait()
}

type nothing struct{}

func (nothing) Work(int, int) {}

// TestThousandTeamsShareHelpers: a team costs no goroutine of its own.
func TestThousandTeamsShareHelpers(t *testing.T) {
	before := runtime.NumGoroutine()
	for range 1000 {
		var team Team
		team.Run(nothing{}, 3)
	}
	// Two helpers each; a few more may be between one team and the list.
	if n := runtime.NumGoroutine() - before; n > 20 {
		t.Errorf("%d goroutines more after a thousand teams of 3", n)
	}
}

// TestIdleHelpersPark: after the last run no helper looks for work for ever. How
// long that takes is up to the machine; a helper that never parks keeps this test
// waiting until its deadline.
func TestIdleHelpersPark(t *testing.T) {
	var team Team
	team.Run(nothing{}, 4)
	for !parked() {
		time.Sleep(time.Millisecond)
	}
}

func parked() bool {
	free.Lock()
	defer free.Unlock()
	for _, h := range free.helpers {
		if h.state.Load() != helperAway {
			return false
		}
	}
	return len(free.helpers) > 0
}

// BenchmarkFork is a run of two workers that do nothing but meet once.
func BenchmarkFork(b *testing.B) {
	var team Team
	task := &meet{&team}
	for b.Loop() {
		team.Run(task, 2)
	}
}

type meet struct{ team *Team }

func (m *meet) Work(int, int) { m.team.Barrier() }

// meeting has workers meet at many barriers.
type meeting struct {
	team *Team
	met  atomic.Int64
}

func (m *meeting) Work(int, int) {
	for range 300 {
		m.met.Add(1)
		m.team.Barrier()
	}
}

// TestManyWorkersMeetOnFewProcessors: where a test asks for sixteen on what there is,
// those who wait let the others come; this takes half a second, and took minutes.
func TestManyWorkersMeetOnFewProcessors(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(16))
	var team Team
	m := &meeting{team: &team}
	team.Run(m, 16)
	if got := m.met.Load(); got != 16*300 {
		t.Errorf("%d meetings, want %d", got, 16*300)
	}
}

// late has the first worker come late to a barrier.
type late struct{ team *Team }

func (l *late) Work(w, _ int) {
	if w == 0 {
		time.Sleep(20 * yieldFor)
	}
	l.team.Barrier()
}

// TestWorkersNapInACrowd: who waits long at a barrier naps where workers are more
// than processors, and does not where each has one.
func TestWorkersNapInACrowd(t *testing.T) {
	n := processors()
	for _, c := range []struct {
		workers int
		naps    bool
	}{{max(n, 2), n < 2}, {n + 1, true}} {
		team := Team{}
		team.Run(&late{&team}, c.workers)
		if got := team.naps.Load(); got > 0 != c.naps {
			t.Errorf("%d workers on %d processors: %d naps", c.workers, n, got)
		}
	}
}

type busy time.Duration

func (b busy) Work(int, int) {
	for until := time.Now().Add(time.Duration(b)); time.Now().Before(until); {
	}
}

// TestHelpersLookLongerAfterLongWork: a helper that worked for 2 ms still looks for work
// after 120 us, which is longer than it looks after none; one of many tries shows it,
// whatever else runs.
func TestHelpersLookLongerAfterLongWork(t *testing.T) {
	if runtime.NumCPU() < 2 {
		t.Skip("one processor")
	}
	var team Team
	for range 200 {
		team.Run(busy(2*time.Millisecond), 2)
		busy(120*time.Microsecond).Work(0, 1)
		free.Lock()
		looks := len(free.helpers) > 0 && free.helpers[len(free.helpers)-1].state.Load() == helperFree
		free.Unlock()
		if looks {
			return
		}
	}
	t.Error("after none of 200 runs the helper looked for work")
}
