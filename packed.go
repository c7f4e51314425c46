package unroll

import (
	"fmt"
	"slices"

	"github.com/unroll-ml/unroll/tensor"
)

// PackedSequenceOf is torch.nn.utils.rnn.PackedSequence, for callers who have
// one: Data [N,I] holds the sequences sorted by falling length, step after step;
// BatchSizes[t] of them reach step t. SortedIndices[i] is the place in the batch
// of sorted sequence i, UnsortedIndices the inverse; both are nil where the
// sequences came sorted. Everything else in this package takes Pass.Lengths.
type PackedSequenceOf[F tensor.Float] struct {
	Data                           tensor.DenseOf[F]
	BatchSizes                     []int
	SortedIndices, UnsortedIndices []int
}

// PackedSequence is a packed sequence of float32.
type PackedSequence = PackedSequenceOf[float32]

// PackPadded packs x [T,B,...] ([B,T,...] with batchFirst), whose sequence b is
// lengths[b] steps long, as pack_padded_sequence does. The result shares
// nothing with x. It is an ErrShape if x has fewer than two dimensions or no
// sequence, and an ErrLengths for lengths that are not one to T for each
// sequence or, with enforceSorted, rise.
func PackPadded[F tensor.Float](x tensor.DenseOf[F], lengths []int, batchFirst, enforceSorted bool) (PackedSequenceOf[F], error) {
	var ps PackedSequenceOf[F]
	if len(x.Shape) < 2 {
		return ps, &ArgError{Kind: ErrShape, Arg: "input", Got: fmt.Sprintf("shape %v", x.Shape), Want: "[T,B,...], or [B,T,...] with batch_first"}
	}
	if err := checked("input", x); err != nil {
		return ps, err
	}
	d := dims{t: x.Shape[0], b: x.Shape[1]}
	if batchFirst {
		d.t, d.b = d.b, d.t
	}
	if d.b == 0 || d.t > maxSize {
		return ps, &ArgError{Kind: ErrShape, Arg: "input", Got: fmt.Sprintf("shape %v", x.Shape), Want: fmt.Sprintf("at least one sequence, of at most %d steps", maxSize)}
	}
	if err := checkLengths(lengths, d); err != nil {
		return ps, err
	}
	order := make([]int, d.b)
	for i := range order {
		order[i] = i
		if enforceSorted && i > 0 && lengths[i] > lengths[i-1] {
			return ps, &ArgError{Kind: ErrLengths, Arg: fmt.Sprintf("lengths[%d]", i), Got: fmt.Sprintf("%d after %d", lengths[i], lengths[i-1]), Want: "falling lengths, because enforce_sorted is set", Hint: "pass enforceSorted=false to have them sorted"}
		}
	}
	if !enforceSorted {
		fallingLengths(order, lengths)
		ps.SortedIndices, ps.UnsortedIndices = order, inverse(order)
	}
	ps.pack(x, lengths, order, batchFirst)
	return ps, nil
}

// pack fills Data and BatchSizes from x, whose sequences have falling lengths
// in the given order.
func (ps *PackedSequenceOf[F]) pack(x tensor.DenseOf[F], lengths, order []int, batchFirst bool) {
	b, steps, size := len(order), lengths[order[0]], 1
	for _, n := range x.Shape[2:] {
		size *= n
	}
	n, rows := 0, b
	for t := range steps {
		for lengths[order[rows-1]] <= t {
			rows--
		}
		ps.BatchSizes = append(ps.BatchSizes, rows)
		for _, i := range order[:rows] {
			at := (t*b + i) * size
			if batchFirst {
				at = (i*x.Shape[1] + t) * size
			}
			ps.Data.Data = append(ps.Data.Data, x.Data[at:at+size]...)
		}
		n += rows
	}
	ps.Data.Shape = append([]int{n}, x.Shape[2:]...)
}

// check reports whether the packed sequence holds together.
func (ps PackedSequenceOf[F]) check() error {
	bad := func(arg string, got any, want string) error {
		return &ArgError{Kind: ErrLengths, Arg: "packed sequence: " + arg, Got: fmt.Sprint(got), Want: want}
	}
	if err := checked("packed sequence: data", ps.Data); err != nil {
		return err
	}
	if len(ps.BatchSizes) == 0 || len(ps.Data.Shape) < 1 {
		return bad("batch_sizes", ps.BatchSizes, "at least one step")
	}
	n, last := 0, min(ps.BatchSizes[0], maxSize)
	for t, b := range ps.BatchSizes {
		if b < 1 || b > last {
			return bad(fmt.Sprintf("batch_sizes[%d]", t), b, fmt.Sprintf("1 to %d, the size of the step before or the largest there is", last))
		}
		n, last = n+b, b
	}
	if ps.Data.Shape[0] != n {
		return bad("data", fmt.Sprintf("%d rows", ps.Data.Shape[0]), fmt.Sprintf("%d, the sum of batch_sizes", n))
	}
	b := ps.BatchSizes[0]
	if ps.SortedIndices == nil {
		if ps.UnsortedIndices != nil {
			return bad("sorted_indices", "none", "the inverse of unsorted_indices, or neither of them")
		}
		return nil
	}
	seen := make([]bool, b)
	for _, i := range ps.SortedIndices {
		if i < 0 || i >= b || seen[i] {
			return bad("sorted_indices", ps.SortedIndices, fmt.Sprintf("each of 0 to %d once", b-1))
		}
		seen[i] = true
	}
	if len(ps.SortedIndices) != b {
		return bad("sorted_indices", ps.SortedIndices, fmt.Sprintf("each of 0 to %d once", b-1))
	}
	if inverse := inverse(ps.SortedIndices); ps.UnsortedIndices != nil && !slices.Equal(ps.UnsortedIndices, inverse) {
		return bad("unsorted_indices", ps.UnsortedIndices, fmt.Sprintf("%v, the inverse of sorted_indices", inverse))
	}
	return nil
}

// inverse returns the inverse of a permutation.
func inverse(p []int) []int {
	q := make([]int, len(p))
	for i, at := range p {
		q[at] = i
	}
	return q
}

// PadPacked undoes PackPadded, as pad_packed_sequence does: the sequences in
// their original order, padding where they have ended, [T,B,...] or with
// batchFirst [B,T,...], and their lengths. T is the longest length or, if above
// 0, totalLength. It is an ErrLengths if totalLength is less than the longest
// length or the packed sequence does not hold together.
func PadPacked[F tensor.Float](ps PackedSequenceOf[F], batchFirst bool, padding F, totalLength int) (tensor.DenseOf[F], []int, error) {
	var y tensor.DenseOf[F]
	if err := ps.check(); err != nil {
		return y, nil, err
	}
	steps, b := len(ps.BatchSizes), ps.BatchSizes[0]
	if totalLength > 0 {
		if totalLength < steps {
			return y, nil, &ArgError{Kind: ErrLengths, Arg: "total_length", Got: fmt.Sprint(totalLength), Want: fmt.Sprintf("at least %d, the length of the longest sequence", steps)}
		}
		steps = totalLength
	}
	shape := append([]int{steps, b}, ps.Data.Shape[1:]...)
	if batchFirst {
		shape[0], shape[1] = b, steps
	}
	size := len(ps.Data.Data) / ps.Data.Shape[0]
	if steps > maxSize || float64(steps)*float64(b*size) > maxElements {
		return y, nil, &ArgError{Kind: ErrShape, Arg: "total_length", Got: fmt.Sprintf("%d, for shape %v", totalLength, shape), Want: fmt.Sprintf("at most %d steps and %d elements", maxSize, maxElements)}
	}
	y = tensor.NewOf[F](shape...)
	for i := range y.Data {
		y.Data[i] = padding
	}
	lengths := make([]int, b)
	row := 0
	for t, n := range ps.BatchSizes {
		for i := range n {
			if ps.SortedIndices != nil {
				i = ps.SortedIndices[i]
			}
			at := (t*b + i) * size
			if batchFirst {
				at = (i*steps + t) * size
			}
			copy(y.Data[at:at+size], ps.Data.Data[row*size:(row+1)*size])
			lengths[i], row = t+1, row+1
		}
	}
	return y, lengths, nil
}

// ForwardPacked is Forward for a packed sequence: it returns a packed output
// with the sizes and indices of ps. s0 and sn are in the batch's own order. It
// does not look at p.Lengths. A Backward after it takes and gives padded tensors,
// T the longest length, with BatchFirst [B,T,...]. Errors are those of PadPacked and Forward, and ErrShape
// for data that is not [N,I].
func (p *PassOf[F]) ForwardPacked(ps PackedSequenceOf[F], s0 StateOf[F]) (PackedSequenceOf[F], StateOf[F], error) {
	var none PackedSequenceOf[F]
	if err := p.Layer.made("Pass.Layer"); err != nil {
		return none, StateOf[F]{}, err
	}
	batchFirst := p.Layer.cfg.BatchFirst
	x, lengths, err := PadPacked(ps, batchFirst, 0, 0)
	if err != nil {
		return none, StateOf[F]{}, err
	}
	if len(x.Shape) != 3 {
		return none, StateOf[F]{}, &ArgError{Kind: ErrShape, Arg: "packed sequence: data", Got: fmt.Sprintf("%d dimensions, shape %v", len(ps.Data.Shape), ps.Data.Shape), Want: "2 ([N,I])"}
	}
	order := ps.SortedIndices
	for i := range lengths {
		if ps.SortedIndices == nil {
			order = append(order, i)
		}
	}
	own := p.Lengths
	p.Lengths, p.order = lengths, order
	y, sn, err := p.Forward(x, s0)
	p.Lengths, p.order = own, nil
	if err != nil {
		return none, sn, err
	}
	out := PackedSequenceOf[F]{SortedIndices: slices.Clone(ps.SortedIndices), UnsortedIndices: slices.Clone(ps.UnsortedIndices)}
	out.pack(y, lengths, order, batchFirst)
	return out, sn, nil
}
