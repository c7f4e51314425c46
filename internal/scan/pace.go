package scan

import (
	"math/bits"
	"sync"
	"sync/atomic"
	"time"

	"github.com/unroll-ml/unroll/internal/kernel"
)

// callKind is what the speed of a call depends on. Steps and sequences are counted in
// powers of two, so that a process meets few kinds.
type callKind struct {
	gates, i, h, p, l, d int
	t, b, workers        int
	record, back, single bool
}

// paces are those of all kinds of calls that the process has met, at most mostPaces.
var (
	paces     sync.Map // callKind: *kernel.Pace
	paceCount atomic.Int64
)

const mostPaces = 1 << 12

// pace returns that of the call at hand, nil where there is nothing to choose.
func (r *Run[F]) pace(back bool) *kernel.Pace {
	s := r.Stack
	var f F
	_, single := any(f).(float32)
	kind := callKind{
		s.Traits.Gates, s.I, s.H, s.P, s.L, s.D,
		bits.Len(uint(r.T)), bits.Len(uint(r.B)), r.workers, r.Record, back, single,
	}
	if kind == r.kind[index(back)] {
		return r.paces[index(back)]
	}
	p, known := paces.Load(kind)
	if !known {
		if paceCount.Load() >= mostPaces {
			return nil
		}
		if p, known = paces.LoadOrStore(kind, new(kernel.Pace)); !known {
			paceCount.Add(1)
		}
	}
	r.kind[index(back)], r.paces[index(back)] = kind, p.(*kernel.Pace)
	return p.(*kernel.Pace)
}

// work returns the multiply-adds of the call at hand.
func (r *Run[F]) work(back bool) float64 {
	s, row := r.Stack, 0
	for l := range s.L {
		row += s.D * (s.Traits.Gates*s.H*(s.In(l)+s.Out()) + s.P*s.H)
	}
	if back {
		row *= 2
	}
	return float64(row) * float64(r.N)
}

func index(back bool) int {
	if back {
		return 1
	}
	return 0
}

// timed runs a call with as many workers as are worth it and takes note of its time.
func (r *Run[F]) timed(back bool, call func(r *Run[F])) {
	r.workers = r.team.Workers(r.Workers)
	if r.workers < 2 || kernel.Exactly() {
		call(r)
		return
	}
	p := r.pace(back)
	if p == nil {
		call(r)
		return
	}
	start := time.Now()
	r.workers = p.Workers(r.workers)
	call(r)
	now := time.Now()
	p.Ran(r.workers, r.N, r.work(back), now.Sub(start), now)
}
