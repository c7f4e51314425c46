package live

// memory is the last keys that ended, and why.
type memory struct {
	most int
	keys []string // a ring
	next int
	why  map[string]Reason
}

func (m *memory) add(key string, why Reason) {
	if m.most < 1 {
		return
	}
	if m.why == nil {
		m.why = map[string]Reason{}
	}
	if _, there := m.why[key]; there {
		m.why[key] = why
		return
	}
	m.why[key] = why
	if len(m.keys) < m.most {
		m.keys = append(m.keys, key)
		return
	}
	delete(m.why, m.keys[m.next])
	m.keys[m.next] = key
	m.next = (m.next + 1) % m.most
}

// remove forgets a key that is there again. Its place in the ring stays.
func (m *memory) remove(key string) { delete(m.why, key) }

// unknown is the error of a key without a sequence.
func (s *shard) unknown(key string) error {
	e := &Error{Kind: ErrUnknown, Key: key, Ended: s.ends.why[key]}
	if e.Ended != "" {
		e.Reason = "it ended: " + string(e.Ended)
	}
	return e
}

// Sweep ends the sequences that are idle for longer than Options.Idle; with
// Options.Store they are saved first. The pool does it by itself eight times in
// that time.
func (p *Pool) Sweep() {
	if p.opt.Idle == 0 {
		return
	}
	before := p.opt.Now().Add(-p.opt.Idle).UnixNano()
	for _, s := range p.shards {
		keys := s.expire(before, p.opt.Store != nil)
		if p.opt.Store != nil {
			p.failed(p.saveAll(keys, func(key string) error { return p.unloadIdle(key, before) }))
			continue
		}
		for _, key := range keys {
			p.ended(key, EndedIdle)
		}
	}
}

// expire takes away what was last asked for before a time, or names it only. It
// looks at all sequences, some at a time, so that no step waits for long: an order
// of idleness would cost every step more than this costs.
func (s *shard) expire(before int64, stay bool) (keys []string) {
	for at := -1; at != 0; {
		s.mu.Lock()
		// Backwards: who is taken away has the last of the list in its place.
		if at < 0 || at > len(s.list) {
			at = len(s.list)
		}
		for n := 0; at > 0 && n < 512; n++ {
			at--
			q := s.list[at]
			if q.last >= before || q.waiting > 0 {
				continue
			}
			keys = append(keys, q.key)
			if !stay {
				s.drop(q)
				s.ends.add(q.key, EndedIdle)
			}
		}
		s.mu.Unlock()
	}
	return keys
}
