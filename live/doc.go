// Package live keeps many sequences over one layer, each under a key, and steps
// together those that are due.
//
//	pool, err := live.New(layer, live.Options{Idle: time.Minute})
//	...
//	defer pool.Close()
//	err = pool.Step(ctx, "call 17", y, x) // the first step begins the sequence
//
// A sequence is its state and under 200 bytes more. Keys are spread over shards
// by a hash; a shard has one goroutine and one stepper, which takes what is due,
// at most 32 rows, in the order in which it came and at most one step a sequence,
// and does not wait for more. The bits of a sequence do not depend on its
// company: they are those of a stream of it alone.
//
// A step that returns an error has left its sequence as it was, but for one that
// marks it (ErrMarked, see Options.Refuse).
//
// The layer's parameters must not change while a pool uses it. All methods of a
// Pool may be called by many goroutines at once.
//
// Letters: I inputs, H units, H' size of a hidden state, L layers, N sequences.
package live
