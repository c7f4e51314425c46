package explain

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/tensor"
)

// loopKinds are the layers that the loop by hand is tried for: each mode with one, two
// and three layers, in one direction and both, and the LSTM with a projection; as they
// are, and with an input as wide as the state, so that nothing stops the loop.
func loopKinds() []unroll.Config {
	var all []unroll.Config
	for m := unroll.RNNTanh; m <= unroll.GRU; m++ {
		for layers := 1; layers <= 3; layers++ {
			for _, both := range []bool{false, true} {
				for _, proj := range []int{0, 2} {
					cfg := unroll.Config{Mode: m, InputSize: 3, HiddenSize: 4, NumLayers: layers, Bidirectional: both, ProjSize: proj}
					if proj > 0 && m != unroll.LSTM {
						continue
					}
					all = append(all, cfg)
					cfg.InputSize = cfg.OutputSize()
					all = append(all, cfg)
				}
			}
		}
	}
	return all
}

// loopProgram is Python that runs a loop's code on a trace's numbers and prints output,
// of both directions beside each other, or that it stops.
func loopProgram(t *testing.T, tr *Trace, loop Loop) string {
	t.Helper()
	var b strings.Builder
	f := func(format string, a ...any) { fmt.Fprintf(&b, format+"\n", a...) }
	tensorOf := func(d tensor.Dense) string {
		text, err := json.Marshal(d.Data)
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprintf("torch.tensor(%s).reshape(%s)", text, strings.Trim(strings.Join(strings.Fields(fmt.Sprint(d.Shape)), ","), "[]"))
	}
	byKind := map[string][]string{}
	for l := range tr.cfg.NumLayers {
		for d := range tr.cfg.Directions() {
			for _, kind := range []string{"weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr"} {
				for _, p := range tr.Layer.Params() {
					if p.Name == ParamName(kind, l, d) {
						byKind[kind] = append(byKind[kind], tensorOf(p.Value))
					}
				}
			}
		}
	}
	for kind, list := range byKind {
		f("%s = [%s]", kind, strings.Join(list, ", "))
	}
	f("x = %s", tensorOf(tr.X))
	f("seq_len, num_layers = %d, %d", tr.Steps(), tr.cfg.NumLayers)
	f("h_t_minus_1 = %s", tensorOf(tr.S0.H))
	f("h_t = h_t_minus_1%s", copied(!loop.InPlace))
	if tr.cfg.HasCell() {
		f("c_t_minus_1 = %s", tensorOf(tr.S0.C))
		f("c_t = c_t_minus_1.clone()")
	}
	f("forward, reverse = range(seq_len), range(seq_len - 1, -1, -1)")
	f("output = %s", map[bool]string{true: "[[None, None] for _ in range(seq_len)]", false: "[]"}[tr.cfg.Bidirectional])
	f("try:")
	for _, line := range tr.LoopCode(loop) {
		f("    %s", line.Text)
	}
	if tr.cfg.Bidirectional {
		f("    output = [cat(o) for o in output]")
	}
	f("    print(json.dumps(torch.stack(output).tolist()))")
	f("except RuntimeError as e:")
	f("    assert 'size mismatch' in str(e) or 'cannot be multiplied' in str(e), e")
	f("    print('null')")
	return b.String()
}

// The loop that the lesson shows is the layer's own: PyTorch computes with it, right and
// with each mistake, what the engine says of it, for every kind of layer.
func TestLoopCodeRuns(t *testing.T) {
	python := os.Getenv("UNROLL_PYTHON")
	if python == "" {
		python = "python3"
	}
	if err := exec.Command(python, "-c", "import torch").Run(); err != nil {
		t.Skipf("no PyTorch: UNROLL_PYTHON names a Python that has it: %v", err)
	}
	type tried struct {
		tr   *Trace
		loop Loop
	}
	var all []tried
	program := "import json, torch\nfrom torch import tanh, sigmoid, relu, cat\n"
	for _, cfg := range loopKinds() {
		tr := traceOf(t, cfg, 4)
		for _, loop := range []Loop{{}, {EveryLayer: true}, {EveryLayer: true, InPlace: true}, {InPlace: true}, {InPlace: true, NoClone: true}, {EveryLayer: true, InPlace: true, NoClone: true}} {
			all = append(all, tried{tr, loop})
			program += loopProgram(t, tr, loop)
		}
	}
	cmd := exec.Command(python, "-")
	cmd.Stdin = strings.NewReader(program)
	var warnings strings.Builder
	cmd.Stderr = &warnings
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, warnings.String())
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if len(lines) != len(all) {
		t.Fatalf("%d loops say %d lines: %.300s", len(all), len(lines), out)
	}
	for i, c := range all {
		res, err := c.tr.Loop(c.loop)
		if err != nil {
			t.Fatal(err)
		}
		var got [][]float32
		if err := json.Unmarshal([]byte(lines[i]), &got); err != nil {
			t.Fatal(err)
		}
		if (got == nil) != (res.Break != nil) {
			t.Errorf("%v %+v: PyTorch has %.60s, the engine stops: %v", c.tr.cfg, c.loop, lines[i], res.Break)
		}
		if got == nil || res.Break != nil {
			continue
		}
		flat := slices.Concat(got...)
		for k, v := range res.Output.Data {
			if d := v - flat[k]; d > 2e-6 || d < -2e-6 || len(flat) != len(res.Output.Data) {
				t.Errorf("%v %+v: output %v, PyTorch has %v", c.tr.cfg, c.loop, res.Output.Data, flat)
				break
			}
		}
	}
}

// What the lesson draws of a loop is the loop's: of every kind of layer the cells that
// are wrong, with the loop's numbers, also where output alone is.
func TestSessionTellsWhatALoopGetsWrong(t *testing.T) {
	for _, cfg := range loopKinds() {
		tr := traceOf(t, cfg, 4)
		s := session(t, tr, false)
		for _, loop := range []Loop{{}, {EveryLayer: true, InPlace: true}, {InPlace: true, NoClone: true}} {
			res, err := tr.Loop(loop)
			if err != nil {
				t.Fatal(err)
			}
			got := ask(t, s, "loop", map[string]any{"loop": loop}, nil)
			cells, size, dirs := 4*tr.Lanes(), cfg.StateSize(), cfg.Directions()
			marks, ofOutput, own := got[:cells], got[cells:2*cells], got[2*cells:]
			states, outputs := 0, 0
			for c := range cells {
				i, k := c/4, c%4
				numbers := res.H[i].Data
				if ofOutput[c] == 1 {
					d := i - (cfg.NumLayers-1)*dirs
					numbers = res.Output.Data[d*size:]
					outputs += int(marks[c])
					numbers = numbers[k*size*dirs : k*size*dirs+size]
				} else {
					numbers = numbers[k*size : (k+1)*size]
					states += max(0, int(marks[c]))
				}
				if differ(own[c*size:(c+1)*size], numbers) > 0 || marks[c] >= 0 && int(marks[c]) != differ(numbers, row(tr.H[i], k)) {
					t.Fatalf("%v %+v: lane %d, step %d: %v marked %v, the loop has %v", cfg, loop, i, k, own[c*size:(c+1)*size], marks[c], numbers)
				}
			}
			if states != res.WrongStates || res.WrongStates == 0 && outputs != res.WrongOutput {
				t.Errorf("%v %+v: %d wrong numbers of states are marked and %d of output, the loop has %d and %d", cfg, loop, states, outputs, res.WrongStates, res.WrongOutput)
			}
		}
	}
}

// The input that fits makes the loop run to its end, changes no other weight, and is
// taken back.
func TestSessionFitsTheInput(t *testing.T) {
	for _, cfg := range loopKinds() {
		tr := traceOf(t, cfg, 4)
		s := session(t, tr, false)
		before := bits(t, s)
		ask(t, s, "fit", nil, nil)
		if err := s.whole(); err != nil {
			t.Fatal(err)
		}
		res, err := s.trace.Loop(Loop{EveryLayer: true})
		if err != nil || res.Break != nil || (res.WrongOutput > 0) != (cfg.NumLayers > 1) {
			t.Errorf("%v: %v %+v", cfg, err, res)
		}
		old := map[string]tensor.Dense{}
		for _, p := range tr.Layer.Params() {
			old[p.Name] = p.Value
		}
		for _, p := range s.layer.Params() {
			if first := strings.HasPrefix(p.Name, "weight_ih_l0"); !first && differ(p.Value.Data, old[p.Name].Data) > 0 {
				t.Errorf("%v: %s changed", cfg, p.Name)
			}
		}
		ask(t, s, "undo", nil, nil)
		if bits(t, s) != before {
			t.Errorf("%v: undo does not bring back what was", cfg)
		}
	}
}
