package rng

import (
	"fmt"
	"math"
	"slices"
)

// Exponential fills dst with exponential values of the given rate:
// -log(1-u)/lambda of a float64 uniform u. It is an ErrArgument if lambda is
// not above 0. PyTorch: Tensor.exponential_(lambda).
func Exponential[F Float](g *Generator, dst []F, lambda float64) error {
	if !(lambda > 0) {
		return &ArgumentError{Func: "Exponential", Arg: "lambda", Got: lambda, Want: "a rate above 0"}
	}
	exponential(g, dst, lambda)
	return nil
}

func exponential[F Float](g *Generator, dst []F, lambda float64) {
	c := -1 / lambda
	for i := range dst {
		dst[i] = F(c * log64(1-g.float64()))
	}
}

// Multinomial draws n indices of w, each with a probability in proportion to
// its weight; without replacement no index comes twice, and equal shares of
// chance (only weights of 0 have them) are resolved by the lower index.
//
// It is an ErrArgument if w is empty, a weight is negative, infinite or not a
// number, all weights are 0, n is not positive, or n exceeds len(w) without
// replacement. PyTorch: torch.multinomial(w, n, replacement).
func Multinomial[F Float](g *Generator, w []F, n int, replacement bool) ([]int, error) {
	bad := func(arg string, got any, want string) ([]int, error) {
		return nil, &ArgumentError{Func: "Multinomial", Arg: arg, Got: got, Want: want}
	}
	if n <= 0 || !replacement && n > len(w) {
		return bad("n", n, fmt.Sprintf("1 to %d, the number of weights, or replacement", len(w)))
	}
	var sum F
	for i, v := range w {
		if !(v >= 0) || math.IsInf(float64(v), 0) {
			return bad(fmt.Sprintf("w[%d]", i), v, "a finite weight of at least 0")
		}
		sum += v
	}
	if !(sum > 0) {
		return bad("the sum of w", sum, "above 0")
	}
	// PyTorch takes the first way also for a single draw with replacement.
	if !replacement || n == 1 {
		return race(g, w, n), nil
	}
	cum := make([]F, len(w))
	sum = 0
	for i, v := range w {
		sum += v
		cum[i] = sum
	}
	for i := range cum {
		cum[i] /= sum
	}
	cum[len(cum)-1] = 1
	out := make([]int, n)
	for i := range out {
		out[i] = slot(cum, g.float64())
	}
	return out, nil
}

// slot returns the first index whose cumulated share is at least u.
func slot[F Float](cum []F, u float64) int {
	lo, hi := 0, len(cum)
	for lo < hi {
		mid := int(uint(lo+hi) / 2)
		if float64(cum[mid]) < u {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo
}

// race gives every index an exponential arrival time and returns the n indices
// of the largest weight over time, the largest first.
func race[F Float](g *Generator, w []F, n int) []int {
	q := make([]F, len(w))
	exponential(g, q, 1)
	index := make([]int, len(w))
	for i := range q {
		q[i] = w[i] / q[i]
		index[i] = i
	}
	slices.SortStableFunc(index, func(i, j int) int {
		a, b := float64(q[i]), float64(q[j])
		switch {
		case math.IsNaN(a) && math.IsNaN(b) || a == b:
			return 0
		case math.IsNaN(a) || a > b: // PyTorch orders NaN (0/0) above all
			return -1
		}
		return 1
	})
	return index[:n:n]
}
