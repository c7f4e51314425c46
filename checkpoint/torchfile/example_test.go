package torchfile_test

import (
	"fmt"

	"github.com/unroll-ml/unroll/checkpoint"
	"github.com/unroll-ml/unroll/checkpoint/torchfile"
)

// A training checkpoint: its tensors, one of them read, and what else it holds.
func Example() {
	f, err := torchfile.Open("testdata/golden/checkpoint_adam.pt")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer f.Close()
	for _, name := range f.Names()[:3] {
		info, _ := f.Info(name)
		fmt.Println(name, info.Type(), info.Shape)
	}
	bias, err := checkpoint.Float[float32](f, "model_state_dict/fc.bias") // [3]
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("fc.bias has", len(bias.Data), "elements")
	for _, v := range f.Values()[:3] {
		fmt.Println(v.Path, "=", v.Data)
	}
	// Output:
	// model_state_dict/embedding.weight F32 [6 4]
	// model_state_dict/rnn.weight_ih_l0 F32 [20 4]
	// model_state_dict/rnn.weight_hh_l0 F32 [20 5]
	// fc.bias has 3 elements
	// epoch = 3
	// optimizer_state_dict/param_groups/0/lr = 0.01
	// optimizer_state_dict/param_groups/0/betas/0 = 0.9
}

func ExampleStrip() {
	fmt.Println(torchfile.Strip("model_state_dict/module._orig_mod.rnn.weight_ih_l0"))
	// Output: model_state_dict/rnn.weight_ih_l0
}
