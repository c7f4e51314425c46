package graph

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/unroll-ml/unroll/internal/testkit"
	"github.com/unroll-ml/unroll/internal/testkit/levels"
	"github.com/unroll-ml/unroll/rng"
)

// A graph is written with a builder, compiled, and run.
func ExampleBuilder() {
	var b Builder
	x := b.Input("x", F32, Dim{Size: -1, Name: "batch"}, Dim{Size: 2})
	w := b.Constant("w", must(Of([]float32{1, 2, 3, 4, 5, 6}, 2, 3)))
	b.Output("y", F32, b.Op("Relu", nil, b.Op("MatMul", nil, x, w)))
	p, err := Compile(b.Graph(), Limits{})
	if err != nil {
		fmt.Println(err)
		return
	}
	out := make([]Value, 1)
	err = p.Run([]Value{must(Of([]float32{1, 0, -1, 0.5}, 2, 2))}, out)
	fmt.Println(out[0].Shape, Data[float32](out[0]), err)
	// Output:
	// [2 3] [1 2 3 1 0.5 0] <nil>
}

func compiled(t testing.TB, b *Builder, l Limits) *Program {
	t.Helper()
	p, err := Compile(b.Graph(), l)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func drawn(t testing.TB, g *rng.Generator, shape ...int) Value {
	t.Helper()
	v := must(New(F32, shape...))
	if err := rng.Uniform(g, data[float32](&v), -1, 1); err != nil {
		t.Fatal(err)
	}
	return v
}

// network writes a model with every kind of step: a convolution, a normalisation,
// an LSTM of both directions, attention over time, a head. Input [B,3,T].
func network(t testing.TB, b *Builder) {
	t.Helper()
	g := rng.New(1)
	c := func(shape ...int) string { return b.Constant("", drawn(t, g, shape...)) }
	x := b.Input("x", F32, Dim{Size: -1}, Dim{Size: 3}, Dim{Size: -1})
	x = b.Op("Conv", Attrs{"pads": []int64{1, 1}, "strides": []int64{2}}, x, c(20, 3, 3), c(20))
	// A chain that is joined: x*sigmoid(x), then tanh of twice it.
	x = b.Op("Mul", nil, x, b.Op("Sigmoid", nil, x))
	x = b.Op("Tanh", nil, b.Op("Mul", nil, b.Constant("", Scalar(float32(2))), x))
	x = b.Op("Transpose", Attrs{"perm": []int64{2, 0, 1}}, x)
	x = b.Op("LayerNormalization", nil, x, c(20), c(20))
	y := b.Ops("LSTM", 3, Attrs{"hidden_size": 24, "direction": "bidirectional"}, x, c(2, 96, 20), c(2, 96, 24), c(2, 192))
	x = b.Op("Transpose", Attrs{"perm": []int64{2, 0, 1, 3}}, y[0]) // [B,T,D,H]
	x = b.Op("Reshape", nil, x, b.Ints(0, 0, -1))
	score := b.Op("Softmax", Attrs{"axis": int64(1)}, b.Op("MatMul", nil, x, c(48, 1)))
	x = b.Op("ReduceSum", Attrs{"keepdims": int64(0)}, b.Op("Mul", nil, x, score), b.Ints(1))
	b.Output("y", F32, b.Op("Gemm", Attrs{"transB": int64(1)}, x, c(10, 48), c(10)), Dim{Size: -1}, Dim{Size: 10})
	b.Output("h", F32, y[1], Dim{Size: 2}, Dim{Size: -1}, Dim{Size: 24})
}

// A result has the same bits on every level of the kernels, alone or in a batch,
// by a plan or node by node, and the plans of other shapes do not matter.
func TestOneArithmetic(t *testing.T) {
	var b Builder
	network(t, &b)
	p := compiled(t, &b, Limits{})
	x := drawn(t, rng.New(2), 5, 3, 41)
	var want []Value
	levels.Each(func(level string) {
		for _, eager := range []bool{false, true} {
			q := compiled(t, &Builder{graph: *p.graph}, Limits{})
			q.plans.eager = eager
			out := make([]Value, 2)
			if err := q.Run([]Value{x}, out); err != nil {
				t.Fatal(err)
			}
			if want == nil {
				want = out
			}
			for i := range out {
				if err := testkit.SameBits(Data[float32](out[i]), Data[float32](want[i])); err != nil {
					t.Errorf("level %s, output %d, eager %v: %v", level, i, eager, err)
				}
			}
		}
	})
	for i := range 5 {
		one := must(Of(Data[float32](x)[i*3*41:(i+1)*3*41], 1, 3, 41))
		out := make([]Value, 2)
		if err := p.Run([]Value{one}, out); err != nil {
			t.Fatal(err)
		}
		if err := testkit.SameBits(Data[float32](out[0]), Data[float32](want[0])[i*10:(i+1)*10]); err != nil {
			t.Errorf("sequence %d alone: %v", i, err)
		}
	}
}

func TestSteadyRunsAllocateNothing(t *testing.T) {
	var b Builder
	network(t, &b)
	p := compiled(t, &b, Limits{})
	in, out := []Value{drawn(t, rng.New(2), 2, 3, 30)}, make([]Value, 2)
	run := func() {
		if err := p.Run(in, out); err != nil {
			t.Fatal(err)
		}
	}
	run()
	if n := testing.AllocsPerRun(20, run); n != 0 {
		t.Errorf("%v allocations a run", n)
	}
}

func TestManyGoroutinesRunOneProgram(t *testing.T) {
	var b Builder
	network(t, &b)
	p := compiled(t, &b, Limits{Plans: 2})
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			in := []Value{drawn(t, rng.New(uint64(i%4)), 1+i%4, 3, 20+i%4)}
			want, out := make([]Value, 2), make([]Value, 2)
			for k := range 6 {
				if err := p.Run(in, out); err != nil {
					t.Error(err)
					return
				}
				if k == 0 {
					want = []Value{out[0].Clone(), out[1].Clone()}
				}
				if err := testkit.SameBits(Data[float32](out[0]), Data[float32](want[0])); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if n := len(p.plans.list); n > 2 {
		t.Errorf("%d plans are kept, Limits.Plans allows 2", n)
	}
	layers := 0
	for k := range p.shared {
		if k.what == "layer" {
			layers++
		}
	}
	if layers != 1 {
		t.Errorf("%d layers for one node", layers)
	}
}

// Values take each other's places: of a hundred steps two or three are alive.
func TestMemoryIsReused(t *testing.T) {
	var b Builder
	x := b.Input("x", F32, Dim{Size: -1})
	for range 100 {
		x = b.Op("Tanh", nil, x)
	}
	b.Output("y", F32, x)
	p := compiled(t, &b, Limits{})
	const n = 1 << 16
	if err := p.Run([]Value{must(New(F32, n))}, make([]Value, 1)); err != nil {
		t.Fatal(err)
	}
	if got := p.plans.list[0].arena; got > 3*4*n {
		t.Errorf("a frame of %d bytes for values of %d", got, 4*n)
	}
}

// Chains of element-wise operators are one step each, with the bits of all.
func TestElementwiseChainsAreJoined(t *testing.T) {
	var b Builder
	x := b.Input("x", F32, Dim{Size: -1}, Dim{Size: 1000})
	row := b.Constant("", drawn(t, rng.New(5), 1000))
	y := b.Op("Sub", nil, b.Constant("", Scalar(float32(1))), b.Op("Sigmoid", nil, b.Op("Mul", nil, x, x)))
	y = b.Op("Div", nil, b.Op("Add", nil, b.Op("Relu", nil, y), x), b.Constant("", Scalar(float32(3))))
	z := b.Op("Tanh", nil, b.Op("Add", nil, y, row)) // a row is not of the output's size
	b.Output("y", F32, b.Op("Mul", nil, z, b.Op("Neg", nil, z)))
	p := compiled(t, &b, Limits{})
	in, got, want := []Value{drawn(t, rng.New(6), 9, 1000)}, make([]Value, 1), make([]Value, 1)
	if err := p.Run(in, got); err != nil {
		t.Fatal(err)
	}
	if n := len(p.plans.list[0].steps); n != 4 {
		t.Errorf("%d steps, want 4: the chain, the row, tanh, and its product", n)
	}
	p.plans.list, p.plans.eager = nil, true
	if err := p.Run(in, want); err != nil {
		t.Fatal(err)
	}
	if err := testkit.SameBits(Data[float32](got[0]), Data[float32](want[0])); err != nil {
		t.Error(err)
	}
}

// branch is an If on a condition that gives x or -x.
func branch(b *Builder, cond, x string) string {
	side := func(op string) *Graph {
		return &Graph{Nodes: []Node{{Op: op, Inputs: []string{x}, Outputs: []string{"side"}}}, Outputs: []Port{{Name: "side"}}}
	}
	return b.Op("If", Attrs{"then_branch": side("Identity"), "else_branch": side("Neg")}, cond)
}

// An If is decided by a small integer input when the plan is made, by data when it
// runs, and constants of a branch are not taken for those of the other.
func TestIf(t *testing.T) {
	for name, cond := range map[string]func(b *Builder) string{
		"rate": func(b *Builder) string {
			return b.Op("Equal", nil, b.Input("rate", I64), b.Constant("", Scalar(int64(16000))))
		},
		"data": func(b *Builder) string {
			return b.Op("Greater", nil, b.Op("ReduceSum", Attrs{"keepdims": 0}, "x"), b.Input("least", F32))
		},
	} {
		t.Run(name, func(t *testing.T) {
			var b Builder
			x := b.Input("x", F32, Dim{Size: -1})
			c := cond(&b)
			// A constant that a branch gives goes through a node of its own.
			gives := func(v float32) *Graph {
				return &Graph{Constants: []Constant{{Name: "k", Value: Scalar(v), Type: F32}}, Outputs: []Port{{Name: "k"}}}
			}
			k := b.Op("Neg", nil, b.Op("If", Attrs{"then_branch": gives(10), "else_branch": gives(20)}, c))
			b.Output("y", F32, b.Op("Add", nil, branch(&b, c, x), k))
			p := compiled(t, &b, Limits{})
			for range 2 {
				for _, yes := range []bool{true, false} {
					second, want := Scalar(int64(8000)), []float32{-21, -22}
					if yes {
						second, want = Scalar(int64(16000)), []float32{-9, -8}
					}
					if name == "data" {
						second = Scalar(float32(100))
						if yes {
							second = Scalar(float32(1))
						}
					}
					out := make([]Value, 1)
					if err := p.Run([]Value{Vector[float32](1, 2), second}, out); err != nil {
						t.Fatal(err)
					}
					if got := Data[float32](out[0]); !slices.Equal(got, want) {
						t.Errorf("%v: got %v, want %v", yes, got, want)
					}
				}
			}
			if planned := len(p.plans.list) == 2; planned != (name == "rate") {
				t.Errorf("%d plans are kept", len(p.plans.list))
			}
		})
	}
}

func TestMissingOperatorsAreNamedTogether(t *testing.T) {
	var b Builder
	x := b.Input("x", F32)
	y := b.Op("Fourier", nil, x)
	inner := &Graph{Nodes: []Node{{Name: "deep", Op: "Wavelet", Domain: "org.example", Inputs: []string{y}, Outputs: []string{"o"}}}, Outputs: []Port{{Name: "o"}}}
	b.Output("y", F32, b.Op("If", Attrs{"then_branch": inner, "else_branch": inner}, b.Op("Relu", Attrs{"slope": float32(1)}, y)))
	_, err := Compile(b.Graph(), Limits{})
	if !errors.Is(err, ErrOperator) {
		t.Fatalf("got %v, want an ErrOperator", err)
	}
	for _, want := range []string{`"Fourier.1" (Fourier)`, `"deep" (org.example.Wavelet)`, `attribute "slope"`} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%v\nlacks %s", err, want)
		}
	}
}

func TestGraphsThatDoNotHoldTogether(t *testing.T) {
	node := func(in, out string) Node {
		return Node{Op: "Relu", Inputs: []string{in}, Outputs: []string{out}}
	}
	in, out := []Port{{Name: "x", Type: F32}}, []Port{{Name: "y", Type: F32}}
	deep := &Graph{Outputs: []Port{{Name: "x"}}}
	for range maxNesting + 2 {
		deep = &Graph{Nodes: []Node{{Op: "If", Inputs: []string{"x"}, Outputs: []string{"o"}, Attrs: Attrs{"then_branch": deep, "else_branch": deep}}}, Outputs: []Port{{Name: "o"}}}
		break
	}
	for range maxNesting + 2 {
		deep = &Graph{Nodes: []Node{{Op: "Loop", Inputs: []string{"", "x"}, Outputs: []string{"o"}, Attrs: Attrs{"body": deep}}}, Outputs: []Port{{Name: "o"}}}
	}
	for name, c := range map[string]struct {
		g    Graph
		want string
	}{
		"a loop":       {Graph{Inputs: in, Outputs: out, Nodes: []Node{node("b", "y"), node("y", "b")}}, "made by no node before it"},
		"a name twice": {Graph{Inputs: in, Outputs: out, Nodes: []Node{node("x", "y"), node("x", "y")}}, "twice"},
		"no output":    {Graph{Inputs: in, Outputs: out}, `output "y"`},
		"no input":     {Graph{Inputs: in, Outputs: out, Nodes: []Node{node("z", "y")}}, `"z"`},
		"nesting":      {Graph{Inputs: in, Outputs: out, Nodes: []Node{node("x", "y"), {Op: "Loop", Inputs: []string{"", "x"}, Outputs: []string{"o"}, Attrs: Attrs{"body": deep}}}}, "deep"},
	} {
		t.Run(name, func(t *testing.T) {
			c.g.Opsets = map[string]int64{"": 20}
			if _, err := Compile(&c.g, Limits{}); !errors.Is(err, ErrGraph) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want an ErrGraph with %q", err, c.want)
			}
		})
	}
}

// What a few bytes ask for is refused before it is taken, and sizes beside an
// empty one cost nothing.
func TestHostileGraphs(t *testing.T) {
	const huge = int64(1) << 40
	endless := func() *Graph {
		return &Graph{Inputs: []Port{{Name: "i"}, {Name: "go"}}, Outputs: []Port{{Name: "go"}}}
	}
	for name, c := range map[string]struct {
		write func(b *Builder) string
		want  error
	}{
		"Expand":          {func(b *Builder) string { return b.Op("Expand", nil, "x", b.Ints(huge, 2)) }, ErrLimit},
		"Tile":            {func(b *Builder) string { return b.Op("Tile", nil, "x", b.Ints(huge)) }, ErrLimit},
		"Tile of a tile":  {func(b *Builder) string { return b.Op("Tile", nil, "x", b.Ints(math.MaxInt64)) }, ErrGraph},
		"ConstantOfShape": {func(b *Builder) string { return b.Op("ConstantOfShape", nil, b.Ints(huge)) }, ErrLimit},
		"overflow":        {func(b *Builder) string { return b.Op("ConstantOfShape", nil, b.Ints(huge, huge, huge)) }, ErrGraph},
		"Pad":             {func(b *Builder) string { return b.Op("Pad", nil, "x", b.Ints(huge, huge)) }, ErrLimit},
		"Loop": {func(b *Builder) string {
			return b.Ops("Loop", 1, Attrs{"body": endless()}, "", b.Constant("", Scalar(true)), "x")[0]
		}, ErrGraph},
		"Loop without end": {func(b *Builder) string {
			e := endless()
			e.Inputs = append(e.Inputs, Port{Name: "v"})
			e.Outputs = append(e.Outputs, Port{Name: "v"})
			return b.Op("Loop", Attrs{"body": e}, "", b.Constant("", Scalar(true)), "x")
		}, ErrLimit},
		"a window": {func(b *Builder) string {
			return b.Op("MaxPool", Attrs{"kernel_shape": []int64{1 << 23}, "pads": []int64{1 << 23, 1 << 23}}, b.Op("Reshape", nil, "x", b.Ints(1, 1, -1)))
		}, ErrLimit},
		"Conv of many": {func(b *Builder) string {
			return b.Op("Conv", Attrs{"strides": []int64{1 << 40}}, b.Op("Reshape", nil, "x", b.Ints(1, 1, -1)), b.Constant("", must(New(F32, 1, 1, 1))))
		}, ErrGraph},
		"Range": {func(b *Builder) string {
			return b.Op("Range", nil, b.Constant("", Scalar(int64(0))), b.Constant("", Scalar(huge)), b.Constant("", Scalar(int64(1))))
		}, ErrLimit},
		"Range by nothing": {func(b *Builder) string {
			return b.Op("Range", nil, b.Constant("", Scalar(float32(0))), b.Constant("", Scalar(float32(1))), b.Constant("", Scalar(float32(0))))
		}, ErrGraph},
		"doubling": {func(b *Builder) string {
			x := b.Constant("", must(New(F32, 1<<16)))
			for range 40 {
				x = b.Op("Concat", Attrs{"axis": 0}, x, x)
			}
			return x
		}, ErrLimit},
		"empty beside huge": {func(b *Builder) string {
			e := b.Op("ConstantOfShape", nil, b.Ints(huge, 0))
			return b.Op("Concat", Attrs{"axis": 1}, e, e)
		}, nil},
		"empty, many ways": {func(b *Builder) string {
			e := b.Op("ConstantOfShape", nil, b.Ints(huge, 0))
			e = b.Op("Transpose", nil, e)
			e = b.Op("Pad", nil, e, b.Ints(0, 1, 0, 1))
			return b.Ops("Split", 2, Attrs{"axis": 1, "num_outputs": 2}, b.Op("Add", nil, e, e))[0]
		}, nil},
		"reduced to something": {func(b *Builder) string {
			return b.Op("ReduceSum", nil, b.Op("ConstantOfShape", nil, b.Ints(huge, 0)), b.Ints(1))
		}, ErrLimit},
	} {
		t.Run(name, func(t *testing.T) {
			var b Builder
			b.Input("x", F32, Dim{Size: -1})
			y := c.write(&b)
			b.Output("y", F32, b.Op("Shape", nil, y))
			p, err := Compile(b.Graph(), Limits{Steps: 1 << 12})
			if err == nil {
				err = p.Run([]Value{Vector[float32](1, 2)}, make([]Value, 1))
			}
			if !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
}

func TestConstantsAreLoadedOnceAndWhenNeeded(t *testing.T) {
	loads := map[string]int{}
	constant := func(name string) Constant {
		return Constant{Name: name, Type: F32, Load: func() (Value, error) { loads[name]++; return Scalar(float32(1)), nil }}
	}
	g := &Graph{
		Inputs: []Port{{Name: "x", Type: F32}}, Outputs: []Port{{Name: "y", Type: F32}},
		Constants: []Constant{constant("used"), constant("unused"), constant("dead")},
		Nodes: []Node{
			{Op: "Neg", Inputs: []string{"dead"}, Outputs: []string{"nobody"}},
			{Op: "Add", Inputs: []string{"x", "used"}, Outputs: []string{"y"}},
		},
		Opsets: map[string]int64{"": 20},
	}
	p, err := Compile(g, Limits{})
	if err != nil || len(loads) != 0 {
		t.Fatal(loads, err)
	}
	for n := range 3 {
		if err := p.Run([]Value{must(New(F32, n+1))}, make([]Value, 1)); err != nil {
			t.Fatal(err)
		}
	}
	if len(loads) != 1 || loads["used"] != 1 {
		t.Errorf("loaded %v, want used, once", loads)
	}
}

func TestRunRefusesWrongInputs(t *testing.T) {
	var b Builder
	b.Output("y", F32, b.Input("x", F32, Dim{Size: -1, Name: "batch"}, Dim{Size: 3}))
	p := compiled(t, &b, Limits{})
	for _, in := range [][]Value{nil, {Vector[float32](1, 2, 3)}, {must(New(F32, 2, 4))}, {must(New(F64, 2, 3))}, {{}}} {
		if err := p.Run(in, make([]Value, 1)); !errors.Is(err, ErrInput) {
			t.Errorf("%v: got %v, want an ErrInput", in, err)
		}
	}
}
