package onnx

import "fmt"

// Keras's embedding lets a token below 0 count from the table's end, and its
// converter writes that as arithmetic:
//
//	below = tokens < 0
//	index = below * (tokens + V) + !below * tokens
//
// The embedding here takes tokens from 0 on and refuses others, so below has no
// token in it, and the index is the tokens.

// less: whether a token, or a number cast from one, is below 0.
func (r *reader) less(n *Node) (value, error) {
	v, err := r.get(n.input(0))
	if err != nil {
		return v, err
	}
	zero, err := r.get(n.input(1))
	if err != nil {
		return v, err
	}
	if !r.isTokens(v) || zero.kind != isConstant || zero.t.Len() != 1 || !allZero(zero.t.Data) {
		return v, fmt.Errorf("it compares something else than tokens with 0")
	}
	return value{kind: isMask}, nil
}

// isTokens reports whether a value is a whole input of integers.
func (r *reader) isTokens(v value) bool {
	return r.isInteger(v) && v.lo == 0 && v.hi == -1 && v.sorted == 0
}

// isInteger reports whether a value is an input of integers.
func (r *reader) isInteger(v value) bool {
	if v.kind != isInput {
		return false
	}
	in := r.inputs[v.name]
	return in != nil && (in.Type == "I64" || in.Type == "I32")
}

func (r *reader) not(n *Node) (value, error) {
	v, err := r.get(n.input(0))
	if err == nil && v.kind != isMask {
		err = fmt.Errorf("it negates something else than whether tokens are below 0")
	}
	v.yes = !v.yes
	return v, err
}

// where chooses by a mask.
func (r *reader) where(n *Node) (value, error) {
	mask, err := r.get(n.input(0))
	if err != nil {
		return mask, err
	}
	if mask.kind != isMask {
		return mask, fmt.Errorf("it chooses by something else than whether tokens are below 0")
	}
	i := 2
	if mask.yes {
		i = 1
	}
	v, err := r.get(n.input(i))
	if err == nil && !r.isTokens(v) {
		err = fmt.Errorf("it chooses something else than tokens")
	}
	v.tokens = true
	return v, err
}

// masked is the product of a mask and tokens, or what was added to them.
func (r *reader) masked(a, b value) (value, bool) {
	if b.kind == isMask {
		a, b = b, a
	}
	switch {
	case a.kind != isMask:
	case !a.yes && (b.kind == isNothing || r.isTokens(b)):
		return a, true
	case a.yes && r.isTokens(b):
		b.tokens = true
		return b, true
	}
	return value{}, false
}

// added is the sum of two such products, or of tokens and a number.
func (r *reader) added(a, b value) (value, bool) {
	if b.kind == isMask || r.isTokens(b) && a.kind == isConstant {
		a, b = b, a
	}
	switch {
	case a.kind == isMask && !a.yes && r.isTokens(b):
		b.tokens = true
		return b, true
	case r.isTokens(a) && b.kind == isConstant && b.t.Len() == 1:
		return value{kind: isNothing}, true
	}
	return value{}, false
}

func allZero(b []byte) bool {
	for _, x := range b {
		if x != 0 {
			return false
		}
	}
	return true
}
