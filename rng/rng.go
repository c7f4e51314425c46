// Package rng is PyTorch's CPU random generator: the same seed gives the same
// numbers, to the bit.
//
// A Generator is the engine (MT19937) and one kept normal value. The functions
// Rand, Uniform, Normal, Bernoulli, ... fill a slice the way the PyTorch
// function of that name fills a contiguous tensor, and leave the generator
// where PyTorch would leave it, so a program that draws in the same order sees
// the same stream. What is reproduced is PyTorch 2.15.0 on a CPU
// (testdata/current.json) and, with Generator.Version set to PyTorch1, 1.13.1 in
// a build without Intel MKL (testdata/golden). Randint and TruncNormal tell the
// two apart; releases in between were not compared.
//
// PyTorch has two sets of kernels for some of these functions, and their
// results differ in the last bits. Generator.Scalar chooses between them. All
// arithmetic is written out in IEEE operations, so each choice gives the same
// bits on every platform Go runs on, whatever its instructions.
//
// Nothing here locks: a Generator belongs to one goroutine at a time.
package rng

import (
	"errors"
	"fmt"
)

// Float is the set of element types that can be drawn.
type Float interface{ float32 | float64 }

// ErrArgument is the kind of every error about a parameter of a distribution.
var ErrArgument = errors.New("rng: argument out of range")

// ArgumentError tells which parameter of which function was out of range. It
// is an ErrArgument. A call that returns one has drawn nothing.
type ArgumentError struct {
	Func string // the function called
	Arg  string // the argument at fault
	Got  any
	Want string // what was expected, in words
}

// Error returns one line: function, argument, what came, what was expected.
func (e *ArgumentError) Error() string {
	return fmt.Sprintf("rng.%s: %s is %v, expected %s", e.Func, e.Arg, e.Got, e.Want)
}

// Unwrap returns ErrArgument.
func (e *ArgumentError) Unwrap() error { return ErrArgument }

// Version is a release of PyTorch whose numbers are drawn.
type Version uint8

const (
	// PyTorch2 is the current release: 64-bit draws for Randint from ranges of
	// 2^28 on, TruncNormal by rejection.
	PyTorch2 Version = iota
	// PyTorch1 is 1.13: 64-bit draws from ranges of 2^32 on, TruncNormal by the
	// inverse error function.
	PyTorch1
)

// WithVersion returns a generator seeded with seed that draws as a release of
// PyTorch does.
func WithVersion(seed uint64, v Version) *Generator {
	g := New(seed)
	g.Version = v
	return g
}

const (
	words = 624 // words of engine state (Matsumoto and Nishimura 1998, MT19937)
	shift = 397 // distance of the word mixed in
)

// Generator is a stream of random numbers. Use New; the zero value is not
// seeded and behaves like New(0).
//
// Copying a Generator copies its place in the stream: both continue with the
// same numbers. It must not be used by two goroutines at once.
type Generator struct {
	// Scalar chooses PyTorch's portable kernels (what it runs with
	// ATEN_CPU_CAPABILITY=default, or on a processor without AVX2) instead of
	// its AVX2 kernels. The stream advances alike; values of Uniform, Normal
	// and what is made of them differ in the last bits. It belongs to the
	// kernels, not to the stream, and so is not part of State.
	Scalar bool
	// Version chooses whose stream it is where releases of PyTorch differ: the zero
	// value is the current one's. Like Scalar it is not part of State.
	Version Version

	state  [words]uint32
	left   int    // words of state not yet given out; at 0 the next draw mixes anew
	fresh  bool   // seeded and nothing drawn since
	seeded bool   // false in the zero value only
	seed   uint64 // as given to Seed

	normal    float64 // second value of the last Box-Muller pair
	hasNormal bool
}

// New returns a generator seeded with seed, as torch.manual_seed(seed) leaves
// PyTorch's. Negative seeds of PyTorch are their two's complement here:
// manual_seed(-1) is New(math.MaxUint64).
func New(seed uint64) *Generator {
	g := new(Generator)
	g.Seed(seed)
	return g
}

// Seed starts the stream of the given seed and drops the kept normal value.
// The engine uses the low 32 bits only, as PyTorch's does: seeds that agree in
// them give the same stream.
func (g *Generator) Seed(seed uint64) {
	s := uint32(seed)
	g.state[0] = s
	for i := 1; i < words; i++ {
		s = 1812433253*(s^s>>30) + uint32(i)
		g.state[i] = s
	}
	g.left, g.fresh, g.seeded = 0, true, true
	g.seed = seed
	g.normal, g.hasNormal = 0, false
}

// InitialSeed returns the seed last given to New, Seed or, through SetState,
// to the generator the state came from. PyTorch: torch.initial_seed.
func (g *Generator) InitialSeed() uint64 { return g.seed }

// Clone returns an independent generator at the same place of the stream.
func (g *Generator) Clone() *Generator {
	c := *g
	return &c
}

// refill replaces all words of the state by the next ones.
func (g *Generator) refill() {
	if !g.seeded {
		g.Seed(0)
	}
	s := &g.state
	for i := 0; i < words-shift; i++ {
		s[i] = s[i+shift] ^ mix(s[i], s[i+1])
	}
	for i := words - shift; i < words-1; i++ {
		s[i] = s[i+shift-words] ^ mix(s[i], s[i+1])
	}
	s[words-1] = s[shift-1] ^ mix(s[words-1], s[0])
	g.left, g.fresh = words, false
}

// mix is the twist: the top bit of u and the low bits of v, times the matrix.
func mix(u, v uint32) uint32 {
	return (u&0x80000000|v&0x7fffffff)>>1 ^ -(v&1)&0x9908b0df
}

// temper is the output function of the engine.
func temper(y uint32) uint32 {
	y ^= y >> 11
	y ^= y << 7 & 0x9d2c5680
	y ^= y << 15 & 0xefc60000
	return y ^ y>>18
}

// Uint32 returns the next 32-bit draw of the engine.
func (g *Generator) Uint32() uint32 {
	if g.left == 0 {
		g.refill()
	}
	y := g.state[words-g.left]
	g.left--
	return temper(y)
}

// Uint64 returns a 64-bit draw: two 32-bit draws, the first the high word.
func (g *Generator) Uint64() uint64 {
	hi := g.Uint32()
	return uint64(hi)<<32 | uint64(g.Uint32())
}

// ready returns the words that can be given out without mixing, at least one
// and at most n of them, and marks them used.
func (g *Generator) ready(n int) []uint32 {
	if g.left == 0 {
		g.refill()
	}
	w := g.state[words-g.left:]
	w = w[:min(n, len(w))]
	g.left -= len(w)
	return w
}

// float64 returns a float64 uniform on [0,1).
func (g *Generator) float64() float64 {
	hi := g.Uint32()
	return unit64(hi, g.Uint32())
}

// unit64 returns the low 53 bits of a 64-bit draw as a fraction.
func unit64(hi, lo uint32) float64 {
	return float64(int64(hi&(1<<21-1))<<32|int64(lo)) * 0x1p-53
}
