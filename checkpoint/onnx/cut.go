package onnx

import (
	"fmt"
	"slices"
)

// Slice, Split, and what they and Gather and Squeeze cut out of a value.

// span returns the part [lo,hi) that start and end mean of n.
func span(start, end int64, n int) (lo, hi int, ok bool) {
	clamp := func(x int64) int {
		if x < 0 {
			x += int64(n)
		}
		return int(max(0, min(x, int64(n))))
	}
	lo, hi = clamp(start), clamp(end)
	return lo, hi, lo <= hi
}

// place returns the place that an index from the end or the beginning means.
func place(i int64, n int) (int, bool) {
	if i < 0 {
		i += int64(n)
	}
	return int(i), i >= 0 && i < int64(n)
}

// cut takes [start,end) of one dimension of a value.
func (r *reader) cut(v value, along, start, end int64) (value, error) {
	switch v.kind {
	case isConstant:
		a, ok := place(along, len(v.t.Shape))
		if !ok {
			return v, fmt.Errorf("axis %d of %d", along, len(v.t.Shape))
		}
		lo, hi, ok := span(start, end, v.t.Shape[a])
		if !ok {
			return v, fmt.Errorf("%d to %d of %d", start, end, v.t.Shape[a])
		}
		t, err := r.sliceConst(v.t, a, lo, hi)
		return value{kind: isConstant, t: t}, err
	case isZeros:
		return v, nil
	case isSizes:
		lo, hi, ok := span(start, end, len(v.sizes))
		if along != 0 || !ok {
			return v, fmt.Errorf("%d to %d of %d", start, end, len(v.sizes))
		}
		v.sizes = v.sizes[lo:hi]
		return v, nil
	case isInput:
		if along == 0 && v.lo == 0 && v.hi == -1 && start >= 0 && end > start {
			v.lo, v.hi = start, end
			return v, nil
		}
	case isFinal:
		if v.byBatch {
			break
		}
		d := r.net.Layers[v.nodes[0]].Directions()
		lo, hi, ok := span(start, end, len(v.nodes)*d)
		if along != 0 || !ok || lo >= hi {
			break
		}
		if lo%d == 0 && hi%d == 0 {
			v.nodes = v.nodes[lo/d : hi/d]
			return v, nil
		}
		if hi == lo+1 && !v.cell && v.nodes[lo/d] == len(r.net.Layers)-1 { // [1,B,H] of one direction
			return value{kind: isData, stage: r.stage, last: true, part: 1 + lo%d, sorted: r.sortedData(v), dims: [][]axis{nil, {r.batch}, {featureOf(r.stage)}}}, nil
		}
	case isData:
		a, ok := place(along, len(v.dims))
		if !ok || len(v.dims[a]) != 1 {
			break
		}
		v = v.clone()
		switch {
		case v.dims[a][0] == axisDirection && v.part == 0:
			if lo, hi, ok := span(start, end, 2); ok && hi == lo+1 {
				v.part, v.dims[a] = lo+1, nil
				return v, nil
			}
		case v.dims[a][0] == r.time && r.isFinalStep(v, start, end):
			v.last, v.dims[a] = true, nil
			return v, nil
		}
	}
	return v, fmt.Errorf("it cuts out a part that no layer reads")
}

// isFinalStep reports whether the steps [start,end) of the top layer's output
// are its final state: forward the last one, if no sequence is shorter than
// others, in reverse the first.
func (r *reader) isFinalStep(v value, start, end int64) bool {
	if len(r.net.Layers) == 0 || v.stage != r.stage || r.headStage > 0 {
		return false
	}
	direction := r.net.Layers[len(r.net.Layers)-1].Direction
	if direction == "bidirectional" {
		direction = []string{"both", "forward", "reverse"}[v.part]
	}
	switch direction {
	case "forward":
		return r.net.Lengths == "" && start == -1 && end > 0
	case "reverse":
		return start == 0 && end == 1
	}
	return false
}

// drop removes a dimension of size 1.
func (r *reader) drop(v value, along int64) (value, error) {
	switch v.kind {
	case isConstant:
		a, ok := place(along, len(v.t.Shape))
		if !ok || v.t.Shape[a] != 1 {
			return v, fmt.Errorf("axis %d of shape %v is not of size 1", along, v.t.Shape)
		}
		t, err := withShape(v.t, slices.Delete(slices.Clone(v.t.Shape), a, a+1))
		return value{kind: isConstant, t: t}, err
	case isZeros:
		return v, nil
	case isSizes:
		if v.rank == 1 && len(v.sizes) == 1 {
			v.rank = 0
			return v, nil
		}
	case isFinal: // [1,B,H] of one layer and direction
		if len(v.nodes) == 1 && !v.cell && !v.byBatch && along == 0 && r.net.Layers[v.nodes[0]].Directions() == 1 {
			d, err := r.finalData(v.nodes[0])
			d.sorted = r.sortedData(v)
			return d, err
		}
	case isData:
		if a, ok := place(along, len(v.dims)); ok && len(v.dims[a]) == 0 {
			v.dims = slices.Delete(slices.Clone(v.dims), a, a+1)
			return v, nil
		}
	}
	return v, fmt.Errorf("it removes a dimension that is not of size 1")
}

// finalData is the final hidden state [B,D*H] of the top layer as data.
func (r *reader) finalData(node int) (value, error) {
	if node != len(r.net.Layers)-1 {
		return value{}, fmt.Errorf("it uses the final state of a layer below the top")
	}
	return value{kind: isData, stage: r.stage, last: true, dims: [][]axis{{r.batch}, r.feature[r.stage]}}, nil
}

func (r *reader) slice(n *Node) (value, error) {
	v, err := r.get(n.input(0))
	if err != nil {
		return v, err
	}
	starts, ok1, err := r.ints(n, 1, "starts")
	if err != nil {
		return v, err
	}
	ends, ok2, err := r.ints(n, 2, "ends")
	if err != nil {
		return v, err
	}
	axes, given, err := r.ints(n, 3, "axes")
	if err != nil {
		return v, err
	}
	steps, _, err := r.ints(n, 4, "steps")
	if err != nil {
		return v, err
	}
	if !ok1 || !ok2 || len(starts) != len(ends) || given && len(axes) != len(starts) || len(starts) > maxRank || len(steps) > len(starts) {
		return v, fmt.Errorf("its starts, ends and axes do not fit each other")
	}
	for _, s := range steps {
		if s != 1 {
			return v, fmt.Errorf("a step of %d", s)
		}
	}
	for i := range starts {
		along := int64(i)
		if given {
			along = axes[i]
		}
		// The whole of a dimension is no cut.
		if starts[i] == 0 && ends[i] >= 1<<31-1 {
			continue
		}
		if v, err = r.cut(v, along, starts[i], ends[i]); err != nil {
			return v, err
		}
	}
	return v, nil
}

func (r *reader) split(n *Node) error {
	v, err := r.get(n.input(0))
	if err != nil {
		return err
	}
	along, err := n.intAttr("axis", 0)
	if err != nil {
		return err
	}
	sizes, given, err := r.ints(n, 1, "split")
	if err != nil {
		return err
	}
	if !given {
		whole := int64(2)
		if v.kind == isConstant {
			a, ok := place(along, len(v.t.Shape))
			if !ok {
				return fmt.Errorf("axis %d of %v", along, v.t.Shape)
			}
			whole = int64(v.t.Shape[a])
		}
		each := whole / int64(max(1, len(n.Outputs)))
		sizes = slices.Repeat([]int64{each}, len(n.Outputs))
	}
	if len(sizes) != len(n.Outputs) {
		return fmt.Errorf("%d sizes for %d outputs", len(sizes), len(n.Outputs))
	}
	at := int64(0)
	for i, o := range n.Outputs {
		part, err := r.cut(v, along, at, at+sizes[i])
		if err != nil {
			return err
		}
		if o != "" {
			r.values[o] = part
		}
		at += sizes[i]
	}
	return nil
}
