package live

// Swap puts a new target in the place of the pool's, as when a new version of a
// model has been trained. Everything is prepared before, and each shard changes
// between two of its rounds. The sequences end with the reason ModelChanged, and
// their steps that wait with ErrEnded; with Options.Foreign KeepForeign and an
// equal signature they go on instead. Swaps follow one another; until Swap returns
// some shards may step the old target. If it returns an error the old one stays.
//
// With Options.Store, Options.Foreign says what becomes of states there when they
// are loaded.
func (p *Pool) Swap(t Target) error {
	p.swapping.Lock()
	defer p.swapping.Unlock()
	select {
	case <-p.stop:
		return &Error{Kind: ErrClosed}
	default:
	}
	v, steppers, err := newVersion(t, &p.opt)
	if err != nil {
		return err
	}
	old := p.version.Load()
	keep := v.accepts(old.signature, old.digest, p.opt.Foreign) && v.size == old.size
	p.version.Store(v)
	for i, s := range p.shards {
		for _, key := range s.swap(v, steppers[i], keep) {
			p.ended(key, ModelChanged)
		}
	}
	return nil
}

// Target returns what the pool steps now.
func (p *Pool) Target() Target { return p.version.Load().Target }

// swap changes what a shard steps and returns the keys that ended by it.
func (s *shard) swap(v *version, st stepFunc, keep bool) (gone []string) {
	var over []*job
	s.work.Lock()
	s.mu.Lock()
	if !keep {
		over = s.answerAll(func(*job) bool { return true }, s.waiting, ModelChanged)
		for _, q := range s.list {
			gone = append(gone, q.key)
			s.pool.release(s.cost(q.key))
			q.gone = true
			s.ends.add(q.key, ModelChanged)
		}
		s.all, s.list = map[string]*sequence{}, nil
	} else {
		for _, q := range s.list {
			q.dirty = true // of another digest than the store's
		}
	}
	s.lay(v, st)
	s.rewatch()
	s.mu.Unlock()
	s.work.Unlock()
	s.finish(over...)
	return gone
}
