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
	// least, of which the fastest counts: one where one worker takes longer than
	// paceLong for a call, and none with one worker where it takes longer than
	// paceMost. How long that is follows from the time a call took, but is no more
	// than the work takes at a rate that every processor has: a call that waits for
	// a processor takes any time. It is some milliseconds until the system has given
	// a helper a processor of its own: the first comparison tries both ways twice.
	paceTries = 4
	paceWhile = 10 * time.Millisecond
	paceLong  = 20 * time.Millisecond
	paceMost  = 200 * time.Millisecond
	paceRate  = 10 // multiply-adds of a nanosecond
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
	tried  int           // calls of this trial
	since  time.Time     // when this trial began
	rounds int           // trials of this comparison left after this one
	call   time.Duration // the fastest call of this trial
	slow   time.Duration // the longest of those of this comparison
	best   [2]float64    // time of a row with all workers and with one, of this comparison
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
func (p *Pace) Workers(n int, now time.Time) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.trying && p.ran >= p.pause { // the chosen way first, then the other
		p.rounds = 1
		if p.pause == 0 {
			p.rounds = 3
		}
		p.best = [2]float64{math.Inf(1), math.Inf(1)}
		p.try(p.chosen, now)
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
	best := &p.best[index(one)]
	*best = min(*best, row)
	if p.tried == 0 {
		p.call = took
	}
	p.call = min(p.call, took)
	alone := min(time.Duration(work/paceRate), took*time.Duration(workers))
	if alone > paceMost && !one {
		p.decide(false)
		return
	}
	p.tried++
	if alone <= paceLong && (p.tried < paceTries || now.Sub(p.since) < paceWhile) {
		return
	}
	if alone > paceLong {
		p.rounds = min(p.rounds, 2) // once more with all: they may have begun cold
	}
	p.slow = max(p.slow, p.call)
	if p.rounds > 0 {
		p.rounds--
		p.try(!p.one, now)
		return
	}
	p.decide(p.best[1] < p.best[0])
}

// try begins a trial of one way.
func (p *Pace) try(one bool, now time.Time) {
	p.trying, p.one, p.tried, p.since = true, one, 0, now
}

// decide ends a comparison.
func (p *Pace) decide(one bool) {
	p.least = max(paceLeast, paceCalls*p.slow)
	if p.pause = min(2*p.pause, paceLongest); one != p.chosen || p.pause < p.least {
		p.pause = p.least
	}
	p.ran, p.worse, p.slow = 0, 0, 0
	p.chosen, p.one, p.trying, p.rounds = one, one, false, 0
}
