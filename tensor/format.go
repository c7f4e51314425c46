package tensor

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// How PyTorch prints by default (torch.set_printoptions).
const (
	precision  = 4    // digits after the point
	threshold  = 1000 // elements from which on only the edges of dimensions are shown
	edgeItems  = 3    // items shown at either edge
	lineWidth  = 80   // characters from which on rows are wrapped
	wideRatio  = 1000 // largest over smallest absolute value from which on all are in scientific notation
	largeValue = 1e8  // above it likewise
	smallValue = 1e-4 // below it likewise, unless all values are integers
)

// String returns the tensor as PyTorch prints it, character by character:
//
//	tensor([[ 0.5000, -1.2500],
//	        [ 3.0000,  0.0000]])
//
// All numbers of a tensor share one notation and width; tensors of more than
// 1000 elements show the three first and last items of each dimension. float64
// is named after the numbers (dtype=torch.float64). The absent tensor is None,
// and one whose shape and data do not belong together is described by the
// error Check gives.
func (d DenseOf[F]) String() string {
	if d.Shape == nil && d.Data == nil {
		return "None"
	}
	if err := d.Check("tensor"); err != nil {
		return "tensor(<" + err.Error() + ">)"
	}
	const prefix = "tensor("
	p := printer[F]{short: len(d.Data) > threshold}
	p.out = append(p.out, prefix...)
	var notes []string
	if len(d.Data) == 0 {
		p.out = append(p.out, "[]"...)
		if len(d.Shape) != 1 {
			notes = append(notes, "size="+tuple(d.Shape))
		}
	} else {
		p.choose(d)
		p.block(d.Data, d.Shape, len(prefix))
	}
	if _, ok := any(d.Data).([]float64); ok {
		notes = append(notes, "dtype=torch.float64")
	}
	return p.finish(len(prefix), notes)
}

// finish ends the text with what is said after the numbers.
func (p *printer[F]) finish(indent int, notes []string) string {
	text := string(p.out)
	last := len(text) - strings.LastIndexByte(text, '\n') + 1
	for _, note := range notes {
		if last+len(note)+2 > lineWidth {
			text += ",\n" + strings.Repeat(" ", indent) + note
			last = indent + len(note)
		} else {
			text += ", " + note
			last += len(note) + 2
		}
	}
	return text + ")"
}

// tuple writes a shape as Python writes a tuple of two and more.
func tuple(shape []int) string {
	return "(" + strings.Trim(strings.ReplaceAll(fmt.Sprint(shape), " ", ", "), "[]") + ")"
}

// printer writes one tensor.
type printer[F Float] struct {
	out        []byte
	scratch    []byte
	short      bool // only the edges of dimensions are shown
	scientific bool
	integers   bool // all values are, and print as 1.
	width      int
	text       func(i int) string // of other elements, of which the numbers are the indices
}

// choose finds the notation and the width of the widest of the values shown;
// zeros and values that are not finite do not count.
func (p *printer[F]) choose(d DenseOf[F]) {
	p.integers, p.width = true, 1
	smallest, largest := math.Inf(1), 0.0
	counts := func(v float64) bool { return v != 0 && !math.IsInf(v, 0) && !math.IsNaN(v) }
	p.visit(d.Data, d.Shape, func(v float64) {
		if counts(v) {
			smallest, largest = min(smallest, math.Abs(v)), max(largest, math.Abs(v))
			p.integers = p.integers && v == math.Ceil(v)
		}
	})
	if largest == 0 {
		return
	}
	p.scientific = largest/smallest > wideRatio || largest > largeValue || !p.integers && smallest < smallValue
	p.visit(d.Data, d.Shape, func(v float64) {
		if counts(v) {
			p.scratch = p.append(p.scratch[:0], v)
			p.width = max(p.width, len(p.scratch))
		}
	})
}

// visit calls f with every element that is shown.
func (p *printer[F]) visit(data []F, shape []int, f func(v float64)) {
	if len(shape) == 0 {
		f(float64(data[0]))
		return
	}
	step := len(data) / shape[0]
	for _, i := range p.shown(shape[0]) {
		if i >= 0 {
			p.visit(data[i*step:(i+1)*step], shape[1:], f)
		}
	}
}

// shown returns the indices of a dimension that are shown, with -1 for the
// dots between them.
func (p *printer[F]) shown(n int) []int {
	dots := p.short && n > 2*edgeItems
	var index []int
	for i := 0; i < n; i++ {
		if dots && i == edgeItems {
			index = append(index, -1)
			i = n - edgeItems
		}
		index = append(index, i)
	}
	return index
}

// block writes a tensor that starts at column indent.
func (p *printer[F]) block(data []F, shape []int, indent int) {
	switch len(shape) {
	case 0:
		p.number(float64(data[0]))
		return
	case 1:
		p.row(data, indent)
		return
	}
	step := len(data) / shape[0]
	p.out = append(p.out, '[')
	for k, i := range p.shown(shape[0]) {
		if k > 0 {
			p.out = append(p.out, ',')
			p.out = append(p.out, strings.Repeat("\n", len(shape)-1)...)
			p.out = append(p.out, strings.Repeat(" ", indent+1)...)
		}
		if i < 0 {
			p.out = append(p.out, "..."...)
			continue
		}
		p.block(data[i*step:(i+1)*step], shape[1:], indent+1)
	}
	p.out = append(p.out, ']')
}

// row writes the last dimension, in several lines if it is too long for one.
func (p *printer[F]) row(data []F, indent int) {
	perLine := max(1, (lineWidth-indent)/(p.width+2))
	p.out = append(p.out, '[')
	for k, i := range p.shown(len(data)) {
		switch {
		case k == 0:
		case k%perLine == 0:
			p.out = append(p.out, ",\n"...)
			p.out = append(p.out, strings.Repeat(" ", indent+1)...)
		default:
			p.out = append(p.out, ", "...)
		}
		if i < 0 {
			p.out = append(p.out, " ..."...)
			continue
		}
		p.number(float64(data[i]))
	}
	p.out = append(p.out, ']')
}

// number writes one element, padded to the common width.
func (p *printer[F]) number(v float64) {
	p.scratch = p.append(p.scratch[:0], v)
	for range p.width - len(p.scratch) {
		p.out = append(p.out, ' ')
	}
	p.out = append(p.out, p.scratch...)
}

// append writes one element in the notation chosen.
func (p *printer[F]) append(b []byte, v float64) []byte {
	switch {
	case p.text != nil:
		return append(b, p.text(int(v))...)
	case math.IsNaN(v):
		return append(b, "nan"...)
	case math.IsInf(v, 1):
		return append(b, "inf"...)
	case math.IsInf(v, -1):
		return append(b, "-inf"...)
	case p.scientific:
		return strconv.AppendFloat(b, v, 'e', precision, 64)
	case p.integers:
		return append(strconv.AppendFloat(b, v, 'f', 0, 64), '.')
	}
	return strconv.AppendFloat(b, v, 'f', precision, 64)
}
