package graph

// sorted brings nodes into an order in which every value is made before it is read,
// as ONNX Runtime does; ONNX wants files to have it, and converters to halves add
// their casts at the end. Nodes that stand right stay where they are. Where there is
// no such order, they are returned as they came, and Compile names the loop.
func sorted(nodes []Node) []Node {
	by, late := map[string]int{}, false
	for i := range nodes {
		for _, name := range nodes[i].Outputs {
			if _, twice := by[name]; !twice && name != "" {
				by[name] = i
			}
		}
	}
	before := make([][]int, len(nodes)) // the nodes that a node reads from
	for i := range nodes {
		nodes[i].eachRead(func(name string) {
			if from, made := by[name]; made {
				before[i] = append(before[i], from)
				late = late || from >= i
			}
		})
	}
	if !late {
		return nodes
	}
	const open, done = 1, 2
	state := make([]uint8, len(nodes))
	order := make([]Node, 0, len(nodes))
	for first := range nodes {
		for path := []int{first}; len(path) > 0; {
			i := path[len(path)-1]
			if state[i] == done {
				path = path[:len(path)-1]
				continue
			}
			state[i] = open
			if len(before[i]) == 0 {
				state[i], order = done, append(order, nodes[i])
				continue
			}
			from := before[i][0]
			before[i] = before[i][1:]
			switch state[from] {
			case open:
				return nodes
			case done:
			default:
				path = append(path, from)
			}
		}
	}
	return order
}

// eachRead calls f with what a node reads, and what nodes of its bodies do.
func (n *Node) eachRead(f func(name string)) {
	for _, name := range n.Inputs {
		f(name)
	}
	for _, a := range n.Attrs {
		body, is := a.(*Graph)
		if !is || body == nil {
			continue
		}
		for i := range body.Nodes {
			body.Nodes[i].eachRead(f)
		}
		for _, o := range body.Outputs {
			f(o.Name)
		}
	}
}
