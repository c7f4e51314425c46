package onnx

import (
	"fmt"
	"slices"

	"github.com/unroll-ml/unroll/checkpoint"
)

// rules are the operators with one output, by what becomes of what is known.
var rules = map[string]func(*reader, *Node) (value, error){
	"Constant": (*reader).constantNode, "Identity": (*reader).same, "Dropout": (*reader).same, "Cast": (*reader).cast,
	"Shape": (*reader).shape, "ConstantOfShape": (*reader).ofShape, "Expand": (*reader).expand,
	"Gather": (*reader).gather, "Slice": (*reader).slice, "Concat": (*reader).concat,
	"Squeeze": (*reader).squeeze, "Unsqueeze": (*reader).unsqueeze,
	"Transpose": (*reader).transpose, "Reshape": (*reader).reshape, "Mul": (*reader).multiply,
	"MatMul": (*reader).matmul, "Gemm": (*reader).gemm, "Add": (*reader).add,
	"ReduceProd": (*reader).product, "Range": (*reader).rangeOf, "ScatterElements": (*reader).wayBack,
	"Less": (*reader).less, "Not": (*reader).not, "Where": (*reader).where,
}

// apply follows one node.
func (r *reader) apply(n *Node) error {
	if n.Domain != "" && n.Domain != "ai.onnx" {
		return fmt.Errorf("its domain is not ONNX's own; such a network has no such node")
	}
	switch n.Op {
	case "RNN", "LSTM", "GRU":
		return r.recurrent(n)
	case "Split":
		return r.split(n)
	case "TopK":
		return r.sort(n)
	}
	rule, ok := rules[n.Op]
	if !ok {
		return fmt.Errorf("a network of embedding, recurrent layers and linear head has no such operator")
	}
	v, err := rule(r, n)
	if err == nil && n.output(0) != "" {
		r.values[n.Outputs[0]] = v
	}
	return err
}

func (r *reader) constantNode(n *Node) (value, error) {
	for _, a := range n.Attributes {
		switch {
		case a.Name == "value" && a.Kind == Tensor && a.T.DType != checkpoint.Unknown:
			return value{kind: isConstant, t: a.T}, nil
		case a.Name == "value_int":
			t := checkpoint.OfInts("", []int64{a.I})
			t.Shape = []int{}
			return value{kind: isConstant, t: &t}, nil
		case a.Name == "value_ints":
			t := checkpoint.OfInts("", a.Ints)
			return value{kind: isConstant, t: &t}, nil
		}
	}
	return value{}, fmt.Errorf("its value is of no kind that is read")
}

// same passes its first input through; Dropout does so outside training.
func (r *reader) same(n *Node) (value, error) {
	if n.Op == "Dropout" && n.input(2) != "" {
		training, err := r.constant(n.input(2))
		if err != nil || !allZero(training.Data) {
			return value{}, orElse(err, "it is in training mode")
		}
	}
	return r.get(n.input(0))
}

func (r *reader) cast(n *Node) (value, error) {
	v, err := r.get(n.input(0))
	if err != nil {
		return v, err
	}
	to, err := n.intAttr("to", 0)
	if err != nil {
		return v, err
	}
	d, _ := elementType(to)
	if v.kind == isInput || v.kind == isData || v.kind == isFinal {
		whole := (d == checkpoint.I64 || d == checkpoint.I32) && r.isInteger(v)
		if !whole && !d.IsFloat() {
			return v, fmt.Errorf("it casts what a layer reads to %s", d)
		}
	}
	if v.kind != isConstant {
		return v, nil
	}
	v.t, err = castConst(v.t, d)
	return v, err
}

func (r *reader) shape(n *Node) (value, error) {
	v, err := r.get(n.input(0))
	if err != nil {
		return v, err
	}
	out := value{kind: isSizes, rank: 1}
	if v.kind == isConstant {
		for _, d := range v.t.Shape {
			out.sizes = append(out.sizes, size{n: int64(d)})
		}
	} else if v.kind == isOrder || v.kind == isInput && len(v.dims) == 1 {
		out.sizes = []size{{n: 1, axes: []axis{axisRow}}}
	} else if d, e := r.data(v); e == nil {
		for _, dim := range d.dims {
			s := size{n: 1}
			for _, a := range dim {
				if k := r.size[a]; k > 0 {
					s.n *= k
				} else {
					s.axes = append(s.axes, a)
				}
			}
			out.sizes = append(out.sizes, s)
		}
	} else {
		for range v.dims {
			out.sizes = append(out.sizes, size{n: -1, axes: []axis{-1}})
		}
	}
	start, err := n.intAttr("start", 0)
	if err != nil {
		return v, err
	}
	end, err := n.intAttr("end", int64(len(out.sizes)))
	if err != nil {
		return v, err
	}
	lo, hi, ok := span(start, end, len(out.sizes))
	if !ok {
		return v, fmt.Errorf("start %d and end %d of %d", start, end, len(out.sizes))
	}
	out.sizes = out.sizes[lo:hi]
	return out, nil
}

// ofShape: zeros are initial states, and integers what a ScatterElements
// overwrites.
func (r *reader) ofShape(n *Node) (value, error) {
	a := n.attribute("value")
	switch {
	case a != nil && a.T != nil && !a.T.DType.IsFloat():
		return value{kind: isNothing}, nil
	case a != nil && (a.T == nil || !zeros(a.T)):
		return value{}, fmt.Errorf("its value is not a floating-point 0")
	}
	return value{kind: isZeros}, nil
}

func (r *reader) expand(n *Node) (value, error) {
	v, err := r.get(n.input(0))
	if err == nil && (v.kind == isConstant && zeros(v.t) || v.kind == isZeros) {
		return value{kind: isZeros}, nil
	}
	return v, orElse(err, "it expands something else than zeros")
}

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

func orElse(err error, what string) error {
	if err != nil {
		return err
	}
	return fmt.Errorf("%s", what)
}

func (r *reader) gather(n *Node) (value, error) {
	v, err := r.get(n.input(0))
	if err != nil {
		return v, err
	}
	index, err := r.get(n.input(1))
	if err != nil {
		return v, err
	}
	along, err := n.intAttr("axis", 0)
	if err != nil {
		return v, err
	}
	if v.kind == isConstant && (index.kind == isInput || index.kind == isData) {
		return r.embed(v.t, index, along)
	}
	if index.kind == isOrder {
		return r.reorder(v, index, along)
	}
	if index.kind != isConstant || index.t.DType.IsFloat() {
		return v, fmt.Errorf("its index is not a constant number")
	}
	ints, _, err := checkpoint.IntsOf(*index.t)
	if err != nil {
		return v, err
	}
	if s, ok := r.sizesOf(v); ok && along == 0 && len(index.t.Shape) <= 1 && len(ints) <= maxRank {
		out := value{kind: isSizes, rank: len(index.t.Shape)}
		for _, x := range ints {
			i, ok := place(x, len(s))
			if !ok {
				return v, fmt.Errorf("index %d of %d", x, len(s))
			}
			out.sizes = append(out.sizes, s[i])
		}
		return out, nil
	}
	if len(ints) != 1 {
		return v, fmt.Errorf("its index is not one number")
	}
	lo, hi := ints[0], ints[0]+1
	if hi == 0 {
		hi = 1<<63 - 1
	}
	cut, err := r.cut(v, along, lo, hi)
	if err != nil || len(index.t.Shape) == 1 {
		return cut, err
	}
	return r.drop(cut, along)
}

// embed: a table of floats indexed by the graph's input is an embedding.
func (r *reader) embed(table *checkpoint.Tensor, index value, along int64) (value, error) {
	index.tokens = false
	d, err := r.data(index)
	if err != nil {
		return d, err
	}
	if along != 0 || len(table.Shape) != 2 || !table.DType.IsFloat() || d.stage != 0 || len(d.dims) != 2 || r.stage != 0 {
		return d, fmt.Errorf("it is not the embedding [V,E] of tokens [T,B] that begins a network")
	}
	r.stage = 1
	d = d.clone()
	d.stage, r.net.Embedding = 1, table
	f := featureOf(1)
	r.feature[1], r.size[f] = []axis{f}, int64(table.Shape[1])
	d.dims = append(d.dims, []axis{f})
	return d, nil
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

func (r *reader) concat(n *Node) (value, error) {
	along, err := n.intAttr("axis", 0)
	if err != nil {
		return value{}, err
	}
	var vs []value
	for _, name := range n.Inputs {
		v, err := r.get(name)
		if err != nil {
			return v, err
		}
		vs = append(vs, v)
	}
	if len(vs) == 0 {
		return value{}, fmt.Errorf("it has no inputs")
	}
	all := func(k kind) bool { return !slices.ContainsFunc(vs, func(v value) bool { return v.kind != k }) }
	switch {
	case all(isConstant):
		ts := make([]*checkpoint.Tensor, len(vs))
		for i, v := range vs {
			ts[i] = v.t
		}
		t, err := r.concatConst(ts, int(along))
		return value{kind: isConstant, t: t}, err
	case all(isZeros):
		return vs[0], nil
	case all(isFinal) && (along == 0 || along == -3):
		out := value{kind: isFinal, cell: vs[0].cell, sorted: vs[0].sorted, dims: vs[0].dims}
		for _, v := range vs {
			if v.byBatch {
				return v, fmt.Errorf("it joins final states of nodes with layout 1")
			}
			if v.cell != out.cell || v.sorted != out.sorted {
				return v, fmt.Errorf("it mixes hidden and cell states, or orders of the batch")
			}
			for _, i := range v.nodes {
				if i != len(out.nodes) {
					return v, fmt.Errorf("it has the layers' final states in another order")
				}
				out.nodes = append(out.nodes, i)
			}
		}
		return out, r.spend(8 * int64(len(out.nodes)))
	case all(isData) && len(vs) == 2 && vs[0].part == 1 && vs[1].part == 2 && vs[0].stage == vs[1].stage && vs[0].last == vs[1].last && vs[0].sorted == vs[1].sorted:
		v := vs[0].clone()
		a, ok := place(along, len(v.dims))
		h := featureOf(v.stage)
		if ok && a == len(v.dims)-1 && slices.Equal(v.dims[a], []axis{h}) && slices.EqualFunc(v.dims, vs[1].dims, slices.Equal[[]axis]) {
			v.part, v.dims[a] = 0, []axis{axisDirection, h}
			return v, nil
		}
	default:
		out := value{kind: isSizes, rank: 1}
		for _, v := range vs {
			s, ok := r.sizesOf(v)
			if !ok || len(out.sizes)+len(s) > maxRank {
				return v, fmt.Errorf("it joins what no layer joins")
			}
			out.sizes = append(out.sizes, s...)
		}
		return out, nil
	}
	return value{}, fmt.Errorf("it joins what no layer joins")
}

func (r *reader) squeeze(n *Node) (value, error) {
	v, err := r.get(n.input(0))
	if err != nil {
		return v, err
	}
	axes, given, err := r.ints(n, 1, "axes")
	if err != nil || !given {
		return v, orElse(err, "it names no axes")
	}
	rank := len(v.dims)
	if v.kind == isConstant {
		rank = len(v.t.Shape)
	} else if v.kind == isFinal {
		rank = 3
	}
	axes = slices.Clone(axes)
	for i, a := range axes {
		if a < 0 {
			axes[i] += int64(rank)
		}
	}
	slices.Sort(axes)
	for _, a := range slices.Backward(axes) {
		if v, err = r.drop(v, a); err != nil {
			return v, err
		}
	}
	return v, nil
}

func (r *reader) unsqueeze(n *Node) (value, error) {
	v, err := r.get(n.input(0))
	if err != nil {
		return v, err
	}
	axes, given, err := r.ints(n, 1, "axes")
	if err != nil || !given || len(axes) > maxRank {
		return v, orElse(err, "it names no axes")
	}
	if v.kind == isSizes && len(axes) == 1 && v.rank == 0 {
		v.rank = 1
		return v, nil
	}
	switch v.kind {
	case isConstant:
		shape := slices.Clone(v.t.Shape)
		axes = slices.Clone(axes)
		for i, a := range axes {
			if a < 0 {
				axes[i] += int64(len(shape) + len(axes))
			}
		}
		slices.Sort(axes)
		for _, a := range axes {
			if a < 0 || a > int64(len(shape)) {
				return v, fmt.Errorf("axis %d of %d", a, len(shape))
			}
			shape = slices.Insert(shape, int(a), 1)
		}
		t, err := withShape(v.t, shape)
		return value{kind: isConstant, t: t}, err
	case isZeros:
		return v, nil
	}
	return v, fmt.Errorf("it adds a dimension to what has none missing")
}

func (r *reader) transpose(n *Node) (value, error) {
	v, err := r.get(n.input(0))
	if err != nil {
		return v, err
	}
	perm, given, err := r.ints(n, -1, "perm")
	if err != nil {
		return v, err
	}
	if v.kind == isConstant {
		p := make([]int, len(v.t.Shape))
		for i := range p {
			p[i] = len(p) - 1 - i
			if given && len(perm) == len(p) {
				p[i] = int(perm[i])
			}
		}
		if !isPermutation(p) {
			return v, fmt.Errorf("perm %v of %v", perm, v.t.Shape)
		}
		t, err := r.transposeConst(v.t, p)
		return value{kind: isConstant, t: t}, err
	}
	d, err := r.data(v)
	if v.kind == isFinal && !v.cell && !v.byBatch && len(v.nodes) == 1 && v.nodes[0] == len(r.net.Layers)-1 { // [D,B,H]
		d, err = value{kind: isData, stage: r.stage, last: true, sorted: r.sortedData(v), dims: [][]axis{r.feature[r.stage][:len(r.feature[r.stage])-1], {r.batch}, {featureOf(r.stage)}}}, nil
	}
	if err != nil {
		return v, err
	}
	p := make([]int, len(perm))
	for i, x := range perm {
		p[i] = int(x)
	}
	if len(p) != len(d.dims) || !isPermutation(p) {
		return v, fmt.Errorf("perm %v of %d dimensions", perm, len(d.dims))
	}
	out := d.clone()
	for i, x := range p {
		out.dims[i] = d.dims[x]
	}
	return out, nil
}

func isPermutation(p []int) bool {
	s := slices.Clone(p)
	slices.Sort(s)
	for i, x := range s {
		if i != x {
			return false
		}
	}
	return true
}

func (r *reader) reshape(n *Node) (value, error) {
	v, err := r.get(n.input(0))
	if err != nil {
		return v, err
	}
	to, err := r.get(n.input(1))
	if err != nil {
		return v, err
	}
	target, ok := r.sizesOf(to)
	if !ok {
		return v, fmt.Errorf("its shape is nothing that can be followed")
	}
	switch v.kind {
	case isConstant:
		ints := make([]int64, len(target))
		for i, s := range target {
			if len(s.axes) > 0 {
				return v, fmt.Errorf("a constant's shape depends on the input")
			}
			ints[i] = s.n
		}
		t, err := reshapeConst(v.t, ints)
		return value{kind: isConstant, t: t}, err
	case isZeros:
		return v, nil
	case isSizes:
		return v, nil
	}
	d, err := r.data(v)
	if err != nil {
		return v, err
	}
	dims, ok := reshape(d.dims, target, func(a axis) int64 { return r.size[a] })
	if !ok {
		return v, fmt.Errorf("its shape does not follow the dimensions of its input")
	}
	d.dims = dims
	return d, nil
}

// multiply: only sizes are multiplied, and what Keras's embedding does to
// tokens below 0.
func (r *reader) multiply(n *Node) (value, error) {
	a, err := r.get(n.input(0))
	if err != nil {
		return a, err
	}
	b, err := r.get(n.input(1))
	if err != nil {
		return b, err
	}
	if m, ok := r.masked(a, b); ok {
		return m, nil
	}
	x, ok1 := r.sizesOf(a)
	y, ok2 := r.sizesOf(b)
	if !ok1 || !ok2 || len(x) != 1 || len(y) != 1 {
		return a, fmt.Errorf("a network of embedding, recurrent layers and linear head multiplies nothing")
	}
	return timesSize(value{kind: isSizes, rank: max(a.rank, b.rank), sizes: x}, y[0])
}
