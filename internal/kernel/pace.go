package kernel

import (
	"math"
	"sync"
	"time"
)

// Whether several workers are faster than one is not known from sizes alone: it
// depends on how fast one processor hears of another, how long a parked helper takes
// to wake at the pace of the calls, where the weights stand, and what else runs. It
// is measured, on the calls themselves.

const (
	// paceTries is how many calls are timed each way at least, for paceWhile at
	// least of their time, of which the fastest counts. Where one worker takes longer
	// than paceLong for a call it is one with one worker and paceFew with all, and
	// none with one worker where it takes longer than paceMost. How long that is
	// follows from the time a call took, but is no more than the work takes at a rate
	// that every processor has: a call that waits for a processor takes any time.
	paceTries = 4
	paceFew   = 3
	paceWhile = 10 * time.Millisecond
	paceLong  = 20 * time.Millisecond
	paceMost  = 200 * time.Millisecond
	paceRate  = 10 // multiply-adds of a nanosecond
	// After pacePause without a call helpers are parked, and the next call wakes them.
	// It says what calls cost that come one by one, and nothing of those behind it.
	pacePause = time.Millisecond
	// paceLeast and paceLongest bound how long calls run one way before the other is
	// tried again, and paceCalls how many calls of the slower way they run at least;
	// the time doubles while the choice stays. Between calls no time goes by: who
	// calls twice in ten seconds is not to try both ways each time.
	paceLeast   = 100 * time.Millisecond
	paceLongest = 32 * time.Second
	paceCalls   = 32
	// After paceTries calls in a row that took paceWorse times as long as the other
	// way's fastest, both ways are compared anew, if calls have run as long as they
	// do after a change of the choice.
	paceWorse = 1.25
)

// Pace is what is known of calls of one kind: how fast one worker runs them and how
// fast all do. The zero value knows nothing. Any number of goroutines may use it.
type Pace struct {
	mu     sync.Mutex
	one    bool          // the way calls go now
	chosen bool          // the way that was faster
	trying bool          // a trial is on
	again  bool          // it is the second of all workers in this comparison
	tried  int           // calls of this trial
	spent  time.Duration // their time
	call   time.Duration // the fastest of them
	slow   time.Duration // the longest of those of this comparison
	best   [2]float64    // time of a row with all workers and with one, of this comparison
	ended  time.Time     // when the last call did
	paused bool          // it came after a pause
	ran    time.Duration // of calls since the last comparison
	worse  int           // calls in a row that took longer than the other way's
	least  time.Duration // how long calls run before the next comparison at the earliest
	pause  time.Duration // and at the latest; zero: nothing was compared yet
}

// index returns the place of a way in best.
func index(one bool) int {
	if one {
		return 1
	}
	return 0
}

// Workers returns how many of n workers a call runs that begins now.
func (p *Pace) Workers(n int) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.trying && p.ran >= p.pause { // the chosen way first, then the other
		p.best = [2]float64{math.Inf(1), math.Inf(1)}
		p.again = false
		p.try(p.chosen)
	}
	if p.one {
		return 1
	}
	return n
}

// Ran takes note of a call that ended now, ran with so many workers and took so long
// for rows of so many multiply-adds in all.
func (p *Pace) Ran(workers, rows int, work float64, took time.Duration, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	woken := p.wakes(now.Add(-took))
	p.ended = now
	one := workers == 1
	if one != p.one { // others decided how it ran
		return
	}
	row := float64(took) / float64(max(rows, 1))
	if !p.trying {
		p.ran += took
		if p.worse++; row < paceWorse*p.best[index(!one)] {
			p.worse = 0
		}
		if p.worse >= paceTries && p.ran >= p.least {
			p.ran = p.pause
		}
		return
	}
	alone := min(time.Duration(work/paceRate), took*time.Duration(workers))
	if alone > paceMost && !one {
		p.slow = max(p.slow, took)
		p.decide(false)
		return
	}
	best := &p.best[index(one)]
	*best = min(*best, row)
	if woken && !one { // as fast as it was; how often it was tried goes by the others
		return
	}
	if p.tried == 0 {
		p.call = took
	}
	p.call = min(p.call, took)
	p.tried++
	p.spent += took
	switch long := alone > paceLong; {
	case long && !one && p.tried < paceFew:
	case !long && (p.tried < paceTries || p.spent < paceWhile):
	default:
		p.tryNext()
	}
}

// wakes takes note of a call that began then, and reports whether it came after a
// pause, and the call before did not.
func (p *Pace) wakes(began time.Time) bool {
	before := p.paused
	p.paused = began.Sub(p.ended) > pacePause
	return p.paused && !before
}

// try begins a trial of one way.
func (p *Pace) try(one bool) { p.trying, p.one, p.tried, p.spent = true, one, 0, 0 }

// tryNext goes on after a trial: with the other way or, before all workers are given up,
// with all once more. It is some milliseconds until the system has given a helper a
// processor of its own.
func (p *Pace) tryNext() {
	p.slow = max(p.slow, p.call)
	one := p.best[1] < p.best[0]
	switch {
	case math.IsInf(p.best[index(!p.one)], 1):
		p.try(!p.one)
	case one && !p.chosen && !p.again:
		p.again = true
		p.try(false)
	default:
		p.decide(one)
	}
}

// decide ends a comparison.
func (p *Pace) decide(one bool) {
	p.least = max(paceLeast, paceCalls*p.slow)
	if p.pause = min(2*p.pause, paceLongest); one != p.chosen || p.pause < p.least {
		p.pause = p.least
	}
	p.ran, p.worse, p.slow = 0, 0, 0
	p.chosen, p.one, p.trying = one, one, false
}
