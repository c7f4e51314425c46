package nn_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	unroll "github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/checkpoint"
	"github.com/unroll-ml/unroll/checkpoint/safetensors"
	"github.com/unroll-ml/unroll/nn"
	"github.com/unroll-ml/unroll/rng"
)

func savedModel(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "m")
	m, err := nn.New(nn.Config{
		NumEmbeddings: 3, EmbeddingDim: 2, OutFeatures: 2, RNN: unroll.Config{Mode: unroll.GRU, HiddenSize: 2},
		Meta: map[string]json.RawMessage{"classes": json.RawMessage(`["x", "é", "}"]`)},
	})
	if err != nil {
		t.Fatal(err)
	}
	m.ResetParameters(rng.New(1))
	if err := m.Save(dir, ""); err != nil {
		t.Fatal(err)
	}
	return dir
}

// A bit of every byte of both files of a folder is changed, one at a time: the
// folder is refused.
func TestEveryByteOfAFolderIsUnderAChecksum(t *testing.T) {
	dir := savedModel(t)
	if m, err := nn.Open(dir); err != nil || !m.Checked() {
		t.Fatalf("not checked, or %v", err)
	}
	for _, name := range []string{nn.ConfigFile, nn.WeightsFile} {
		path := filepath.Join(dir, name)
		whole, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for i := range whole {
			b := slices.Clone(whole)
			b[i] ^= 1 << (i % 8)
			if err := os.WriteFile(path, b, 0o666); err != nil {
				t.Fatal(err)
			}
			if _, err := nn.Open(dir); err == nil {
				t.Errorf("%s: byte %d, %q as %q, was not noticed", name, i, whole[i], b[i])
			}
		}
		if err := os.WriteFile(path, whole, 0o666); err != nil {
			t.Fatal(err)
		}
	}
}

// A folder of the first release, without checksums, still opens, and Checked says
// so; a config changed by hand needs the line taken out.
func TestFoldersWithoutChecksums(t *testing.T) {
	dir := savedModel(t)
	path := filepath.Join(dir, nn.ConfigFile)
	config, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	write := func(b []byte) {
		t.Helper()
		if err := os.WriteFile(path, b, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	changed := regexp.MustCompile(`"x"`).ReplaceAll(config, []byte(`"z"`))
	write(changed)
	if _, err := nn.Open(dir); !errors.Is(err, nn.ErrFolder) {
		t.Errorf("a changed config: %v", err)
	}
	write(regexp.MustCompile(`,\s*"checksum".*`).ReplaceAll(changed, nil))
	m, err := nn.Open(dir)
	if err != nil || m.Checked() || !strings.Contains(string(m.Config().Meta["classes"]), `"z"`) {
		t.Errorf("a config without checksum: %v", err)
	}
	write(config)
	f, err := safetensors.Open(filepath.Join(dir, nn.WeightsFile))
	if err != nil {
		t.Fatal(err)
	}
	var set checkpoint.Set
	for _, n := range f.Names() {
		x, err := f.Tensor(n)
		if err != nil {
			t.Fatal(err)
		}
		x.Data = slices.Clone(x.Data)
		set = append(set, x)
	}
	f.Close()
	if err := safetensors.WriteFile(filepath.Join(dir, nn.WeightsFile), set, map[string]string{"format": "pt"}); err != nil {
		t.Fatal(err)
	}
	if m, err = nn.Open(dir); err != nil || m.Checked() {
		t.Errorf("weights without checksum: %v", err)
	}
}

// The checksum is the file's and not the model's: a model that is opened and saved
// again has one.
func TestSavedAgain(t *testing.T) {
	dir := savedModel(t)
	m, err := nn.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := m.Config().Meta["checksum"]; ok {
		t.Error("the checksum came with the model")
	}
	again := filepath.Join(t.TempDir(), "again")
	if err := m.Save(again, ""); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{nn.ConfigFile, nn.WeightsFile} {
		a, errA := os.ReadFile(filepath.Join(dir, name))
		b, errB := os.ReadFile(filepath.Join(again, name))
		if errA != nil || errB != nil || string(a) != string(b) {
			t.Errorf("%s: %v, %v\n%s\nwas\n%s", name, errA, errB, b, a)
		}
	}
	cfg := m.Config()
	cfg.Meta = map[string]json.RawMessage{"checksum": json.RawMessage("1")}
	if m, err = nn.New(cfg); err != nil {
		t.Fatal(err)
	}
	if err := m.Save(again, ""); !errors.Is(err, nn.ErrFolder) {
		t.Errorf("a checksum in Meta: %v", err)
	}
}

// countedReads counts the bytes that are read.
type countedReads struct {
	*os.File
	n int64
}

func (c *countedReads) ReadAt(p []byte, off int64) (int, error) {
	n, err := c.File.ReadAt(p, off)
	c.n += int64(n)
	return n, err
}

// Weights are read once, for the checksum and for the model. What is refused then is
// told by the checksum where the file is damaged, and by the number where it is not.
func TestWeightsAreReadOnce(t *testing.T) {
	dir := savedModel(t)
	path := filepath.Join(dir, nn.WeightsFile)
	load := func() (read, size int64, err error) {
		f, err := nn.OpenFolder(dir)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		file, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		info, err := file.Stat()
		if err != nil {
			t.Fatal(err)
		}
		c := &countedReads{File: file}
		if f.Weights, err = safetensors.NewReader(c, info.Size()); err != nil {
			t.Fatal(err)
		}
		_, err = nn.Load(f)
		return c.n, info.Size(), err
	}
	if read, size, err := load(); err != nil || read != size {
		t.Errorf("read %d bytes of a file of %d, %v", read, size, err)
	}
	f, err := safetensors.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	set := checkpoint.Set{}
	for _, n := range f.Names() {
		x, err := checkpoint.Float[float64](f, n)
		if err != nil {
			t.Fatal(err)
		}
		x.Data[0] = 1e300
		set = append(set, checkpoint.Of(n, x))
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	for want, write := range map[string]func() error{
		"beyond the range of float32": func() error { return safetensors.WriteFile(path, set, nil) },
		"is damaged": func() error {
			return safetensors.WriteFile(path, set, map[string]string{"checksum": f.Metadata()["checksum"]})
		},
	} {
		if err := write(); err != nil {
			t.Fatal(err)
		}
		if _, _, err := load(); err == nil || !strings.Contains(err.Error(), want) || errors.Is(err, nn.ErrFolder) != (want == "is damaged") {
			t.Errorf("%v, want %s", err, want)
		}
	}
}
