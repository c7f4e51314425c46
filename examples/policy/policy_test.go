package main

import (
	"encoding/json"
	"math"
	"os"
	"testing"

	"github.com/unroll-ml/unroll/model"
)

// TestPolicyActsAsInPyTorch goes through the 20 steps that make.py recorded, for each
// of three that act side by side there and alone here.
func TestPolicyActsAsInPyTorch(t *testing.T) {
	text, err := os.ReadFile("expect.json")
	if err != nil {
		t.Fatal(err)
	}
	var steps []struct {
		Sight, Actions [][]float32
		Value          []float32
	}
	if err := json.Unmarshal(text, &steps); err != nil {
		t.Fatal(err)
	}
	m, err := model.Open("policy.onnx")
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if len(steps) != 20 {
		t.Fatalf("%d steps", len(steps))
	}
	for who := range steps[0].Sight {
		p, err := newPolicy(m)
		if err != nil {
			t.Fatal(err)
		}
		for i, s := range steps {
			actions, value, err := p.act(s.Sight[who])
			if err != nil {
				t.Fatal(err)
			}
			for j, want := range s.Actions[who] {
				if math.Abs(float64(actions[j]-want)) > 1e-5 {
					t.Errorf("%d, step %d: action %d has %g, PyTorch %g", who, i, j, actions[j], want)
				}
			}
			if math.Abs(float64(value-s.Value[who])) > 1e-5 {
				t.Errorf("%d, step %d: value %g, PyTorch %g", who, i, value, s.Value[who])
			}
		}
	}
	allocs := testing.AllocsPerRun(10, func() {
		p, err := newPolicy(m)
		if err != nil {
			t.Fatal(err)
		}
		for range 100 {
			if _, _, err := p.act([]float32{1, 2, 3, 4, 5, 6}); err != nil {
				t.Fatal(err)
			}
		}
	})
	if allocs >= 100 {
		t.Errorf("100 steps allocate %v times: a step should not", allocs)
	}
}

func TestPolicyRuns(t *testing.T) {
	if err := run("policy.onnx", 3); err != nil {
		t.Fatal(err)
	}
}
