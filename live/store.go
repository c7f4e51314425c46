package live

import (
	"context"
	"errors"
	"iter"
	"sync"
	"sync/atomic"
)

// savers is how many calls of Store.Save run at once.
const savers = 8

// Store keeps capsules outside of the pool, under the sequences' keys: a folder, a
// database, another machine. Many goroutines call it at once, but a pool never two
// about one key. A pool puts there what Pool.Capsule returns, or a capsule without
// tensors that says why the sequence is marked.
type Store interface {
	// Load returns the capsule of a key, or an error that is ErrUnknown if there is
	// none.
	Load(ctx context.Context, key string) ([]byte, error)
	// Save keeps a capsule under a key, in place of an older one. The bytes are the
	// store's.
	Save(ctx context.Context, key string, capsule []byte) error
	// Delete forgets a key, if it is there.
	Delete(ctx context.Context, key string) error
	// Keys calls for each key once, in any order; an error ends it.
	Keys(ctx context.Context) iter.Seq2[string, error]
}

// Unload saves a sequence in Options.Store and takes it out of the pool, with the
// reason Stored; its next step loads it. It is an ErrUnknown if it is not in the
// pool, an ErrStep if a step came meanwhile, or the store's error; the sequence
// stays then.
func (p *Pool) Unload(ctx context.Context, key string) error {
	if p.opt.Store == nil {
		return &Error{Kind: ErrUnknown, Key: key, Reason: "Options.Store is nil: there is no place for it"}
	}
	defer p.keys.lock(key)()
	steps, err := p.saveLocked(ctx, key, true)
	if err != nil {
		return err
	}
	if !p.shard(key).leave(key, steps) {
		return &Error{Kind: ErrStep, Key: key, Reason: "it stepped, or has steps in line"}
	}
	p.ended(key, Stored)
	return nil
}

// unloadIdle is Unload for a sequence that is still idle.
func (p *Pool) unloadIdle(key string, before int64) error {
	s := p.shard(key)
	s.mu.Lock()
	q := s.all[key]
	idle := q != nil && q.last < before && q.waiting == 0
	s.mu.Unlock()
	if !idle {
		return nil
	}
	ctx, done := context.WithTimeout(context.Background(), p.opt.StoreTimeout)
	defer done()
	if err := p.Unload(ctx, key); err != nil && !errors.Is(err, ErrStep) && !errors.Is(err, ErrUnknown) {
		return err
	}
	return nil
}

// leave takes a sequence away that has not stepped since it was saved.
func (s *shard) leave(key string, steps uint64) bool {
	s.work.Lock() // no step of it is on the way
	defer s.work.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	q := s.all[key]
	if q == nil || q.steps != steps || q.waiting > 0 || q.dirty {
		return false
	}
	s.drop(q)
	s.ends.add(q.key, Stored)
	return true
}

// load brings a sequence from the store, whose key is locked. It is found if it
// is in the pool after the call.
func (p *Pool) load(ctx context.Context, s *shard, key string) (found bool, err error) {
	s.mu.Lock()
	there := s.all[key] != nil
	s.mu.Unlock()
	if there { // another caller was first
		return true, nil
	}
	capsule, err := p.opt.Store.Load(ctx, key)
	if errors.Is(err, ErrUnknown) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	from, err := s.now().read(key, capsule, p.opt.Foreign)
	if errors.Is(err, ErrForeign) && p.opt.Foreign == EndForeign {
		s.mu.Lock()
		s.ends.add(key, ModelChanged)
		s.mu.Unlock()
		p.ended(key, ModelChanged)
		return false, p.forget(key)
	}
	if err != nil {
		return false, err
	}
	if err := s.open(key, from, false); err != nil && !errors.Is(err, ErrExists) {
		return false, err
	}
	return true, nil
}

// forget deletes a key from the store.
func (p *Pool) forget(key string) error {
	ctx, done := context.WithTimeout(context.Background(), p.opt.StoreTimeout)
	defer done()
	return p.opt.Store.Delete(ctx, key)
}

// saveLocked saves a sequence whose key is locked, if it is not as the store has
// it, and returns its steps.
func (p *Pool) saveLocked(ctx context.Context, key string, must bool) (uint64, error) {
	s := p.shard(key)
	from, v, err := s.copy(key, true)
	if err != nil {
		if must {
			return 0, err
		}
		return 0, nil // it ended meanwhile
	}
	if !from.dirty {
		return from.steps, nil
	}
	capsule, err := v.capsule(from)
	if err == nil {
		err = p.opt.Store.Save(ctx, key, capsule)
	}
	if err != nil {
		s.soil(key)
	}
	return from.steps, err
}

// soil notes that the store does not have a sequence as it is.
func (s *shard) soil(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if q := s.all[key]; q != nil {
		q.dirty = true
	}
}

// saveDirty saves what is not as the store has it.
func (p *Pool) saveDirty() error {
	var all error
	for _, s := range p.shards {
		var keys []string
		_ = s.walk(func(q *sequence) int {
			if q.dirty {
				keys = append(keys, q.key)
			}
			return 100
		}, func() error {
			all = errors.Join(all, p.saveAll(keys, func(key string) error {
				ctx, done := context.WithTimeout(context.Background(), p.opt.StoreTimeout)
				defer done()
				defer p.keys.lock(key)()
				_, err := p.saveLocked(ctx, key, false)
				return err
			}))
			keys = keys[:0]
			return nil
		})
	}
	return all
}

// saveAll calls save for keys, some at once, and returns the first error.
func (p *Pool) saveAll(keys []string, save func(string) error) error {
	var next atomic.Int64
	var first error
	var once sync.Once
	var work sync.WaitGroup
	for range min(savers, len(keys)) {
		work.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(keys)); i = next.Add(1) - 1 {
				if err := save(keys[i]); err != nil {
					once.Do(func() { first = err })
				}
			}
		})
	}
	work.Wait()
	return first
}

// Keys calls for the key of each sequence: those in the pool, and those that are
// in Options.Store only. One that comes or goes meanwhile may be left out or come
// twice. An error is the store's.
func (p *Pool) Keys(ctx context.Context) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		stop := errors.New("enough")
		for _, s := range p.shards {
			var keys []string
			err := s.walk(func(q *sequence) int { keys = append(keys, q.key); return 100 }, func() error {
				for _, key := range keys {
					if !yield(key, nil) {
						return stop
					}
				}
				keys = keys[:0]
				return nil
			})
			if err != nil {
				return
			}
		}
		if p.opt.Store == nil {
			return
		}
		for key, err := range p.opt.Store.Keys(ctx) {
			s := p.shard(key)
			s.mu.Lock()
			there := s.all[key] != nil
			s.mu.Unlock()
			if err != nil || !there {
				if !yield(key, err) || err != nil {
					return
				}
			}
		}
	}
}
