package model

// InputAxes returns, in the order of Inputs, where the sequences of a step stand in
// an input of a run for several: [T,B,I] has 1. It is -1 for an input of a model that
// runs for one sequence after another (see Batched).
func (r *Rows) InputAxes() []int { return axes(r.inputs) }

// OutputAxes is InputAxes of the outputs.
func (r *Rows) OutputAxes() []int { return axes(r.outputs) }

func axes(list []slot) []int {
	all := make([]int, len(list))
	for i, s := range list {
		all[i] = s.axis
	}
	return all
}
