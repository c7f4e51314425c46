package torchfile

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/unroll-ml/unroll/checkpoint"
	"github.com/unroll-ml/unroll/tensor"
)

// allTypes is a tensor of every element type that is written, of every rank to
// 3, with the extremes of the type among its bytes.
func allTypes(t testing.TB) checkpoint.Set {
	t.Helper()
	var set checkpoint.Set
	shapes := [][]int{{}, {5}, {2, 3}, {2, 1, 3}, {0, 4}, {300}, {70000, 1}}
	for d := range storages {
		for _, shape := range shapes {
			info, err := checkpoint.NewInfo(strings.ToLower(d.String())+".ü"+strings.Repeat("x", len(shape)), d, shape)
			if err != nil {
				t.Fatal(err)
			}
			info.Name += strings.Repeat("_", len(set))
			data := make([]byte, info.Bytes)
			for i := range data {
				if data[i] = byte(i*37 + 11); d == checkpoint.Bool {
					data[i] = byte(i & 1)
				}
			}
			set = append(set, checkpoint.Tensor{Info: info, Data: data})
		}
	}
	slices.SortFunc(set, func(a, b checkpoint.Tensor) int { return strings.Compare(a.Name, b.Name) })
	return set
}

func TestWriteThenReadEquals(t *testing.T) {
	set := allTypes(t)
	var b, again bytes.Buffer
	if err := errors.Join(Write(&b, set), Write(&again, set)); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(b.Bytes(), again.Bytes()) {
		t.Error("equal tensors give different bytes")
	}
	f := mustOpen(t, b.Bytes())
	if !slices.Equal(f.Names(), set.Names()) {
		t.Fatalf("%d names, want %d", len(f.Names()), len(set))
	}
	for _, want := range set {
		got, err := f.Tensor(want.Name)
		if err != nil {
			t.Fatal(err)
		}
		if got.DType != want.DType || !slices.Equal(got.Shape, want.Shape) || !bytes.Equal(got.Data, want.Data) {
			t.Errorf("%s: got %s %v", want.Name, got.DType, got.Shape)
		}
		if got.Bytes > 0 && got.Offset%64 != 0 {
			t.Errorf("%s begins at byte %d", want.Name, got.Offset)
		}
	}
}

func TestWriteRefuses(t *testing.T) {
	one := checkpoint.Of("a", tensor.New(2))
	short := one
	short.Data = short.Data[:4]
	wide := one
	wide.DType, wide.Shape, wide.Bytes = checkpoint.U32, []int{2}, 8
	for want, set := range map[string]checkpoint.Set{
		`tensor "a": there are two`:            {one, one},
		`tensor "a": shape [2]`:                {short},
		`tensor "a": element type U32`:         {wide},
		`tensor "\xff": its name is not UTF-8`: {checkpoint.Of("\xff", tensor.New(1))},
	} {
		path := filepath.Join(t.TempDir(), "x.pt")
		if err := WriteFile(path, set); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
		if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: a file is left behind", want)
		}
	}
}

// What is written is what torch.load reads, with weights_only where it knows
// that, and load_state_dict takes.
func TestLivePyTorchReadsWhatIsWritten(t *testing.T) {
	py := pytorch(t)
	set := allTypes(t)
	path := filepath.Join(t.TempDir(), "x.pt")
	if err := WriteFile(path, set); err != nil {
		t.Fatal(err)
	}
	const script = `
import json, sys, torch
try:
    d = torch.load(sys.argv[1], weights_only=True)
except TypeError:
    d = torch.load(sys.argv[1])
assert type(d).__name__ == "OrderedDict", type(d)
print(json.dumps([[k, str(v.dtype), list(v.shape), v.is_contiguous(), [x & 255 for x in (v.to(torch.uint8) if v.dtype == torch.bool else v).reshape(-1).contiguous().numpy().tobytes()] if v.dtype != torch.bfloat16 else v.reshape(-1).view(torch.int16).tolist()] for k, v in d.items()]))
`
	cmd := exec.Command(py, "-W", "ignore", "-c", script, path)
	cmd.Stderr = os.Stderr
	said, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var got [][]json.RawMessage
	if err := json.Unmarshal(said, &got); err != nil {
		t.Fatal(err)
	}
	if len(got) != len(set) {
		t.Fatalf("torch.load found %d tensors, want %d", len(got), len(set))
	}
	for i, want := range set {
		var name, dtype string
		var shape, data []int
		var contiguous bool
		if err := errors.Join(json.Unmarshal(got[i][0], &name), json.Unmarshal(got[i][1], &dtype), json.Unmarshal(got[i][2], &shape),
			json.Unmarshal(got[i][3], &contiguous), json.Unmarshal(got[i][4], &data)); err != nil {
			t.Fatal(err)
		}
		raw := make([]byte, 0, len(data))
		for _, x := range data {
			if want.DType == checkpoint.BF16 {
				raw = append(raw, byte(x), byte(uint16(x&math.MaxUint16)>>8))
			} else {
				raw = append(raw, byte(x))
			}
		}
		if name != want.Name || !slices.Equal(shape, want.Shape) || !contiguous || !bytes.Equal(raw, want.Data) || dtype != "torch."+dtypes[storages[want.DType]].name {
			t.Errorf("%s: torch.load gives %s %s %v, contiguous %t", want.Name, name, dtype, shape, contiguous)
		}
	}
}
