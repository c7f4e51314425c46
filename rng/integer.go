package rng

// Randint fills dst with integers of [lo,hi): a 32-bit draw modulo hi-lo, or a
// 64-bit draw if hi-lo is 2^28 or more (of Version PyTorch1: 2^32). It is an
// ErrArgument if lo >= hi.
// PyTorch: torch.randint of int64, Tensor.random_(lo, hi).
func Randint(g *Generator, dst []int64, lo, hi int64) error {
	if lo >= hi {
		return &ArgumentError{Func: "Randint", Arg: "[lo,hi)", Got: [2]int64{lo, hi}, Want: "lo < hi"}
	}
	n, wide := uint64(hi)-uint64(lo), uint64(1<<28)
	if g.Version == PyTorch1 {
		wide = 1 << 32
	}
	for i := range dst {
		x := uint64(0)
		if n >= wide {
			x = g.Uint64()
		} else {
			x = uint64(g.Uint32())
		}
		dst[i] = int64(x%n + uint64(lo))
	}
	return nil
}

// Random63 returns the low 63 bits of a 64-bit draw. PyTorch:
// torch.empty((), dtype=torch.int64).random_().
func Random63(g *Generator) int64 { return int64(g.Uint64() &^ (1 << 63)) }

// Randperm returns a random permutation of 0 to n-1; none if n is 0 or less.
// PyTorch: torch.randperm(n).
func Randperm(g *Generator, n int) []int {
	if n <= 0 {
		return nil
	}
	p := make([]int, n)
	for i := range p {
		p[i] = i
	}
	for i := range n - 1 {
		z := i + int(uint64(g.Uint32())%uint64(n-i))
		p[i], p[z] = p[z], p[i]
	}
	return p
}

// LoaderOrder returns the order in which one epoch of a shuffling DataLoader
// gives its n items. It draws two 63-bit numbers from g: the first one seeds
// the loader's workers (and is of no use here), the second one seeds a
// generator of its own, whose permutation it is. PyTorch: one iteration over
// DataLoader(data, shuffle=True).
func LoaderOrder(g *Generator, n int) []int {
	Random63(g)
	return Randperm(New(uint64(Random63(g))), n)
}
