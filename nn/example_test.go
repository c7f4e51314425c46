package nn_test

import (
	"fmt"
	"os"
	"path/filepath"

	unroll "github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/nn"
	"github.com/unroll-ml/unroll/rng"
	"github.com/unroll-ml/unroll/tensor"
)

// A model reads tokens [T,B] and gives logits [T,B,C]; the loss writes its
// gradient over them, and Backward adds the gradients of all parameters. The loss
// is PyTorch's for torch.manual_seed(0).
func Example() {
	m, err := nn.New(nn.Config{
		NumEmbeddings: 10, EmbeddingDim: 4, OutFeatures: 10,
		RNN: unroll.Config{Mode: unroll.LSTM, HiddenSize: 8, NumLayers: 2},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	m.ResetParameters(rng.New(0)) // torch.manual_seed(0)
	p := nn.Pass{Model: m, Train: true}
	logits, _, err := p.Forward(nn.Input{Tokens: []int{1, 2, 3, 4, 5, 6}, T: 3, B: 2}, unroll.State{})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("logits", logits.Shape)
	loss, err := (&nn.CrossEntropy{}).Loss(logits, []int{3, 4, 5, 6, 7, -100}, logits.Data)
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := p.Backward(logits); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("loss %.4f\n", loss)
	for _, q := range p.Params()[:3] {
		fmt.Println(q.Name, q.Grad.Shape)
	}
	// Output:
	// logits [3 2 10]
	// loss 2.1941
	// embedding.weight [10 4]
	// rnn.weight_ih_l0 [32 4]
	// rnn.weight_hh_l0 [32 8]
}

// A model folder holds all that is needed to run the model.
func ExampleModelOf_Save() {
	dir, err := os.MkdirTemp("", "model")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	m, _ := nn.New(nn.Config{OutFeatures: 3, RNN: unroll.Config{Mode: unroll.GRU, InputSize: 2, HiddenSize: 5}})
	m.ResetParameters(rng.New(1))
	if err := m.Save(dir, "# Five units\n"); err != nil {
		fmt.Println(err)
		return
	}
	files, _ := filepath.Glob(filepath.Join(dir, "*"))
	for _, f := range files {
		fmt.Println(filepath.Base(f))
	}
	again, err := nn.Open(dir)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(again.Config().RNN)
	// Output:
	// README.md
	// config.json
	// model.safetensors
	// GRU(2, 5)
}

// Dropout in training; in evaluation there is nothing to call.
func ExampleDropoutOf() {
	d := nn.Dropout{P: .5}
	x := []float32{1, 2, 3, 4, 5, 6}
	y := make([]float32, len(x))
	if err := d.Forward(rng.New(0), y, x); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(y)
	// Output:
	// [0 0 6 0 0 0]
}

// Losses are those of torch.nn, with the gradient beside the value.
func ExampleHuber() {
	x, _ := tensor.Of([]float32{0, 1, 4}, 3)
	y, _ := tensor.Of([]float32{0, .5, 1}, 3)
	grad := make([]float32, 3)
	loss, err := nn.Huber(1, nn.Sum).Loss(x, y, grad)
	fmt.Println(loss, grad, err)
	// Output:
	// 2.625 [0 0.5 1] <nil>
}
