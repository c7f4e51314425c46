package onnx

import "slices"

// External returns the names of the files beside this one that hold data of its
// tensors, as the file gives them and sorted; they may lead anywhere.
func (f *File) External() []string {
	var names []string
	var walk func(g *Graph)
	bodies := func(nodes []Node) {
		for _, n := range nodes {
			for _, a := range n.Attributes {
				if a.G != nil {
					walk(a.G)
				}
				for _, body := range a.Graphs {
					walk(body)
				}
			}
		}
	}
	walk = func(g *Graph) {
		for _, t := range g.tensors {
			if t.external != nil {
				names = append(names, t.external.location)
			}
		}
		bodies(g.Nodes)
	}
	walk(&f.Graph)
	for _, fn := range f.Functions {
		bodies(fn.Nodes)
	}
	slices.Sort(names)
	return slices.Compact(names)
}
