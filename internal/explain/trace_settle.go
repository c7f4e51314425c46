package explain

import (
	"slices"

	"github.com/unroll-ml/unroll/tensor"
)

// An edit of an input or of an initial state changes all that comes after it, at first.
// A network forgets: where a lane has come to the state of the run before, bit for bit,
// and what it gets from there on is what it got then, it goes on as it did. So a number
// far after an edit costs the steps until the run is the old one again.

// settled is what a trace knows of the run that it is an edit of.
type settled struct {
	run  *Trace
	x    [][2]int // the rows of x that differ, [from,to) in time
	calm [][]int  // of each lane the steps, in the direction's order, that begin in the old state
}

// follow makes a trace one of an edit of old, or of the run that old is an edit of, if
// the layer is the same.
func (t *Trace) follow(old *Trace) {
	if old == nil || !slices.ContainsFunc(old.known, func(k known) bool { return slices.Contains(k.end, true) }) {
		return // nothing is known of it
	}
	if old.Layer != t.Layer || old.Steps() != t.Steps() || old.known[0].steps != t.known[0].steps {
		return
	}
	if !slices.ContainsFunc(old.known, func(k known) bool { return slices.Contains(k.end, false) }) {
		old.was.run = nil // all of it is known
	}
	if t.was.run = old.was.run; t.was.run == nil {
		t.was.run = old
	}
	t.was.calm = make([][]int, t.Lanes())
	for s := range t.Steps() {
		if differ(row(t.X, s), row(t.was.run.X, s)) > 0 {
			t.was.x = append(t.was.x, [2]int{s, s + 1})
		}
	}
}

// apart returns of each lane of the layers up to one which of its inputs and which of its
// states may differ from the old run's, in the direction's order.
func (t *Trace) apart(layer int) (inputs, states [][][2]int) {
	d, below := t.cfg.Directions(), t.was.x // what a layer gets, in time
	for l := range layer + 1 {
		var above [][2]int
		for i := l * d; i < (l+1)*d; i++ {
			in := t.ordered(i%d, below)
			var out [][2]int
			for _, v := range in {
				out = append(out, [2]int{v[0], t.calmFrom(i, v[1])})
			}
			if !t.sameStart(i) {
				out = append(out, [2]int{0, t.calmFrom(i, 0)})
			}
			out = joined(out)
			inputs, states = append(inputs, in), append(states, out)
			above = append(above, t.ordered(i%d, out)...)
		}
		below = joined(above)
	}
	return inputs, states
}

// calmFrom is the first step of a lane, not before one, that begins in the old state.
func (t *Trace) calmFrom(i, step int) int {
	first := t.Steps()
	for _, s := range t.was.calm[i] {
		if s >= step {
			first = min(first, s)
		}
	}
	return first
}

// ordered turns ranges of times into those of a direction's order, and back.
func (t *Trace) ordered(d int, ranges [][2]int) [][2]int {
	out := make([][2]int, len(ranges))
	for k, v := range ranges {
		out[k][0], out[k][1] = t.order(d, v[0], v[1])
	}
	return joined(out)
}

// joined sorts ranges, and makes one of those that touch.
func joined(ranges [][2]int) [][2]int {
	slices.SortFunc(ranges, func(a, b [2]int) int { return a[0] - b[0] })
	var out [][2]int
	for _, v := range ranges {
		if n := len(out); n > 0 && v[0] <= out[n-1][1] {
			out[n-1][1] = max(out[n-1][1], v[1])
			continue
		}
		out = append(out, v)
	}
	return out
}

// sameStart reports whether a lane begins in the old run's state.
func (t *Trace) sameStart(i int) bool {
	same := differ(row(t.S0.H, i), row(t.was.run.S0.H, i)) == 0
	return same && (!t.cfg.HasCell() || differ(row(t.S0.C, i), row(t.was.run.S0.C, i)) == 0)
}

// takeOld takes what the old run knows of a lane's segments in which no state can differ.
func (t *Trace) takeOld(i int) {
	_, states := t.apart(i / t.cfg.Directions())
	for k := range t.known[i].all {
		from, to := k*t.known[i].steps, t.known[i].stop(k)
		news := !t.known[i].end[k] && t.was.run.known[i].end[k] || !t.known[i].all[k] && t.was.run.known[i].all[k]
		if news && !slices.ContainsFunc(states[i], func(v [2]int) bool { return v[0] < to && from < v[1] }) {
			t.takeSegment(t.was.run, i, k)
		}
	}
}

// settle looks whether a lane, whose segment k was computed, is in the old run's state
// at its end, and takes what follows from there on with the old inputs.
func (t *Trace) settle(i, k int) {
	if t.was.run == nil || !t.was.run.known[i].end[k] {
		return
	}
	stop := t.known[i].stop(k)
	time := t.time(i%t.cfg.Directions(), stop-1)
	for _, pair := range [][2][]tensor.Dense{{t.H, t.was.run.H}, {t.C, t.was.run.C}} {
		if pair[0] != nil && differ(row(pair[0][i], time), row(pair[1][i], time)) > 0 {
			return
		}
	}
	if !slices.Contains(t.was.calm[i], stop) {
		t.was.calm[i] = append(t.was.calm[i], stop)
		t.takeOld(i)
	}
}

// stride is how many segments of a lane are computed before it is asked anew which are
// missing.
const stride = 4

// catchUp computes the states at the ends of segments that lead from an edit to a
// question's steps, a few segments of a lane after the other, until all lanes are the old
// run's again or the steps are reached.
func (t *Trace) catchUp(layer, direction, from, to int, pause func(done float64) error) error {
	if t.was.run == nil {
		return nil
	}
	d := t.cfg.Directions()
	for i := range (layer + 1) * d {
		l := i / d
		if l == layer && direction >= 0 && i%d != direction {
			continue
		}
		t.takeOld(i)
		known, end := &t.known[i], t.leads(i, layer, direction, from, to)
		begin := known.missing(end)
		for first := begin; first < end; first = known.missing(end) {
			n := min(stride, end-first)
			lo, hi := t.order(i%d, first*known.steps, known.stop(first+n-1))
			err := t.reach(l, i%d, lo, hi, func(done float64) error {
				if pause == nil {
					return nil
				}
				here := (float64(first-begin) + done*float64(n)) / float64(end-begin)
				return pause((float64(i) + here) / float64((layer+1)*d))
			})
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// leads returns the segment of a lane before which all states lead to a question's steps.
func (t *Trace) leads(i, layer, direction, from, to int) int {
	d, steps := t.cfg.Directions(), t.known[i].steps
	if i/d == layer || d == 1 {
		a, _ := t.order(i%d, from, to)
		return a / steps
	}
	// A lane above takes both directions, as far as it goes itself.
	low, high := 0, t.Steps()
	if i/d == layer-1 && direction == 0 {
		high = to
	} else if i/d == layer-1 && direction == 1 {
		low = from
	}
	_, b := t.order(i%d, low, high)
	return (b + steps - 1) / steps
}

// missing is the first of the segments before end from which on no state at an end is
// known; end if there is none.
func (k *known) missing(end int) int {
	first := end
	for first > 0 && !k.end[first-1] {
		first--
	}
	return first
}
