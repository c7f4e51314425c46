package explain

import (
	"slices"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/tensor"
)

// A record is known in segments, so that a long run need not be computed, or stored,
// as a whole: a segment can be computed from the state at its start, and the bits are
// those of the whole run.

// longest is the most steps of a direction that are known or not together.
const longest = 64

// clickWork is how many multiply-adds may lead to a state from the nearest one that is
// held: a browser does them in a tenth of a second.
const clickWork = 32 << 20

// segmentOf is how many steps of a lane are known or not together: as many as
// clickWork pays for in all lanes, and no fewer than let the states at their ends take
// as much room as the parameters, or wholeRecord if that is more.
func (t *Trace) segmentOf() int {
	few := min(longest, max(1, clickWork/t.stepWork()))
	room := max(wholeRecord, 4*parameters(t.Layer))
	return min(longest, max(few, (t.recordBytes()+room-1)/room))
}

// block is how many steps are asked for together when they come into view: whole
// segments, of a large layer so few that the first are soon there.
func (t *Trace) block() int {
	k := t.known[0].steps
	return k * max(1, min(4*longest, 2*clickWork/t.stepWork())/k)
}

// stepWork is how many multiply-adds a step of all lanes takes.
func (t *Trace) stepWork() int {
	n := 0
	for i := range t.Lanes() {
		n += t.laneWork(i)
	}
	return max(1, n)
}

// laneWork is how many multiply-adds a step of a lane takes.
func (t *Trace) laneWork(i int) int {
	return t.lanes[i].ih.Shape[0] * (t.inputSize(i/t.cfg.Directions()) + t.cfg.StateSize())
}

// wholeRecord is the largest record, in bytes, that a page holds whole, whatever it
// would take to compute.
const wholeRecord = 2 << 20

// known says what of a lane's record is known, in segments of the direction's order.
type known struct {
	total int    // steps of the lane
	steps int    // of a segment
	all   []bool // every step of the segment
	end   []bool // its last step, from which the next one can be computed
}

func newKnown(steps, segment int) known {
	n := (steps + segment - 1) / segment
	return known{steps, segment, make([]bool, n), make([]bool, n)}
}

// fine makes every step of a trace known by itself, so that nothing after the last one
// that is asked for is computed. What is known of it already stays as it is.
func (t *Trace) fine() {
	for _, k := range t.known {
		if slices.Contains(k.end, true) {
			return
		}
	}
	for i := range t.known {
		t.known[i] = newKnown(t.Steps(), 1)
	}
}

// stop is the step after segment i.
func (k known) stop(i int) int { return min((i+1)*k.steps, k.total) }

// has reports whether step s is known.
func (k known) has(s int) bool {
	i := s / k.steps
	return k.all[i] || k.end[i] && s == k.stop(i)-1
}

// Run computes the record and calls pause (which may be nil) between pieces with the
// share that is done; an error from it ends the run and is returned. The pieces
// change no number: a sequence in chunks has the bits of the whole one.
func (t *Trace) Run(pause func(done float64) error) error {
	return t.need(t.cfg.NumLayers-1, -1, 0, t.Steps(), pause)
}

// need makes the steps from to to of a layer's direction known, or with -1 of all its
// directions. It computes what leads there from the nearest known states, in that
// layer and those below, and nothing after it. pause works as in Run.
func (t *Trace) need(layer, direction, from, to int, pause func(done float64) error) error {
	from, to = max(0, from), min(to, t.Steps())
	if from >= to {
		return nil
	}
	if own := pause; own != nil {
		most := 0.0 // a share does not shrink
		pause = func(done float64) error {
			most = max(most, done)
			return own(most)
		}
	}
	if err := t.catchUp(layer, direction, from, to, pause); err != nil {
		return err
	}
	return t.reach(layer, direction, from, to, pause)
}

// reach is need from the nearest states that are known.
func (t *Trace) reach(layer, direction, from, to int, pause func(done float64) error) error {
	d := t.cfg.Directions()
	first, end, total := make([]int, t.Lanes()), make([]int, t.Lanes()), 0
	for l := layer; l >= 0; l-- {
		low, high := from, to
		for i := l * d; i < (l+1)*d; i++ {
			if l == layer && direction >= 0 && i%d != direction {
				continue
			}
			a, b := t.order(i%d, from, to)
			first[i], end[i] = t.known[i].gap(a, b)
			if first[i] == end[i] {
				continue
			}
			total += end[i] - first[i]
			a, b = t.order(i%d, first[i]*t.known[i].steps, t.known[i].stop(end[i]-1))
			low, high = min(low, a), max(high, b)
		}
		from, to = low, high
	}
	done := 0
	for i := range (layer + 1) * d {
		var after func(segments int) error
		if pause != nil {
			after = func(segments int) error {
				done += segments
				return pause(float64(done) / float64(total))
			}
		}
		if err := t.runLane(i/d, i%d, first[i], end[i], after); err != nil {
			return err
		}
	}
	return nil
}

// withBefore widens a range of times by the step that a direction comes from.
func (t *Trace) withBefore(direction, from, to int) (int, int) {
	if t.reversed(direction) {
		return from, to + 1
	}
	return from - 1, to
}

// order turns a range of times into one of a direction's order, which is also the
// inverse.
func (t *Trace) order(d, from, to int) (a, b int) {
	if t.reversed(d) {
		return t.Steps() - to, t.Steps() - from
	}
	return from, to
}

// gap returns the segments to compute, so that the steps a to b are known: from the
// first that is not, or from where a state is known before it.
func (k known) gap(a, b int) (first, end int) {
	for a < b && k.has(a) {
		a++
	}
	for a < b && k.has(b-1) {
		b--
	}
	if a == b {
		return 0, 0
	}
	first, end = a/k.steps, (b-1)/k.steps+1
	for first > 0 && !k.end[first-1] {
		first--
	}
	return first, end
}

// reuse takes the first n[lane] steps of each lane, in the direction's order, from
// the record of another trace of the same shape, as far as they are known: they are
// those of this one.
func (t *Trace) reuse(old *Trace, n []int) {
	for i := range t.H {
		for k := range t.known[i].all {
			end := t.known[i].stop(k)
			if end > n[i] {
				break
			}
			t.takeSegment(old, i, k)
		}
	}
}

// takeSegment takes a segment of a lane from another trace, as far as it is known there.
func (t *Trace) takeSegment(old *Trace, i, k int) {
	d, end := t.cfg.Directions(), t.known[i].stop(k)
	from, to := t.order(i%d, k*t.known[i].steps, end)
	if !old.known[i].all[k] {
		if !old.known[i].end[k] {
			return
		}
		from, to = t.order(i%d, end-1, end)
	}
	t.known[i].all[k], t.known[i].end[k] = old.known[i].all[k], true
	copyRows(t.H[i], old.H[i], from, to)
	if t.cfg.HasCell() {
		copyRows(t.C[i], old.C[i], from, to)
	}
}

func copyRows(dst, src tensor.Dense, from, to int) {
	n := dst.Shape[1]
	copy(dst.Data[from*n:to*n], src.Data[from*n:to*n])
}

// ends visits the last row of every segment of a lane's record in the direction's
// order.
func (t *Trace) ends(i int, visit func(k, time int)) {
	for k := range t.known[i].all {
		visit(k, t.time(i%t.cfg.Directions(), t.known[i].stop(k)-1))
	}
}

// work is how many multiply-adds a run does between two calls of its function.
const work = 4 << 20

// runLane computes the segments from first to end of a lane that are not known, whose
// inputs are.
func (t *Trace) runLane(l, d, first, end int, pause func(segments int) error) error {
	i := l*t.cfg.Directions() + d
	pass := unroll.Pass{Layer: t.split[l][d], Record: t.cfg.HasCell()}
	each := t.known[i].steps * t.laneWork(i)
	for first < end {
		if t.known[i].all[first] {
			first++
			continue
		}
		n := 1
		for first+n < end && !t.known[i].all[first+n] && (pause == nil || (n+1)*each <= work) {
			n++
		}
		if err := t.piece(&pass, l, i, first, first+n, pause); err != nil {
			return err
		}
		t.settle(i, first+n-1)
		first += n
		if pause != nil {
			if err := pause(n); err != nil {
				return err
			}
		}
	}
	return nil
}

// piece computes some segments of a lane, of a large layer in calls of fewer steps.
func (t *Trace) piece(pass *unroll.Pass, l, i, first, end int, pause func(segments int) error) error {
	d, in := i%t.cfg.Directions(), t.inputSize(l)
	from, to := first*t.known[i].steps, t.known[i].stop(end-1)
	chunk := to - from
	if pause != nil {
		chunk = min(chunk, max(1, work/max(1, t.laneWork(i))))
	}
	x := make([]float32, chunk*in)
	for ; from < to; from += chunk {
		n := min(chunk, to-from)
		for s := range n {
			t.input(l, t.time(d, from+s), x[s*in:(s+1)*in])
		}
		y, _, err := pass.Forward(tensor.Dense{Shape: []int{n, in}, Data: x[:n*in]}, t.from(i, t.time(d, from)))
		if err != nil {
			return err
		}
		t.computed += n
		t.now = [2]int{l, t.time(d, from+n-1)}
		t.put(t.H[i], d, from, y)
		if t.cfg.HasCell() {
			c, err := pass.Cell(0, 0)
			if err != nil {
				return err
			}
			t.put(t.C[i], d, from, c)
		}
		if pause != nil && n < to-from {
			if err := pause(0); err != nil {
				return err
			}
		}
	}
	for k := first; k < end; k++ {
		t.known[i].all[k], t.known[i].end[k] = true, true
	}
	return nil
}
