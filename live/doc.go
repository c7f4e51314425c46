// Package live keeps many sequences over one layer or model, each under a key, and
// steps together those that are due.
//
//	pool, err := live.New(layer, live.Options{Idle: time.Minute})
//	...
//	defer pool.Close()
//	err = pool.Step(ctx, "call 17", y, x) // the first step begins the sequence
//
// A sequence is its state and under 200 bytes more. Keys are spread over shards
// by a hash; a shard has one goroutine and one stepper, which takes what is due,
// at most 32 rows, in the order in which it came and at most one step a sequence,
// and does not wait for more. A caller of Step who has been alone for a while steps
// in his own goroutine. The bits of a sequence do not depend on its
// company: they are those of a stream of it alone.
//
// A step that returns an error has left its sequence as it was, but for one that
// marks it (ErrMarked, see Options.Refuse).
//
// A sequence can outlive its process: in a file of all (Options.Snapshot), one by
// one in a Store, or as a capsule that its owner takes along (Pool.Capsule). Each
// knows whose it is, by Target.Signature and Target.Digest, and how many steps it
// has made, so that a client knows with StepAt what to send again. Pool.Swap puts a
// new model in the place of the old.
//
// A target's parameters must not change while a pool uses it. All methods of a
// Pool may be called by many goroutines at once.
//
// Letters: I inputs, O outputs, H units, H' size of a hidden state, L layers, N
// sequences.
package live
