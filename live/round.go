package live

import (
	"errors"
	"fmt"
	"time"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/model"
)

// lay sets what a shard steps and makes the memory of a round. Work and mu are
// held, or the shard is new.
func (s *shard) lay(v *version, st stepFunc) {
	n := s.pool.opt.Rows
	s.version, s.stepper = v, st
	s.batch, s.done = make([]*job, 0, n), make([]*job, 0, n)
	s.taken, s.rows = make([]*sequence, 0, n), make([][]float32, 0, n)
	s.x, s.y = make([]float32, n*v.in), make([]float32, n*v.out)
}

// step runs a round and reports whether anything was due.
func (s *shard) step() bool {
	s.work.Lock()
	defer s.work.Unlock()
	return s.stepLocked()
}

// loneRounds is after how many rounds of one row a caller steps by itself, and
// probe how often it does not, to see whether it has company.
const (
	loneRounds = 4
	probe      = 16
)

// stepHere steps in the caller's goroutine and reports whether it did: where rounds
// have had one row, nobody else is in line, and the shard rests. Then a step costs
// no change of goroutines. With company it would part rows that are stepped
// together.
func (s *shard) stepHere(j *job) bool {
	if !j.wakes || !s.rests() {
		return false
	}
	s.stepOwn()
	return true
}

// rests reports whether a caller may step by himself, and then he has work.
func (s *shard) rests() bool {
	if s.lone.Load() < loneRounds || s.here.Add(1)%probe == 0 {
		return false
	}
	if !s.work.TryLock() {
		s.lone.Store(0)
		return false
	}
	return true
}

// stepOwn is a round of a caller who has work, which he gives back.
func (s *shard) stepOwn() {
	defer s.work.Unlock()
	s.stepLocked()
	s.mu.Lock()
	more := s.waiting > 0 // they saw somebody in line and woke nobody
	s.mu.Unlock()
	if more {
		s.wakeUp()
	}
}

// stepLocked is step with work held.
func (s *shard) stepLocked() bool {
	s.take()
	n := len(s.batch)
	if n+len(s.done) == 0 {
		return false
	}
	if n > 0 {
		if n > 1 || s.pool.opt.Wait > 0 {
			s.lone.Store(0)
		} else if s.lone.Load() < loneRounds {
			s.lone.Add(1)
		}
		s.model(n)
	}
	s.finish(s.batch...)
	s.finish(s.done...)
	clear(s.batch) // nothing is kept of those who wait no more
	clear(s.done)
	return true
}

// model steps the n rows of the batch.
func (s *shard) model(n int) {
	p := s.pool
	var start time.Time
	if p.opt.Metrics != nil {
		start = p.opt.Now()
	}
	if p.waited != nil {
		for i := 0; i < n; {
			since, first := s.batch[i].since, i
			for i < n && s.batch[i].since == since {
				i++
			}
			p.waited(time.Duration(start.UnixNano()-since), i-first)
		}
	}
	s.settle(s.stepper(s.y[:n*s.out], s.x[:n*s.in], s.rows))
	if p.opt.Metrics != nil {
		p.opt.Metrics.Stepped(n, p.opt.Now().Sub(start))
	}
}

// take fills the batch with the jobs that are due, oldest first, and one a
// sequence.
func (s *shard) take() {
	most := s.pool.opt.Rows
	s.batch, s.done, s.taken, s.rows = s.batch[:0], s.done[:0], s.taken[:0], s.rows[:0]
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.round++; s.round == 0 {
		s.round = 1 // 0 is that of a sequence that was in none
	}
	for j := s.first; j != nil && len(s.batch) < most && len(s.done) < most; {
		q, next := j.seq, j.next
		if q.round != s.round {
			s.unlink(j)
			if s.answer(j, q) {
				s.done = append(s.done, j)
			} else {
				q.round = s.round
				copy(s.x[len(s.batch)*s.in:], j.x)
				s.batch, s.taken, s.rows = append(s.batch, j), append(s.taken, q), append(s.rows, q.state[:s.state])
			}
		}
		j = next
	}
}

// answer answers a job that needs no step.
func (s *shard) answer(j *job, q *sequence) bool {
	if j.err = q.marked(); j.err != nil {
		return true
	}
	if j.at < 0 || uint64(j.at) == q.steps {
		return false
	}
	if uint64(j.at)+1 == q.steps {
		s.last(j.y, q.state)
		return true
	}
	j.err = &Error{Kind: ErrStep, Key: q.key, Steps: q.steps, Reason: fmt.Sprintf("it has made %d steps, not %d", q.steps, j.at)}
	return true
}

// settle notes what became of the rows of a round.
func (s *shard) settle(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		s.failed(err)
	}
	made := 0
	for i, j := range s.batch {
		if j.err != nil {
			continue
		}
		q, y := s.taken[i], s.y[i*s.out:(i+1)*s.out]
		copy(j.y, y)
		copy(q.state[s.state:], y) // of no length unless the pool keeps it
		q.steps++
		q.dirty = true
		if len(s.watched) > 0 {
			s.note(q, s.x[i*s.in:(i+1)*s.in])
		}
		made++
	}
	s.pool.steps.Add(uint64(made))
	clear(s.taken)
	clear(s.rows)
}

// failed answers the rows that an error is about.
func (s *shard) failed(err error) {
	var bad *unroll.NonFiniteError
	var refused *model.RowError
	numbers, rows := errors.As(err, &bad), errors.As(err, &refused)
	if !numbers && !rows {
		for _, j := range s.batch {
			j.err = err
		}
		return
	}
	if rows {
		for k, i := range refused.Rows {
			j := s.batch[i]
			j.err = &Error{Kind: ErrInput, Key: s.taken[i].key, Reason: refused.Errs[k].Error(), Cause: refused.Errs[k]}
		}
	}
	if !numbers {
		return
	}
	for _, i := range bad.Inputs {
		s.spoil(i, "x has a number that is not finite")
	}
	for _, i := range bad.Results {
		s.spoil(i, "the new state has a number that is not finite")
	}
}

// spoil answers a row that was not finite.
func (s *shard) spoil(i int, why string) {
	q := s.taken[i]
	why = fmt.Sprintf("in step %d %s", q.steps, why)
	s.batch[i].err = &Error{Kind: ErrNonFinite, Key: q.key, Reason: why}
	if !s.pool.opt.Refuse {
		q.mark, q.state, q.dirty = why, nil, true
		delete(s.watched, q)
	}
}
