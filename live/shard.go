package live

import (
	"fmt"
	"strings"
	"sync"
	"time"
)

// sequence is one sequence of a shard. mu guards all of it but the numbers of
// state, which belong to whoever holds work.
type sequence struct {
	key        string
	state      []float32
	steps      uint64
	last       int64     // when it was last asked for, in nanoseconds
	prev, next *sequence // by falling idleness
	mark       string    // why it is marked
	round      uint32    // the last round it was in
	waiting    int32     // its steps in line
	opened     bool      // not by a step
	gone       bool
}

func (q *sequence) marked() error {
	if q.mark == "" {
		return nil
	}
	return &Error{Kind: ErrMarked, Key: q.key, Reason: q.mark + "; end it, and begin again"}
}

type stepFunc = func(y, x []float32, states [][]float32) error

// job is a step in line.
type job struct {
	seq        *sequence // while it is in line
	y, x       []float32
	at         int64 // how many steps the sequence must have made; -1: any
	prev, next *job
	kept       bool // done is closed, and not sent to
	err        error
	done       chan struct{}
}

// shard has a part of the sequences and a goroutine that steps them. work is
// taken before mu.
type shard struct {
	pool *Pool
	work sync.Mutex // held through a round, and by whoever reads states
	wake chan struct{}

	mu          sync.Mutex
	all         map[string]*sequence
	idle        sequence // the ring of all; next is the most idle
	first, tail *job     // in line
	waiting     int
	round       uint32
	closed      bool

	stepper stepFunc // and the memory of a round, which work guards
	batch   []*job
	done    []*job      // without a step
	taken   []*sequence // of the batch
	rows    [][]float32 // likewise
	x, y    []float32
}

func newShard(p *Pool, st stepFunc) *shard {
	s := &shard{pool: p, stepper: st, wake: make(chan struct{}, 1), all: map[string]*sequence{}}
	s.idle.prev, s.idle.next = &s.idle, &s.idle
	return s
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
	now := s.pool.opt.Now().UnixNano()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return &Error{Kind: ErrClosed, Key: key}
	}
	if s.waiting >= s.pool.opt.Queue && !beyond {
		return &Error{Kind: ErrFull, Key: key, Reason: fmt.Sprintf("%d steps wait", s.waiting)}
	}
	q := s.all[key]
	if q == nil {
		if s.pool.opt.Strict || j.at > 0 {
			return &Error{Kind: ErrUnknown, Key: key}
		}
		var err error
		if q, err = s.add(key); err != nil {
			return err
		}
		q.state = make([]float32, s.pool.state)
	}
	if err := q.marked(); err != nil {
		return err
	}
	s.touch(q, now)
	j.seq = q
	q.waiting++
	s.waiting++
	if j.prev = s.tail; s.tail != nil {
		s.tail.next = j
	} else {
		s.first = j
	}
	s.tail = j
	return nil
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

// add makes a sequence without a state.
func (s *shard) add(key string) (*sequence, error) {
	if err := s.pool.reserve(key); err != nil {
		return nil, err
	}
	q := &sequence{key: strings.Clone(key)}
	q.prev, q.next = q, q
	s.all[q.key] = q
	return q, nil
}

// drop takes a sequence away.
func (s *shard) drop(q *sequence) {
	delete(s.all, q.key)
	q.prev.next, q.next.prev = q.next, q.prev
	q.gone = true
	s.pool.release(q.key)
}

// touch makes a sequence the least idle.
func (s *shard) touch(q *sequence, now int64) {
	q.last = now
	q.prev.next, q.next.prev = q.next, q.prev
	q.prev, q.next = s.idle.prev, &s.idle
	q.prev.next, s.idle.prev = q, q
}

// open adds a sequence with a copy of a state, nil for zeros, or a marked one.
func (s *shard) open(key string, state []float32, steps uint64, mark string) error {
	now := s.pool.opt.Now().UnixNano()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return &Error{Kind: ErrClosed, Key: key}
	}
	if s.all[key] != nil {
		return &Error{Kind: ErrExists, Key: key, Reason: "end it first"}
	}
	q, err := s.add(key)
	if err != nil {
		return err
	}
	q.steps, q.mark, q.opened = steps, mark, true
	if mark == "" {
		q.state = make([]float32, s.pool.state)
		copy(q.state, state)
	}
	s.touch(q, now)
	return nil
}

// end takes a sequence away and answers its steps in line.
func (s *shard) end(key string) bool {
	s.mu.Lock()
	q := s.all[key]
	if q == nil {
		s.mu.Unlock()
		return false
	}
	s.drop(q)
	var over []*job
	for j := s.first; j != nil && q.waiting > 0; {
		next := j.next
		if j.seq == q {
			s.unlink(j)
			j.err = &Error{Kind: ErrEnded, Key: key}
			over = append(over, j)
		}
		j = next
	}
	s.mu.Unlock()
	for _, j := range over {
		s.finish(j)
	}
	return true
}

// expire takes away what was last asked for before a time.
func (s *shard) expire(before int64) (keys []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for q := s.idle.next; q != &s.idle && q.last < before; {
		next := q.next
		if q.waiting == 0 {
			s.drop(q)
			keys = append(keys, q.key)
		}
		q = next
	}
	return keys
}

// finish tells whoever waits for a job.
func (s *shard) finish(j *job) {
	_ = s.pool.told(j.err)
	if j.kept {
		close(j.done)
		return
	}
	j.done <- struct{}{}
}
