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

// maxKey is the longest key, in bytes, so that a snapshot's records are bounded.
const maxKey = 1 << 16

// Pool is many sequences over one target; see the package comment. Use New or
// Over.
type Pool struct {
	opt          Options
	version      atomic.Pointer[version]
	seed         maphash.Seed
	shards       []*shard
	turn         atomic.Uint32 // of the shards, for states without a key
	jobs         sync.Pool     // *job, of synchronous steps
	groups       sync.Pool     // *group
	timed        bool          // somebody asks when a step came
	waited       func(d time.Duration, rows int)
	count, bytes atomic.Int64
	steps        atomic.Uint64
	swapping     sync.Mutex
	writing      sync.Mutex // held while a snapshot is written
	written      atomic.Int64
	keys         keyed // held about one key of the store
	closing      sync.Once
	closed       error // what Close returns
	stop         chan struct{}
	running      sync.WaitGroup
}

// New returns a pool over a layer, which must be one that can stream. It packs
// the layer's parameters, so that a first step is like any other. An ErrConfig
// for options that cannot be; other errors are those of unroll.Layer.NewStream
// and, with Options.Snapshot, of a file that cannot be read: ErrCapsule,
// ErrForeign, ErrFull, or the system's.
func New(layer *unroll.Layer, opt Options) (*Pool, error) { return Over(OfLayer(layer), opt) }

// Over is New for any target, with the errors of Target.Stepper.
func Over(t Target, opt Options) (*Pool, error) {
	if err := opt.fill(); err != nil {
		return nil, err
	}
	v, steppers, err := newVersion(t, &opt)
	if err != nil {
		return nil, err
	}
	p := &Pool{opt: opt, seed: maphash.MakeSeed(), stop: make(chan struct{})}
	p.version.Store(v)
	if m, ok := opt.Metrics.(interface{ Waited(time.Duration, int) }); ok {
		p.waited = m.Waited
	}
	p.timed = opt.Idle > 0 || p.waited != nil
	p.jobs.New = func() any { return &job{done: make(chan struct{}, 1)} }
	p.groups.New = func() any {
		return &group{head: make([]int32, opt.Shards), done: make(chan struct{}, 1)}
	}
	for _, st := range steppers {
		s := newShard(p)
		s.lay(v, st)
		p.shards = append(p.shards, s)
	}
	if err := p.readSnapshot(); err != nil {
		return nil, err
	}
	for _, s := range p.shards {
		p.running.Go(s.run)
	}
	if opt.Idle > 0 {
		p.always(max(opt.Idle/8, 10*time.Millisecond), p.Sweep)
	}
	if opt.Every > 0 && (opt.Snapshot != "" || opt.Store != nil) {
		p.always(opt.Every, func() { p.failed(p.Snapshot()) })
	}
	return p, nil
}

// now is the time for those who ask when a step came, in nanoseconds, and 0 if
// nobody does.
func (p *Pool) now() int64 {
	if !p.timed {
		return 0
	}
	return p.opt.Now().UnixNano()
}

// always calls f at intervals until the pool closes.
func (p *Pool) always(every time.Duration, f func()) {
	p.running.Go(func() {
		t := time.NewTicker(every)
		defer t.Stop()
		for {
			select {
			case <-t.C:
				f()
			case <-p.stop:
				return
			}
		}
	})
}

// failed tells of an error that no caller gets.
func (p *Pool) failed(err error) {
	if err != nil && p.opt.Failed != nil {
		p.opt.Failed(err)
	}
}

// Open begins a sequence as a first step would. With Options.Store what is stored
// of the key is deleted. Errors: ErrExists, ErrFull, ErrClosed, and the store's.
func (p *Pool) Open(key string) error {
	if p.opt.Store != nil {
		defer p.keys.lock(key)()
		if err := p.shard(key).room(key); err != nil {
			return p.told(err)
		}
		if err := p.forget(key); err != nil {
			return err
		}
	}
	return p.told(p.shard(key).open(key, saved{dirty: true}, false))
}

// End ends a sequence, whose steps that wait are ErrEnded, and deletes it from
// Options.Store. It is an ErrUnknown if it is neither in the pool nor, as far as
// the pool can know, in the store; or the store's error, and the sequence is not
// in the pool any more.
func (p *Pool) End(key string) error {
	if p.opt.Store != nil {
		defer p.keys.lock(key)()
	}
	s := p.shard(key)
	there := s.end(key, EndedByCall)
	if there {
		p.ended(key, EndedByCall)
	}
	if p.opt.Store != nil {
		return p.forget(key)
	}
	if !there {
		s.mu.Lock()
		defer s.mu.Unlock()
		return p.told(s.unknown(key))
	}
	return nil
}

// Steps returns how many steps a sequence in the pool has made. It is an
// ErrUnknown if there is none, and for a marked one an ErrMarked beside the number.
func (p *Pool) Steps(key string) (uint64, error) {
	s := p.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	q := s.all[key]
	if q == nil {
		return 0, s.unknown(key)
	}
	return q.steps, q.marked()
}

// Len returns how many sequences are in the pool, marked ones too.
func (p *Pool) Len() int { return int(p.count.Load()) }

// StateLen returns how many numbers StepState's state has: those of Target.State.
func (p *Pool) StateLen() int { return p.version.Load().state }

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
	if at := p.written.Load(); at != 0 {
		st.Snapshot = time.Unix(0, at)
		st.Age = p.opt.Now().Sub(st.Snapshot)
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
		p.running.Wait()
		p.closed = p.Snapshot()
	})
	return p.closed
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

func (p *Pool) shard(key string) *shard { return p.shards[p.index(key)] }

func (p *Pool) index(key string) int {
	if len(p.shards) == 1 {
		return 0
	}
	return int(maphash.String(p.seed, key) % uint64(len(p.shards)))
}

// reserve counts a new sequence, if there is room for it.
func (p *Pool) reserve(key string, size int64) error {
	n, b := p.count.Add(1), p.bytes.Add(size)
	if n <= int64(p.opt.MaxSequences) && b <= p.opt.MaxBytes {
		return nil
	}
	p.release(size)
	return &Error{Kind: ErrFull, Key: key, Reason: fmt.Sprintf("%d sequences of %d bytes, limits %d and %d; end some, or raise Options.MaxSequences or MaxBytes", n-1, b-size, p.opt.MaxSequences, p.opt.MaxBytes)}
}

func (p *Pool) release(size int64) {
	p.count.Add(-1)
	p.bytes.Add(-size)
}
