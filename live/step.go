package live

import (
	"context"
	"fmt"

	"github.com/unroll-ml/unroll"
)

// Step makes the next step of a sequence: it reads x [I] and writes the output of
// the last layer to y [H'], and returns when that is done.
//
// If ctx ends while the step waits, the sequence stays as it was and the error is
// that of ctx; a step that has begun is finished. Other errors: ErrShape, ErrFull,
// ErrUnknown (with Options.Strict), ErrEnded, ErrMarked, ErrNonFinite, ErrClosed.
func (p *Pool) Step(ctx context.Context, key string, y, x []float32) error {
	return p.stepAt(ctx, key, y, x, -1)
}

// StepAt is Step for a caller who sends again what may have arrived: the sequence
// must have made n steps. If it has made n+1, as after an answer that was lost,
// y is the output of the last step and nothing is stepped. Any other number is an
// ErrStep, whose *Error has it; for n above 0 a sequence that is not there is an
// ErrUnknown.
func (p *Pool) StepAt(ctx context.Context, key string, n uint64, y, x []float32) error {
	return p.stepAt(ctx, key, y, x, int64(min(n, 1<<62)))
}

func (p *Pool) stepAt(ctx context.Context, key string, y, x []float32, at int64) error {
	if err := p.fits(y, x); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	j, s := p.job(y, x, at), p.shard(key)
	if err := s.put(j, key, false); err != nil {
		p.free(j)
		return p.told(err)
	}
	s.wakeUp()
	return p.await(ctx, s, j)
}

// await waits for a synchronous step.
func (p *Pool) await(ctx context.Context, s *shard, j *job) error {
	select {
	case <-j.done:
	case <-ctx.Done():
		if s.cancel(j) {
			p.free(j)
			return ctx.Err()
		}
		<-j.done
	}
	err := j.err
	p.free(j)
	return err
}

// StepAll makes a step of each of n sequences and returns when all are done: x
// [n,I], y [n,H']. A key that stands there twice makes its steps in their order.
// The error is an ErrShape, and nothing steps, or RowErrors; if ctx ends, the
// rows that have not begun have its error.
func (p *Pool) StepAll(ctx context.Context, keys []string, y, x []float32) error {
	n := len(keys)
	if len(x) != n*p.in || len(y) != n*p.out {
		return &unroll.ArgError{Kind: ErrShape, Arg: "StepAll", Got: fmt.Sprintf("x of %d and y of %d values", len(x), len(y)), Want: fmt.Sprintf("%d and %d for %d keys", n*p.in, n*p.out, n)}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	jobs, bad := make([]*job, n), make([]error, n)
	for i, key := range keys {
		j, s := p.job(y[i*p.out:(i+1)*p.out], x[i*p.in:(i+1)*p.in], -1), p.shard(key)
		if bad[i] = p.told(s.put(j, key, true)); bad[i] != nil {
			p.free(j)
			continue
		}
		jobs[i] = j
		s.wakeUp()
	}
	var errs RowErrors
	for i, j := range jobs {
		if j != nil {
			bad[i] = p.await(ctx, p.shard(keys[i]), j)
		}
		if bad[i] != nil {
			errs = append(errs, RowError{i, bad[i]})
		}
	}
	if len(errs) > 0 {
		return errs
	}
	return nil
}

// Pending is a step that was submitted.
type Pending struct {
	job  *job
	stop func() bool // of the watch over the context
}

// Submit puts a step of a sequence in line and returns at once; x [I] is copied.
// If ctx ends while the step waits, the sequence stays as it was. Errors are those
// of Step that are known before the step; the others come from Result.
func (p *Pool) Submit(ctx context.Context, key string, x []float32) (*Pending, error) {
	y := make([]float32, p.out)
	if err := p.fits(y, x); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	j, s := &job{x: append([]float32(nil), x...), y: y, at: -1, kept: true, done: make(chan struct{})}, p.shard(key)
	if err := s.put(j, key, false); err != nil {
		return nil, p.told(err)
	}
	q := &Pending{job: j}
	if ctx.Done() != nil {
		q.stop = context.AfterFunc(ctx, func() {
			if s.cancel(j) {
				j.err = ctx.Err()
				close(j.done)
			}
		})
	}
	s.wakeUp()
	return q, nil
}

// Done is closed when the result is there.
func (q *Pending) Done() <-chan struct{} { return q.job.done }

// Result waits for the step and returns its output y [H'], which is the caller's.
func (q *Pending) Result() (y []float32, err error) {
	<-q.job.done
	if q.stop != nil {
		q.stop()
	}
	if q.job.err != nil {
		return nil, q.job.err
	}
	return q.job.y, nil
}

func (p *Pool) job(y, x []float32, at int64) *job {
	j := p.jobs.Get().(*job)
	j.y, j.x, j.at = y, x, at
	return j
}

func (p *Pool) free(j *job) {
	*j = job{done: j.done}
	p.jobs.Put(j)
}
