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
	// paceTries is how many calls are timed each way, of which the fastest counts:
	// one where one worker takes longer than paceLong for a call, and none with one
	// worker where it takes longer than paceMost. How long that is follows from the
	// work, at a rate that every processor has: a call that waits for a processor
	// takes any time.
	paceTries = 4
	paceLong  = 20 * time.Millisecond
	paceMost  = 200 * time.Millisecond
	paceRate  = 10 // multiply-adds of a nanosecond
	// paceLeast and paceLongest bound how long a choice stands before the other way
	// is tried again; the time doubles while the choice stays.
	paceLeast   = 500 * time.Millisecond
	paceLongest = 32 * time.Second
)

// Pace is what is known of calls of one kind: how fast one worker runs them and how
// fast all do. The zero value knows nothing. Any number of goroutines may use it.
type Pace struct {
	mu     sync.Mutex
	one    bool       // the way calls go now
	chosen bool       // the way that was faster
	left   int        // calls of a trial left
	rounds int        // trials of this comparison left after this one
	best   [2]float64 // time of a row with all workers and with one, of this comparison
	again  time.Time  // when to compare again; zero: nothing was compared yet
	pause  time.Duration
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
	if p.left == 0 && !now.Before(p.again) { // the chosen way first, then the other
		p.one, p.left, p.rounds = p.chosen, paceTries, 1
		p.best = [2]float64{math.Inf(1), math.Inf(1)}
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
	if p.left == 0 || one != p.one { // no trial, or others decided how it ran
		return
	}
	best := &p.best[index(one)]
	*best = min(*best, float64(took)/float64(max(rows, 1)))
	alone := time.Duration(work / paceRate)
	if alone > paceMost && !one {
		p.decide(false, now)
		return
	}
	if p.left--; p.left > 0 && alone <= paceLong {
		return
	}
	if p.rounds > 0 {
		p.one, p.left, p.rounds = !p.one, paceTries, p.rounds-1
		return
	}
	p.decide(p.best[1] < p.best[0], now)
}

// decide ends a comparison.
func (p *Pace) decide(one bool, now time.Time) {
	if p.pause = min(2*p.pause, paceLongest); one != p.chosen || p.pause == 0 {
		p.pause = paceLeast
	}
	p.chosen, p.one, p.left, p.rounds = one, one, 0, 0
	p.again = now.Add(p.pause)
}
