package modelfile

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	unroll "github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/checkpoint"
	"github.com/unroll-ml/unroll/checkpoint/safetensors"
	"github.com/unroll-ml/unroll/checkpoint/torchfile"
	"github.com/unroll-ml/unroll/rng"
)

// A folder with another program's config.json opens as the weights in it; one whose
// config.json is unroll's own, or that has no weights, does not.
func TestFoldersOfOtherPrograms(t *testing.T) {
	layer, err := unroll.New(unroll.Config{Mode: unroll.LSTM, InputSize: 3, HiddenSize: 4})
	if err != nil {
		t.Fatal(err)
	}
	layer.ResetParameters(rng.New(1))
	var set checkpoint.Set
	for _, p := range layer.Params() {
		set = append(set, checkpoint.Of("rnn."+p.Name, p.Value))
	}
	const theirs = `{"model_type": "lstm", "hidden_size": 4, "architectures": ["Tagger"]}`
	for name, c := range map[string]struct {
		config string
		files  []string
		want   string // the file that is opened; empty: refused
	}{
		"safetensors": {theirs, []string{"model.safetensors"}, "model.safetensors"},
		"bin":         {theirs, []string{"pytorch_model.bin"}, "pytorch_model.bin"},
		"both":        {theirs, []string{"pytorch_model.bin", "model.safetensors"}, "model.safetensors"},
		"no weights":  {theirs, []string{"other.safetensors"}, ""},
		"own":         {`{"rnn": {}}`, []string{"model.safetensors"}, ""},
		"own, large":  {`{"RNN": {}}`, []string{"model.safetensors"}, ""},
		"program":     {`{"program": "../x.onnx"}`, []string{"model.safetensors"}, ""},
		"no JSON":     {`{`, []string{"model.safetensors"}, ""},
		"no config":   {"", []string{"model.safetensors"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if c.config != "" {
				if err := os.WriteFile(filepath.Join(dir, "config.json"), []byte(c.config), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			for _, file := range c.files {
				path := filepath.Join(dir, file)
				if filepath.Ext(file) == ".bin" {
					err = torchfile.WriteFile(path, set)
				} else {
					err = safetensors.WriteFile(path, set, nil)
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			f, err := Open(dir)
			if c.want == "" {
				if err == nil {
					t.Fatalf("%s was opened", f.Path)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			path := filepath.Join(dir, c.want)
			if f.Path != path || len(f.Source.Names()) != len(set) {
				t.Errorf("opened %s with %d tensors, want %s with %d", f.Path, len(f.Source.Names()), path, len(set))
			}
			if format, err := Detect(dir); err != nil || format != f.Format {
				t.Errorf("Detect gives %s, %v; Open %s", format, err, f.Format)
			}
			if !slices.Contains(Files(dir), path) {
				t.Errorf("Files gives %v", Files(dir))
			}
		})
	}
}
