package graph

import (
	"crypto/sha256"
	"encoding/binary"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/unroll-ml/unroll/checkpoint/onnx"
	"github.com/unroll-ml/unroll/internal/testkit/levels"
)

// Whole models keep their bits from version to version, level to level and platform to
// platform. testdata/bits.txt holds a hash of what each model of testdata/models.zip
// gives. A line changes only with the definition of the arithmetic.

var writeBits = flag.Bool("write-bits", false, "write testdata/bits.txt anew")

const bitsFile = "testdata/bits.txt"

func TestModelsKeepTheirBits(t *testing.T) {
	want := map[string]string{}
	if b, err := os.ReadFile(bitsFile); err == nil {
		for line := range strings.Lines(string(b)) {
			name, hash, _ := strings.Cut(strings.TrimSpace(line), " ")
			want[name] = hash
		}
	} else if !*writeBits {
		t.Fatal(err)
	}
	var lines strings.Builder
	models := 0
	for file, b := range zipped(t, "testdata/models.zip") {
		models++
		name := strings.TrimSuffix(file, ".onnx")
		levels.Each(func(level string) {
			hash, err := modelHash(b, name)
			switch {
			case err != nil:
				t.Errorf("%s at level %s: %v", name, level, err)
			case *writeBits:
				want[name] = hash
			case want[name] != hash:
				t.Errorf("%s at level %s has hash %s, want %s", name, level, hash, want[name])
			}
		})
		fmt.Fprintf(&lines, "%s %s\n", name, want[name])
	}
	if len(want) != models {
		t.Errorf("%s has %d lines for %d models", bitsFile, len(want), models)
	}
	if *writeBits {
		if err := os.WriteFile(bitsFile, []byte(lines.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// modelHash is the hash of a model's outputs for the inputs that it holds as in.0, in.1
// and so on.
func modelHash(b []byte, name string) (string, error) {
	f, err := onnx.Parse(b, name)
	if err != nil {
		return "", err
	}
	g, err := FromONNX(f)
	if err != nil {
		return "", err
	}
	p, err := Compile(g, Limits{})
	if err != nil {
		return "", err
	}
	in, out := make([]Value, len(g.Inputs)), make([]Value, len(g.Outputs))
	for i := range in {
		x, err := f.Tensor("in." + strconv.Itoa(i))
		if err != nil {
			return "", err
		}
		if in[i], err = fromTensor(x); err != nil {
			return "", err
		}
	}
	if err := p.Run(in, out); err != nil {
		return "", err
	}
	h := sha256.New()
	for i := range out {
		v := &out[i]
		fmt.Fprintln(h, v.Type, v.Shape)
		var err error
		switch v.Type.size() {
		case 8:
			err = binary.Write(h, binary.LittleEndian, data[int64](v))
		case 4:
			err = binary.Write(h, binary.LittleEndian, data[int32](v))
		default:
			_, err = h.Write(v.bytes())
		}
		if err != nil {
			return "", err
		}
	}
	return fmt.Sprintf("%x", h.Sum(nil)[:8]), nil
}

// The same on other machines, emulated: one whose compiler fuses products into sums
// wherever the code lets it, and one that has the upper bytes first.
func TestPlatformsGiveTheSameBits(t *testing.T) {
	if testing.Short() || runtime.GOARCH != "amd64" {
		t.Skip("emulates other processors, which takes a while")
	}
	for arch, emulator := range map[string]string{"arm64": "qemu-aarch64-static", "s390x": "qemu-s390x-static"} {
		t.Run(arch, func(t *testing.T) {
			qemu, err := exec.LookPath(emulator)
			if err != nil {
				t.Skipf("no %s here (Debian: qemu-user-static)", emulator)
			}
			bin := filepath.Join(t.TempDir(), "graph.test")
			build := exec.Command("go", "test", "-c", "-o", bin, ".")
			build.Env = append(os.Environ(), "GOARCH="+arch, "GOOS=linux", "CGO_ENABLED=0")
			if out, err := build.CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			out, err := exec.Command(qemu, bin, "-test.run", "^TestModelsKeepTheirBits$", "-test.v").CombinedOutput()
			if err != nil || !strings.Contains(string(out), "PASS: TestModelsKeepTheirBits") {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}
