package train_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	unroll "github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/checkpoint"
	"github.com/unroll-ml/unroll/checkpoint/safetensors"
	"github.com/unroll-ml/unroll/nn"
	"github.com/unroll-ml/unroll/tensor"
	"github.com/unroll-ml/unroll/train"
)

type runConfig struct {
	Name          string
	Optimizer     string
	OptimizerArgs json.RawMessage `json:"optimizer_args"`
	Scheduler     string
	SchedulerArgs json.RawMessage `json:"scheduler_args"`
	ClipGradNorm  *float64        `json:"clip_grad_norm"`
	Module        string
	Vocab, Hidden int
	Embedding     int
	SeqLen        int `json:"seq_len"`
	Batch, Steps  int
}

// Twenty steps of PyTorch: each loss, learning rate, momentum and norm, and
// the parameters at the end, in float64 to 1e-9 and in float32 to what
// PyTorch's own float32 run is away from its float64 run, and a little.
func TestTrajectories(t *testing.T) {
	files, _ := filepath.Glob("../testdata/golden/train/*.safetensors")
	if len(files) != 8 {
		t.Fatalf("%d golden runs, want 8", len(files))
	}
	for _, f := range files {
		t.Run(filepath.Base(f)+" float64", func(t *testing.T) { trajectory[float64](t, f, ".f64", 1e-9) })
		t.Run(filepath.Base(f)+" float32", func(t *testing.T) { trajectory[float32](t, f, "", 2e-4) })
	}
}

func trajectory[F tensor.Float](t *testing.T, path, twin string, rtol float64) {
	if _, err := os.Stat(path); err != nil {
		t.Fatal(err)
	}
	src, err := safetensors.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	var c runConfig
	if err := json.Unmarshal([]byte(src.Metadata()["config"]), &c); err != nil {
		t.Fatal(err)
	}
	get := func(name string) []float64 {
		t.Helper()
		if _, ok := src.Info(name + twin); ok {
			name += twin
		}
		d, err := checkpoint.Float[float64](src, name)
		if err != nil {
			t.Fatal(err)
		}
		return d.Data
	}
	mode, err := unroll.ParseMode(c.Module)
	if err != nil {
		t.Fatal(err)
	}
	m, err := nn.NewOf[F](nn.Config{NumEmbeddings: c.Vocab, EmbeddingDim: c.Embedding, OutFeatures: c.Vocab, RNN: unroll.Config{Mode: mode, HiddenSize: c.Hidden}})
	if err != nil {
		t.Fatal(err)
	}
	init := map[string]tensor.DenseOf[F]{}
	for n := range m.StateDict() {
		if init[n], err = checkpoint.Float[F](src, "init."+n); err != nil {
			t.Fatal(err)
		}
	}
	if err := m.Load(init); err != nil {
		t.Fatal(err)
	}
	o, err := train.NewOptimizerOf[F](algorithm(t, c.Optimizer, c.OptimizerArgs))
	if err != nil {
		t.Fatal(err)
	}
	var s train.Scheduler
	if c.Scheduler != "" {
		s = scheduler(t, c.Scheduler, c.SchedulerArgs)
		o.Hyper = s.Start(o.Hyper)
	}
	x, _, err := checkpoint.Ints(src, "x")
	if err != nil {
		t.Fatal(err)
	}
	y, _, err := checkpoint.Ints(src, "y")
	if err != nil {
		t.Fatal(err)
	}
	wantMomentum := get("momentum")
	p := nn.PassOf[F]{Model: m, Train: true}
	var ce nn.CrossEntropyOf[F]
	var losses, lrs, moms, norms []float64
	for k := range c.Steps {
		n := c.SeqLen * c.Batch
		in, targets := nn.InputOf[F]{Tokens: make([]int, n), T: c.SeqLen, B: c.Batch}, make([]int, n)
		for i := range n {
			in.Tokens[i], targets[i] = int(x[k*n+i]), int(y[k*n+i])
		}
		p.Zero()
		logits, _, err := p.Forward(in, unroll.StateOf[F]{})
		if err != nil {
			t.Fatal(err)
		}
		loss, err := ce.Loss(logits, targets, logits.Data)
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Backward(logits); err != nil {
			t.Fatal(err)
		}
		if c.ClipGradNorm != nil {
			norm, err := train.ClipGradNorm(p.Params(), *c.ClipGradNorm)
			if err != nil {
				t.Fatal(err)
			}
			norms = append(norms, norm)
		}
		losses, lrs, moms = append(losses, loss), append(lrs, o.LR), append(moms, o.Momentum)
		m.Update(func() { err = o.Step(p.Params()) })
		if err != nil {
			t.Fatal(err)
		}
		if s != nil {
			o.Hyper = s.Step(o.Hyper, loss)
		}
	}
	within(t, "loss", losses, get("loss"), rtol)
	within(t, "lr", lrs, get("lr"), 1e-12)
	if c.Optimizer != "RMSprop" { // whose momentum is 0, and stored as NaN or 0
		within(t, "momentum", moms, wantMomentum, 1e-12)
	}
	if norms != nil {
		within(t, "grad_norm", norms, get("grad_norm"), rtol)
	}
	for n, v := range m.StateDict() {
		within(t, n, tensor.Convert[float64](v).Data, get("final."+n), rtol)
	}
}

func within(t *testing.T, what string, got, want []float64, tol float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d numbers, want %d", what, len(got), len(want))
	}
	for i := range want {
		if d := got[i] - want[i]; !(d <= tol*(1+abs(want[i])) && -d <= tol*(1+abs(want[i]))) {
			t.Errorf("%s[%d] = %v, PyTorch has %v", what, i, got[i], want[i])
			return
		}
	}
}

func abs(x float64) float64 { return max(x, -x) }
