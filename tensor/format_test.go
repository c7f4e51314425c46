package tensor

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/unroll-ml/unroll/internal/testkit/python"
)

// printed is one tensor and what PyTorch prints for it.
type printed struct {
	Dtype string
	Shape []int
	Data  []byte // base64 in the file
	Text  string
}

func (p printed) tensor() (fmt.Stringer, error) {
	switch p.Dtype {
	case "float32":
		x := make([]float32, len(p.Data)/4)
		for i := range x {
			x[i] = math.Float32frombits(binary.LittleEndian.Uint32(p.Data[4*i:]))
		}
		return Of(x, p.Shape...)
	case "float64":
		x := make([]float64, len(p.Data)/8)
		for i := range x {
			x[i] = math.Float64frombits(binary.LittleEndian.Uint64(p.Data[8*i:]))
		}
		return Of(x, p.Shape...)
	}
	return nil, fmt.Errorf("unknown type %s", p.Dtype)
}

// TestStringIsWhatPyTorchPrints compares with testdata/format.jsonl, which
// testdata/format.py wrote with PyTorch 1.13.1.
func TestStringIsWhatPyTorchPrints(t *testing.T) {
	compareWithPyTorch(t, "testdata/format.jsonl", 300)
}

// TestStringIsWhatTheInstalledPyTorchPrints draws other tensors at each run.
// UNROLL_FORMAT_SEED repeats a run that failed.
func TestStringIsWhatTheInstalledPyTorchPrints(t *testing.T) {
	interpreter := python.With("torch", "numpy")
	if interpreter == "" {
		t.Skip("PyTorch is not installed: only the committed cases are compared")
	}
	seed := os.Getenv("UNROLL_FORMAT_SEED")
	if seed == "" {
		seed = fmt.Sprint(time.Now().UnixNano() % 1e9)
	}
	t.Logf("UNROLL_FORMAT_SEED=%s", seed)
	file := filepath.Join(t.TempDir(), "format.jsonl")
	if out, err := exec.Command(interpreter, "testdata/format.py", "1000", seed, file).CombinedOutput(); err != nil {
		t.Fatalf("testdata/format.py: %v\n%s", err, out)
	}
	compareWithPyTorch(t, file, 1000)
}

func compareWithPyTorch(t *testing.T, name string, least int) {
	t.Helper()
	file, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	n := 0
	for ; lines.Scan(); n++ {
		var p printed
		if err := json.Unmarshal(lines.Bytes(), &p); err != nil {
			t.Fatal(err)
		}
		x, err := p.tensor()
		if err != nil {
			t.Fatalf("line %d: %v", n+1, err)
		}
		if got := x.String(); got != p.Text {
			t.Errorf("line %d, %s %v:\n%s\nwant\n%s", n+1, p.Dtype, p.Shape, got, p.Text)
		}
	}
	if err := lines.Err(); err != nil || n < least {
		t.Fatalf("%d cases, %v; want at least %d", n, err, least)
	}
}

func TestStringOfWhatPyTorchHasNot(t *testing.T) {
	for _, c := range []struct {
		d    Dense
		want string
	}{
		{Dense{}, "None"},
		{Dense{Shape: []int{2, 3}, Data: make([]float32, 5)}, "tensor(<tensor has shape [2 3], expected one of as many elements as it has data: 5>)"},
		{Dense{Data: make([]float32, 1)}, "tensor(<tensor has shape [], expected one of as many elements as it has data: 1>)"},
	} {
		if got := c.d.String(); got != c.want {
			t.Errorf("%v %v: %s, want %s", c.d.Shape, c.d.Data, got, c.want)
		}
	}
}

func BenchmarkString(b *testing.B) {
	for _, n := range []int{12, 1000, 1000000} {
		d := New(n/4, 4)
		for i := range d.Data {
			d.Data[i] = float32(i%7) / 4
		}
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for b.Loop() {
				_ = d.String()
			}
		})
	}
}

func ExampleDenseOf_String() {
	x, _ := Of([]float32{0.5, -1.25, 3, 0}, 2, 2)
	fmt.Println(x)
	// Output:
	// tensor([[ 0.5000, -1.2500],
	//         [ 3.0000,  0.0000]])
}
