package nn_test

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/internal/atomicfile"
	"github.com/unroll-ml/unroll/nn"
	"github.com/unroll-ml/unroll/rng"
)

// saved is a model's folder, all parameters drawn by a seed.
func saved(t *testing.T, dir string, seed uint64) *nn.Model {
	t.Helper()
	m, err := nn.New(nn.Config{RNN: unroll.Config{Mode: unroll.GRU, InputSize: 2, HiddenSize: 3}, OutFeatures: 1})
	if err != nil {
		t.Fatal(err)
	}
	m.ResetParameters(rng.New(seed))
	if err := m.Save(dir, ""); err != nil {
		t.Fatal(err)
	}
	return m
}

// weightsOf are the numbers of a folder's model.
func weightsOf(t *testing.T, dir string) string {
	t.Helper()
	m, err := nn.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return string(m.RNN().Params()[0].Value.String())
}

// A process that is killed between the steps in which a folder takes a new model
// leaves the old model or the new: every state between, one after the other.
func TestEveryStateOfASaveIsOneModel(t *testing.T) {
	one, two, dir := t.TempDir(), t.TempDir(), t.TempDir()
	saved(t, one, 1)
	saved(t, two, 2)
	old, young := weightsOf(t, one), weightsOf(t, two)
	if old == young {
		t.Fatal("the two models are one")
	}
	next := filepath.Base(atomicfile.Next(nn.WeightsFile))
	for _, state := range []struct {
		name                  string
		weights, next, config string // whose
		want                  string
	}{
		{"before", one, "", one, old},
		{"the new weights stand beside", one, two, one, old},
		{"the config is new", one, two, two, young},
		{"after", two, "", two, young},
		{"a first save", "", two, two, young},
		{"left of an older save", two, one, two, young},
	} {
		fill := func() {
			t.Helper()
			if err := os.RemoveAll(dir); err != nil {
				t.Fatal(err)
			}
			if err := os.Mkdir(dir, 0o777); err != nil {
				t.Fatal(err)
			}
			for _, f := range []struct{ to, from, name string }{{nn.WeightsFile, state.weights, nn.WeightsFile}, {next, state.next, nn.WeightsFile}, {nn.ConfigFile, state.config, nn.ConfigFile}} {
				if f.from == "" {
					continue
				}
				b, err := os.ReadFile(filepath.Join(f.from, f.name))
				if err == nil {
					err = os.WriteFile(filepath.Join(dir, f.to), b, 0o666)
				}
				if err != nil {
					t.Fatal(err)
				}
			}
		}
		fill()
		if got := weightsOf(t, dir); got != state.want {
			t.Errorf("%s: it is the wrong model", state.name)
		}
		// The next save begins from it, and leaves nothing beside.
		saved(t, dir, 3)
		if list, err := os.ReadDir(dir); err != nil || len(list) != 2 {
			t.Errorf("%s: %v is left, %v", state.name, list, err)
		}
		// A next save that does not come to its end loses nothing.
		fill()
		if err := os.Mkdir(filepath.Join(dir, "README.md"), 0o777); err != nil {
			t.Fatal(err)
		}
		if m, err := nn.Open(dir); err != nil {
			t.Fatal(err)
		} else if err := m.Save(dir, "words"); err == nil {
			t.Errorf("%s: a folder took the place of README.md", state.name)
		}
		if got := weightsOf(t, dir); got != state.want {
			t.Errorf("%s: saved again, it is the wrong model", state.name)
		}
	}
	if _, err := fs.Stat(os.DirFS(dir), next); err == nil {
		t.Error("what a save left stays for ever")
	}
}

// Weights of another save are not taken for those of the config; those of another
// program, which have no checksum, are.
func TestWeightsOfAnotherSaveAreRefused(t *testing.T) {
	one, two := t.TempDir(), t.TempDir()
	saved(t, one, 1)
	saved(t, two, 2)
	path := filepath.Join(one, nn.WeightsFile)
	b, err := os.ReadFile(filepath.Join(two, nn.WeightsFile))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b, 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := nn.Open(one); err == nil || !strings.Contains(err.Error(), "is not the file that config.json was saved with") {
		t.Errorf("%v", err)
	}
	// The name of the checksum's entry, of equal length, is somebody's.
	if err := os.WriteFile(path, bytes.Replace(bytes.Replace(b, []byte(`"checksum"`), []byte(`"whatever"`), 1), []byte(`"sha256:`), []byte(`"sha 256`), 1), 0o666); err != nil {
		t.Fatal(err)
	}
	if got := weightsOf(t, one); got != weightsOf(t, two) {
		t.Error("weights without a checksum are not those of the file")
	}
}
