package torchfile

import (
	"encoding/json"
	"errors"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"github.com/unroll-ml/unroll/checkpoint"
	"github.com/unroll-ml/unroll/internal/testkit/python"
)

// pytorch returns an interpreter that has PyTorch, or skips.
func pytorch(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("-short: nothing outside is asked")
	}
	p := python.With("torch", "numpy")
	if p == "" {
		t.Skip("PyTorch is not installed: no Python has the packages torch and numpy (UNROLL_PYTHON names one)")
	}
	return p
}

// TestLivePyTorch lets the installed PyTorch write checkpoints of many kinds
// in both formats and finds in them what it says is in them.
func TestLivePyTorch(t *testing.T) {
	dir := t.TempDir()
	cmd := exec.Command(pytorch(t), "-W", "ignore", "testdata/live.py", dir)
	cmd.Stderr = os.Stderr
	said, err := cmd.Output()
	if err != nil {
		t.Fatalf("testdata/live.py: %v", err)
	}
	var all struct {
		Torch string
		Files map[string]struct {
			Tensors map[string]struct {
				DType string
				Shape []int
				Data  []string
			}
			Values map[string]any
		}
	}
	if err := json.Unmarshal(said, &all); err != nil {
		t.Fatal(err)
	}
	t.Logf("PyTorch %s wrote %d files", all.Torch, len(all.Files))
	if len(all.Files) < 40 {
		t.Errorf("%d files, expected at least 40", len(all.Files))
	}
	for file, want := range all.Files {
		f, err := Open(filepath.Join(dir, file))
		if err != nil {
			t.Error(err)
			continue
		}
		names := f.Names()
		if len(names) != len(want.Tensors) {
			t.Errorf("%s: %d tensors %q, expected %d", file, len(names), names, len(want.Tensors))
		}
		for name, w := range want.Tensors {
			info, ok := f.Info(name)
			if !ok || !slices.Equal(info.Shape, w.Shape) || f.tensors[f.index[name]].dtype.name != w.DType {
				t.Errorf("%s: %s is %+v, expected %s %v", file, name, info, w.DType, w.Shape)
				continue
			}
			d, err := checkpoint.Float[float64](f, name)
			if err != nil || len(d.Data) != len(w.Data) {
				t.Errorf("%s: %s: %v, %d elements, expected %d", file, name, err, len(d.Data), len(w.Data))
				continue
			}
			for i, s := range w.Data {
				x, err := strconv.ParseFloat(s, 64)
				if errors.Is(err, strconv.ErrSyntax) || math.Float64bits(x) != math.Float64bits(d.Data[i]) {
					t.Errorf("%s: %s[%d] = %v, expected %s", file, name, i, d.Data[i], s)
				}
			}
		}
		got := make(map[string]any)
		for _, v := range f.Values() {
			got[v.Path] = v.Data
			if i, ok := v.Data.(int64); ok {
				got[v.Path] = float64(i)
			}
		}
		for path, w := range want.Values {
			if g, ok := got[path]; !ok || g != w {
				t.Errorf("%s: %s = %v, expected %v", file, path, g, w)
			}
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}
}
