package chain

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/unroll-ml/unroll/checkpoint"
	"github.com/unroll-ml/unroll/checkpoint/safetensors"
	"github.com/unroll-ml/unroll/internal/graph"
)

// goldens are written by testdata/modules.py.
const goldens = "testdata/modules.safetensors"

// golden is one case of theirs.
type golden struct {
	line, opt string
	sd        checkpoint.Set
	in, out   []graph.Value
}

func readGoldens(t testing.TB) (list []golden) {
	t.Helper()
	f, err := safetensors.Open(goldens)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	names := f.Names()
	slices.Sort(names)
	for _, name := range names {
		number, rest, _ := strings.Cut(name, ".")
		x, err := f.Tensor(name)
		if err != nil {
			t.Fatal(err)
		}
		for len(list) <= int(number[0]-'0')*100+int(number[1]-'0')*10+int(number[2]-'0') {
			list = append(list, golden{})
		}
		g := &list[len(list)-1]
		if leaf, ok := strings.CutPrefix(rest, "sd."); ok {
			x.Name = leaf
			g.sd = append(g.sd, x)
			continue
		}
		switch {
		case rest == "line":
			g.line = string(x.Data)
		case rest == "opt":
			g.opt = string(x.Data)
		case strings.HasPrefix(rest, "in"):
			g.in = append(g.in, valueOf(t, checkpoint.Set{x}, name))
		default:
			g.out = append(g.out, valueOf(t, checkpoint.Set{x}, name))
		}
	}
	return list
}

// valueOf reads a tensor as a value of a graph.
func valueOf(t testing.TB, src checkpoint.Source, name string) graph.Value {
	t.Helper()
	info, _ := src.Info(name)
	var v graph.Value
	var err error
	if info.DType == checkpoint.F32 || info.DType == checkpoint.F64 {
		d, e := checkpoint.Float[float32](src, name)
		if e != nil {
			t.Fatal(e)
		}
		v, err = graph.Of(d.Data, d.Shape...)
	} else {
		x, shape, e := checkpoint.Ints(src, name)
		if e != nil {
			t.Fatal(e)
		}
		v, err = graph.Of(x, shape...)
		if info.DType == checkpoint.Bool {
			b := make([]bool, len(x))
			for i := range x {
				b[i] = x[i] != 0
			}
			v, err = graph.Of(b, shape...)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// Every function and module of the tables is PyTorch's, once with the inputs'
// shapes said and once, where the line leaves no question, without.
func TestFunctionsAndModulesArePyTorchs(t *testing.T) {
	asked, used := 0, map[string]bool{}
	list := readGoldens(t)
	for _, g := range list {
		t.Run(g.line, func(t *testing.T) {
			c, err := Parse(g.line)
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range slices.Concat(c.pipes, c.results) {
				for _, s := range p.steps {
					used[s.name] = true
				}
			}
			opt := Options{Layout: map[string]Layout{"batch": BatchFirst, "time": TimeFirst}[g.opt]}
			for _, v := range g.in {
				p := graph.Port{Type: v.Type, Shape: []graph.Dim{}}
				for _, d := range v.Shape {
					p.Shape = append(p.Shape, graph.Dim{Size: d})
				}
				opt.Inputs = append(opt.Inputs, p)
			}
			n, err := Build(g.sd, c, opt)
			if err != nil {
				t.Fatal(err)
			}
			got := evaluate(t, n, g.in)
			compare(t, got, g.out, 2e-6)
			shapesHold(t, n, g.out)
			again, err := Build(g.sd, n.Chain, Options{Inputs: opt.Inputs})
			if err != nil {
				t.Fatalf("%s: %v", n.Chain, err)
			}
			compare(t, evaluate(t, again, g.in), got, 0)
			free, err := Build(g.sd, c, Options{Layout: opt.Layout})
			switch {
			case errors.Is(err, ErrAmbiguous), errors.Is(err, ErrArgument), g.opt == "unbatched" && errors.Is(err, ErrLayout):
				asked++
			case err != nil:
				t.Error(err)
			case free.Graph.Inputs[0].Type == g.in[0].Type:
				out, err := tryEvaluate(t, free, g.in)
				if errors.Is(err, graph.ErrGraph) { // a size was taken to be another, and is not
					asked++
				} else if err != nil {
					t.Error(err)
				} else {
					compare(t, out, g.out, 2e-6)
					shapesHold(t, free, g.out)
				}
			}
		})
	}
	t.Logf("%d lines, %d of them ask for shapes if they are not said", len(list), asked)
	for _, name := range functionNames() {
		if !used[name] && !aliases[name] {
			t.Errorf("no line has the function %s", name)
		}
	}
}

// shapesHold checks what a program says of its outputs' shapes: no size may be
// another, and where the inputs' are all said, none may be unknown.
func shapesHold(t *testing.T, n *Network, out []graph.Value) {
	t.Helper()
	said := true
	for _, p := range n.Graph.Inputs {
		said = said && p.Shape != nil && !slices.ContainsFunc(p.Shape, func(d graph.Dim) bool { return d.Size < 0 })
	}
	for i, p := range n.Graph.Outputs {
		if p.Shape == nil {
			continue
		}
		if len(p.Shape) != len(out[i].Shape) {
			t.Errorf("output %d is said to be %v, and is %v", i, p.Shape, out[i].Shape)
			continue
		}
		for k, d := range p.Shape {
			if d.Size >= 0 && d.Size != out[i].Shape[k] {
				t.Errorf("output %d is said to be %v, and is %v", i, p.Shape, out[i].Shape)
			}
			if said && d.Size < 0 {
				t.Errorf("output %d is said to be %v of known inputs, and is %v", i, p.Shape, out[i].Shape)
			}
		}
	}
}

// aliases are other names of functions, and those that do nothing.
var aliases = map[string]bool{"multiply": true, "subtract": true, "divide": true, "concat": true, "identity": true, "contiguous": true, "detach": true}
