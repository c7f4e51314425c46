package live

import "context"

// Capsule returns the state of a sequence as a safetensors file: the tensors of
// Target.State, and in the metadata what it is (format "unroll capsule 1",
// signature, digest, steps, engine). It may be taken to another pool, machine or
// language. Errors: ErrUnknown, ErrMarked.
func (p *Pool) Capsule(key string) ([]byte, error) { return nil, ErrUnknown }

// Restore begins a sequence from a capsule; its steps are counted on. It is an
// ErrCapsule if the bytes are not a whole capsule, the shapes are others or a
// number is not finite; an ErrForeign if the capsule is of other parameters (see
// Options.Foreign); and ErrExists, ErrFull, ErrClosed as Open. After an error there
// is no new sequence.
func (p *Pool) Restore(key string, capsule []byte) error { return ErrCapsule }

// StepState is Step for a caller who keeps the state himself: it reads and writes
// state, of Pool.StateLen numbers, in place, together with the sequences that are
// due. After an error it is as it was.
func (p *Pool) StepState(ctx context.Context, y, x, state []float32) error { return ErrUnknown }
