package statedict

import (
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/checkpoint"
	"github.com/unroll-ml/unroll/checkpoint/safetensors"
	"github.com/unroll-ml/unroll/internal/testkit"
	"github.com/unroll-ml/unroll/tensor"
)

// TestFoldComputesWhatPyTorchComputes: testdata/forms.py wrote the pieces and
// what PyTorch makes of them.
func TestFoldComputesWhatPyTorchComputes(t *testing.T) {
	files, err := filepath.Glob("testdata/forms/*.expect.safetensors")
	if err != nil || len(files) < 8 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, expect := range files {
		want, err := safetensors.Open(expect)
		if err != nil {
			t.Fatal(err)
		}
		defer want.Close()
		src, err := safetensors.Open(strings.Replace(expect, ".expect", "", 1))
		if err != nil {
			t.Fatal(err)
		}
		defer src.Close()
		f := Fold(src, nil)
		for _, name := range want.Names() {
			if i, ok := f.Info(name); !ok || !slices.Contains(f.Names(), name) {
				t.Errorf("%s: there is no %s, only %q", expect, name, f.Names())
			} else if w, _ := want.Info(name); w.DType != i.DType {
				t.Errorf("%s: %s is %v, expected %v", expect, name, i.DType, w.DType)
			}
			got, err := checkpoint.Float[float64](f, name)
			if err != nil {
				t.Fatal(err)
			}
			w, err := checkpoint.Float[float64](want, name)
			if err != nil {
				t.Fatal(err)
			}
			// Pieces and result are float32: an ulp for each of norm, ratio, product.
			testkit.CloseDense(t, name, got, w, testkit.Tol{Rel: 4e-7, Abs: 1e-9})
		}
		for _, name := range f.Names() {
			for _, piece := range []string{"_g", "_v", "_u", "_orig", "_mask", "original", "original0", "original1"} {
				if strings.HasSuffix(name, piece) {
					t.Errorf("%s: the piece %s is still there", expect, name)
				}
			}
		}
	}
}

// TestOrthogonalMapsAreAsked: several maps have the same names and shapes.
func TestOrthogonalMapsAreAsked(t *testing.T) {
	for _, file := range []string{"orthogonal", "orthogonal_plain"} {
		src, err := safetensors.Open("testdata/forms/" + file + ".safetensors")
		if err != nil {
			t.Fatal(err)
		}
		defer src.Close()
		parts, err := Find(Fold(src, nil), Options{})
		if err != nil {
			t.Fatal(err)
		}
		_, err = Choose(parts, "")
		if !errors.Is(err, ErrInconsistent) || !strings.Contains(err.Error(), "cayley") || !strings.Contains(err.Error(), "remove_parametrizations") {
			t.Errorf("%s: %v", file, err)
		}
	}
}

// made is a source of zeros with these names and shapes.
func made(shapes map[string][]int, order ...string) checkpoint.Set {
	var set checkpoint.Set
	for i, name := range order {
		d := tensor.New(shapes[name]...)
		for k := range d.Data {
			d.Data[k] = float32(i)
		}
		set = append(set, checkpoint.Of(name, d))
	}
	return set
}

// TestRawWeightsWin: what dropout of weights left is not what was trained.
func TestRawWeightsWin(t *testing.T) {
	shapes := map[string][]int{}
	var order []string
	for _, n := range []string{"weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"} {
		shape := map[string][]int{"weight_ih_l0": {16, 3}, "weight_hh_l0": {16, 4}}[n]
		if shape == nil {
			shape = []int{16}
		}
		shapes["rnns.0.module."+n] = shape
		order = append(order, "rnns.0.module."+n)
	}
	shapes["rnns.0.weight_hh_l0_raw"] = []int{16, 4}
	for _, copied := range []bool{true, false} {
		names := append(slices.Clone(order), "rnns.0.weight_hh_l0_raw")
		if !copied {
			names = slices.Delete(names, 1, 2)
		}
		f := Fold(made(shapes, names...), nil)
		parts, err := Find(f, Options{})
		if err != nil || len(parts) != 1 || parts[0].Err != nil {
			t.Fatalf("%+v, %v", parts, err)
		}
		x, err := checkpoint.Float[float32](f, parts[0].Params["weight_hh_l0"])
		if err != nil || x.Data[0] != float32(len(names)-1) {
			t.Errorf("weight_hh_l0 is tensor %v, expected the raw one: %v", x.Data[0], err)
		}
		if len(f.Notes) != 1 || !strings.Contains(f.Notes[0], "_raw") {
			t.Errorf("notes %q", f.Notes)
		}
	}
}

// TestTensorsTheLayerDoesNotTake are refused by name, unless Loose: those under
// its own prefix, and not those of the model around it.
func TestTensorsTheLayerDoesNotTake(t *testing.T) {
	lstm := stateDict("rnn.", unroll.Config{Mode: unroll.LSTM, InputSize: 2, HiddenSize: 3})
	for _, extra := range []string{"rnn.weight_ch_l0", "rnn.norm.weight", "rnn.weight_hh_l0.lora_A", "rnn.weight_hh_l0_mask", "rnn.parametrizations.weight_hh_l0.0.lora"} {
		src := append(slices.Clone(set(lstm)), checkpoint.Of(extra, tensor.New(2)))
		parts, err := Find(src, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Choose(parts, ""); !errors.Is(err, ErrExtra) || !strings.Contains(err.Error(), extra) || !strings.Contains(err.Error(), "--loose") {
			t.Errorf("%s: %v", extra, err)
		}
		parts, err = Find(src, Options{Loose: true})
		if err != nil {
			t.Fatal(err)
		}
		if p, err := Choose(parts, ""); err != nil || !slices.Equal(p.Extra, []string{extra}) {
			t.Errorf("%s, loose: %v, %v", extra, p.Extra, err)
		}
	}
	for prefix, beside := range map[string]string{"rnn.": "fc.weight", "": "fc.weight", "module.": "module.fc.weight", "model/": "model/fc.weight", "state_dict/model.rnn.": "state_dict/model.fc.weight"} {
		src := append(set(stateDict(prefix, unroll.Config{Mode: unroll.LSTM, InputSize: 2, HiddenSize: 3})), checkpoint.Of(beside, tensor.New(2)))
		parts, err := Find(src, Options{})
		if err != nil || parts[0].Err != nil {
			t.Errorf("%s beside %s: %v, %v", beside, prefix, parts, err)
		}
	}
}

// packedSet are the names of a quantized layer of n cells.
func packedSet(n, in, hidden int, later int) checkpoint.Set {
	shapes := map[string][]int{}
	var order []string
	for i := range n {
		columns := in
		if i > 0 {
			columns = later
		}
		if i == 1 && later == 2*hidden { // the second direction reads the input
			columns = in
		}
		for piece, shape := range map[string][]int{"weight_ih": {4 * hidden, columns}, "weight_hh": {4 * hidden, hidden}, "bias_ih": {4 * hidden}, "bias_hh": {4 * hidden}} {
			name := "rnn._all_weight_values." + string(rune('0'+i)) + ".param." + piece
			shapes[name] = shape
			order = append(order, name)
		}
	}
	slices.Sort(order)
	return made(shapes, order...)
}

// TestQuantizedCellsBecomeLayers: their order is layers, then directions, which
// shapes tell but for two square cells; the module tells always.
func TestQuantizedCellsBecomeLayers(t *testing.T) {
	bidirectional := func(yes bool) Settings {
		return func(path, name string) (any, bool) { return yes, path == "rnn" && name == "bidirectional" }
	}
	for _, c := range []struct {
		src      checkpoint.Set
		settings Settings
		want     string
	}{
		{packedSet(1, 3, 4, 0), nil, "LSTM(3, 4)"},
		{packedSet(2, 3, 4, 4), nil, "LSTM(3, 4, num_layers=2)"},
		{packedSet(2, 3, 4, 8), nil, "LSTM(3, 4, bidirectional=True)"},
		{packedSet(4, 3, 4, 8), nil, "LSTM(3, 4, num_layers=2, bidirectional=True)"},
		{packedSet(4, 4, 4, 8), nil, "LSTM(4, 4, num_layers=2, bidirectional=True)"},
		{packedSet(4, 4, 4, 4), nil, "LSTM(4, 4, num_layers=4)"},
		{packedSet(2, 4, 4, 4), bidirectional(true), "LSTM(4, 4, bidirectional=True)"},
		{packedSet(2, 4, 4, 4), bidirectional(false), "LSTM(4, 4, num_layers=2)"},
		{packedSet(2, 4, 4, 4), nil, "num_layers=2) or LSTM(bidirectional=True)"},
	} {
		parts, err := Find(Fold(c.src, c.settings), Options{})
		if err != nil || len(parts) != 1 {
			t.Fatalf("%s: %v, %v", c.want, parts, err)
		}
		got := parts[0].Config.String()
		if parts[0].Err != nil {
			got = parts[0].Err.Error()
		}
		if !strings.Contains(got, c.want) {
			t.Errorf("got %s, expected %s", got, c.want)
		}
	}
}

// TestListsOfParameters are taken in the order of parameters().
func TestListsOfParameters(t *testing.T) {
	for _, c := range []struct {
		config unroll.Config
		want   string
	}{
		{unroll.Config{Mode: unroll.LSTM, InputSize: 2, HiddenSize: 3, NumLayers: 2}, "LSTM(2, 3, num_layers=2)"},
		{unroll.Config{Mode: unroll.GRU, InputSize: 2, HiddenSize: 3, Bidirectional: true, NumLayers: 2}, "GRU(2, 3, num_layers=2, bidirectional=True)"},
		{unroll.Config{Mode: unroll.GRU, InputSize: 3, HiddenSize: 3, NoBias: true}, "GRU(3, 3, bias=False)"},
	} {
		layer, err := unroll.New(c.config)
		if err != nil {
			t.Fatal(err)
		}
		var list checkpoint.Set
		add := func(d tensor.Dense) {
			list = append(list, checkpoint.Of(string(rune('0'+len(list)/10))+string(rune('0'+len(list)%10)), d))
		}
		for _, p := range layer.Params() {
			add(p.Value)
		}
		add(tensor.New(5, 3))
		add(tensor.New(5))
		for i := range list {
			list[i].Name = strings.TrimPrefix(list[i].Name, "0")
			if list[i].Name == "" {
				list[i].Name = "0"
			}
		}
		f := Fold(list, nil)
		parts, err := Find(f, Options{})
		if err != nil || len(parts) != 1 || parts[0].Err != nil || parts[0].Config.String() != c.want {
			t.Errorf("%s: %+v, %v", c.want, parts, err)
		}
		if names := f.Names(); !slices.Equal(names[len(names)-2:], []string{"fc.weight", "fc.bias"}) {
			t.Errorf("%s: %q", c.want, names)
		}
	}
}

// TestPackedLinearLayers: a quantized linear layer is its weight and bias, wherever it
// stands, with what its output was quantized by; names that only end like one are not.
func TestPackedLinearLayers(t *testing.T) {
	shapes := map[string][]int{}
	of := func(names ...string) []string {
		for _, n := range names {
			shapes[n] = []int{1}
		}
		got := Fold(made(shapes, names...), nil).Names()
		slices.Sort(got)
		return got
	}
	const weight, bias = "_packed_params._packed_params/0", "_packed_params._packed_params/1"
	for _, prefix := range []string{"", "fc.", "model/fc.", "model/"} {
		got := of(prefix+weight, prefix+bias, prefix+"scale", prefix+"zero_point", prefix+"other")
		want := []string{prefix + "bias", prefix + "other", prefix + "weight"}
		if !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", prefix, got, want)
		}
	}
	for _, names := range [][]string{
		{"my" + weight, "myscale"},               // no module of its own
		{"norm.scale", "norm.zero_point"},        // of something else
		{"fc." + bias, "fc.scale", "fc.unknown"}, // no weight
	} {
		got := of(names...)
		want := slices.Clone(names)
		if names[0] == "fc."+bias {
			want[0] = "fc.bias"
		}
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("%q: %q", names, got)
		}
	}
}

// TestPiecesHaveAModule: pieces stand in a module, or at the top; names that end like
// one are not taken apart.
func TestPiecesHaveAModule(t *testing.T) {
	shapes := map[string][]int{}
	for _, prefix := range []string{"x", "_", "my.x"} {
		names := []string{prefix + "parametrizations.weight_hh_l0.original0", prefix + "parametrizations.weight_hh_l0.original1"}
		shapes[names[0]], shapes[names[1]] = []int{4, 1}, []int{4, 2}
		if got := Fold(made(shapes, names...), nil).Names(); !slices.Equal(got, names) {
			t.Errorf("%q: %q", names, got)
		}
	}
}

// TestListsWithoutALayer keep the names that they have.
func TestListsWithoutALayer(t *testing.T) {
	for what, shapes := range map[string][][]int{
		"a vector first":              {{8}, {8, 2}},
		"a vector second":             {{8, 3}, {8}},
		"no hidden units":             {{0, 3}, {0, 0}},
		"rows of two layers":          {{8, 3}, {4, 2}},
		"rows that are no multiple":   {{7, 3}, {7, 2}},
		"gates of no cell":            {{4, 3}, {4, 2}},
		"one tensor":                  {{8, 3}},
		"three dimensions":            {{8, 3, 1}, {8, 2}},
		"three dimensions in the 2nd": {{8, 3}, {8, 2, 1}},
	} {
		all, order := map[string][]int{}, []string{}
		for i, s := range shapes {
			name := string(rune('0' + i))
			all[name], order = s, append(order, name)
		}
		if got := Fold(made(all, order...), nil).Names(); !slices.Equal(got, order) {
			t.Errorf("%s: %q", what, got)
		}
	}
	// A list that ends after square cells, in the midst of which no second direction
	// can be read.
	all, order := map[string][]int{}, []string{}
	for i, s := range [][]int{{16, 4}, {16, 4}, {16, 4}, {16, 4}, {5}, {5}, {5, 4}} {
		name := string(rune('0' + i))
		all[name], order = s, append(order, name)
	}
	want := []string{"4", "5", "6", "lstm.weight_hh_l0", "lstm.weight_hh_l1", "lstm.weight_ih_l0", "lstm.weight_ih_l1"}
	if got := slices.Sorted(slices.Values(Fold(made(all, order...), nil).Names())); !slices.Equal(got, want) {
		t.Errorf("square cells: %q", got)
	}
	// Names that do not count from 0 are names.
	set := map[string][]int{"1": {16, 3}, "2": {16, 4}}
	if got := Fold(made(set, "1", "2"), nil).Names(); !slices.Equal(got, []string{"1", "2"}) {
		t.Errorf("from 1 on: %q", got)
	}
}

// TestErrorsShowNamesSafely: a name can hold what moves a terminal's cursor.
func TestErrorsShowNamesSafely(t *testing.T) {
	parts, err := Find(checkpoint.Set{checkpoint.Of("a\x1b]0;PWNED\a.weight_ih_l0", tensor.New(1, 1))}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if msg := parts[0].Err.Error(); strings.ContainsAny(msg, "\x1b\a") || !strings.Contains(msg, `\x1b]0;PWNED`) {
		t.Errorf("%q", msg)
	}
}
