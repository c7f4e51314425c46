package live

import (
	"errors"
	"fmt"
	"time"
)

type stepFunc = func(y, x []float32, states [][]float32) error

// errAbsent means that the store has to be asked first.
var errAbsent = errors.New("live: not in the pool")

// errCompany means that others are in line.
var errCompany = errors.New("live: others are in line")

// job is a step in line.
type job struct {
	seq        *sequence // while it is in line
	y, x       []float32
	at         int64 // how many steps the sequence must have made; -1: any
	since      int64 // when it came, in nanoseconds
	prev, next *job
	asked      bool // the store has no such key
	wakes      bool // nobody was in line before it, so that the shard may sleep
	err        error
	all        *group   // of StepAll, which is told instead of done
	kept       *Pending // of Submit, likewise
	done       chan struct{}
}

// wakeFor wakes the shard for a job that is in line, if need be: until nobody is in
// line the shard does not sleep.
func (s *shard) wakeFor(j *job) {
	if j.wakes {
		s.wakeUp()
	}
}

func (s *shard) wakeUp() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// run is the shard's goroutine.
func (s *shard) run() {
	for range s.wake {
		for {
			if w := s.pool.opt.Wait; w > 0 && s.few() {
				time.Sleep(w)
			}
			if !s.step() {
				break
			}
		}
		s.mu.Lock()
		over := s.closed && s.first == nil
		s.mu.Unlock()
		if over {
			return
		}
	}
}

// few reports whether some rows are due, and fewer than a step takes.
func (s *shard) few() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.waiting > 0 && s.waiting < s.pool.opt.Rows && !s.closed
}

// put places a job of a sequence in line.
func (s *shard) put(j *job, key string, beyond bool) error {
	now := s.pool.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.putLocked(j, key, beyond, now)
}

// putFirst is put where nobody is in line, and else an errCompany.
func (s *shard) putFirst(j *job, key string) error {
	now := s.pool.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.waiting > 0 {
		return errCompany
	}
	return s.putLocked(j, key, false, now)
}

func (s *shard) putLocked(j *job, key string, beyond bool, now int64) error {
	if err := s.takes(j, key, beyond); err != nil {
		return err
	}
	q := s.all[key]
	if q == nil {
		if s.pool.opt.Store != nil && !j.asked {
			return errAbsent
		}
		if s.pool.opt.Strict || j.at > 0 {
			return s.unknown(key)
		}
		var err error
		if q, err = s.add(key); err != nil {
			return err
		}
		q.state = s.begin()
	}
	if err := q.marked(); err != nil {
		return err
	}
	q.last = now
	s.append(j, q, now)
	return nil
}

// putOwn places a job of the caller's own state in line.
func (s *shard) putOwn(j *job, state []float32) error {
	now := s.pool.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.takes(j, "", false); err != nil {
		return err
	}
	if len(state) != s.state {
		return &Error{Kind: ErrShape, Reason: fmt.Sprintf("a state of %d numbers, that of %s has %d", len(state), s.signature, s.state)}
	}
	s.append(j, &sequence{state: state, gone: true}, now)
	return nil
}

// takes reports whether a job can be in line.
func (s *shard) takes(j *job, key string, beyond bool) error {
	if s.closed {
		return &Error{Kind: ErrClosed, Key: key}
	}
	if s.waiting >= s.pool.opt.Queue && !beyond {
		return &Error{Kind: ErrFull, Key: key, Reason: fmt.Sprintf("%d steps wait", s.waiting)}
	}
	return s.fits(j.y, j.x)
}

func (s *shard) append(j *job, q *sequence, now int64) {
	j.seq, j.since, j.wakes = q, now, s.waiting == 0
	q.waiting++
	s.waiting++
	if j.prev = s.tail; s.tail != nil {
		s.tail.next = j
	} else {
		s.first = j
	}
	s.tail = j
}

// unlink takes a job out of the line.
func (s *shard) unlink(j *job) {
	if j.prev != nil {
		j.prev.next = j.next
	} else {
		s.first = j.next
	}
	if j.next != nil {
		j.next.prev = j.prev
	} else {
		s.tail = j.prev
	}
	j.seq.waiting--
	s.waiting--
	j.prev, j.next, j.seq = nil, nil, nil
}

// cancel takes a job out of the line, if it is still there. A sequence that it
// would have begun goes with it.
func (s *shard) cancel(j *job) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	q := j.seq
	if q == nil {
		return false
	}
	s.unlink(j)
	if !q.opened && !q.gone && q.waiting == 0 && q.round == 0 {
		s.drop(q)
	}
	return true
}

// finish tells whoever waits for jobs. One that is told may be another's at once.
func (s *shard) finish(list ...*job) {
	for i := 0; i < len(list); i++ {
		j := list[i]
		_ = s.pool.told(j.err)
		switch {
		case j.all != nil: // its jobs stand together: they are counted once
			g, n := j.all, 1
			for ; i+1 < len(list) && list[i+1].all == g; i++ {
				_ = s.pool.told(list[i+1].err)
				n++
			}
			if g.answered(n) {
				g.done <- struct{}{}
			}
		case j.kept != nil:
			j.kept.finish()
		default:
			j.done <- struct{}{}
		}
	}
}
