package kernel

import (
	"runtime"
	"testing"
	"time"
)

// TestWaitsTurnToOneWorker: a team whose runs are mostly waiting goes on with one
// worker, longer each time that trying again does not help, and comes back when it
// does.
func TestWaitsTurnToOneWorker(t *testing.T) {
	const ms = time.Millisecond
	var w waits
	now := time.Unix(1000, 0)
	step := func(took, lost time.Duration) {
		now = now.Add(took)
		w.ran(now, took, lost)
	}
	tries := 0
	next := func() (pause time.Duration) { // until the others are tried again
		from := now
		for w.alone(now) {
			now = now.Add(ms)
		}
		tries++
		return now.Sub(from)
	}

	step(ms, 0)
	if w.watching || !w.until.IsZero() {
		t.Fatal("a run that waited for nothing is watched")
	}
	step(4*ms, 3*ms) // the first late one is only noticed
	if !w.watching || !w.until.IsZero() {
		t.Fatal("one late run is not watched, or enough to decide")
	}
	step(4*ms, 3*ms)
	if w.until.IsZero() {
		t.Fatal("three quarters of the time waiting: still with others")
	}
	for _, want := range []time.Duration{10, 20, 40, 80, 160, 320, 640, 640} {
		if got := next(); got != want*ms {
			t.Errorf("try %d after %v, want %v", tries, got, want*ms)
		}
		step(3*ms, 2*ms)
	}
	next()
	step(3*ms, ms)
	if w.watching || !w.until.IsZero() || w.pause != 0 {
		t.Error("a third of the time waiting: not with others again")
	}

	// Half of the time, as panels shared unevenly do, is no reason.
	step(3*ms, 3*ms/2)
	step(3*ms, 3*ms/2)
	if !w.until.IsZero() {
		t.Error("half of the time waiting: alone")
	}

	// Short runs are decided together.
	w = waits{watching: true}
	for range 19 {
		step(ms/10, ms/10)
	}
	if !w.until.IsZero() {
		t.Error("decided before the time to watch was over")
	}
	step(ms/10, ms/10)
	if w.until.IsZero() {
		t.Error("twenty short runs were not decided together")
	}
}

// TestWorkersAreCapped: more workers than processors only get into each other's
// way, and one while a team waits; a test may ask for all.
func TestWorkersAreCapped(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	var team Team
	for _, threads := range []int{1, 2, 64} { // of Go, which may be more than the machine has
		runtime.GOMAXPROCS(threads)
		for _, asked := range []int{1, 2, 16, 1000} {
			want := min(asked, threads, runtime.NumCPU())
			if got := team.Workers(asked); got != want {
				t.Errorf("%d workers asked for, GOMAXPROCS %d on %d processors: %d, want %d", asked, threads, runtime.NumCPU(), got, want)
			}
		}
	}
	team.waits.until = time.Now().Add(time.Hour)
	if got := team.Workers(2); got != 1 {
		t.Errorf("while others have the processors: %d workers, want 1", got)
	}
	defer RunExactly(RunExactly(true))
	if got := team.Workers(16); got != 16 {
		t.Errorf("exactly 16: %d", got)
	}
}

// TestLateWorkersAreNoticed: what a worker waits at a barrier, or at the end, for
// one that does not come is counted.
func TestLateWorkersAreNoticed(t *testing.T) {
	for _, late := range []int{0, 1} {
		var team Team
		team.Run(&lateTask{team: &team, late: late}, 2)
		if team.waited.Load() == 0 || !team.waits.watching {
			t.Errorf("worker %d came 20 ms late to a barrier, and nobody noticed", late)
		}
	}
	var team Team
	team.Run(&lateTask{team: &team, late: 1, after: true}, 2)
	if team.waited.Load() == 0 || !team.waits.watching {
		t.Error("worker 1 returned 20 ms late, and nobody noticed")
	}
}

// lateTask has one worker sleep before the barrier or after it.
type lateTask struct {
	team  *Team
	late  int
	after bool
}

func (l *lateTask) Work(w, _ int) {
	if w == l.late && !l.after {
		time.Sleep(20 * time.Millisecond)
	}
	l.team.Barrier()
	if w == l.late && l.after {
		time.Sleep(20 * time.Millisecond)
	}
}
