package graph

import (
	"encoding/binary"
	"fmt"
	"io"
	"maps"
	"slices"

	unroll "github.com/unroll-ml/unroll"
)

// Describe writes what a program computes, for a hash: its inputs and outputs, its
// nodes with their attributes, and the constants that they use with their bits.
// Errors are those of constants that do not load.
func (p *Program) Describe(w io.Writer) error { return p.describe(w, p.body) }

func (p *Program) describe(w io.Writer, b *body) error {
	for _, domain := range slices.Sorted(maps.Keys(b.graph.Opsets)) {
		fmt.Fprintf(w, "opset %q %d\n", domain, b.graph.Opsets[domain])
	}
	for _, list := range [][]Port{b.graph.Inputs, b.graph.Outputs} {
		for _, port := range list {
			fmt.Fprintf(w, "port %q %s %v\n", port.Name, port.Type, port.Shape)
			if !port.Start.IsZero() {
				fmt.Fprint(w, "start ")
				port.Start.Describe(w)
			}
		}
	}
	for _, c := range b.used {
		v, err := p.constant(c)
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "constant %q ", c.Name)
		v.Describe(w)
	}
	for _, n := range b.nodes {
		fmt.Fprintf(w, "node %q %q %q %q\n", domain(n.Domain), n.Op, n.Inputs, n.Outputs)
		for _, name := range slices.Sorted(maps.Keys(n.Attrs)) {
			fmt.Fprintf(w, "attribute %q ", name)
			switch a := n.Attrs[name].(type) {
			case Value:
				a.Describe(w)
			case *unroll.Layer:
				fmt.Fprintln(w, a.Digest())
			case *Graph:
				if err := p.describe(w, n.bodies[name]); err != nil {
					return err
				}
			default:
				fmt.Fprintf(w, "%#v\n", a)
			}
		}
	}
	return nil
}

// Describe writes a value's type, shape and bits, for a hash; of few numbers the
// numbers.
func (v Value) Describe(w io.Writer) {
	fmt.Fprintf(w, "%s %v ", v.Type, v.Shape)
	if few := 4; v.n <= few {
		v.numbers(w)
		return
	}
	switch v.Type { // the same on machines of either byte order
	case F32:
		write(w, data[float32](&v))
	case F64:
		write(w, data[float64](&v))
	case I64:
		write(w, data[int64](&v))
	case I32:
		write(w, data[int32](&v))
	default:
		_, _ = w.Write(v.bytes())
	}
}

func (v *Value) numbers(w io.Writer) {
	switch v.Type {
	case F32:
		fmt.Fprintln(w, data[float32](v))
	case F64:
		fmt.Fprintln(w, data[float64](v))
	default:
		x, _ := v.ints() // of integers alone
		fmt.Fprintln(w, x)
	}
}

// write writes elements little-endian; a hash takes all.
func write[T float32 | float64 | int64 | int32](w io.Writer, list []T) {
	for len(list) > 0 {
		n := min(len(list), 1024)
		_ = binary.Write(w, binary.LittleEndian, list[:n])
		list = list[n:]
	}
}
