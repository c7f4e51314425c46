package kernel

import (
	"runtime"
	"sync/atomic"
	"time"
)

// Workers that meet at every step are only as fast as the one that has to wait
// for a processor. Where others take the processors, two workers are slower than
// one: a team notices that it waits, and runs alone for a while.

const (
	// watchFor is how long runs are timed before it is decided.
	watchFor = 2 * time.Millisecond
	// aloneLeast and aloneMost bound how long one worker runs by itself before the
	// others are tried again; the time doubles while waiting goes on.
	aloneLeast = 10 * time.Millisecond
	aloneMost  = 640 * time.Millisecond
)

// waits is what a team knows of the waiting of its workers.
type waits struct {
	watching  bool          // runs are timed, because a worker waited longer than it looks
	run, lost time.Duration // of the runs watched: their time, and that of a worker waiting
	until     time.Time     // one worker until then
	pause     time.Duration // the last time alone
}

// ran takes note of a run: what its workers waited beyond looking, on average, and
// if watched, the time it took.
func (w *waits) ran(now time.Time, took, lost time.Duration) {
	if !w.watching {
		w.watching, w.run, w.lost = lost > 0, 0, 0
		return
	}
	w.run += took
	w.lost += lost
	if w.run < watchFor {
		return
	}
	w.watching = false
	// Three panels on two workers wait half of the time, and are still faster than
	// one worker.
	if 5*w.lost < 3*w.run {
		w.pause = 0
		return
	}
	w.pause = min(max(2*w.pause, aloneLeast), aloneMost)
	w.until = now.Add(w.pause)
}

// alone reports whether one worker should run; when its time is over the next runs
// are watched.
func (w *waits) alone(now time.Time) bool {
	if now.Before(w.until) {
		return true
	}
	w.until = time.Time{}
	w.watching, w.run, w.lost = true, 0, 0
	return false
}

// exactly makes teams run as many workers as they are asked for.
var exactly atomic.Bool

// RunExactly makes every team run as many workers as it is asked for, whatever
// processors there are, and returns whether it did before. It is for tests.
func RunExactly(on bool) bool { return exactly.Swap(on) }

// processors is how many there are for this process: GOMAXPROCS, which minds the
// limits of a container, may have been set to more than the machine or taskset has.
func processors() int { return min(runtime.GOMAXPROCS(0), runtime.NumCPU()) }

// Exactly reports whether teams run as many workers as they are asked for, or in
// turns.
func Exactly() bool { return exactly.Load() || order.Load() != nil }

// Workers returns how many of n workers are worth running now: not more than there
// are processors, and one while the others only wait for processors that somebody
// else has. The caller asks before it lays out its work and calls Run; a result
// does not depend on the answer.
func (t *Team) Workers(n int) int {
	if n <= 1 || Exactly() {
		return n
	}
	if n = min(n, processors()); n > 1 && !t.waits.until.IsZero() && t.waits.alone(time.Now()) {
		return 1
	}
	return n
}
