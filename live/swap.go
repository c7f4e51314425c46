package live

// Swap puts a new target in the place of the pool's, as when a new version of a
// model has been trained. Everything is prepared before, and each shard changes
// between two of its rounds. The sequences end with the reason ModelChanged, and
// their steps that wait with ErrEnded; with Options.Foreign KeepForeign and an
// equal signature they go on instead. Swaps follow one another; until Swap returns
// some shards may step the old target. If it returns an error the old one stays.
func (p *Pool) Swap(t Target) error { return ErrClosed }

// Target returns what the pool steps now.
func (p *Pool) Target() Target { return nil }
