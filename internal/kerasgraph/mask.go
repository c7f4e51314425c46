package kerasgraph

import (
	"strconv"
	"strings"

	"github.com/unroll-ml/unroll/internal/graph"
)

// Masks of steps. A step that is masked keeps the state and repeats the output
// before it, zeros before the first: that is a layer's own mask (unroll.Pass.Masked).
// Here stands what Keras adds to it.

// masked is run with the mask of x, where it has one. zero: masked steps give
// zeros. carried: start is where the run before ended, so that its output goes
// on before the first step that is kept.
func (b *builder) masked(cells []*cell, back []bool, x value, start []value, zero, carried bool) ([]result, error) {
	list, err := b.run(cells, back, x, start)
	if x.mask == "" || err != nil {
		return list, err
	}
	n := cells[0].states()
	wide := b.Op("Unsqueeze", nil, x.mask, b.Ints(2)) // [B,T,1]
	for d := range list {
		r := &list[d]
		switch {
		case zero:
			r.sequence = r.sequence.same(b.Op("Where", nil, wide, r.sequence.name, b.scalar(0)))
		case carried:
			begun := b.Op("CumSum", nil, b.Op("Cast", graph.Attrs{"to": int64(onnxInt64)}, wide), b.Constant("", graph.Scalar(int64(1))))
			begun = b.Op("Greater", nil, begun, b.Constant("", graph.Scalar(int64(0))))
			r.sequence = r.sequence.same(b.Op("Where", nil, begun, r.sequence.name, b.unsqueeze(start[d*n], 1).name))
		}
		// The last output is the state, but where it is zeros and the state is not:
		// of a masked step, and where no step was kept.
		if zero || len(start) > 0 && !carried {
			at := int64(-1)
			if back[d] {
				at = 0
			}
			r.last = r.last.same(b.Op("Gather", graph.Attrs{"axis": int64(1)}, r.sequence.name, b.Constant("", graph.Scalar(at))))
		}
	}
	return list, nil
}

// version reports whether the Keras that wrote the file is at least major.minor.
func (b *builder) version(major, minor int) bool {
	parts := strings.SplitN(b.m.Version, ".", 3)
	if len(parts) < 2 {
		return true // it does not say, as TensorFlow's of the first years do
	}
	x, err1 := strconv.Atoi(parts[0])
	y, err2 := strconv.Atoi(parts[1])
	return err1 != nil || err2 != nil || x > major || x == major && y >= minor
}

// tensorFlow reports whether it was the Keras inside TensorFlow ("2.2.4-tf").
func (b *builder) tensorFlow() bool { return strings.HasSuffix(b.m.Version, "-tf") }
