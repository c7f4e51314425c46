package graph

import (
	"fmt"

	unroll "github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/checkpoint"
	"github.com/unroll-ml/unroll/checkpoint/onnx"
)

// NamedLayer is a recurrent layer of a program.
type NamedLayer struct {
	// Name is the node's, or that of its first output; a name that was there before
	// has a number after it.
	Name  string
	Node  *Node
	Layer *unroll.Layer
}

// recurrentOps are the operators that are layers.
var recurrentOps = []string{"RNN", "GRU", "LSTM"}

// IsRecurrent reports whether a node is a recurrent layer.
func (n *Node) IsRecurrent() bool {
	return n.ofCell() || n.IsStack()
}

// IsStack reports whether a node is a whole stacked layer, Own's Layer.
func (n *Node) IsStack() bool { return n.Domain == Own && n.Op == "Layer" }

// Mask returns the name of a recurrent node's mask of steps, empty for none.
func (n *Node) Mask() string {
	switch {
	case n.IsStack():
		return n.input(4)
	case n.ofCell() && n.Domain == Own:
		return n.input(MaskInput)
	}
	return ""
}

// named gives layers names that are there once.
type named map[string]int

func (seen named) name(n *Node) string {
	name := n.Name
	for _, o := range n.Outputs {
		if name == "" {
			name = o
		}
	}
	if seen[name]++; seen[name] > 1 {
		name = fmt.Sprintf("%s#%d", name, seen[name])
	}
	return name
}

// Layers returns the recurrent layers of the program, those of bodies too, whose
// parameters follow from constants. Errors are those of a node that is no layer and
// of constants that do not load.
func (p *Program) Layers() ([]NamedLayer, error) {
	var list []NamedLayer
	seen := named{}
	var walk func(b *body, f *Folding) error
	walk = func(b *body, f *Folding) error {
		for _, n := range b.nodes {
			if n.IsRecurrent() {
				l, err := f.layer(n)
				if err != nil {
					return at(n.Node, err)
				}
				if name := seen.name(n.Node); l != nil {
					list = append(list, NamedLayer{name, n.Node, l})
				}
			}
			for _, name := range n.row.bodies {
				if inner := n.bodies[name]; inner != nil {
					if err := walk(inner, p.folding(inner, f)); err != nil {
						return err
					}
				}
			}
		}
		return nil
	}
	return list, walk(p.body, p.Fold())
}

// layer returns the layer that a recurrent node is; nil if its parameters depend on
// inputs. It is the one that runs, so that its parameters are in memory once, unless
// those are rounded there or are no float32.
func (f *Folding) layer(n *node) (*unroll.Layer, error) {
	if l, ok := n.Attrs["layer"].(*unroll.Layer); ok {
		return l, nil
	}
	p := f.pl.p
	if l := p.running(n, nil); l != nil {
		return l, nil
	}
	params := map[string]*Value{}
	for _, i := range weightInputs {
		if i >= len(n.Inputs) || n.Inputs[i] == "" {
			continue
		}
		v, err := f.Value(n.Inputs[i])
		if v == nil || err != nil {
			return nil, err
		}
		params[n.Inputs[i]] = v
	}
	r, err := readRecurrent(n.Node, func(name string) (*Value, error) {
		if v := params[name]; v != nil {
			return v, nil
		}
		return nil, fmt.Errorf("no value %q", name)
	})
	if err != nil {
		return nil, err
	}
	l, err := layerOf[float32](r)
	if err != nil || p.precision != nil {
		return l, err
	}
	for _, v := range params {
		if v.Type != F32 {
			return l, nil
		}
	}
	r.Params = nil // the layer has its own
	l = p.running(n, &boundLayer[float32]{r, l})
	for name, v := range params {
		if p.forget(v) != nil {
			delete(f.sc.names, name)
		}
	}
	p.collect()
	return l, nil
}

// running returns the layer of float32 that all plans run for a node, as its weights
// are; l becomes it where there is none, nil for none.
func (p *Program) running(n *node, l *boundLayer[float32]) *unroll.Layer {
	if p.precision != nil {
		return nil
	}
	p.constants.Lock()
	defer p.constants.Unlock()
	k := sharedKey{n, layerKey}
	if there, ok := p.shared[k].(*boundLayer[float32]); ok {
		return there.l
	}
	if l == nil {
		return nil
	}
	p.shared[k] = layer(l)
	return l.l
}

// settingsOf returns the layer that a node is by the types and shapes of constants
// alone; info is false for what is no constant as it stands.
func settingsOf(n *Node, info func(name string) (checkpoint.Info, bool)) (unroll.Config, error) {
	if l, ok := n.Attrs["layer"].(*unroll.Layer); ok {
		return l.Config(), nil
	}
	plain, own, err := n.withoutFunctions()
	if err != nil {
		return unroll.Config{}, err
	}
	r, err := onnx.ReadSettings(onnxNode(plain), func(name string) (checkpoint.Info, error) {
		i, ok := info(name)
		if !ok {
			return i, fmt.Errorf("%q is computed by the graph", name)
		}
		return i, nil
	})
	if err == nil {
		err = setFunctions(n, r, own)
	}
	if err != nil {
		return unroll.Config{}, err
	}
	return LayerConfig(r)
}
