package live

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/unroll-ml/unroll"
)

// sequence is one sequence of a shard. mu guards all of it but the numbers of
// state, which belong to whoever holds work.
type sequence struct {
	key     string
	state   []float32
	steps   uint64
	last    int64  // when it was last asked for, in nanoseconds
	mark    string // why it is marked
	round   uint32 // the last round it was in
	waiting int32  // its steps in line
	place   int32  // in the shard's list
	opened  bool   // not by a step
	gone    bool   // or never in the shard: a caller's own state
	dirty   bool   // not as the store has it
}

func (q *sequence) marked() error {
	if q.mark == "" {
		return nil
	}
	return &Error{Kind: ErrMarked, Key: q.key, Reason: q.mark + "; end it, and begin again"}
}

// shard has a part of the sequences and a goroutine that steps them. work is
// taken before mu.
type shard struct {
	pool *Pool
	work sync.Mutex // held through a round, and by whoever reads states
	wake chan struct{}

	mu          sync.Mutex
	*version    // changes with both held
	all         map[string]*sequence
	list        []*sequence // all of them, in any order
	ends        memory
	first, tail *job // in line
	waiting     int
	round       uint32
	closed      bool
	watched     map[*sequence]*watch
	lone, here  atomic.Int32 // of stepHere: rounds of one row, and calls

	stepper stepFunc // and the memory of a round, which work guards
	batch   []*job
	done    []*job      // without a step
	taken   []*sequence // of the batch
	rows    [][]float32 // likewise
	x, y    []float32
}

func newShard(p *Pool) *shard {
	s := &shard{pool: p, wake: make(chan struct{}, 1), all: map[string]*sequence{}}
	s.ends.most = (p.opt.Remember + p.opt.Shards - 1) / p.opt.Shards
	return s
}

// add makes a sequence without a state.
func (s *shard) add(key string) (*sequence, error) {
	if len(key) > maxKey {
		return nil, &unroll.ArgError{Kind: unroll.ErrUsage, Arg: "key", Got: fmt.Sprintf("%d bytes", len(key)), Want: fmt.Sprintf("at most %d", maxKey)}
	}
	if err := s.pool.reserve(key, s.cost(key)); err != nil {
		return nil, err
	}
	q := &sequence{key: strings.Clone(key), place: int32(len(s.list))}
	s.all[q.key] = q
	s.list = append(s.list, q)
	s.ends.remove(key)
	return q, nil
}

// drop takes a sequence away.
func (s *shard) drop(q *sequence) {
	delete(s.all, q.key)
	delete(s.watched, q)
	end := len(s.list) - 1
	s.list[q.place] = s.list[end]
	s.list[q.place].place = q.place
	s.list[end] = nil
	s.list = s.list[:end]
	q.gone = true
	s.pool.release(s.cost(q.key))
}

// saved is what is kept of a sequence outside of a pool.
type saved struct {
	state []float32 // nil: as a sequence begins
	steps uint64
	mark  string
	dirty bool
	of    *version // that read it; nil: of any
}

// room reports whether a sequence could be opened under a key.
func (s *shard) room(key string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.free(key)
}

func (s *shard) free(key string) error {
	if s.closed {
		return &Error{Kind: ErrClosed, Key: key}
	}
	if s.all[key] != nil {
		return &Error{Kind: ErrExists, Key: key, Reason: "end it first"}
	}
	return nil
}

// open adds a sequence with a copy of a state. again allows one that is there,
// which is replaced.
func (s *shard) open(key string, from saved, again bool) error {
	now := s.pool.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	if q := s.all[key]; q != nil && again {
		s.drop(q)
	}
	if err := s.free(key); err != nil {
		return err
	}
	if from.of != nil && from.of != s.version { // a Swap came between
		return &Error{Kind: ErrForeign, Key: key, Reason: "the model changed meanwhile"}
	}
	q, err := s.add(key)
	if err != nil {
		return err
	}
	q.steps, q.mark, q.dirty, q.opened = from.steps, from.mark, from.dirty, true
	if q.mark == "" {
		q.state = s.begin()
		copy(q.state, from.state)
	}
	q.last = now
	return nil
}

// end takes a sequence away and answers its steps in line.
func (s *shard) end(key string, why Reason) bool {
	s.mu.Lock()
	q := s.all[key]
	if q == nil {
		s.mu.Unlock()
		return false
	}
	s.drop(q)
	s.ends.add(q.key, why)
	over := s.answerAll(func(j *job) bool { return j.seq == q }, int(q.waiting), why)
	s.mu.Unlock()
	s.finish(over...)
	return true
}

// answerAll takes n jobs in line, those of whom which says so, out of it.
func (s *shard) answerAll(which func(*job) bool, n int, why Reason) (over []*job) {
	for j := s.first; j != nil && len(over) < n; {
		next := j.next
		if which(j) {
			j.err = &Error{Kind: ErrEnded, Key: j.seq.key, Ended: why}
			s.unlink(j)
			over = append(over, j)
		}
		j = next
	}
	return over
}

// walk calls f for the sequences with work and mu held. f returns how many bytes
// it took; after some tens of thousands the locks are given back and flush is
// called, so that steps wait for that long. A sequence that comes meanwhile may be
// left out, and one that goes may have the last one visited twice. An error ends it.
func (s *shard) walk(f func(q *sequence) int, flush func() error) error {
	for at := -1; at != 0; {
		s.work.Lock()
		s.mu.Lock()
		// Backwards: who is taken away has the last of the list in its place.
		if at < 0 || at > len(s.list) {
			at = len(s.list)
		}
		for n := 0; at > 0 && n < 1<<16; {
			at--
			n += f(s.list[at])
		}
		s.mu.Unlock()
		s.work.Unlock()
		if err := flush(); err != nil {
			return err
		}
	}
	return nil
}
