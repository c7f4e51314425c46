package nn_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"

	unroll "github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/nn"
)

// Keys of config.json that are not the model's go through Open and Save, with
// what they hold.
func TestMetaIsKept(t *testing.T) {
	cfg := nn.Config{RNN: unroll.Config{InputSize: 2, HiddenSize: 3}, OutFeatures: 1}
	cfg.Meta = map[string]json.RawMessage{"classes": json.RawMessage(`["<a>","b"]`), "about": json.RawMessage(`{"x":1.50}`)}
	m, err := nn.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	first, second := filepath.Join(t.TempDir(), "a"), filepath.Join(t.TempDir(), "b")
	if err := m.Save(first, ""); err != nil {
		t.Fatal(err)
	}
	again, err := nn.Open(first)
	if err != nil {
		t.Fatal(err)
	}
	got := again.Config().Meta
	var classes []string
	if err := json.Unmarshal(got["classes"], &classes); err != nil || len(got) != 2 || classes[0] != "<a>" {
		t.Fatalf("%v, %v", got, err)
	}
	if err := again.Save(second, ""); err != nil {
		t.Fatal(err)
	}
	a, _ := os.ReadFile(filepath.Join(first, nn.ConfigFile))
	b, err := os.ReadFile(filepath.Join(second, nn.ConfigFile))
	if err != nil || string(a) != string(b) || len(a) == 0 {
		t.Errorf("config.json became\n%s\nfrom\n%s\n%v", b, a, err)
	}
	cfg.Meta["OUT_features"] = json.RawMessage("2")
	if _, err := json.Marshal(cfg); !errors.Is(err, nn.ErrConfig) {
		t.Errorf("a key of the model's in Meta: %v", err)
	}
}
