package onnx

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/unroll-ml/unroll/checkpoint"
)

// Operations on constants: exporters leave the reordering of weights to whoever
// reads the graph. All of them move elements, none computes.

// pick makes a tensor of shape whose element i is element at(i) of t.
func (r *reader) pick(t *checkpoint.Tensor, shape []int, at func(index []int) int) (*checkpoint.Tensor, error) {
	info, err := checkpoint.NewInfo("", t.DType, shape)
	if err != nil {
		return nil, err
	}
	// A chain of concatenations doubles each time, so what is made is counted.
	if err := r.spend(info.Bytes); err != nil {
		return nil, err
	}
	size := t.DType.Size()
	out := &checkpoint.Tensor{Info: info, Data: make([]byte, 0, info.Bytes)}
	index := make([]int, len(shape))
	for range info.Len() {
		i := at(index)
		out.Data = append(out.Data, t.Data[i*size:(i+1)*size]...)
		for j := len(index) - 1; j >= 0; j-- {
			if index[j]++; index[j] < shape[j] {
				break
			}
			index[j] = 0
		}
	}
	return out, nil
}

// strides returns the distances of neighbours along each dimension.
func strides(shape []int) []int {
	out := make([]int, len(shape))
	n := 1
	for i := len(shape) - 1; i >= 0; i-- {
		out[i] = n
		n *= shape[i]
	}
	return out
}

func dot(a, b []int) (n int) {
	for i, x := range a {
		n += x * b[i]
	}
	return n
}

func (r *reader) transposeConst(t *checkpoint.Tensor, perm []int) (*checkpoint.Tensor, error) {
	shape, from, st := make([]int, len(perm)), make([]int, len(perm)), strides(t.Shape)
	for i, p := range perm {
		shape[i], from[i] = t.Shape[p], st[p]
	}
	return r.pick(t, shape, func(index []int) int { return dot(index, from) })
}

// sliceConst cuts [lo,hi) of one dimension.
func (r *reader) sliceConst(t *checkpoint.Tensor, ax, lo, hi int) (*checkpoint.Tensor, error) {
	shape, st := slices.Clone(t.Shape), strides(t.Shape)
	shape[ax] = hi - lo
	return r.pick(t, shape, func(index []int) int { return dot(index, st) + lo*st[ax] })
}

func (r *reader) concatConst(ts []*checkpoint.Tensor, ax int) (*checkpoint.Tensor, error) {
	shape := slices.Clone(ts[0].Shape)
	if ax < 0 {
		ax += len(shape)
	}
	if ax < 0 || ax >= len(shape) {
		return nil, fmt.Errorf("axis %d of %d dimensions", ax, len(shape))
	}
	all := &checkpoint.Tensor{Info: checkpoint.Info{DType: ts[0].DType}}
	outer := 1
	for _, d := range shape[:ax] {
		outer *= d
	}
	shape[ax] = 0
	bytes := int64(0)
	for _, t := range ts {
		if t.DType != ts[0].DType || len(t.Shape) != len(shape) {
			return nil, fmt.Errorf("its inputs differ in type or rank")
		}
		for j := range shape {
			if j != ax && t.Shape[j] != shape[j] {
				return nil, fmt.Errorf("its inputs have shapes %v and %v", ts[0].Shape, t.Shape)
			}
		}
		shape[ax] += t.Shape[ax]
		bytes += int64(len(t.Data))
	}
	if err := r.spend(bytes); err != nil {
		return nil, err
	}
	for o := range outer {
		for _, t := range ts {
			n := len(t.Data) / outer
			all.Data = append(all.Data, t.Data[o*n:(o+1)*n]...)
		}
	}
	info, err := checkpoint.NewInfo("", all.DType, shape)
	all.Info = info
	return all, err
}

// reshapeConst gives a constant another shape, with 0 and -1 as in Reshape.
func reshapeConst(t *checkpoint.Tensor, target []int64) (*checkpoint.Tensor, error) {
	shape, rest, product := make([]int, len(target)), -1, 1
	for i, n := range target {
		switch {
		case n == 0 && i < len(t.Shape):
			shape[i] = t.Shape[i]
		case n == -1 && rest < 0:
			rest = i
			continue
		case n < 0 || n > int64(len(t.Data)):
			return nil, fmt.Errorf("shape %v to %v", t.Shape, target)
		default:
			shape[i] = int(n)
		}
		if product *= shape[i]; product > len(t.Data) {
			return nil, fmt.Errorf("shape %v to %v", t.Shape, target)
		}
	}
	if rest >= 0 && product > 0 {
		shape[rest] = t.Len() / product
	}
	return withShape(t, shape)
}

func withShape(t *checkpoint.Tensor, shape []int) (*checkpoint.Tensor, error) {
	info, err := checkpoint.NewInfo(t.Name, t.DType, shape)
	if err == nil && info.Bytes != int64(len(t.Data)) {
		err = fmt.Errorf("shape %v does not become %v", t.Shape, shape)
	}
	return &checkpoint.Tensor{Info: info, Data: t.Data}, err
}

// castConst converts integers to I64. Floating-point numbers that a wider type
// holds exactly stay as they are; other casts are refused.
func castConst(t *checkpoint.Tensor, to checkpoint.DType) (*checkpoint.Tensor, error) {
	if t.DType == to || t.DType.IsFloat() && to.IsFloat() && to.Size() > t.DType.Size() {
		return t, nil
	}
	v, shape, err := checkpoint.IntsOf(*t)
	if err != nil || to != checkpoint.I64 {
		return nil, fmt.Errorf("a cast from %s to %s", t.DType, to)
	}
	b := make([]byte, 8*len(v))
	for i, x := range v {
		binary.LittleEndian.PutUint64(b[8*i:], uint64(x))
	}
	info, err := checkpoint.NewInfo("", to, shape)
	return &checkpoint.Tensor{Info: info, Data: b}, err
}

// zeros reports whether all bytes of a floating-point constant are zero.
func zeros(t *checkpoint.Tensor) bool {
	for _, b := range t.Data {
		if b != 0 {
			return false
		}
	}
	return t.DType.IsFloat()
}
