package onnx

import (
	"encoding/binary"
	"fmt"
	"math"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/unroll-ml/unroll/checkpoint"
)

// parser reads the messages of one file. It counts what all of its graphs hold
// together, and shares the strings that stand there again and again.
type parser struct {
	nodes, depth int
	words        map[string]string
	held         map[int]held // of the constants of the file's own graph
}

// word is field.str for operators, domains and names of attributes.
func (p *parser) word(v field, message string, to *string) error {
	if len(v.b) <= maxName {
		if s, ok := p.words[string(v.b)]; ok && v.typ == protowire.BytesType {
			*to = s
			return nil
		}
	}
	err := v.str(message, to)
	if err == nil && len(p.words) < 1<<12 {
		p.words[*to] = *to
	}
	return err
}

// parse reads a ModelProto.
func (f *File) parse(b []byte, in map[int]held) error {
	const message = "model"
	var graph []byte
	found := false
	p := &parser{words: map[string]string{}, held: in}
	err := walk(b, message, func(v field) (err error) {
		switch v.num {
		case 1:
			err = v.int(message, &f.IR)
		case 2:
			err = v.str(message, &f.Producer)
		case 3:
			err = v.str(message, &f.ProducerVersion)
		case 7:
			if found {
				return fmt.Errorf("model: there are two graphs")
			}
			found = true
			graph, err = v.bytes(message)
		case 8:
			err = f.parseOpset(v)
		case 14:
			var pair []byte
			if pair, err = v.bytes(message); err == nil {
				var key, value string
				key, value, err = parsePair(pair)
				f.meta[key] = value
			}
		case 25:
			var text []byte
			if text, err = v.bytes(message); err == nil {
				var fn Function
				if fn, err = p.function(text); err == nil {
					f.Functions = append(f.Functions, fn)
				}
			}
		}
		return err
	})
	if err != nil {
		return err
	}
	if !found {
		return fmt.Errorf("model: there is no graph in %d bytes; is this an ONNX file?", len(b))
	}
	if f.IR >= 3 && f.Opset == 0 {
		return fmt.Errorf("model: it names no opset of ONNX's own operators, which IR version %d has; is it cut short?", f.IR)
	}
	if err := p.graph(graph, &f.Graph); err != nil {
		return err
	}
	for i, t := range f.Graph.tensors {
		f.index[t.Name] = i
	}
	f.tensors = f.Graph.tensors
	return f.inline()
}

func (f *File) parseOpset(v field) error {
	const message = "opset_import"
	b, err := v.bytes(message)
	if err != nil {
		return err
	}
	domain, version, err := parseOpset(b)
	if domain == "ai.onnx" {
		domain = ""
	}
	if domain == "" {
		f.Opset = version
	}
	f.Opsets[domain] = version
	return err
}

func parseOpset(b []byte) (domain string, version int64, err error) {
	const message = "opset_import"
	err = walk(b, message, func(v field) error {
		switch v.num {
		case 1:
			return v.str(message, &domain)
		case 2:
			return v.int(message, &version)
		}
		return nil
	})
	return domain, version, err
}

// maxDepth bounds graphs within graphs.
const maxDepth = 32

// graph reads a GraphProto, of the model or of an attribute.
func (p *parser) graph(b []byte, g *Graph) error {
	const message = "graph"
	if p.depth++; p.depth > maxDepth {
		return fmt.Errorf("graph: graphs lie in graphs more than %d deep", maxDepth)
	}
	defer func() { p.depth-- }()
	var count [32]int
	err := walk(b, message, func(v field) error {
		if v.num < 32 {
			count[v.num]++
		}
		return nil
	})
	if err != nil {
		return err
	}
	if p.nodes += count[1]; max(p.nodes, count[5], count[11], count[12]) > maxNodes {
		return fmt.Errorf("graph: more than %d nodes or values", maxNodes)
	}
	g.Nodes = make([]Node, 0, count[1])
	index := make(map[string]bool, count[5])
	err = walk(b, message, func(v field) error {
		switch v.num {
		case 2:
			return v.str(message, &g.Name)
		case 1, 5, 11, 12:
		case 15:
			return fmt.Errorf("graph: sparse initializers are not read")
		default:
			return nil
		}
		b, err := v.bytes(message)
		if err != nil {
			return err
		}
		switch v.num {
		case 1:
			g.Nodes = append(g.Nodes, Node{})
			if err := p.node(b, &g.Nodes[len(g.Nodes)-1]); err != nil {
				return fmt.Errorf("node %d: %w", len(g.Nodes)-1, err)
			}
		case 5:
			var own *held
			if h, ok := p.held[len(g.tensors)]; ok && p.depth == 1 {
				own = &h
			}
			t, err := parseTensor(b, own)
			if err != nil {
				return err
			}
			if index[t.Name] {
				return fmt.Errorf("initializer %q is there twice", t.Name)
			}
			index[t.Name] = true
			g.tensors = append(g.tensors, t)
		case 11, 12:
			value, err := parseValue(b)
			if err != nil {
				return err
			}
			if v.num == 11 {
				g.Inputs = append(g.Inputs, value)
			} else {
				g.Outputs = append(g.Outputs, value)
			}
		}
		return nil
	})
	kept := g.Inputs[:0]
	for _, in := range g.Inputs {
		if index[in.Name] {
			g.Defaults = append(g.Defaults, in)
		} else {
			kept = append(kept, in)
		}
	}
	g.Inputs = kept
	return err
}

func (p *parser) node(b []byte, n *Node) error {
	const message = "node"
	err := walk(b, message, func(v field) (err error) {
		var s string
		switch v.num {
		case 1:
			err = v.str(message, &s)
			n.Inputs = append(n.Inputs, s)
		case 2:
			err = v.str(message, &s)
			n.Outputs = append(n.Outputs, s)
		case 3:
			err = v.str(message, &n.Name)
		case 4:
			err = p.word(v, message, &n.Op)
		case 5:
			var text []byte
			if text, err = v.bytes(message); err == nil {
				var a Attribute
				a, err = p.attribute(text)
				if err == nil && n.attribute(a.Name) != nil {
					err = fmt.Errorf("attribute %q is there twice", a.Name)
				}
				if err == nil && len(n.Attributes) >= maxAttributes {
					err = fmt.Errorf("more than %d attributes", maxAttributes)
				}
				n.Attributes = append(n.Attributes, a)
			}
		case 7:
			err = p.word(v, message, &n.Domain)
		}
		return err
	})
	if err == nil && n.Op == "" {
		err = fmt.Errorf("it has no operator")
	}
	return err
}

// maxAttributes bounds the attributes of a node; no operator has a tenth of it.
const maxAttributes = 256

// attributeFields are what an AttributeProto says beside its value.
type attributeFields struct {
	Attribute
	kind   int64
	floats []byte
	seen   Kind // what a file without types (IR version 1) must mean
}

func (p *parser) attribute(b []byte) (Attribute, error) {
	var a attributeFields
	err := walk(b, "attribute", func(v field) error { return p.attributeField(v, &a) })
	if err != nil {
		return a.Attribute, err
	}
	for i := 0; i < len(a.floats); i += 4 {
		a.Floats = append(a.Floats, math.Float32frombits(binary.LittleEndian.Uint32(a.floats[i:])))
	}
	switch a.Kind = Kind(a.kind); a.Kind {
	case Float, Int, String, Floats, Ints, Strings, Tensors, GraphsKind:
	case Tensor:
		if a.T == nil && a.ref == "" {
			return a.Attribute, fmt.Errorf("attribute %q is a tensor, but has none", a.Name)
		}
	case GraphKind:
		if a.G == nil && a.ref == "" {
			return a.Attribute, fmt.Errorf("attribute %q is a graph, but has none", a.Name)
		}
	case 0:
		a.Kind = a.seen
	default:
		a.Kind = Other
	}
	return a.Attribute, nil
}

// attributeField takes one field.
func (p *parser) attributeField(v field, a *attributeFields) (err error) {
	const message = "attribute"
	var text []byte
	switch v.num {
	case 1:
		err = p.word(v, message, &a.Name)
	case 2:
		err, a.seen = v.float(message, &a.F), Float
	case 3:
		err, a.seen = v.int(message, &a.I), Int
	case 4:
		err, a.seen = v.str(message, &a.S), String
	case 5:
		if text, err = v.bytes(message); err == nil {
			a.T, err = p.tensor(text, a.Name)
			a.seen = Tensor
		}
	case 6:
		if text, err = v.bytes(message); err == nil {
			a.G, a.seen = &Graph{}, GraphKind
			err = p.graph(text, a.G)
		}
	case 7:
		err, a.seen = v.fixed(message, 4, &a.floats), Floats
	case 8:
		err, a.seen = v.ints(message, &a.Ints), Ints
	case 9:
		var s string
		err, a.seen = v.str(message, &s), Strings
		a.Strings = append(a.Strings, s)
	case 10:
		if text, err = v.bytes(message); err == nil {
			var t *checkpoint.Tensor
			t, err = p.tensor(text, a.Name)
			a.Tensors, a.seen = append(a.Tensors, t), Tensors
		}
	case 11:
		if text, err = v.bytes(message); err == nil {
			a.Graphs, a.seen = append(a.Graphs, &Graph{}), GraphsKind
			err = p.graph(text, a.Graphs[len(a.Graphs)-1])
		}
	case 20:
		err = v.int(message, &a.kind)
	case 21:
		err = v.str(message, &a.ref)
	case 22, 23:
		err = fmt.Errorf("attribute %q: sparse tensors are not read", a.Name)
	}
	return err
}

// tensor reads a tensor of an attribute.
func (p *parser) tensor(b []byte, attribute string) (*checkpoint.Tensor, error) {
	t, err := parseTensor(b, nil)
	if err != nil {
		return nil, err
	}
	if t.external != nil {
		return nil, fmt.Errorf("attribute %q: a tensor outside the file is read only as an initializer", attribute)
	}
	return &t.Tensor, nil
}

// parseValue reads a ValueInfoProto.
func parseValue(b []byte) (Value, error) {
	const message = "value"
	var v Value
	sub := func(b []byte, num int32, f func(field) error) error {
		return walk(b, message, func(x field) error {
			if int32(x.num) != num {
				return nil
			}
			if _, err := x.bytes(message); err != nil {
				return err
			}
			return f(x)
		})
	}
	err := walk(b, message, func(x field) error {
		switch x.num {
		case 1:
			return x.str(message, &v.Name)
		case 2: // TypeProto
			text, err := x.bytes(message)
			if err != nil {
				return err
			}
			return sub(text, 1, func(t field) error { // tensor_type
				return walk(t.b, message, func(x field) error {
					switch x.num {
					case 1:
						var elem int64
						err := x.int(message, &elem)
						t, name := elementType(elem)
						if v.Type = name; t.Size() > 0 {
							v.Type = t.String()
						}
						return err
					case 2:
						shape, err := x.bytes(message)
						if err != nil {
							return err
						}
						v.Shape = []Dim{}
						return sub(shape, 1, func(d field) error {
							dim, err := parseDim(d.b)
							v.Shape = append(v.Shape, dim)
							if len(v.Shape) > maxRank {
								return fmt.Errorf("value %q has more than %d dimensions", v.Name, maxRank)
							}
							return err
						})
					}
					return nil
				})
			})
		}
		return nil
	})
	return v, err
}

func parseDim(b []byte) (Dim, error) {
	d := Dim{Size: -1}
	err := walk(b, "dimension", func(x field) error {
		switch x.num {
		case 1:
			return x.int("dimension", &d.Size)
		case 2:
			return x.str("dimension", &d.Name)
		}
		return nil
	})
	return d, err
}
