package model

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/nn"
)

// A token below zero is out of range, as in PyTorch, and none from the end of the
// vocabulary as an index of ONNX's is; in a run and in a step.
func TestTokensBelowZero(t *testing.T) {
	trained, err := nn.New(nn.Config{NumEmbeddings: 5, EmbeddingDim: 2, RNN: unroll.Config{Mode: unroll.GRU, InputSize: 2, HiddenSize: 3}, OutFeatures: 5})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := trained.Save(filepath.Join(dir, "m"), ""); err != nil {
		t.Fatal(err)
	}
	chain := Options{Chain: "embedding | rnn | fc", Layout: TimeFirst, States: true}
	for name, open := range map[string]func() (*Model, error){
		"a folder": func() (*Model, error) { return Open(filepath.Join(dir, "m")) },
		"a chain":  func() (*Model, error) { return chain.Open(filepath.Join(dir, "m", nn.WeightsFile)) },
	} {
		m, err := open()
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		defer m.Close()
		in := m.Inputs()[0].Name
		for token, good := range map[int64]bool{0: true, 4: true, 5: false, -1: false, -5: false} {
			v, err := Of([]int64{token}, 1, 1)
			if err != nil {
				t.Fatal(err)
			}
			_, err = m.Run(map[string]Value{in: v})
			s, err2 := m.NewStream(RowsOptions{})
			if err2 == nil {
				err2 = s.Step(make([]float32, s.Out()), []float32{float32(token)})
			}
			for _, err := range []error{err, err2} {
				if (err == nil) != good || !good && !strings.Contains(err.Error(), "of 5, expected ") {
					t.Errorf("%s, token %d: %v", name, token, err)
				}
			}
		}
	}
}
