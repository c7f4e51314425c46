package live

import (
	"fmt"
	"hash/maphash"
	"sync"
	"sync/atomic"
	"time"

	"github.com/unroll-ml/unroll"
)

// overhead is what Options.MaxBytes counts for a sequence beside its state and
// its key.
const overhead = 200

// Pool is many sequences over one layer; see the package comment. Use New.
type Pool struct {
	target         Target
	opt            Options
	in, out, state int
	seed           maphash.Seed
	shards         []*shard
	jobs           sync.Pool // *job, of synchronous steps
	count, bytes   atomic.Int64
	steps          atomic.Uint64
	closing        sync.Once
	stop           chan struct{}
	running        sync.WaitGroup
}

// New returns a pool over a layer, which must be one that can stream. It packs
// the layer's parameters, so that a first step is like any other. An ErrConfig
// for options that cannot be; other errors are those of unroll.Layer.NewStream.
func New(layer *unroll.Layer, opt Options) (*Pool, error) { return Over(OfLayer(layer), opt) }

// Over is New for any target; errors are those of Target.Stepper.
func Over(t Target, opt Options) (*Pool, error) {
	if err := opt.fill(); err != nil {
		return nil, err
	}
	p := &Pool{target: t, opt: opt, seed: maphash.MakeSeed(), stop: make(chan struct{})}
	for range opt.Shards {
		st, err := t.Stepper(opt.Rows)
		if err != nil {
			return nil, err
		}
		p.shards = append(p.shards, newShard(p, st))
	}
	p.in, p.out = t.Sizes()
	p.state = length(t.State())
	p.jobs.New = func() any { return &job{done: make(chan struct{}, 1)} }
	for _, s := range p.shards {
		s.lay()
		p.running.Go(s.run)
	}
	if opt.Idle > 0 {
		p.running.Go(p.sweepAlways)
	}
	return p, nil
}

// Open begins a sequence from zeros. Errors: ErrExists, ErrFull, ErrClosed.
func (p *Pool) Open(key string) error {
	return p.told(p.shard(key).open(key, nil, 0, ""))
}

// End ends a sequence, whose steps that wait are ErrEnded. It is an ErrUnknown if
// there is none.
func (p *Pool) End(key string) error {
	if !p.shard(key).end(key) {
		return p.told(&Error{Kind: ErrUnknown, Key: key})
	}
	p.ended(key, EndedByCall)
	return nil
}

// Steps returns how many steps a sequence has made. It is an ErrUnknown if there
// is none, and for a marked one an ErrMarked beside the number.
func (p *Pool) Steps(key string) (uint64, error) {
	s := p.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	q := s.all[key]
	if q == nil {
		return 0, &Error{Kind: ErrUnknown, Key: key}
	}
	return q.steps, q.marked()
}

// Len returns how many sequences there are, marked ones too.
func (p *Pool) Len() int { return int(p.count.Load()) }

// Stats are numbers of a pool at a moment.
type Stats struct {
	Sequences int
	Bytes     int64  // as Options.MaxBytes counts
	Waiting   int    // steps in line
	Steps     uint64 // made since New
	// Snapshot is when states were last written whole (Options.Snapshot or Store),
	// the zero time if never; Age how long ago that was.
	Snapshot time.Time
	Age      time.Duration
}

// Stats returns the numbers of now.
func (p *Pool) Stats() Stats {
	st := Stats{Sequences: p.Len(), Bytes: p.bytes.Load(), Steps: p.steps.Load()}
	for _, s := range p.shards {
		s.mu.Lock()
		st.Waiting += s.waiting
		s.mu.Unlock()
	}
	return st
}

// Close finishes the steps in line, ends the goroutines and writes the states
// (Options.Snapshot or Store), whose error it returns; later calls are ErrClosed.
func (p *Pool) Close() error {
	p.closing.Do(func() {
		close(p.stop)
		for _, s := range p.shards {
			s.mu.Lock()
			s.closed = true
			s.mu.Unlock()
			s.wakeUp()
		}
	})
	p.running.Wait()
	return nil
}

// StateLen returns how many numbers the state of a sequence is, in the order of
// Target.State, and after them the last output where Target.Last has none.
func (p *Pool) StateLen() int { return p.state }

// Sweep ends the sequences that are idle for longer than Options.Idle. The pool
// does it by itself eight times in that time.
func (p *Pool) Sweep() {
	if p.opt.Idle == 0 {
		return
	}
	before := p.opt.Now().Add(-p.opt.Idle).UnixNano()
	for _, s := range p.shards {
		for _, key := range s.expire(before) {
			p.ended(key, EndedIdle)
		}
	}
}

func (p *Pool) sweepAlways() {
	t := time.NewTicker(max(p.opt.Idle/8, 10*time.Millisecond))
	defer t.Stop()
	for {
		select {
		case <-t.C:
			p.Sweep()
		case <-p.stop:
			return
		}
	}
}

func (p *Pool) ended(key string, why Reason) {
	if p.opt.Metrics != nil {
		p.opt.Metrics.Ended(why)
	}
	if p.opt.Ended != nil {
		p.opt.Ended(key, why)
	}
}

// told tells the metrics of an error.
func (p *Pool) told(err error) error {
	if e, ok := err.(*Error); ok && p.opt.Metrics != nil {
		p.opt.Metrics.Rejected(e.Kind)
	}
	return err
}

func (p *Pool) fits(y, x []float32) error {
	if len(x) != p.in || len(y) != p.out {
		return &unroll.ArgError{Kind: ErrShape, Arg: "step of " + p.target.Signature(), Got: fmt.Sprintf("x of %d and y of %d values", len(x), len(y)), Want: fmt.Sprintf("%d and %d", p.in, p.out)}
	}
	return nil
}

func (p *Pool) shard(key string) *shard {
	if len(p.shards) == 1 {
		return p.shards[0]
	}
	return p.shards[maphash.String(p.seed, key)%uint64(len(p.shards))]
}

// reserve counts a new sequence, if there is room for it.
func (p *Pool) reserve(key string) error {
	size := p.cost(key)
	n, b := p.count.Add(1), p.bytes.Add(size)
	if n <= int64(p.opt.MaxSequences) && b <= p.opt.MaxBytes {
		return nil
	}
	p.release(key)
	return &Error{Kind: ErrFull, Key: key, Reason: fmt.Sprintf("%d sequences of %d bytes, limits %d and %d; end some, or raise Options.MaxSequences or MaxBytes", n-1, b-size, p.opt.MaxSequences, p.opt.MaxBytes)}
}

func (p *Pool) release(key string) {
	p.count.Add(-1)
	p.bytes.Add(-p.cost(key))
}

func (p *Pool) cost(key string) int64 { return int64(4*p.state + overhead + len(key)) }
