package graph

// pointwise describes a float32 step that works element by element on an input
// of its output's shape.
type pointwise struct {
	unary func(dst, x []float32)
}

// join puts chains of element-wise steps together.
func join(pl *planner, pn *plan) {}
