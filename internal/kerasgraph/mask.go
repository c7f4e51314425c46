package kerasgraph

import (
	"strconv"
	"strings"

	"github.com/unroll-ml/unroll/internal/graph"
)

// Masks of steps. A step that is masked keeps the state and repeats the output
// before it, zeros before the first. That is the same as a run over the steps
// that are kept alone, closed up: their outputs are then spread over time again.
// So a masked layer is ONNX's node with lengths, between two gathers, and has the
// bits of the steps that are kept. This file is all that knows.

// masked is run with the mask of x, where it has one. zero: masked steps give
// zeros. carried: start is where the run before ended, so that its output goes
// on before the first step that is kept.
func (b *builder) masked(cells []*cell, back []bool, x value, start []value, zero, carried bool) ([]result, error) {
	if x.mask == "" {
		return b.run(cells, back, x, start, "")
	}
	if err := rank(x, 3); err != nil {
		return nil, err
	}
	s := b.closeUp(x)
	list, err := b.run(cells, back, s.x, start, s.lengths)
	if err != nil {
		return nil, err
	}
	n := cells[0].states()
	for d := range list {
		r := &list[d]
		before := b.scalar(0)
		if carried {
			before = b.unsqueeze(start[d*n], 1).name
		}
		r.sequence = b.spread(s, r.sequence, back[d], before)
		if zero {
			r.sequence = r.sequence.same(b.Op("Where", nil, b.Op("Unsqueeze", nil, x.mask, b.Ints(2)), r.sequence.name, b.scalar(0)))
			at := int64(-1) // the step that is done last
			if back[d] {
				at = 0
			}
			end := b.Op("Gather", graph.Attrs{"axis": int64(1)}, x.mask, b.Constant("", graph.Vector(at))) // [B,1]
			r.last = r.last.same(b.Op("Where", nil, end, r.last.name, b.scalar(0)))
		}
		if carried && !zero { // the last output is the state, also where no step was kept
			r.last = r.last.same(b.Op("Where", nil, s.some, r.last.name, start[d*n].name))
		}
		// Of a sequence without a step the state is what it was.
		for i := range r.states {
			if len(start) > 0 {
				r.states[i] = r.states[i].same(b.Op("Where", nil, s.some, r.states[i].name, start[d*n+i].name))
			}
		}
	}
	return list, nil
}

// steps is a sequence without its masked steps.
type steps struct {
	x       value  // the steps that are kept, then the others
	lengths string // int32 [B]: how many are kept
	some    string // bool [B,1]: whether any is
	until   string // int64 [B,T]: how many are kept up to a step, with it
	kept    string // int64 [B,T]: 1 for a step that is kept
	total   string // int64 [B,1]
}

// closeUp moves the steps that the mask keeps to the front.
func (b *builder) closeUp(x value) steps {
	s := steps{}
	axis := b.Constant("", graph.Scalar(int64(1)))
	s.kept = b.Op("Cast", graph.Attrs{"to": int64(onnxInt64)}, x.mask)
	s.until = b.Op("CumSum", nil, s.kept, axis)
	s.total = b.Op("ReduceSum", graph.Attrs{"keepdims": int64(1)}, s.kept, b.Ints(1))
	s.lengths = b.Op("Cast", graph.Attrs{"to": int64(onnxInt32)}, b.Op("Squeeze", nil, s.total, b.Ints(1)))
	zero := b.Constant("", graph.Scalar(int64(0)))
	s.some = b.Op("Greater", nil, s.total, zero)
	// Step t is sorted by t if it is kept, by T+t if not.
	T := b.size(x, 1)
	one := b.Constant("", graph.Scalar(int64(1)))
	time := b.Op("Range", nil, zero, b.Op("Squeeze", nil, T, b.Ints(0)), one)
	order := b.Op("Where", nil, x.mask, time, b.Op("Add", nil, time, T))
	index := b.Ops("TopK", 2, graph.Attrs{"axis": int64(1), "largest": int64(0), "sorted": int64(1)}, order, T)[1]
	s.x = b.pick(x, index)
	s.x.mask = ""
	return s
}

// pick takes steps by their numbers, int64 [B,T].
func (b *builder) pick(x value, index string) value {
	return x.same(b.Op("GatherND", graph.Attrs{"batch_dims": int64(1)}, x.name, b.Op("Unsqueeze", nil, index, b.Ints(2))))
}

// spread puts the outputs of the steps that are kept to all steps that repeat
// them: going forward those after it, going back those before it. before is what
// steps repeat that have none.
func (b *builder) spread(s steps, y value, back bool, before string) value {
	one := b.Constant("", graph.Scalar(int64(1)))
	zero := b.Constant("", graph.Scalar(int64(0)))
	// Forward: the last kept step up to t. Back: the first from t on.
	index := b.Op("Sub", nil, s.until, one)
	if back {
		index = b.Op("Sub", nil, s.until, s.kept)
	}
	none := b.Op("Less", nil, index, zero)
	if back {
		none = b.Op("GreaterOrEqual", nil, index, s.total)
		index = b.Op("Min", nil, index, b.Op("Max", nil, b.Op("Sub", nil, s.total, one), zero))
	} else {
		index = b.Op("Max", nil, index, zero)
	}
	z := b.pick(y, index)
	return z.same(b.Op("Where", nil, b.Op("Unsqueeze", nil, none, b.Ints(2)), before, z.name))
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
