package modelfile

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/checkpoint"
	"github.com/unroll-ml/unroll/checkpoint/safetensors"
	"github.com/unroll-ml/unroll/checkpoint/torchfile"
	"github.com/unroll-ml/unroll/internal/testkit"
	"github.com/unroll-ml/unroll/rng"
	"github.com/unroll-ml/unroll/tensor"
)

// shardsOf writes a layer of two, each in a shard of its own, with an index, and
// returns the layer.
func shardsOf(t *testing.T, dir, ending string) *unroll.Layer {
	t.Helper()
	layer, err := unroll.New(unroll.Config{Mode: unroll.LSTM, InputSize: 3, HiddenSize: 4, NumLayers: 2})
	if err != nil {
		t.Fatal(err)
	}
	layer.ResetParameters(rng.New(1))
	shards := make([]checkpoint.Set, 2)
	where := map[string]string{}
	for _, p := range layer.Params() {
		i := 0
		if strings.Contains(p.Name, "_l1") {
			i = 1
		}
		shards[i] = append(shards[i], checkpoint.Of("rnn."+p.Name, p.Value))
		where["rnn."+p.Name] = fmt.Sprintf("model-%05d-of-00002%s", i+1, ending)
	}
	for i, s := range shards {
		path := filepath.Join(dir, fmt.Sprintf("model-%05d-of-00002%s", i+1, ending))
		if ending == ".bin" {
			err = torchfile.WriteFile(path, s)
		} else {
			err = safetensors.WriteFile(path, s, nil)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	index(t, filepath.Join(dir, "model"+ending+".index.json"), where)
	return layer
}

func index(t *testing.T, path string, where map[string]string) {
	t.Helper()
	b, err := json.Marshal(map[string]any{"metadata": map[string]any{"total_size": 1}, "weight_map": where})
	if err == nil {
		err = os.WriteFile(path, b, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestShardsOpenAsOne: by their index, or the folder it is in; one alone is
// refused with the index to open.
func TestShardsOpenAsOne(t *testing.T) {
	for _, ending := range []string{".safetensors", ".bin"} {
		dir := t.TempDir()
		want := shardsOf(t, dir, ending)
		for _, path := range []string{dir, filepath.Join(dir, "model"+ending+".index.json")} {
			f, err := Open(path)
			if err != nil {
				t.Fatal(err)
			}
			l, err := f.Load(Options{})
			if err != nil {
				t.Fatal(err)
			}
			for i, p := range l.Layer.Params() {
				testkit.BitsDense(t, p.Name, p.Value, want.Params()[i].Value)
			}
			if f.Format != Sharded || len(l.Layer.Params()) != 8 || f.Close() != nil {
				t.Errorf("%s: %s, %d parameters", path, f.Format, len(l.Layer.Params()))
			}
		}
		_, err := Open(filepath.Join(dir, "model-00001-of-00002"+ending))
		if !errors.Is(err, ErrShard) || !strings.Contains(err.Error(), "shard 1 of 2") || !strings.Contains(err.Error(), ".index.json") {
			t.Errorf("one shard: %v", err)
		}
	}
}

// TestNamesOfShards: a count of shards is one however it is written, and a count of
// whole models is none.
func TestNamesOfShards(t *testing.T) {
	for name, part := range map[string]bool{
		"model-00001-of-00002.safetensors": true, "pytorch_model-00002-of-00002.bin": true, "model_part_1_of_2.pt": true,
		"model-00001-of-00002.pth.tar": true, "model-1of2": true, "1-of-3.pt": true, "Model.Part 2 Of 3.PT": true, "w_00000-of-00002.npz": true,
		"model-00001-of-00001.safetensors": false, "fold-1-of-5.pt": false, "lstm_epoch_3_of_7.pt": false, "model.pt": false,
		"out_of_5.pt": false, "prof12of3.pt": false, "2024-01-02.pt": false,
	} {
		if err := alone(filepath.Join(t.TempDir(), name)); errors.Is(err, ErrShard) != part {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestIndexesAreDistrusted: an index names files beside it, all of them there,
// with the tensors it says.
func TestIndexesAreDistrusted(t *testing.T) {
	dir := t.TempDir()
	shardsOf(t, dir, ".safetensors")
	path := filepath.Join(dir, "model.safetensors.index.json")
	for what, c := range map[string]struct {
		where map[string]string
		want  string
	}{
		"a shard outside":    {map[string]string{"a": "../x.safetensors"}, "beside their index"},
		"an absolute path":   {map[string]string{"a": "/etc/passwd"}, "beside their index"},
		"a missing shard":    {map[string]string{"a": "none.safetensors", "b": "none.safetensors"}, "missing: all 1 shards"},
		"a missing tensor":   {map[string]string{"a": "model-00001-of-00002.safetensors"}, `tensor "a" is not in`},
		"an index of itself": {map[string]string{"a": "model.safetensors.index.json"}, "this is an index of shards"},
		"nothing":            {nil, "without a weight_map"},
	} {
		index(t, path, c.where)
		if _, err := Open(path); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, expected %q", what, err, c.want)
		}
	}
}

// TestShardsThatHoldMore: a tensor of two shards could be either, and one that the
// index does not name is nobody's.
func TestShardsThatHoldMore(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "model.safetensors.index.json")
	a, b := checkpoint.Of("a", tensor.New(2)), checkpoint.Of("b", tensor.New(2))
	for name, set := range map[string]checkpoint.Set{"1.safetensors": {a, b}, "2.safetensors": {b}} {
		if err := safetensors.WriteFile(filepath.Join(dir, name), set, nil); err != nil {
			t.Fatal(err)
		}
	}
	for want, where := range map[string]map[string]string{
		`"b": it stands here too, and the index model.safetensors.index.json has it in "2.safetensors"`: {"a": "1.safetensors", "b": "2.safetensors"},
		`"b": the index model.safetensors.index.json does not name it`:                                  {"a": "1.safetensors"},
	} {
		index(t, path, where)
		if _, err := Open(path); !errors.Is(err, checkpoint.ErrFormat) || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, expected %q", err, want)
		}
	}
}

// counting counts the bytes that are read.
type counting struct {
	io.ReaderAt
	n int64
}

// ReadAt reads as io.ReaderAt says.
func (c *counting) ReadAt(p []byte, off int64) (int, error) {
	n, err := c.ReaderAt.ReadAt(p, off)
	c.n += int64(n)
	return n, err
}

// TestAFileIsReadOnce: what opening and loading read, against the file's size.
func TestAFileIsReadOnce(t *testing.T) {
	layer, err := unroll.New(unroll.Config{Mode: unroll.LSTM, InputSize: 64, HiddenSize: 256})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "x.pt")
	l := &Loaded{Layer: layer}
	if _, err := l.Save(path, Torch, 0); err != nil {
		t.Fatal(err)
	}
	in, err := checkpoint.OpenInput(path)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	c := &counting{ReaderAt: in.ReaderAt}
	in.ReaderAt = c
	f := &File{Path: path, Format: Torch}
	if _, err := detect(path, in); err != nil {
		t.Fatal(err)
	}
	if err := openTorch(f, in); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Load(Options{}); err != nil {
		t.Fatal(err)
	}
	if c.n > in.Size+in.Size/20 {
		t.Errorf("%d bytes were read of a file of %d", c.n, in.Size)
	}
}
