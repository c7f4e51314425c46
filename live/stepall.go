package live

import (
	"context"
	"fmt"
	"sync/atomic"

	"github.com/unroll-ml/unroll"
)

// group is the memory of a StepAll.
type group struct {
	jobs []job
	next []int32 // the next row of the same shard, -1 after the last
	head []int32 // [shards] its first row
	errs []error
	left atomic.Int64 // jobs that are not answered, and one while they are put in line
	done chan struct{}
}

// answered counts n answers, and reports whether they were the last.
func (g *group) answered(n int) bool { return g.left.Add(int64(-n)) == 0 }

// StepAll makes a step of each of n sequences and returns when all are done: x
// [n,I], y [n,O]. A key that stands there twice makes its steps in their order.
// The error is an ErrShape, and nothing steps, or RowErrors; if ctx ends, the
// rows that have not begun have its error.
func (p *Pool) StepAll(ctx context.Context, keys []string, y, x []float32) error {
	g, err := p.submitAll(ctx, keys, y, x)
	if err != nil {
		return err
	}
	if !g.answered(1) {
		select {
		case <-g.done:
		case <-ctx.Done():
			g.cancel(ctx, p, keys)
		}
	}
	return p.resultAll(g)
}

// submitAll is StepAll until it waits: the steps are in line, and one is left to
// be counted.
func (p *Pool) submitAll(ctx context.Context, keys []string, y, x []float32) (*group, error) {
	v, n := p.version.Load(), len(keys)
	if len(x) != n*v.in || len(y) != n*v.out {
		return nil, &unroll.ArgError{Kind: ErrShape, Arg: "StepAll of " + v.signature, Got: fmt.Sprintf("x of %d and y of %d values", len(x), len(y)), Want: fmt.Sprintf("%d and %d for %d keys", n*v.in, n*v.out, n)}
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	g := p.group(keys)
	for i := range g.jobs {
		j := &g.jobs[i]
		j.x, j.y, j.at, j.all = x[i*v.in:(i+1)*v.in], y[i*v.out:(i+1)*v.out], -1, g
	}
	for k, s := range p.shards {
		if g.head[k] >= 0 {
			g.answered(p.lineAll(ctx, s, g, g.head[k], keys))
		}
	}
	return g, nil
}

// resultAll returns what became of steps that are all answered.
func (p *Pool) resultAll(g *group) error {
	var errs RowErrors
	for i := range g.jobs {
		err := g.errs[i]
		if err == nil {
			err = g.jobs[i].err
		}
		if err != nil {
			errs = append(errs, RowError{i, err})
		}
	}
	clear(g.jobs) // nothing is kept of the caller's
	clear(g.errs)
	p.groups.Put(g)
	if len(errs) > 0 {
		return errs
	}
	return nil
}

// group returns memory for a step of keys, with the rows of each shard in their
// order.
func (p *Pool) group(keys []string) *group {
	g := p.groups.Get().(*group)
	n := len(keys)
	if cap(g.jobs) < n {
		most := max(n, 2*cap(g.jobs)) // or one that is a little larger each time is made each time
		g.jobs, g.next, g.errs = make([]job, most), make([]int32, most), make([]error, most)
	}
	g.jobs, g.next, g.errs = g.jobs[:n], g.next[:n], g.errs[:n]
	for k := range g.head {
		g.head[k] = -1
	}
	for i := n - 1; i >= 0; i-- {
		k := p.index(keys[i])
		g.next[i], g.head[k] = g.head[k], int32(i)
	}
	g.left.Store(int64(n) + 1)
	return g
}

// lineAll puts the rows of a shard in line, with one lock, and returns how many
// it refused.
func (p *Pool) lineAll(ctx context.Context, s *shard, g *group, first int32, keys []string) (refused int) {
	now, absent := p.opt.Now().UnixNano(), false
	s.mu.Lock()
	for i := first; i >= 0; i = g.next[i] {
		err := errAbsent
		if !absent { // or its key may be one that is to be loaded first
			err = s.putLocked(&g.jobs[i], keys[i], true, now)
		}
		g.errs[i], absent = err, absent || err == errAbsent
	}
	s.mu.Unlock()
	s.wakeUp() // before the store is waited for: others rely on it
	for i := first; i >= 0; i = g.next[i] {
		if g.errs[i] == errAbsent {
			if g.errs[i] = p.line(ctx, s, &g.jobs[i], keys[i], true); g.errs[i] == nil {
				s.wakeFor(&g.jobs[i])
			}
		}
		if g.errs[i] != nil {
			_ = p.told(g.errs[i])
			refused++
		}
	}
	return refused
}

// cancel takes the jobs that have not begun out of line and waits for the others.
func (g *group) cancel(ctx context.Context, p *Pool, keys []string) {
	gone := 0
	for i := range g.jobs {
		if g.errs[i] == nil && p.shard(keys[i]).cancel(&g.jobs[i]) {
			g.errs[i] = ctx.Err()
			gone++
		}
	}
	// Whoever counts to 0 is the last; if that was a shard before, done has it.
	if gone == 0 || !g.answered(gone) {
		<-g.done
	}
}
