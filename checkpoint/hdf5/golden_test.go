package hdf5

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/unroll-ml/unroll/checkpoint"
)

// golden is what h5py reads from a file: testdata/make.py writes it.
type golden struct {
	Datasets   map[string]goldenValue
	Attributes map[string]map[string]goldenValue
	Children   map[string][]string
}

type goldenValue struct {
	Type    string
	Shape   []int
	Strings []string
	Bytes   string // hexadecimal, or the SHA-256 of more than 64
}

func (g goldenValue) holds(b []byte) bool {
	if len(b) <= 64 {
		return hex.EncodeToString(b) == g.Bytes
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:]) == g.Bytes
}

func goldenFiles(t testing.TB) []string {
	t.Helper()
	paths, err := filepath.Glob("testdata/*.h5")
	if err != nil || len(paths) < 12 {
		t.Fatalf("%d files, %v", len(paths), err)
	}
	return paths
}

func TestGoldens(t *testing.T) {
	for _, path := range goldenFiles(t) {
		t.Run(filepath.Base(path), func(t *testing.T) {
			b, err := os.ReadFile(strings.TrimSuffix(path, ".h5") + ".json")
			if err != nil {
				t.Fatal(err)
			}
			var want golden
			if err := json.Unmarshal(b, &want); err != nil {
				t.Fatal(err)
			}
			f, err := Open(path)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			if len(f.Names()) != len(want.Datasets) || len(want.Datasets) == 0 {
				t.Errorf("%d datasets, h5py has %d", len(f.Names()), len(want.Datasets))
			}
			for path, w := range want.Datasets {
				compareDataset(t, f, path, w)
			}
			for path, w := range want.Attributes {
				compareAttributes(t, f, path, w)
			}
			for path, w := range want.Children {
				got, ok := f.Children(path)
				got = slices.Sorted(slices.Values(got))
				if !ok || !slices.Equal(got, w) {
					t.Errorf("children of %q: %v, h5py has %v", path, got, w)
				}
			}
		})
	}
}

func compareDataset(t *testing.T, f *File, path string, want goldenValue) {
	t.Helper()
	info, ok := f.Info(path)
	if !ok || !slices.Equal(info.Shape, want.Shape) {
		t.Errorf("%s: shape %v, %v; h5py has %v", path, info.Shape, ok, want.Shape)
		return
	}
	switch want.Type {
	case "string":
		list, err := f.Strings(path)
		if err != nil || !slices.Equal(list, want.Strings) {
			t.Errorf("%s: %q, %v; h5py has %q", path, list, err, want.Strings)
		}
	case "":
		if info.DType != checkpoint.Unknown || info.TypeName == "" {
			t.Errorf("%s: type %s %q, expected one that is not read", path, info.DType, info.TypeName)
		}
	default:
		x, err := f.Tensor(path)
		if err == nil {
			err = x.Check()
		}
		if err != nil {
			t.Errorf("%s: %v", path, err)
			return
		}
		if x.DType.String() != want.Type || !want.holds(x.Data) {
			t.Errorf("%s: %s % x, h5py has %s %s", path, x.DType, x.Data[:min(64, len(x.Data))], want.Type, want.Bytes)
		}
		_, r, err := f.OpenTensor(path)
		if err != nil {
			t.Fatal(err)
		}
		if b, err := io.ReadAll(r); err != nil || !bytes.Equal(b, x.Data) {
			t.Errorf("%s: OpenTensor gives other bytes than Tensor: % x, %v", path, b[:min(64, len(b))], err)
		}
	}
}

func compareAttributes(t *testing.T, f *File, path string, want map[string]goldenValue) {
	t.Helper()
	for name, w := range want {
		a, ok := f.Attribute(path, name)
		if !ok || !slices.Equal(a.Shape, w.Shape) {
			t.Errorf("attribute %s of %q: shape %v, %v; h5py has %v", name, path, a.Shape, ok, w.Shape)
			continue
		}
		if w.Type == "string" {
			if !slices.Equal(a.Strings, w.Strings) {
				t.Errorf("attribute %s of %q: %.80q, h5py has %.80q", name, path, a.Strings, w.Strings)
			}
			continue
		}
		if a.Numbers.DType.String() != w.Type || !w.holds(a.Numbers.Data) {
			t.Errorf("attribute %s of %q: %s % x, h5py has %s %s", name, path, a.Numbers.DType, a.Numbers.Data[:min(64, len(a.Numbers.Data))], w.Type, w.Bytes)
		}
	}
	for _, a := range f.Attributes(path) {
		if _, ok := want[a.Name]; !ok && !strings.HasPrefix(a.Type, "reference") {
			t.Errorf("attribute %s of %q: h5py has none", a.Name, path)
		}
	}
}
