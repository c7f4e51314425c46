package checkpoint_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/unroll-ml/unroll/checkpoint"
	"github.com/unroll-ml/unroll/checkpoint/safetensors"
	"github.com/unroll-ml/unroll/tensor"
)

// Every bit of a file with a checksum is changed, one at a time: what still opens
// as a file with a checksum says the same as before.
func TestEveryBitIsUnderTheChecksum(t *testing.T) {
	set := checkpoint.Set{
		checkpoint.Of("b", tensor.Dense{Shape: []int{2, 2}, Data: []float32{1, 2, 3, 4}}),
		checkpoint.OfInts("a", []int64{5, 6}),
		checkpoint.Of("empty", tensor.Dense{Shape: []int{0, 3}, Data: []float32{}}),
	}
	meta, err := checkpoint.WithChecksum(set, map[string]string{"position": `{"Epoch":3}`, "extra": "settings"})
	if err != nil {
		t.Fatal(err)
	}
	var file bytes.Buffer
	if err := safetensors.Write(&file, set, meta); err != nil {
		t.Fatal(err)
	}
	whole := read(t, file.Bytes())
	if whole == "" {
		t.Fatal("the file as written is refused")
	}
	same := 0
	for i := range file.Len() * 8 {
		b := slices.Clone(file.Bytes())
		b[i/8] ^= 1 << (i % 8)
		switch got := read(t, b); got {
		case "": // refused
		case whole:
			same++
		default:
			t.Errorf("bit %d of byte %d: %s", i%8, i/8, got)
		}
	}
	if same > 0 {
		t.Errorf("%d changed bits of %d were not noticed", same, file.Len()*8)
	}
}

// read returns what a file says, "" if it is refused.
func read(t *testing.T, b []byte) string {
	t.Helper()
	f, err := safetensors.NewReader(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		return ""
	}
	found, err := checkpoint.VerifyChecksum(f, f.Metadata())
	if err != nil {
		if !errors.Is(err, checkpoint.ErrFormat) && !errors.Is(err, checkpoint.ErrDType) {
			t.Errorf("an error of another kind: %v", err)
		}
		return ""
	}
	s := fmt.Sprint(found, f.Metadata())
	for _, n := range f.Names() {
		x, err := f.Tensor(n)
		if err != nil {
			t.Fatal(err)
		}
		s += fmt.Sprint(x)
	}
	return s
}

// Files without a checksum, of earlier releases, are read, and that is told.
func TestNoChecksum(t *testing.T) {
	for _, meta := range []map[string]string{nil, {"format": "pt"}} {
		if found, err := checkpoint.VerifyChecksum(checkpoint.Set{}, meta); found || err != nil {
			t.Errorf("%v: %v, %v", meta, found, err)
		}
	}
	meta, err := checkpoint.WithChecksum(checkpoint.Set{}, nil)
	if err != nil || len(meta) != 1 {
		t.Fatal(meta, err)
	}
	if found, err := checkpoint.VerifyChecksum(checkpoint.Set{}, meta); !found || err != nil {
		t.Errorf("%v: %v, %v", meta, found, err)
	}
}

// The parts of a file cannot change places: no two files are one to the checksum.
func TestChecksumTellsPartsApart(t *testing.T) {
	one := func(n string, shape ...int) checkpoint.Set {
		return checkpoint.Set{checkpoint.Of(n, tensor.Dense{Shape: shape, Data: []float32{1, 2}})}
	}
	double := checkpoint.Set{checkpoint.Of("x", tensor.DenseOf[float64]{Shape: []int{1}, Data: []float64{2}})}
	seen := map[string]int{}
	for i, c := range []struct {
		set  checkpoint.Set
		meta map[string]string
	}{
		{one("x", 2), nil},
		{one("y", 2), nil},
		{one("x", 1, 2), nil},
		{one("x", 2, 1), nil},
		{double, nil},
		{one("x", 2), map[string]string{"a": "bc"}},
		{one("x", 2), map[string]string{"ab": "c"}},
		{one("x", 2), map[string]string{"a": "b", "c": ""}},
		{nil, nil},
	} {
		meta, err := checkpoint.WithChecksum(c.set, c.meta)
		if err != nil {
			t.Fatal(err)
		}
		sum := meta[checkpoint.ChecksumKey]
		if j, ok := seen[sum]; ok {
			t.Errorf("cases %d and %d have one checksum", i, j)
		}
		seen[sum] = i
	}
}

// ReadVerified gives the numbers that are hashed, and hashes what is not read of them.
func TestReadVerified(t *testing.T) {
	set := checkpoint.Set{
		checkpoint.Of("b", tensor.Dense{Shape: []int{2}, Data: []float32{1, 2}}),
		checkpoint.Of("a", tensor.Dense{Shape: []int{3}, Data: []float32{3, 4, 5}}),
	}
	meta, err := checkpoint.WithChecksum(set, nil)
	if err != nil {
		t.Fatal(err)
	}
	changed := checkpoint.Set{set[0], checkpoint.Of("a", tensor.Dense{Shape: []int{3}, Data: []float32{3, 4, 6}})}
	mine := errors.New("mine")
	for _, c := range []struct {
		what  string
		src   checkpoint.Set
		meta  map[string]string
		read  int // tensors, before it refuses
		found bool
		err   error
	}{
		{"all", set, meta, 2, true, nil},
		{"all, without a checksum", set, nil, 2, false, nil},
		{"a refused tensor", set, meta, 0, true, mine},
		{"a refused tensor without a checksum", set, nil, 1, false, mine},
		{"a changed number", changed, meta, 2, true, checkpoint.ErrFormat},
		{"a changed number, refused", changed, meta, 0, true, checkpoint.ErrFormat},
	} {
		var got []float32
		var names []string
		found, err := checkpoint.ReadVerified(c.src, c.meta, func(src checkpoint.Source, name string) error {
			if len(names) == c.read {
				return mine
			}
			d, err := checkpoint.Float[float32](src, name)
			names, got = append(names, name), append(got, d.Data...)
			return err
		})
		if found != c.found || !errors.Is(err, c.err) || c.err == nil && err != nil || c.err == checkpoint.ErrFormat && errors.Is(err, mine) {
			t.Errorf("%s: %v, %v", c.what, found, err)
		}
		if !slices.Equal(names, []string{"a", "b"}[:c.read]) || c.err == nil && !slices.Equal(got, []float32{3, 4, 5, 1, 2}) {
			t.Errorf("%s: %q %v", c.what, names, got)
		}
	}
}
