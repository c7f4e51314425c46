package live

import (
	"bytes"
	"errors"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/checkpoint"
	"github.com/unroll-ml/unroll/checkpoint/safetensors"
	"github.com/unroll-ml/unroll/internal/testkit/python"
	"github.com/unroll-ml/unroll/tensor"
)

// run makes n steps of a track in a pool and compares each with it alone.
func (k *track) run(t testing.TB, p *Pool, key string, c unroll.Config, n int) {
	t.Helper()
	y := make([]float32, c.OutputSize())
	for range n {
		x, want := k.next(c)
		if err := p.Step(ctx, key, y, x); err != nil || !sameBits(y, want) {
			t.Fatalf("%s: %v, %v, alone %v", key, err, y, want)
		}
	}
}

var stacked = unroll.Config{Mode: unroll.LSTM, InputSize: 3, HiddenSize: 6, NumLayers: 2, ProjSize: 4}

// A capsule goes on in another pool with the bits of the unbroken sequence.
func TestCapsulesGoOn(t *testing.T) {
	for _, c := range []unroll.Config{stacked, {Mode: unroll.GRU, InputSize: 3, HiddenSize: 5}} {
		l := layer(t, c, 1)
		from, to := pool(t, l, Options{Shards: 2}), pool(t, layer(t, c, 1), Options{Shards: 1})
		k := tracks(t, l, 1)[0]
		k.run(t, from, "a", c, 5)
		b, err := from.Capsule("a")
		must(t, err)
		must(t, to.Restore("b", b))
		if n, err := to.Steps("b"); n != 5 || err != nil {
			t.Errorf("%d steps, %v, expected 5", n, err)
		}
		k.run(t, to, "b", c, 5)
		wants(t, "there already", to.Restore("b", b), ErrExists)
	}
	p := pool(t, layer(t, small, 1), Options{})
	_, err := p.Capsule("none")
	wants(t, "none", err, ErrUnknown)
}

// capsuleOf writes a capsule by hand, without a checksum.
func capsuleOf(t testing.TB, meta map[string]string, tensors ...checkpoint.Tensor) []byte {
	var b bytes.Buffer
	must(t, safetensors.Write(&b, checkpoint.Set(tensors), meta))
	return b.Bytes()
}

func TestCapsulesThatAreRefused(t *testing.T) {
	l := layer(t, small, 1)
	p := pool(t, l, Options{Shards: 1})
	must(t, p.Step(ctx, "a", make([]float32, 3), []float32{1, 2}))
	good, err := p.Capsule("a")
	must(t, err)
	for n := range good {
		if err := p.Restore("b", good[:n]); !errors.Is(err, ErrCapsule) {
			t.Fatalf("%d of %d bytes: %v", n, len(good), err)
		}
		flipped := bytes.Clone(good)
		flipped[n] ^= 4
		if err := p.Restore("b", flipped); !errors.Is(err, ErrCapsule) && !errors.Is(err, ErrForeign) {
			t.Fatalf("byte %d flipped: %v", n, err)
		}
	}
	half := func(x float32) tensor.Dense { return tensor.Dense{Shape: []int{1, 3}, Data: []float32{1, x, 3}} }
	meta := func(change ...string) map[string]string {
		m := map[string]string{"format": capsuleFormat, "signature": l.Signature(), "digest": l.Digest(), "steps": "7"}
		for i := 0; i < len(change); i += 2 {
			m[change[i]] = change[i+1]
		}
		return m
	}
	h, c := checkpoint.Of("h", half(2)), checkpoint.Of("c", half(2))
	nan, inf := checkpoint.Of("c", half(float32(math.NaN()))), checkpoint.Of("c", half(float32(math.Inf(-1))))
	wide := checkpoint.Of("h", tensor.Dense{Shape: []int{3, 1}, Data: []float32{1, 2, 3}})
	for _, r := range []struct {
		name    string
		capsule []byte
		kind    error
		says    string
	}{
		{"NaN", capsuleOf(t, meta(), h, nan), ErrCapsule, `number 1 of the tensor "c" is NaN`},
		{"infinity", capsuleOf(t, meta(), h, inf), ErrCapsule, "-Inf"},
		{"shape", capsuleOf(t, meta(), wide, c), ErrCapsule, "[3 1], expected float32 [1 3]"},
		{"a tensor less", capsuleOf(t, meta(), h), ErrCapsule, "1 tensors, expected 2"},
		{"double", capsuleOf(t, meta(), h, checkpoint.Of("c", tensor.DenseOf[float64]{Shape: []int{1, 3}, Data: make([]float64, 3)})), ErrCapsule, "F64"},
		{"format", capsuleOf(t, meta("format", "pt"), h, c), ErrCapsule, `"pt"`},
		{"steps", capsuleOf(t, meta("steps", "-1"), h, c), ErrCapsule, `"-1"`},
		{"digest", capsuleOf(t, meta("digest", "1234"), h, c), ErrForeign, "Options.Foreign"},
		{"signature", capsuleOf(t, meta("signature", "GRU(1, 2)"), h, c), ErrForeign, "GRU(1, 2)"},
		{"mark", capsuleOf(t, meta("mark", "broken")), ErrCapsule, "broken"},
		{"long", append(capsuleOf(t, meta(), h, c), make([]byte, maxMeta)...), ErrCapsule, "at most"},
	} {
		err := p.Restore("b", r.capsule)
		if wants(t, r.name, err, r.kind); err != nil && !strings.Contains(err.Error(), r.says) {
			t.Errorf("%s: %v, expected to read %q", r.name, err, r.says)
		}
	}
	if p.Len() != 1 {
		t.Errorf("%d sequences, expected the one that was there", p.Len())
	}
	must(t, p.Restore("by hand", capsuleOf(t, meta(), h, c)))
	other := pool(t, layer(t, small, 2), Options{Foreign: KeepForeign})
	must(t, other.Restore("kept", good))
}

// FuzzRestore: no bytes break a pool, and what is taken is finite.
func FuzzRestore(f *testing.F) {
	p := pool(f, layer(f, small, 1), Options{Shards: 1, Foreign: KeepForeign})
	must(f, p.Step(ctx, "a", make([]float32, 3), []float32{1, 2}))
	good, err := p.Capsule("a")
	must(f, err)
	f.Add(good)
	f.Add(good[:len(good)-3])
	f.Add([]byte("{}"))
	f.Fuzz(func(t *testing.T, b []byte) {
		err := p.Restore("b", b)
		if err == nil {
			must(t, p.Step(ctx, "b", make([]float32, 3), []float32{1, 2}))
			must(t, p.End("b"))
		} else if !errors.Is(err, ErrCapsule) && !errors.Is(err, ErrForeign) {
			t.Fatal(err)
		}
	})
}

// Python's safetensors reads a capsule.
func TestPythonReadsACapsule(t *testing.T) {
	py := python.With("safetensors", "numpy")
	if py == "" {
		t.Skip("no Python has the packages safetensors and numpy (UNROLL_PYTHON names one)")
	}
	l := layer(t, stacked, 1)
	p := pool(t, l, Options{})
	k := tracks(t, l, 1)[0]
	k.run(t, p, "a", stacked, 4)
	b, err := p.Capsule("a")
	must(t, err)
	path := filepath.Join(t.TempDir(), "a.safetensors")
	must(t, os.WriteFile(path, b, 0o600))
	out, err := exec.Command(py, "-c", `
import sys
from safetensors import safe_open
with safe_open(sys.argv[1], "np") as f:
    m = f.metadata()
    print(m["format"], m["steps"], m["signature"], len(m["digest"]))
    for name in sorted(f.keys()):
        t = f.get_tensor(name)
        print(name, t.dtype, t.shape, *(f"{x:08x}" for x in t.view("uint32").ravel()))
`, path).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	st := k.alone.State()
	want := "unroll capsule 1 4 " + l.Signature() + " 64\n" +
		"c float32 (2, 6)" + inHex(st.C.Data) + "\n" +
		"h float32 (2, 4)" + inHex(st.H.Data) + "\n"
	if string(out) != want {
		t.Errorf("Python reads\n%s, expected\n%s", out, want)
	}
}

// A capsule moves between amd64 and an emulated arm64, and back, and goes on with
// the bits of the unbroken sequence.
func TestCapsulesMoveBetweenProcessors(t *testing.T) {
	if testing.Short() || runtime.GOARCH != "amd64" {
		t.Skip("builds for arm64 and emulates it, which takes a while")
	}
	qemu, err := exec.LookPath("qemu-aarch64-static")
	if err != nil {
		t.Skip("no qemu-aarch64-static here (Debian: qemu-user-static)")
	}
	dir := t.TempDir()
	bin, path := filepath.Join(dir, "live.test"), filepath.Join(dir, "capsule")
	build := exec.Command("go", "test", "-c", "-o", bin, ".")
	build.Env = append(os.Environ(), "GOARCH=arm64", "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	l := layer(t, stacked, 1)
	k := tracks(t, l, 1)[0]
	here := pool(t, l, Options{})
	k.run(t, here, "a", stacked, 5)
	b, err := here.Capsule("a")
	must(t, err)
	must(t, os.WriteFile(path, b, 0o600))
	there := exec.Command(qemu, bin, "-test.run", "^TestCapsuleOfAnotherProcess$", "-test.v")
	there.Env = append(os.Environ(), "UNROLL_CAPSULE="+path)
	if out, err := there.CombinedOutput(); err != nil || !strings.Contains(string(out), "on arm64") {
		t.Fatalf("%v\n%s", err, out)
	}
	for range 5 {
		k.next(stacked)
	}
	b, err = os.ReadFile(path)
	must(t, err)
	must(t, here.Restore("back", b))
	k.run(t, here, "back", stacked, 5)
}

// TestCapsuleOfAnotherProcess goes on with the capsule of TestCapsulesMoveBetweenProcessors.
func TestCapsuleOfAnotherProcess(t *testing.T) {
	path := os.Getenv("UNROLL_CAPSULE")
	if path == "" {
		t.Skip("is run by TestCapsulesMoveBetweenProcessors")
	}
	t.Logf("on %s", runtime.GOARCH)
	l := layer(t, stacked, 1)
	k := tracks(t, l, 1)[0]
	for range 5 {
		k.next(stacked)
	}
	p := pool(t, l, Options{})
	b, err := os.ReadFile(path)
	must(t, err)
	must(t, p.Restore("a", b))
	k.run(t, p, "a", stacked, 5)
	b, err = p.Capsule("a")
	must(t, err)
	must(t, os.WriteFile(path, b, 0o600))
}
