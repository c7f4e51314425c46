// Command policy acts in a small world by a policy that was trained elsewhere: it
// sees, remembers, says what to do, and how good things are.
//
//	go run ./examples/policy
//
// The policy is an ONNX file with two outputs beside its state, which goes in and out
// at each step; make.py writes it.
package main

import (
	"flag"
	"fmt"
	"os"

	"github.com/unroll-ml/unroll/model"
)

func main() {
	file := flag.String("model", "examples/policy/policy.onnx", "the policy")
	steps := flag.Int("steps", 10, "how often it acts")
	flag.Parse()
	if err := run(*file, *steps); err != nil {
		fmt.Fprintln(os.Stderr, "policy:", err)
		os.Exit(1)
	}
}

func run(file string, steps int) error {
	m, err := model.Open(file)
	if err != nil {
		return err
	}
	defer m.Close()
	p, err := newPolicy(m)
	if err != nil {
		return err
	}
	sight := []float32{1, 0, 0, 0.5, -0.5, 0}
	for i := range steps {
		actions, value, err := p.act(sight)
		if err != nil {
			return err
		}
		best := argmax(actions)
		fmt.Printf("step %d: action %d, value %.4f\n", i, best, value)
		sight[best] *= 0.5 // the world answers
		sight[3+best] += 0.25
	}
	return nil
}

// policy keeps what the model remembers.
type policy struct {
	pass   *model.Pass
	sight  []float32
	memory []float32
}

// newPolicy begins with an empty memory.
func newPolicy(m *model.Model) (*policy, error) {
	p := &policy{pass: m.NewPass(), sight: make([]float32, 6), memory: make([]float32, 32)}
	sight, err := model.Of(p.sight, 1, 6)
	if err != nil {
		return nil, err
	}
	memory, err := model.Of(p.memory, 1, 1, 32)
	if err != nil {
		return nil, err
	}
	if err := p.pass.Set("sight", sight); err != nil {
		return nil, err
	}
	return p, p.pass.Set("memory", memory)
}

// act makes a step: the logarithms of the actions' probabilities, which hold until the
// next one, and the value.
func (p *policy) act(sight []float32) (actions []float32, value float32, err error) {
	copy(p.sight, sight)
	if err := p.pass.Run(); err != nil {
		return nil, 0, err
	}
	copy(p.memory, model.Data[float32](p.pass.Output("memory_out")))
	return model.Data[float32](p.pass.Output("actions")), model.Data[float32](p.pass.Output("value"))[0], nil
}

func argmax(x []float32) int {
	best := 0
	for i, v := range x {
		if v > x[best] {
			best = i
		}
	}
	return best
}
