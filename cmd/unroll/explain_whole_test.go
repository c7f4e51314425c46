package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/checkpoint"
	"github.com/unroll-ml/unroll/checkpoint/array/npy"
	"github.com/unroll-ml/unroll/checkpoint/safetensors"
	"github.com/unroll-ml/unroll/internal/explain"
	"github.com/unroll-ml/unroll/model"
	"github.com/unroll-ml/unroll/rng"
	"github.com/unroll-ml/unroll/tensor"
)

// chained writes two layers of different sizes with a linear layer between and one
// above, an input of two sequences [2,6,3], and returns the paths, the line, and the head's weights and bias.
func chained(t *testing.T) (weights, input, line string, head []float32) {
	t.Helper()
	dir, g := t.TempDir(), rng.New(8)
	var set checkpoint.Set
	layer := func(name string, cfg unroll.Config) {
		l, err := unroll.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		l.ResetParameters(g)
		for _, p := range l.Params() {
			set = append(set, checkpoint.Of(name+"."+p.Name, p.Value))
		}
	}
	linear := func(name string, out, in int) []float32 {
		w, b := tensor.New(out, in), tensor.New(out)
		rng.Randn(g, w.Data)
		rng.Randn(g, b.Data)
		set = append(set, checkpoint.Of(name+".weight", w), checkpoint.Of(name+".bias", b))
		return append(slices.Clone(w.Data), b.Data...)
	}
	layer("lstm", unroll.Config{Mode: unroll.LSTM, InputSize: 3, HiddenSize: 5})
	linear("between", 4, 5)
	layer("gru", unroll.Config{Mode: unroll.GRU, InputSize: 4, HiddenSize: 2, NumLayers: 2})
	head = linear("head", 1, 2)
	weights, input = filepath.Join(dir, "two.safetensors"), filepath.Join(dir, "x.npy")
	if err := safetensors.WriteFile(weights, set, nil); err != nil {
		t.Fatal(err)
	}
	x := tensor.New(2, 6, 3)
	rng.Randn(g, x.Data)
	var b bytes.Buffer
	if err := npy.Write(&b, checkpoint.Of("", x)); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(input, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return weights, input, "lstm | between | relu | gru | last | head", head
}

// A whole model shows its recurrent layers, of different sizes, on what reaches them,
// and what stands around them; the model's ONNX file shows the same.
func TestExplainAWholeModel(t *testing.T) {
	weights, input, line, head := chained(t)
	m, err := model.Options{Chain: line, Layout: model.BatchFirst}.Open(weights)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	file := filepath.Join(t.TempDir(), "two.onnx")
	if err := m.Save(file); err != nil {
		t.Fatal(err)
	}
	run := func(want int, args ...string) string {
		t.Helper()
		var out bytes.Buffer
		if code := execute(context.Background(), args, strings.NewReader(""), &out, &out); code != want {
			t.Fatalf("%v: exit code %d: %s", args, code, out.String())
		}
		return out.String()
	}
	for _, args := range [][]string{{weights, input, "--chain", line, "--batch-first"}, {file, input}} {
		text := run(codeOK, append([]string{"explain"}, append(args, "--sequence", "1")...)...)
		for _, want := range []string{"The model, in the order in which it runs", "  input  ", "  Relu  ", "explained below", "gives output", "LSTM, input_size 3, hidden_size 5", "GRU, input_size 4, hidden_size 2"} {
			if !strings.Contains(text, want) {
				t.Errorf("%v: the text lacks %q:\n%.1500s", args, want, text)
			}
		}
		// The head on the last state that the page has gives the model's output.
		html := filepath.Join(t.TempDir(), "page.html")
		run(codeOK, append([]string{"explain", "--html", html, "--sequence", "1"}, args...)...)
		h, boxes := lastState(t, html)
		y := head[2] + head[0]*h[0] + head[1]*h[1]
		last := boxes[len(boxes)-1]
		if last.Output == "" || math.Abs(float64(y-last.values[1])) > 1e-6 {
			t.Errorf("%v: the head on the page's state is %v, the box %+v", args, y, last)
		}
	}
	for want, args := range map[string][]string{
		"--sequence 2: the batch has 2 sequences": {file, input, "--sequence", "2"},
		"has no input \"nothing\"":                {file, "--set", "nothing=1"},
	} {
		if text := run(codeUsage, append([]string{"explain"}, args...)...); !strings.Contains(text, want) {
			t.Errorf("%v: %q", args, text)
		}
	}
}

// shownBox is a box of a page.
type shownBox struct {
	explain.Box
	values []float32
}

// lastState returns the state of the top lane of the last recurrent layer of a page at
// its last step, and the boxes.
func lastState(t *testing.T, file string) ([]float32, []shownBox) {
	t.Helper()
	html, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var p struct {
		Parts []struct {
			Facts struct {
				Record, Steps int
				Config        unroll.Config
			}
		}
		Boxes []shownBox
	}
	if err := json.Unmarshal(between(t, html, `id="data">`), &p); err != nil {
		t.Fatal(err)
	}
	raw, err := base64.StdEncoding.DecodeString(string(between(t, html, `id="block">`)))
	if err != nil {
		t.Fatal(err)
	}
	floats := func(at, n int) []float32 {
		v := make([]float32, n)
		for i := range v {
			v[i] = math.Float32frombits(binary.LittleEndian.Uint32(raw[4*(at+i):]))
		}
		return v
	}
	for i, b := range p.Boxes {
		p.Boxes[i].values = floats(b.At, b.Held)
	}
	f := p.Parts[len(p.Parts)-1].Facts
	size, lanes := f.Config.StateSize(), f.Config.Layers()*f.Config.Directions()
	return floats(f.Record+lanes*f.Steps*size-size, size), p.Boxes
}
