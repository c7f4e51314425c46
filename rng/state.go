package rng

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// StateSize is the length of what State returns.
const StateSize = 5056

// ErrState is the kind of every error about a state that is none.
var ErrState = errors.New("rng: not a generator state")

// Offsets in a state. All numbers are little-endian, as PyTorch stores them on
// the processors it runs on. Bytes not named are 0.
const (
	offSeed      = 0    // uint64: the initial seed
	offLeft      = 8    // int32: draws left before mixing, plus 1
	offSeeded    = 12   // int32: 1
	offNext      = 16   // uint64: words given out; 0 right after seeding
	offWords     = 24   // 624 times uint64: a word of state each
	offNormal    = 5024 // float64: the kept normal value
	offHasNormal = 5040 // int32: whether there is one
	offFloat     = 5048 // float32, and a byte at 5052: a kept float32 normal value, which PyTorch never makes on a CPU
	offHasFloat  = 5052
)

// State returns the generator's place in the stream, the kept normal value
// included: StateSize bytes, the same that torch.get_rng_state() returns.
func (g *Generator) State() []byte {
	if !g.seeded {
		return New(0).State()
	}
	b := make([]byte, StateSize)
	left, next := g.left+1, words-g.left
	if g.fresh {
		next = 0
	}
	binary.LittleEndian.PutUint64(b[offSeed:], g.seed)
	binary.LittleEndian.PutUint32(b[offLeft:], uint32(left))
	binary.LittleEndian.PutUint32(b[offSeeded:], 1)
	binary.LittleEndian.PutUint64(b[offNext:], uint64(next))
	for i, w := range g.state {
		binary.LittleEndian.PutUint64(b[offWords+8*i:], uint64(w))
	}
	if g.hasNormal {
		binary.LittleEndian.PutUint64(b[offNormal:], math.Float64bits(g.normal))
		b[offHasNormal] = 1
	}
	return b
}

// SetState continues where the generator that gave the state stood; it accepts
// what torch.get_rng_state() returns. It is an ErrState, and g is as before,
// if b has another length or holds what no generator can hold. Scalar and Version
// stay.
func (g *Generator) SetState(b []byte) error {
	if len(b) != StateSize {
		return fmt.Errorf("%w: %d bytes, expected %d", ErrState, len(b), StateSize)
	}
	left := binary.LittleEndian.Uint32(b[offLeft:])
	next := binary.LittleEndian.Uint64(b[offNext:])
	fresh := left == 1 && next == 0
	switch {
	case binary.LittleEndian.Uint32(b[offSeeded:]) != 1:
		return fmt.Errorf("%w: it is marked as not seeded", ErrState)
	case left < 1 || left > words || !fresh && next != uint64(words+1-left):
		return fmt.Errorf("%w: %d draws left and %d given out, expected a sum of %d", ErrState, left, next, words+1)
	case b[offHasFloat] != 0:
		return fmt.Errorf("%w: it holds a float32 normal value, which a CPU generator does not", ErrState)
	}
	n := Generator{Scalar: g.Scalar, Version: g.Version, left: int(left) - 1, fresh: fresh, seeded: true}
	n.seed = binary.LittleEndian.Uint64(b[offSeed:])
	for i := range n.state {
		w := binary.LittleEndian.Uint64(b[offWords+8*i:])
		if w > math.MaxUint32 {
			return fmt.Errorf("%w: word %d is %#x, expected 32 bits", ErrState, i, w)
		}
		n.state[i] = uint32(w)
	}
	if has := binary.LittleEndian.Uint32(b[offHasNormal:]); has > 1 {
		return fmt.Errorf("%w: mark of the kept normal value is %d, expected 0 or 1", ErrState, has)
	} else if has == 1 {
		n.normal, n.hasNormal = math.Float64frombits(binary.LittleEndian.Uint64(b[offNormal:])), true
		if math.IsNaN(n.normal) || math.IsInf(n.normal, 0) {
			return fmt.Errorf("%w: the kept normal value is %v, expected a finite one", ErrState, n.normal)
		}
	}
	*g = n
	return nil
}

// MarshalBinary returns State. It implements encoding.BinaryMarshaler.
func (g *Generator) MarshalBinary() ([]byte, error) { return g.State(), nil }

// UnmarshalBinary is SetState. It implements encoding.BinaryUnmarshaler.
func (g *Generator) UnmarshalBinary(b []byte) error { return g.SetState(b) }
