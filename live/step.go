package live

import (
	"context"
	"sync/atomic"
)

// Step makes the next step of a sequence: it reads x [I] and writes the output to
// y [O] (of a layer, that of the last one, [H']), and returns when that is done.
//
// If ctx ends while the step waits, the sequence stays as it was and the error is
// that of ctx; a step that has begun is finished. Other errors: ErrShape, ErrFull,
// ErrUnknown (with Options.Strict), ErrEnded, ErrMarked, ErrNonFinite, ErrClosed,
// and with Options.Store those of Store.Load, ErrCapsule and ErrForeign.
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
	if err := ctx.Err(); err != nil {
		return err
	}
	j, s := p.job(y, x, at), p.shard(key)
	if err := p.line(ctx, s, j, key, false); err != nil {
		p.free(j)
		return p.told(err)
	}
	if !s.stepHere(j) {
		s.wakeFor(j)
	}
	return p.await(ctx, s, j)
}

// TryStep is Step for a caller who must not wait for others: it steps in his own
// goroutine where Step would, when rounds have had one row for a while and nobody is
// in line. If ok is false nothing was done, and Submit or Step is what to call. The
// errors are those of Step.
func (p *Pool) TryStep(key string, y, x []float32) (ok bool, err error) {
	s := p.shard(key)
	if !s.rests() {
		return false, nil
	}
	j := p.job(y, x, -1)
	defer p.free(j)
	if err := s.putFirst(j, key); err != nil {
		s.work.Unlock()
		if err == errAbsent || err == errCompany {
			return false, nil
		}
		return true, p.told(err)
	}
	s.stepOwn()
	<-j.done
	return true, j.err
}

// line puts a job in line, and asks the store for its sequence before if it has
// to. Whoever ends or saves that sequence waits.
func (p *Pool) line(ctx context.Context, s *shard, j *job, key string, beyond bool) error {
	err := s.put(j, key, beyond)
	if err != errAbsent {
		return err
	}
	defer p.keys.lock(key)()
	for err == errAbsent { // again if a Swap ended it since it was loaded
		found, bad := p.load(ctx, s, key)
		if bad != nil {
			return bad
		}
		j.asked = !found
		err = s.put(j, key, beyond)
	}
	return err
}

// await waits for a synchronous step.
func (p *Pool) await(ctx context.Context, s *shard, j *job) error {
	if stop := ctx.Done(); stop == nil {
		<-j.done
	} else {
		select {
		case <-j.done:
		case <-stop:
			if s.cancel(j) {
				p.free(j)
				return ctx.Err()
			}
			<-j.done
		}
	}
	err := j.err
	p.free(j)
	return err
}

// StepState is Step for a caller who keeps the state himself: it reads and writes
// state, of StateLen numbers, in place, together with the sequences that are due.
// After an error it is as it was, ErrEnded among them: by Swap, from which on a
// state may be of another model.
func (p *Pool) StepState(ctx context.Context, y, x, state []float32) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	j, s := p.job(y, x, -1), p.shards[int(p.turn.Add(1))%len(p.shards)]
	if err := s.putOwn(j, state); err != nil {
		p.free(j)
		return p.told(err)
	}
	if !s.stepHere(j) {
		s.wakeFor(j)
	}
	return p.await(ctx, s, j)
}

// Pending is a step that was submitted.
type Pending struct {
	job
	from *shard
	stop func() bool                   // of the watch over the context
	over atomic.Pointer[chan struct{}] // isOver: the result is there; nil: nobody waits
}

// isOver is a channel that is closed.
var isOver = func() *chan struct{} {
	c := make(chan struct{})
	close(c)
	return &c
}()

// finish says that the result is there. It is called once.
func (q *Pending) finish() {
	if c := q.over.Swap(isOver); c != nil {
		close(*c)
	}
}

// Submit puts a step of a sequence in line and returns at once; x [I] is copied.
// If ctx ends while the step waits, the sequence stays as it was. Errors are those
// of Step that are known before the step; the others come from Result.
func (p *Pool) Submit(ctx context.Context, key string, x []float32) (*Pending, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	v := p.version.Load()
	y := make([]float32, v.out+len(x))
	if err := v.fits(y[:v.out], x); err != nil {
		return nil, err
	}
	copy(y[v.out:], x)
	q := &Pending{job: job{x: y[v.out:], y: y[:v.out:v.out], at: -1}}
	q.kept = q
	j, s := &q.job, p.shard(key)
	q.from = s
	if err := p.line(ctx, s, j, key, false); err != nil {
		return nil, p.told(err)
	}
	if ctx.Done() != nil {
		q.stop = context.AfterFunc(ctx, func() { q.cancel(ctx.Err()) })
	}
	s.wakeFor(j)
	return q, nil
}

// Done returns a channel that is closed when the result is there.
func (q *Pending) Done() <-chan struct{} {
	for { // a channel costs as much as all else: who comes late needs none
		if c := q.over.Load(); c != nil {
			return *c
		}
		c := make(chan struct{})
		if q.over.CompareAndSwap(nil, &c) {
			return c
		}
	}
}

// cancel takes the step out of line, if it is still there.
func (q *Pending) cancel(why error) {
	if q.from.cancel(&q.job) {
		q.err = why
		q.finish()
	}
}

// Wait is Result for who gives up when ctx ends: if the step still waits then, the
// sequence stays as it was, and the error is that of ctx. A Submit with a context that
// never ends, and then Wait, costs less than a Submit with this one, which has to be
// watched for each step.
func (q *Pending) Wait(ctx context.Context) (y []float32, err error) {
	if q.over.Load() != isOver {
		select {
		case <-q.Done():
		case <-ctx.Done():
			q.cancel(ctx.Err())
		}
	}
	return q.Result()
}

// Result waits for the step and returns its output y [O], which is the caller's.
func (q *Pending) Result() (y []float32, err error) {
	if q.over.Load() != isOver {
		<-q.Done()
	}
	if q.stop != nil {
		q.stop()
	}
	if q.err != nil {
		return nil, q.err
	}
	return q.y, nil
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
