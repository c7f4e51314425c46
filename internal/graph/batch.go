package graph

// broadcastAxes: every axis of element-wise operators is independent.
func broadcastAxes(c *call, in []int) ([]int, bool) {
	rank := len(c.out[0].shape)
	out := -1
	for i, a := range in {
		if a < 0 {
			continue
		}
		a += rank - len(c.shape(i))
		if out >= 0 && out != a {
			return nil, false
		}
		out = a
	}
	return []int{out}, true
}
