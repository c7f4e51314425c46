package chain

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	unroll "github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/checkpoint"
	"github.com/unroll-ml/unroll/internal/graph"
	"github.com/unroll-ml/unroll/internal/statedict"
	"github.com/unroll-ml/unroll/rng"
	"github.com/unroll-ml/unroll/tensor"
)

// weights are tensors of a state dict by name and shape, drawn from a seed.
func weights(shapes map[string][]int) checkpoint.Set {
	g := rng.New(3)
	var s checkpoint.Set
	for _, name := range sortedKeys(shapes) {
		d := tensor.New(shapes[name]...)
		rng.Randn(g, d.Data)
		s = append(s, checkpoint.Of(name, d))
	}
	return s
}

// recurrent adds a layer's tensors.
func recurrent(shapes map[string][]int, prefix string, cfg unroll.Config) map[string][]int {
	l, err := unroll.New(cfg)
	if err != nil {
		panic(err)
	}
	for _, p := range l.Params() {
		shapes[prefix+p.Name] = p.Value.Shape
	}
	return shapes
}

func linearShapes(shapes map[string][]int, name string, in, out int) map[string][]int {
	shapes[name+".weight"], shapes[name+".bias"] = []int{out, in}, []int{out}
	return shapes
}

func model() map[string][]int {
	s := recurrent(map[string][]int{}, "lstm.", unroll.Config{Mode: unroll.LSTM, InputSize: 4, HiddenSize: 5, NumLayers: 2})
	linearShapes(s, "fc", 5, 3)
	linearShapes(s, "head.0", 5, 3)
	s["emb.weight"] = []int{9, 4}
	s["square.weight"] = []int{4, 4}
	s["norm.weight"], s["norm.bias"] = []int{3}, []int{3}
	s["conv.weight"], s["conv.bias"] = []int{3, 2, 3}, []int{3}
	s["up.weight"], s["up.bias"] = []int{2, 3, 3}, []int{3}
	s["rms.weight"] = []int{5}
	s["odd.weight_q"] = []int{5}
	return s
}

// What does not go is refused at its place, with what came and what was expected.
func TestBuildRefuses(t *testing.T) {
	src := weights(model())
	for _, m := range []struct {
		line string
		kind error
		at   string // what the caret stands below
		says string
	}{
		{"lstm | lost", ErrName, "lost", "did you mean last?"},
		{"lstm | last | fd", ErrName, "fd", "did you mean fc?; modules are conv, emb, fc, head.0, lstm"},
		{"lstm | head", ErrName, "head", `"head" holds the modules head.0 and is none itself`},
		{"y = lstm; lstm | last", ErrName, "y =", "the value y is never used"},
		{"y = lstm; y = lstm; y", ErrName, "y = lstm; y", "given again before it is used"},
		{"fc = lstm; fc | last", ErrName, "fc = lstm", "fc is a module of the file"},
		{"relu = lstm; relu", ErrName, "relu = lstm", "relu is a function"},
		{"x0 = lstm; x0", ErrName, "x0 = lstm", "x0 is an input"},
		{"y = lstm; lstm | y", ErrName, "y", "can only begin a pipe"},
		{"x1 | lstm", ErrName, "x1", "the line uses x1, and not x0"},
		{"add(x, z)", ErrName, "z)", "z is no value named before"},
		{"x99 | lstm", ErrName, "x99", "at most 16 inputs"},
		{"lstm | last | fc | fc", ErrArgument, "fc", "fc takes 5 features, its input has 3: [?, 3]"},
		{"lstm | fc | last | softmax(dim=2)", ErrArgument, "softmax", "dim 2 of an input of 2 dimensions"},
		{"lstm | softmax", ErrArgument, "softmax", "softmax needs the argument dim"},
		{"lstm | softmax(axis=1)", ErrArgument, "axis", `softmax has no argument "axis"; it has dim`},
		{"lstm | softmax(1, 2)", ErrArgument, "2)", "softmax has at most 1 arguments"},
		{"lstm | softmax(1, dim=1)", ErrArgument, "dim", "softmax gets dim twice"},
		{"lstm | clamp(min='a')", ErrArgument, "clamp", "min is 'a', expected a number"},
		{"lstm | transpose(1, 1.5)", ErrArgument, "transpose", "dim1 is 1.5, expected a whole number"},
		{"lstm(hidden_size=6)", ErrArgument, "lstm", "hidden_size is 6, and its tensors make it 5"},
		{"lstm(nonlinearity='relu')", ErrArgument, "lstm", "expected 'tanh' or 'relu' of an RNN, and it is LSTM"},
		{"lstm(kind='linear')", ErrArgument, "kind", `lstm has no argument "kind"`},
		{"fc(kind='lime')", ErrArgument, "kind", "expected one of batch_norm"},
		{"fc(5)", ErrArgument, "5", "whose arguments have names"},
		{"emb | last", ErrArgument, "last", "it follows a recurrent layer"},
		{"emb | h_last", ErrArgument, "h_last", "stands right after one"},
		{"square | tanh", ErrAmbiguous, "", "either square is kind='linear' and x is float32, or square is kind='embedding' and x is int64"},
		{"conv | norm", ErrAmbiguous, "norm", "a LayerNorm or a GroupNorm (kind='group_norm', num_groups=...) or a BatchNorm without statistics"},
		{"lstm | rms", ErrAmbiguous, "rms", "a PReLU or a LayerNorm or an RMSNorm; write which: rms(kind='prelu')"},
		{"up", ErrArgument, "up", "write up(kind='conv_transpose')"},
		{"conv | conv", ErrArgument, "conv", "takes 2 channels, or a multiple for groups; its input has 3"},
		{"odd", ErrArgument, "odd", "odd has the tensors weight_q [5], which no module that runs has"},
		{"transpose(0, 1) | tanh", ErrAmbiguous, "", "x may have 3 or 2 dimensions"},
		{"lstm(2)", ErrArgument, "2", "whose arguments have names"},
		{"conv | adaptive_avg_pool1d(2)", ErrArgument, "adaptive", "say the input's shape"},
		{"lstm | squeeze", ErrArgument, "squeeze", "say which, as in squeeze(0)"},
		{"lstm | pow('a')", ErrArgument, "'a'", "takes a value here, not 'a'"},
		{"add | fc", ErrArgument, "add", "takes 2 values, it has 1"},
	} {
		n, err := Build(src, mustParse(t, m.line), Options{Layout: BatchFirst})
		if !errors.Is(err, m.kind) || !strings.Contains(err.Error(), m.says) {
			t.Errorf("%s: %v %v; want: %s", m.line, n, err, m.says)
			continue
		}
		var e *Error
		if errors.As(err, &e) && !strings.HasPrefix(m.line[e.Pos:], m.at) {
			t.Errorf("%s: the place is %q, want %q", m.line, m.line[e.Pos:], m.at)
		}
	}
}

// The weights of an RNN do not tell its nonlinearity: a chain that does not say it
// is told what is assumed.
func TestTheNonlinearityIsTold(t *testing.T) {
	src := weights(recurrent(map[string][]int{}, "r.", unroll.Config{Mode: unroll.RNNTanh, InputSize: 4, HiddenSize: 5, NumLayers: 2}))
	for line, told := range map[string]bool{"r | last": true, "r(nonlinearity='tanh') | last": false, "r(nonlinearity='relu') | last": false} {
		n, err := Build(src, mustParse(t, line), Options{Layout: BatchFirst})
		if err != nil {
			t.Fatal(err)
		}
		if got := len(n.Notes) == 1 && strings.Contains(n.Notes[0], "tanh is assumed; r(nonlinearity='tanh') or"); got != told || !told && len(n.Notes) > 0 {
			t.Errorf("%s: %q", line, n.Notes)
		}
	}
}

// A state dict does not say what comes first, and nothing guesses it.
func TestTheLayoutIsAsked(t *testing.T) {
	src := weights(model())
	inputs := []graph.Port{{Shape: []graph.Dim{{Size: 2}, {Size: 7}, {Size: 4}}}}
	_, err := Build(src, mustParse(t, "lstm | last"), Options{Inputs: inputs})
	const want = `chain: "lstm" gets an input of shape [2, 7, 4], which a state dict lets read in two ways: [sequences, steps, features], as torch.nn has it with batch_first=True (say --batch-first), or [steps, sequences, features], torch.nn's default (say --time-first); or write lstm(batch_first=True) or lstm(batch_first=False)`
	if !errors.Is(err, ErrLayout) || err.Error() != want {
		t.Errorf("got %v\nwant %s", err, want)
	}
	// One sequence has one reading.
	if _, err := Build(src, mustParse(t, "lstm | last"), Options{Inputs: []graph.Port{{Shape: []graph.Dim{{Size: 7}, {Size: 4}}}}}); err != nil {
		t.Error(err)
	}
	// The shape is that of indices: as a linear map emb would give 9 features.
	var asked *LayoutError
	if _, err := Build(src, mustParse(t, "emb | lstm"), Options{}); !errors.As(err, &asked) || !slices.Equal(asked.Shape, []int{-1, -1, 4}) {
		t.Error(err)
	}
}

// Sizes of the input follow from what reads it, through transpositions too.
func TestSizesOfTheInputFollow(t *testing.T) {
	for line, want := range map[string]string{
		"conv | relu": "[? 2 ?]",
		"transpose(1, 2) | conv | transpose(1, 2)":     "[? ? 2]",
		"conv(groups=1) | transpose(1, 2) | norm":      "[? 2 ?]",
		"permute(0, 2, 1) | up(kind='conv_transpose')": "[? ? 2]",
	} {
		n, err := Build(weights(model()), mustParse(t, line), Options{})
		if err != nil {
			t.Errorf("%s: %v", line, err)
			continue
		}
		if got := fmt.Sprint(n.Graph.Inputs[0].Shape); got != want {
			t.Errorf("%s: the input is %s, want %s", line, got, want)
		}
	}
}

// The names of a line are found under one prefix, which is asked for where there
// are two.
func TestThePrefixIsFoundOrAsked(t *testing.T) {
	one := map[string][]int{}
	for name, shape := range model() {
		one["state_dict/net."+name] = shape
	}
	line := mustParse(t, "emb | lstm | last | fc")
	n, err := Build(weights(one), line, Options{Layout: TimeFirst})
	if err != nil || n.Prefix != "state_dict/net." {
		t.Errorf("%v, %v", n, err)
	}
	if want := []string{"conv", "head.0", "norm", "odd", "rms", "square", "up"}; !slices.Equal(n.Unused, want) {
		t.Errorf("unused are %v, want %v", n.Unused, want)
	}
	for name, shape := range model() {
		one["ema/"+name] = shape
	}
	if _, err := Build(weights(one), line, Options{Layout: TimeFirst}); !errors.Is(err, ErrAmbiguous) || !strings.Contains(err.Error(), "ema, state_dict/net; choose one by its prefix (--prefix)") {
		t.Error(err)
	}
	for _, prefix := range []string{"ema", "ema/"} {
		if n, err := Build(weights(one), line, Options{Layout: TimeFirst, Prefix: prefix}); err != nil || n.Prefix != "ema/" {
			t.Errorf("%v, %v", n, err)
		}
	}
	if _, err := Build(weights(one), line, Options{Layout: TimeFirst, Prefix: "emma"}); !errors.Is(err, ErrName) {
		t.Error(err)
	}
}

// Tensors that no parameter takes are refused unless the caller says so.
func TestLooseTakesALayerWithMoreBesideIt(t *testing.T) {
	s := model()
	s["lstm.weight_hh_l0_raw"] = []int{20, 5}
	line := mustParse(t, "lstm | last")
	if _, err := Build(weights(s), line, Options{Layout: BatchFirst}); !errors.Is(err, statedict.ErrExtra) {
		t.Error(err)
	}
	if _, err := Build(weights(s), line, Options{Layout: BatchFirst, Loose: true}); err != nil {
		t.Error(err)
	}
}

// Inputs are what the line needs: indices for an embedding, as many dimensions as
// a layer takes, and nothing said where any will do.
func TestInputsFollowFromTheLine(t *testing.T) {
	src := weights(model())
	for line, want := range map[string]string{
		"emb | lstm | last | fc": "x int64 2",
		"lstm | h_last":          "x float32 3",
		"fc | relu":              "x float32 any",
		"conv | relu":            "x float32 3",
		"lstm | last | add(x1)":  "x0 float32 3, x1 float32 any",
		"ne(0) | float":          "x float32 any",
		"e = emb | lstm; k = x1 | emb | lstm; add(e, k)":   "x0 int64 2, x1 int64 2",
		"square(kind=embedding) | lstm | last":             "x int64 2",
		"a = x | fc; b = x1 | fc; bmm(a, b) | sum(dim=-1)": "x0 float32 3, x1 float32 3",
	} {
		n, err := Build(src, mustParse(t, line), Options{Layout: BatchFirst})
		if err != nil {
			t.Errorf("%s: %v", line, err)
			continue
		}
		var got []string
		for _, p := range n.Graph.Inputs {
			rank := "any"
			if p.Shape != nil {
				rank = string(rune('0' + len(p.Shape)))
			}
			got = append(got, p.Name+" "+p.Type.String()+" "+rank)
		}
		if s := strings.Join(got, ", "); s != want {
			t.Errorf("%s: inputs are %s, want %s", line, s, want)
		}
	}
}

// What a line leaves open is tried within bounds, counted in steps.
func TestGuessingIsBounded(t *testing.T) {
	src := weights(model())
	var b strings.Builder
	b.WriteString("x0")
	for i := range maxInputs - 1 {
		b.WriteString(" | add(x" + strconv.Itoa(i+1) + ")")
	}
	many := b.String()
	for _, line := range []string{many, "x0 | add(x1) | add(x2)" + strings.Repeat(" | relu", 4000)} {
		c := mustParse(t, line)
		s := &solver{src: src, chain: c, opt: Options{Type: graph.F32}, names: newNames(src, nil)}
		if _, err := s.solve(); !errors.Is(err, ErrAmbiguous) || s.work > maxWork+1 {
			t.Errorf("%.40s: %v after %d steps", line, err, s.work)
		}
	}
	opt := Options{}
	for range maxInputs {
		opt.Inputs = append(opt.Inputs, graph.Port{Type: graph.F32, Shape: []graph.Dim{{Size: 2}}})
	}
	if _, err := Build(src, mustParse(t, many), opt); err != nil {
		t.Errorf("with types and shapes said: %v", err)
	}
	long := map[string][]int{strings.Repeat("a.", 1<<16) + "fc.weight": {2, 3}}
	if _, err := Build(weights(long), mustParse(t, "fc(kind=linear)"), Options{}); err != nil {
		t.Error(err)
	}
}

// draw is a value of random numbers.
func draw(seed uint64, shape ...int) graph.Value {
	d := tensor.New(shape...)
	rng.Randn(rng.New(seed), d.Data)
	v, err := graph.Of(d.Data, d.Shape...)
	if err != nil {
		panic(err)
	}
	return v
}

// With States, chunks of a sequence that carry their states give the bits of the
// whole.
func TestChunksCarryTheirStates(t *testing.T) {
	src := weights(model())
	line := mustParse(t, "lstm | fc | sigmoid")
	whole, err := Build(src, line, Options{Layout: BatchFirst})
	if err != nil {
		t.Fatal(err)
	}
	x := draw(1, 1, 6, 4)
	want := graph.Data[float32](evaluate(t, whole, []graph.Value{x})[0])
	n, err := Build(src, line, Options{Layout: BatchFirst, States: true})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, p := range slices.Concat(n.Graph.Inputs, n.Graph.Outputs) {
		names = append(names, p.Name)
	}
	if s := strings.Join(names, " "); s != "x h_0.lstm c_0.lstm output h_n.lstm c_n.lstm" {
		t.Errorf("inputs and outputs are %s", s)
	}
	h, _ := graph.New(graph.F32, 2, 1, 5)
	c, _ := graph.New(graph.F32, 2, 1, 5)
	var got []float32
	for i := range 3 {
		part, err := graph.Of(graph.Data[float32](x)[i*8:i*8+8], 1, 2, 4)
		if err != nil {
			t.Fatal(err)
		}
		out := evaluate(t, n, []graph.Value{part, h, c})
		got = append(got, graph.Data[float32](out[0])...)
		h, c = out[1], out[2]
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %v\nwant %v", got, want)
	}
	if _, err := Build(src, mustParse(t, "y = emb | lstm; emb | lstm | add(y)"), Options{Layout: BatchFirst, States: true}); err == nil || !strings.Contains(err.Error(), "runs twice") {
		t.Errorf("two states of one name: %v", err)
	}
}

// In float64 the weights around the layers are read as such.
func TestFloat64(t *testing.T) {
	src := weights(model())
	line := mustParse(t, "lstm | last | fc | softmax(dim=-1)")
	narrow, err := Build(src, line, Options{Layout: BatchFirst})
	if err != nil {
		t.Fatal(err)
	}
	wide, err := Build(src, line, Options{Layout: BatchFirst, Type: graph.F64})
	if err != nil {
		t.Fatal(err)
	}
	x := draw(1, 2, 6, 4)
	var x64 []float64
	for _, v := range graph.Data[float32](x) {
		x64 = append(x64, float64(v))
	}
	in, err := graph.Of(x64, x.Shape...)
	if err != nil {
		t.Fatal(err)
	}
	got, want := graph.Data[float64](evaluate(t, wide, []graph.Value{in})[0]), graph.Data[float32](evaluate(t, narrow, []graph.Value{x})[0])
	sum := 0.0
	for i, v := range got[:3] {
		sum += v
		if d := v - float64(want[i]); d > 1e-5 || d < -1e-5 {
			t.Errorf("element %d is %v, want about %v", i, v, want[i])
		}
	}
	if d := sum - 1; d > 1e-15 || d < -1e-15 {
		t.Errorf("softmax sums to 1 + %g, which is no float64", d)
	}
}

// FuzzBuild: no line makes Build panic, or a graph that does not compile.
func FuzzBuild(f *testing.F) {
	for _, g := range readGoldens(f) {
		f.Add(g.line)
	}
	for _, s := range []string{"emb | lstm | last | fc", "conv | unflatten(1, (3, 1)) | [..., None, 0]", "fc | narrow(0, -1, 5)", "lstm | h_n | flatten(0, -2)", "x3 | add(x2) | mul(x1) | div(x0)"} {
		f.Add(s)
	}
	src := weights(model())
	f.Fuzz(func(t *testing.T, text string) {
		c, err := Parse(text)
		if err != nil {
			return
		}
		for _, opt := range []Options{{Layout: BatchFirst}, {Inputs: []graph.Port{{Shape: []graph.Dim{{Size: 2}, {Size: 3}, {Size: 4}}}}}} {
			n, err := Build(src, c, opt)
			if err != nil {
				continue
			}
			if _, err := graph.Compile(n.Graph, graph.Limits{}); err != nil {
				t.Fatalf("%s: %v", c, err)
			}
			if again, err := Parse(n.Chain.String()); err != nil || again.String() != n.Chain.String() {
				t.Fatalf("%s: its chain %s reads as %v, %v", c, n.Chain, again, err)
			}
		}
	})
}
