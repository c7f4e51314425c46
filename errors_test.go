package unroll_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"reflect"
	"strings"
	"testing"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/internal/testkit"
	"github.com/unroll-ml/unroll/nn"
	"github.com/unroll-ml/unroll/tensor"
	"github.com/unroll-ml/unroll/train"
)

// isArg reports whether err is an *ArgError of the kind that names argument,
// what came and what was expected.
func isArg(err, kind error) bool {
	var arg *unroll.ArgError
	return errors.Is(err, kind) && errors.As(err, &arg) && arg.Arg != "" && arg.Got != "" && arg.Want != ""
}

// misuse is a case of errors.json in Go: what it returns, of which kind the
// error must be, and what it must say: argument, what came, what was expected.
// A nil kind is for the cases that are no errors, whose result is compared.
type misuse struct {
	run  func() (result string, err error)
	kind error
	says []string
}

func make1(c unroll.Config) func() (string, error) {
	return func() (string, error) {
		_, err := unroll.New(c)
		return c.String(), err
	}
}

// call runs a layer on x and s0; resulting shapes are written as errors.json
// writes them.
func call(c unroll.Config, x tensor.Dense, s0 unroll.State) func() (string, error) {
	return func() (string, error) {
		l, err := unroll.New(c)
		if err != nil {
			return "", err
		}
		y, sn, err := l.Forward(x, s0)
		shape := func(d tensor.Dense) string {
			return "tensor " + strings.ReplaceAll(fmt.Sprint(d.Shape), " ", ", ")
		}
		return fmt.Sprintf("(%s, %s)", shape(y), shape(sn.H)), err
	}
}

func pack(lengths ...int) func() (string, error) {
	return func() (string, error) {
		_, err := unroll.PackPadded(tensor.New(5, 2, 2), lengths, false, true)
		return "", err
	}
}

// runPacked runs a layer on two sequences of 5 and 4 steps of 2 features.
func runPacked(c unroll.Config, s0 unroll.State) func() (string, error) {
	return func() (string, error) {
		l, err := unroll.New(c)
		if err != nil {
			return "", err
		}
		ps, err := unroll.PackPadded(tensor.New(5, 2, 2), []int{5, 4}, false, true)
		if err != nil {
			return "", err
		}
		_, _, err = (&unroll.Pass{Layer: l}).ForwardPacked(ps, s0)
		return "", err
	}
}

// step runs one step of two sequences of a cell of 3 inputs and 4 units.
func step(m unroll.Mode, x int, s0 unroll.State) func() (string, error) {
	return func() (string, error) {
		l, err := unroll.New(unroll.Config{Mode: m, InputSize: 3, HiddenSize: 4})
		if err != nil {
			return "", err
		}
		s, err := l.NewStream(2)
		if err != nil {
			return "", err
		}
		if err := s.SetState(s0); err != nil {
			return "", err
		}
		return "", s.Step(make([]float32, 2*4), make([]float32, x))
	}
}

// load loads the parameters of one layer into another; nil for no parameters.
func load(into unroll.Config, from *unroll.Config) func() (string, error) {
	return func() (string, error) {
		l, err := unroll.New(into)
		if err != nil {
			return "", err
		}
		params := map[string]tensor.Dense{}
		if from != nil {
			other, err := unroll.New(*from)
			if err != nil {
				return "", err
			}
			for _, p := range other.Params() {
				params[p.Name] = p.Value
			}
		}
		return "", l.Load(params)
	}
}

func fromJSON(text string) func() (string, error) {
	return func() (string, error) {
		var c unroll.Config
		return "", json.Unmarshal([]byte(text), &c)
	}
}

func parseMode(name string) func() (string, error) {
	return func() (string, error) {
		_, err := unroll.ParseMode(name)
		return "", err
	}
}

func optimizer(a train.Algorithm) func() (string, error) {
	return func() (string, error) {
		_, err := train.NewOptimizer(a)
		return "", err
	}
}

var errCompiler = errors.New("the compiler refuses it")

// element asks the compiler whether a tensor may have an element type, by
// checking tensor.go with one more line.
func element(name string) func() (string, error) {
	return func() (string, error) {
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, "tensor/tensor.go", nil, parser.SkipObjectResolution)
		if err != nil {
			return "", err
		}
		line, err := parser.ParseFile(set, "line.go", "package tensor\nvar _ DenseOf["+name+"]", 0)
		if err != nil {
			return "", err
		}
		var refused error
		check := types.Config{Error: func(err error) { // the imports of tensor.go are not loaded and do not matter
			if e := (types.Error{}); errors.As(err, &e) && set.Position(e.Pos).Filename == "line.go" {
				refused = fmt.Errorf("%w: %w", errCompiler, err)
			}
		}}
		_, _ = check.Check("tensor", set, []*ast.File{file, line}, nil)
		return "", refused
	}
}

// assigned asks whether the float64 type D may stand where a float32 layer
// takes its argument n.
func assigned[D any](n int) func() (string, error) {
	return func() (string, error) {
		takes, gets := reflect.TypeFor[*unroll.Layer](), reflect.TypeFor[D]()
		m, _ := takes.MethodByName("Forward")
		if in := m.Type.In(1 + n); !gets.AssignableTo(in) {
			return "", fmt.Errorf("%w: got %v, expected %v", errCompiler, gets, in)
		}
		return "", nil
	}
}

func misuses() map[string]misuse {
	h := func(shape ...int) unroll.State { return unroll.State{H: tensor.New(shape...)} }
	hc := func(h, c tensor.Dense) unroll.State { return unroll.State{H: h, C: c} }
	var (
		rnn  = unroll.Config{InputSize: 3, HiddenSize: 4}
		lstm = unroll.Config{Mode: unroll.LSTM, InputSize: 3, HiddenSize: 4}
		gru  = unroll.Config{Mode: unroll.GRU, InputSize: 3, HiddenSize: 4}
	)
	with := func(c unroll.Config, change func(*unroll.Config)) unroll.Config { change(&c); return c }
	layers := func(c unroll.Config, n int) unroll.Config { c.NumLayers = n; return c }
	dropout := func(c unroll.Config, layers int, p float64) unroll.Config {
		c.NumLayers, c.Dropout = layers, p
		return c
	}
	proj := func(c unroll.Config, p int) unroll.Config { c.ProjSize = p; return c }
	x := tensor.New(5, 2, 3)
	nesterov, beta := train.NewSGD(.1), train.NewAdam(1e-3)
	nesterov.Nesterov, beta.Betas[0] = true, 1
	five := with(rnn, func(c *unroll.Config) { c.HiddenSize = 5 })
	two := layers(rnn, 2)

	return map[string]misuse{
		"proj_size_equal_hidden": {make1(proj(lstm, 4)), unroll.ErrConfig, []string{"proj_size", "got 4", "less than hidden_size 4"}},
		"proj_size_above_hidden": {make1(proj(lstm, 9)), unroll.ErrConfig, []string{"proj_size", "got 9", "less than hidden_size 4"}},
		"proj_size_negative":     {make1(proj(lstm, -1)), unroll.ErrConfig, []string{"proj_size", "got -1", "positive"}},
		"proj_size_on_gru":       {make1(proj(gru, 2)), unroll.ErrConfig, []string{"proj_size", "got 2", "only an LSTM", "GRU"}},
		"proj_size_on_rnn":       {make1(proj(rnn, 2)), unroll.ErrConfig, []string{"proj_size", "got 2", "only an LSTM", "RNN"}},
		"dropout_above_one":      {make1(dropout(lstm, 2, 1.5)), unroll.ErrConfig, []string{"dropout", "got 1.5", "from 0 to 1"}},
		"dropout_negative":       {make1(dropout(gru, 2, -0.1)), unroll.ErrConfig, []string{"dropout", "got -0.1", "from 0 to 1"}},
		"dropout_bool":           {fromJSON(`{"mode":"RNN_TANH","dropout":true}`), unroll.ErrConfig, []string{"dropout", "got a JSON bool", "float64"}},
		"dropout_one_layer":      {make1(dropout(lstm, 1, 0.5)), nil, nil},
		"nonlinearity_unknown":   {parseMode("RNN_SIGMOID"), unroll.ErrConfig, []string{"mode", `"RNN_SIGMOID"`, "RNN_TANH, RNN_RELU"}},
		"num_layers_zero":        {fromJSON(`{"mode":"RNN_TANH","num_layers":0}`), unroll.ErrConfig, []string{"num_layers", "got 0", "at least 1"}},
		"num_layers_negative":    {make1(layers(lstm, -1)), unroll.ErrConfig, []string{"num_layers", "got -1", "1 to"}},
		"hidden_size_zero":       {make1(unroll.Config{Mode: unroll.GRU, InputSize: 3}), unroll.ErrConfig, []string{"hidden_size", "got 0", "1 to"}},
		"hidden_size_negative":   {make1(unroll.Config{Mode: unroll.GRU, InputSize: 3, HiddenSize: -4}), unroll.ErrConfig, []string{"hidden_size", "got -4", "1 to"}},
		"input_size_zero":        {call(unroll.Config{HiddenSize: 4}, tensor.New(5, 2, 0), unroll.State{}), nil, nil},
		"input_size_negative":    {make1(unroll.Config{InputSize: -3, HiddenSize: 4}), unroll.ErrConfig, []string{"input_size", "got -3", "0 to"}},

		"input_rank_1":                  {call(rnn, tensor.New(3), unroll.State{}), unroll.ErrShape, []string{"input of RNN(3, 4)", "1 dimensions, shape [3]", "3 ([T,B,I])", "2 ([T,I])"}},
		"input_rank_4":                  {call(lstm, tensor.New(5, 2, 1, 3), unroll.State{}), unroll.ErrShape, []string{"input of LSTM(3, 4)", "4 dimensions, shape [5 2 1 3]", "3 ([T,B,I])"}},
		"input_size_mismatch_batched":   {call(gru, tensor.New(5, 2, 7), unroll.State{}), unroll.ErrShape, []string{"input of GRU(3, 4)", "7 features", "input_size 3"}},
		"input_size_mismatch_unbatched": {call(lstm, tensor.New(5, 7), unroll.State{}), unroll.ErrShape, []string{"input of LSTM(3, 4)", "7 features", "input_size 3"}},
		"sequence_length_zero":          {call(rnn, tensor.New(0, 2, 3), unroll.State{}), unroll.ErrShape, []string{"input of RNN(3, 4)", "no time steps", "at least one step"}},
		"batch_size_zero":               {call(rnn, tensor.New(5, 0, 3), unroll.State{}), nil, nil},
		"input_integer":                 {element("int64"), errCompiler, []string{"int64", "Float"}},
		"input_double_weights_float":    {assigned[tensor.DenseOf[float64]](0), errCompiler, []string{"float64", "float32"}},

		"hx_wrong_batch":          {call(rnn, x, h(1, 3, 4)), unroll.ErrShape, []string{"s0.H (hidden state)", "[1 3 4]", "[1 2 4]"}},
		"hx_wrong_layers":         {call(layers(gru, 2), x, h(1, 2, 4)), unroll.ErrShape, []string{"s0.H (hidden state)", "[1 2 4]", "[2 2 4]"}},
		"hx_wrong_hidden":         {call(rnn, x, h(1, 2, 5)), unroll.ErrShape, []string{"s0.H (hidden state)", "[1 2 5]", "[1 2 4]"}},
		"hx_rank_2_for_batched":   {call(gru, x, h(1, 4)), unroll.ErrShape, []string{"s0.H (hidden state)", "[1 4]", "[1 2 4]", "batched 3-D input needs a 3-D state"}},
		"hx_rank_3_for_unbatched": {call(rnn, tensor.New(5, 3), h(1, 1, 4)), unroll.ErrShape, []string{"s0.H (hidden state)", "[1 1 4]", "[1 4]", "unbatched 2-D input needs a 2-D state"}},
		"lstm_hx_not_a_pair":      {call(lstm, x, h(1, 2, 4)), unroll.ErrShape, []string{"s0.C (cell state)", "got none", "both H and C"}},
		"lstm_cx_wrong_shape":     {call(lstm, x, hc(tensor.New(1, 2, 4), tensor.New(1, 2, 5))), unroll.ErrShape, []string{"s0.C (cell state)", "[1 2 5]", "[1 2 4]"}},
		"lstm_hx_must_be_proj_size": {
			call(proj(lstm, 2), x, hc(tensor.New(1, 2, 4), tensor.New(1, 2, 4))),
			unroll.ErrShape,
			[]string{"s0.H (hidden state)", "[1 2 4]", "[1 2 2]", "with proj_size"},
		},
		"hx_batch_first_is_not_transposed": {
			call(with(two, func(c *unroll.Config) { c.BatchFirst = true }), tensor.New(3, 5, 3), h(3, 2, 4)),
			unroll.ErrShape,
			[]string{"s0.H (hidden state)", "[3 2 4]", "[2 3 4]", "also with batch_first"},
		},
		"hx_double_weights_float": {assigned[unroll.StateOf[float64]](1), errCompiler, []string{"float64", "float32"}},

		"pack_unsorted_enforced": {func() (string, error) {
			_, err := unroll.PackPadded(tensor.New(5, 3, 2), []int{2, 5, 3}, false, true)
			return "", err
		}, unroll.ErrLengths, []string{"lengths[1]", "5 after 2", "falling", "enforceSorted=false"}},
		"pack_zero_length":     {pack(5, 0), unroll.ErrLengths, []string{"lengths[1]", "got 0", "1 to 5"}},
		"pack_length_too_long": {pack(6, 5), unroll.ErrLengths, []string{"lengths[0]", "got 6", "1 to 5"}},
		"pack_wrong_count":     {pack(5, 4, 3), unroll.ErrLengths, []string{"lengths", "got 3", "each of the 2 sequences"}},
		"pack_negative_length": {pack(5, -1), unroll.ErrLengths, []string{"lengths[1]", "got -1", "1 to 5"}},
		"pad_total_length_too_short": {func() (string, error) {
			ps, err := unroll.PackPadded(tensor.New(5, 2, 2), []int{5, 4}, false, true)
			if err != nil {
				return "", err
			}
			_, _, err = unroll.PadPacked(ps, false, 0, 3)
			return "", err
		}, unroll.ErrLengths, []string{"total_length", "got 3", "at least 5"}},
		"packed_input_size_mismatch": {runPacked(lstm, unroll.State{}), unroll.ErrShape, []string{"input of LSTM(3, 4)", "2 features", "input_size 3"}},
		"packed_hx_wrong_batch":      {runPacked(unroll.Config{Mode: unroll.GRU, InputSize: 2, HiddenSize: 4}, h(1, 3, 4)), unroll.ErrShape, []string{"s0.H (hidden state)", "[1 3 4]", "[1 2 4]"}},

		// A cell is a stream, which takes slices: an input of another rank or
		// size is one of another length.
		"cell_input_rank_3":         {step(unroll.RNNTanh, 5*2*3, unroll.State{}), unroll.ErrShape, []string{"x of RNN(3, 4)", "30 values", "2*3"}},
		"cell_input_size_mismatch":  {step(unroll.LSTM, 2*5, unroll.State{}), unroll.ErrShape, []string{"x of LSTM(3, 4)", "10 values", "2*3"}},
		"cell_hx_wrong_batch":       {step(unroll.GRU, 2*3, h(1, 3, 4)), unroll.ErrShape, []string{"state.H (hidden state)", "[1 3 4]", "[1 2 4]"}},
		"cell_hx_wrong_hidden":      {step(unroll.RNNTanh, 2*3, h(1, 2, 5)), unroll.ErrShape, []string{"state.H (hidden state)", "[1 2 5]", "[1 2 4]"}},
		"cell_nonlinearity_unknown": {parseMode("RNN_GELU"), unroll.ErrConfig, []string{"mode", `"RNN_GELU"`, "RNN_TANH, RNN_RELU"}},

		"state_dict_missing":     {load(rnn, nil), unroll.ErrParams, []string{"RNN(3, 4)", "missing weight_ih_l0, weight_hh_l0, bias_ih_l0, bias_hh_l0"}},
		"state_dict_wrong_shape": {load(rnn, &five), unroll.ErrParams, []string{"weight_ih_l0 has shape [5 3], expected [4 3]", "bias_hh_l0 has shape [5], expected [4]"}},
		"state_dict_unexpected":  {load(rnn, &two), unroll.ErrParams, []string{"unexpected bias_hh_l1, bias_ih_l1, weight_hh_l1, weight_ih_l1"}},

		"sgd_negative_lr":           {optimizer(train.NewSGD(-1)), train.ErrArgument, []string{"lr", "-1"}},
		"nesterov_without_momentum": {optimizer(nesterov), train.ErrArgument, []string{"nesterov", "momentum"}},
		"adam_bad_beta":             {optimizer(beta), train.ErrArgument, []string{"beta", "1"}},
		"embedding_index_out_of_range": {func() (string, error) {
			e, err := nn.NewEmbedding(5, 3, nil)
			if err != nil {
				return "", err
			}
			return "", e.Forward(make([]float32, 3), []int{5})
		}, nn.ErrIndex, []string{"token", "5", "0 to 4"}},
		"cross_entropy_target_out_of_range": {func() (string, error) {
			_, err := (&nn.CrossEntropy{}).Loss(tensor.New(2, 3), []int{0, 3}, nil)
			return "", err
		}, nn.ErrIndex, []string{"target", "3", "0 to 2"}},
	}
}

// Every case of errors.json: what PyTorch refuses is refused, in words that
// name the argument, what came and what was expected, and what it allows gives
// its result.
func TestMisusesAreRefusedInWords(t *testing.T) {
	table := misuses()
	for _, c := range testkit.Misuses(t) {
		m, ok := table[c.ID]
		if !ok {
			t.Errorf("%s, %s: not in the table of this test", c.ID, c.Code)
			continue
		}
		delete(table, c.ID)
		result, err := m.run()
		if c.Outcome == "ok" {
			if err != nil || result != c.Result || m.kind != nil {
				t.Errorf("%s, %s: got %s, %v; want %s", c.ID, c.Code, result, err, c.Result)
			}
			continue
		}
		if m.kind == nil || !errors.Is(err, m.kind) {
			t.Errorf("%s, %s: got %v, want a %v", c.ID, c.Code, err, m.kind)
			continue
		}
		for _, part := range m.says {
			if !strings.Contains(strings.ToLower(err.Error()), strings.ToLower(part)) {
				t.Errorf("%s, %s: %q does not say %q", c.ID, c.Code, err, part)
			}
		}
		if strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: more than one line: %q", c.ID, err)
		}
		t.Logf("%s: %v", c.Code, err)
	}
	for id := range table {
		t.Errorf("%s is not in errors.json", id)
	}
}

// The compiler, asked as above, allows what is allowed.
func TestTheCompilerAllowsFloats(t *testing.T) {
	for name, run := range map[string]func() (string, error){
		"float32": element("float32"), "float64": element("float64"),
		"input": assigned[tensor.Dense](0), "state": assigned[unroll.State](1),
	} {
		if _, err := run(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
