package testkit

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

// Misuse is a case of testdata/golden/errors.json: a wrong use of PyTorch, or
// one at the border that PyTorch allows, and what PyTorch says to it.
type Misuse struct {
	ID       string   `json:"id"`
	Code     string   `json:"code"`    // R is torch.randn, u is torch.nn.utils.rnn
	Outcome  string   `json:"outcome"` // raises or ok
	Type     string   `json:"type"`    // the Python exception
	Message  string   `json:"message"`
	Result   string   `json:"result"`
	Warnings []string `json:"warnings"`
}

// Misuses returns the cases of errors.json in their order.
func Misuses(t testing.TB) []Misuse {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(Root(t), "errors.json"))
	if err != nil {
		t.Fatal(err)
	}
	var f struct{ Cases []Misuse }
	if err := json.Unmarshal(b, &f); err != nil {
		t.Fatalf("errors.json: %v", err)
	}
	if len(f.Cases) == 0 {
		t.Fatal("errors.json has no cases")
	}
	return f.Cases
}
