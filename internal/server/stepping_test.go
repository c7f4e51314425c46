package server

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/internal/graph"
	"github.com/unroll-ml/unroll/model"
	"github.com/unroll-ml/unroll/nn"
	"github.com/unroll-ml/unroll/rng"
)

// frames is a model of frames, as detectors of speech are: samples [B,N], a state
// [2,B,H] whose parts an LSTM takes, a rate that stays, a probability and a number
// of type int64 for each frame.
func frames(t *testing.T) string {
	t.Helper()
	g, b := rng.New(5), &graph.Builder{}
	drawn := func(shape ...int) string {
		n := 1
		for _, d := range shape {
			n *= d
		}
		data := make([]float32, n)
		rng.Randn(g, data)
		v, err := graph.Of(data, shape...)
		must(t, err)
		return b.Constant("", v)
	}
	anyOf, of := graph.Dim{Size: -1}, func(n int) graph.Dim { return graph.Dim{Size: n} }
	x := b.Input("input", graph.F32, anyOf, anyOf)
	state := b.Input("state", graph.F32, of(2), anyOf, of(4))
	sr := b.Input("sr", graph.I64)
	x = b.Op("Mul", nil, x, b.Op("Cast", graph.Attrs{"to": int64(1)}, sr))
	parts := b.Ops("Split", 2, graph.Attrs{"axis": int64(0), "num_outputs": int64(2)}, state)
	out := b.Ops("LSTM", 3, graph.Attrs{"hidden_size": int64(4)}, b.Op("Unsqueeze", nil, x, b.Ints(0)), drawn(1, 16, 6), drawn(1, 16, 4), "", "", parts[0], parts[1])
	h := b.Op("Squeeze", nil, out[1], b.Ints(0))
	b.Output("output", graph.F32, b.Op("Sigmoid", nil, b.Op("MatMul", nil, h, drawn(4, 1))), anyOf, of(1))
	b.Output("best", graph.I64, b.Op("ArgMax", graph.Attrs{"axis": int64(1)}, h), anyOf, of(1))
	b.Output("stateN", graph.F32, b.Op("Concat", graph.Attrs{"axis": int64(0)}, out[1], out[2]), of(2), anyOf, of(4))
	var file bytes.Buffer
	must(t, graph.WriteONNX(&file, b.Graph()))
	path := filepath.Join(t.TempDir(), "frames.onnx")
	must(t, os.WriteFile(path, file.Bytes(), 0o666))
	return path
}

// A model with several inputs and outputs steps sequences with the bits of its own
// stream, alone and many in a request.
func TestWholeModelsStep(t *testing.T) {
	rate, err := model.Of([]int64{2})
	must(t, err)
	opt := model.RowsOptions{Set: map[string]model.Value{"sr": rate}, Sizes: map[string]int{"input[1]": 6}}
	src := Source{Path: frames(t), Rows: opt}
	v := serve(t, Options{Models: []Source{src}})
	m, err := model.Open(src.Path)
	must(t, err)
	defer m.Close()
	const n = 3
	var streams []*model.Stream
	var ids []string
	for i := range n {
		s, err := m.NewStream(opt)
		must(t, err)
		streams, ids = append(streams, s), append(ids, fmt.Sprint("s", i))
	}
	rnd := rand.New(rand.NewPCG(1, 2))
	for step := range 5 {
		x := make([]float32, n*6)
		for i := range x {
			x[i] = rnd.Float32() - .5
		}
		var want []float32 // probability and best, a row each
		for i, s := range streams {
			y := make([]float32, s.Out())
			must(t, s.Step(y, x[i*6:(i+1)*6]))
			want = append(want, y...)
		}
		var got, best []float32
		if step%2 == 0 {
			code, body, _ := v.do("POST", "/v2/models/frames/infer", jmap{"parameters": jmap{"sequence_start": step == 0}, "inputs": []jmap{
				{"name": "sequence_id", "datatype": "BYTES", "shape": []int{n}, "data": ids},
				{"name": "input", "datatype": "FP32", "shape": []int{n, 6}, "data": x},
			}})
			if code != 200 {
				t.Fatal(body)
			}
			got, _ = output(t, body, "output")
			best, _ = output(t, body, "best")
		} else {
			for i, id := range ids {
				code, body, _ := v.do("POST", "/v2/models/frames/infer", jmap{"parameters": jmap{"sequence_id": id}, "inputs": []jmap{
					{"name": "input", "datatype": "FP32", "shape": []int{1, 6}, "data": x[i*6 : (i+1)*6]},
				}})
				if code != 200 {
					t.Fatal(body)
				}
				y, _ := output(t, body, "output")
				b, shape := output(t, body, "best")
				if got, best = append(got, y...), append(best, b...); !slices.Equal(shape, []int{1, 1}) {
					t.Errorf("best is %v", shape)
				}
			}
		}
		for i := range n {
			if row := []float32{got[i], best[i]}; bits(row) != bits(want[2*i:2*i+2]) {
				t.Errorf("step %d of %d: %v, alone %v", step, i, row, want[2*i:2*i+2])
			}
		}
	}
	code, body, _ := v.do("POST", "/v2/models/frames/infer", jmap{"parameters": jmap{"sequence_id": 1, "sequence_start": true}, "inputs": []jmap{{"name": "input", "datatype": "FP32", "shape": []int{1, 7}, "data": make([]int, 7)}}})
	v.refused("another frame", code, body, 400, "bad_request", "[B, 6]")
}

// The forms of a request's shape are those of the model, whatever its layout.
func TestGathering(t *testing.T) {
	for _, c := range []struct {
		slot       slot
		n, t       int
		data, want []float32 // want is [t,n,numbers]
	}{
		{slot{shape: []int{1, 2}, axis: 1, time: 0, n: 2}, 2, 2, []float32{1, 2, 3, 4, 5, 6, 7, 8}, []float32{1, 2, 3, 4, 5, 6, 7, 8}},
		{slot{shape: []int{1, 2}, axis: 0, time: 1, n: 2}, 2, 2, []float32{1, 2, 3, 4, 5, 6, 7, 8}, []float32{1, 2, 5, 6, 3, 4, 7, 8}},
		{slot{shape: []int{2, 2}, axis: 1, time: -1, n: 4}, 2, 1, []float32{1, 2, 3, 4, 5, 6, 7, 8}, []float32{1, 2, 5, 6, 3, 4, 7, 8}},
		{slot{shape: []int{2, 2}, axis: 2, time: -1, n: 4}, 2, 1, []float32{1, 2, 3, 4, 5, 6, 7, 8}, []float32{1, 3, 5, 7, 2, 4, 6, 8}},
		{slot{shape: []int{2, 2}, axis: -1, time: -1, n: 4}, 2, 1, []float32{1, 2, 3, 4, 5, 6, 7, 8}, []float32{1, 2, 3, 4, 5, 6, 7, 8}},
		{slot{shape: []int{2, 1}, axis: 0, time: 2, n: 2}, 1, 3, []float32{1, 2, 3, 4, 5, 6}, []float32{1, 4, 2, 5, 3, 6}},
		{slot{shape: []int{1, 2}, axis: 0, time: 1, n: 2}, 1, 3, []float32{1, 2, 3, 4, 5, 6}, []float32{1, 2, 3, 4, 5, 6}},
		{slot{shape: []int{1, 2}, axis: 0, time: 1, n: 2}, 3, 1, []float32{1, 2, 3, 4, 5, 6}, []float32{1, 2, 3, 4, 5, 6}},
		{slot{shape: []int{1, 2}, axis: 2, time: 0, n: 2}, 3, 1, []float32{1, 2, 3, 4, 5, 6}, []float32{1, 4, 2, 5, 3, 6}},
	} {
		c.slot.name, c.slot.kind = "x", "float32"
		shape := c.slot.full(c.n)
		if c.slot.time >= 0 {
			shape[c.slot.time] = c.t
		}
		v, err := model.Of(c.data, shape...)
		must(t, err)
		for _, others := range []int{0, 1} { // one that is alone may need no move
			s := &stepping{inputs: append([]slot{c.slot}, make([]slot, others)...), in: c.slot.n}
			k := call{n: c.n, t: 1}
			if f := k.read(s, &c.slot, 0, v); f != nil {
				t.Errorf("%+v: %v", c.slot, f)
			}
			if !slices.Equal(k.x, c.want) {
				t.Errorf("%+v: %v, expected %v", c.slot, k.x, c.want)
			}
			// And back.
			back := &stepping{outputs: append([]slot{c.slot}, make([]slot, others)...), out: c.slot.n}
			out, err := back.results(&request{outputs: []string{"x"}}, &k, k.x)
			must(t, err)
			if !slices.Equal(model.Data[float32](out[0].value), c.data) || !slices.Equal(out[0].value.Shape(), shape) {
				t.Errorf("%+v back: %v, expected %v", c.slot, out[0].value, c.data)
			}
		}
	}
}

// A model whose output is that of the last step alone takes one step a request.
func TestModelsOfTheLastStep(t *testing.T) {
	src := folderSource(t, "last", nn.Config{RNN: unroll.Config{Mode: unroll.GRU, InputSize: 2, HiddenSize: 3}, OutFeatures: 4, Output: "last"})
	v := serve(t, Options{Models: []Source{src}})
	body := func(steps int) jmap {
		return jmap{"parameters": jmap{"sequence_id": 1, "sequence_start": true}, "inputs": []jmap{{"name": "input", "datatype": "FP32", "shape": []int{steps, 1, 2}, "data": make([]int, 2*steps)}}}
	}
	if code, text, _ := v.do("POST", "/v2/models/last/infer", body(1)); code != 200 {
		t.Errorf("%d %s", code, text)
	}
	code, text, _ := v.do("POST", "/v2/models/last/infer", body(2))
	v.refused("two steps", code, text, 400, "bad_request", "FP32 [1, B, 2]")
}

// A layer alone is stepped as a layer, not as a program of one.
func TestALayerAloneIsALayer(t *testing.T) {
	src, _ := layerSource(t, small)
	m, err := src.Open.Open(src.Path)
	must(t, err)
	defer m.Close()
	if layerAlone(m, model.RowsOptions{}) == nil {
		t.Errorf("operators %v are stepped as a program", m.Operators())
	}
}

// What an error says is expected names each shape once.
func TestExpectedShapes(t *testing.T) {
	for _, c := range []struct {
		slot slot
		want string
	}{
		{slot{kind: "float32", shape: []int{576}, axis: 0, time: -1, n: 576}, "FP32 [B, 576]"},
		{slot{kind: "float32", shape: []int{1, 3}, axis: 1, time: 0, n: 3}, "FP32 [T, B, 3], or [B, 3]"},
		{slot{kind: "int64", shape: []int{1, 3}, axis: 0, time: 1, n: 3}, "INT64 [B, T, 3], or [B, 3]"},
		{slot{kind: "float32", shape: []int{2, 2}, axis: -1, time: -1, n: 4}, "FP32 [2, 2], or [B, 4]"},
	} {
		if got := c.slot.want(); got != c.want {
			t.Errorf("%v: %q, expected %q", c.slot, got, c.want)
		}
	}
}
