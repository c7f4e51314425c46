package modelfile

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/nn"
	"github.com/unroll-ml/unroll/rng"
	"github.com/unroll-ml/unroll/tensor"
)

// formats that FuzzLoad writes bytes as; the last is a folder's config.json
// beside weights that are whole.
var endings = []string{".safetensors", ".pt", ".onnx", ".npz", ""}

// FuzzLoad: whatever the bytes of a file, or of a folder's config, they are
// refused or become a layer or a model that runs.
func FuzzLoad(f *testing.F) {
	for i, pattern := range []string{"../../testdata/golden/layers/*cell*.safetensors", torchGoldens + "*.pt", onnxGoldens + "*.onnx", "../../checkpoint/keras/testdata/*.npz"} {
		paths, err := filepath.Glob(pattern)
		if err != nil || len(paths) == 0 {
			f.Fatal(pattern, err)
		}
		for _, p := range paths {
			b, err := os.ReadFile(p)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(uint8(i), false, b)
			f.Add(uint8(i), true, b)
		}
	}
	paths, err := filepath.Glob("../../checkpoint/onnx/testdata/operators/*.onnx")
	if err != nil {
		f.Fatal(err)
	}
	for _, p := range paths {
		b, err := os.ReadFile(p)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(uint8(2), false, b)
	}
	m, err := nn.New(nn.Config{RNN: unroll.Config{Mode: unroll.LSTM, HiddenSize: 3}, NumEmbeddings: 5, EmbeddingDim: 2, OutFeatures: 5})
	if err != nil {
		f.Fatal(err)
	}
	m.ResetParameters(rng.New(1))
	folder := f.TempDir()
	if err := m.Save(folder, ""); err != nil {
		f.Fatal(err)
	}
	weights, err := os.ReadFile(filepath.Join(folder, nn.WeightsFile))
	if err != nil {
		f.Fatal(err)
	}
	config, err := os.ReadFile(filepath.Join(folder, "config.json"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(uint8(len(endings)-1), false, config)
	f.Fuzz(func(t *testing.T, format uint8, keras bool, b []byte) {
		ending := endings[int(format)%len(endings)]
		path := filepath.Join(t.TempDir(), "m"+ending)
		write := func(path string, b []byte) {
			if err := os.WriteFile(path, b, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if ending == "" {
			if err := os.Mkdir(path, 0o700); err != nil {
				t.Fatal(err)
			}
			write(filepath.Join(path, "config.json"), b)
			write(filepath.Join(path, nn.WeightsFile), weights)
		} else {
			write(path, b)
		}
		file, err := Open(path)
		if err != nil {
			if !strings.Contains(err.Error(), path) {
				t.Fatalf("an error that does not name the file: %v", err)
			}
			return
		}
		defer file.Close()
		opt := Options{Keras: keras}
		_, _ = file.Parts(opt)
		if l, err := file.Load(opt); err == nil {
			if in := l.Layer.Config().InputSize; in < 1<<12 {
				if _, _, err := l.Layer.Forward(tensor.New(2, in), unroll.State{}); err != nil {
					t.Fatal(err)
				}
			}
		}
	})
}
