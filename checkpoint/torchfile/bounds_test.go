package torchfile

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/unroll-ml/unroll/checkpoint"
)

// TestRealFilesAreFarFromTheBounds: what PyTorch wrote takes at most three
// quarters of the memory that a file of its size may, the fixed part aside.
func TestRealFilesAreFarFromTheBounds(t *testing.T) {
	forms, err := filepath.Glob("testdata/forms/*.p*")
	if err != nil || len(forms) < 20 {
		t.Fatalf("%d files, %v", len(forms), err)
	}
	for _, path := range append(goldenFiles(t), forms...) {
		if strings.HasSuffix(path, ".safetensors") {
			continue
		}
		f, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		w := f.newWalk(nil)
		f.index, f.tensors, f.modules = map[string]int{}, nil, nil
		if err := w.visit(f.root, "", 0); err != nil {
			t.Fatal(err)
		}
		if used := heldFixed + heldFactor*f.size - w.held; f.size > 2000 && used > heldFactor*f.size*3/4 {
			t.Errorf("%s: %d bytes for a file of %d", path, used, f.size)
		}
		f.Close()
	}
}

// TestSharedModulesTakeTheirShareOfWork: the walk counts every entry it looks
// at, so that what many places share is not gone through for each.
func TestSharedModulesTakeTheirShareOfWork(t *testing.T) {
	const n = 5000
	var private, buffers, names, shared strings.Builder
	for i := range n {
		private.WriteString(str("_"+itoa(i)) + "N")
		buffers.WriteString(str("b"+itoa(i)) + "N")
		names.WriteString(str("b" + itoa(i)))
		shared.WriteString(str("m"+itoa(i)) + "h\x07")
	}
	mod := func(parts string) string {
		return name("a.b", "M") + ")\x81}(" + parts + str("_parameters") + "}" + str("_modules") + "}ub"
	}
	leaf := mod(private.String()) + binput(7) + "0"
	many := name("a.b", "M") + ")\x81}(" + str("_parameters") + "}" + str("_modules") + "}(" + shared.String() + "u" + "ub"
	if _, err := open(file(t, leaf+many)); !errors.Is(err, checkpoint.ErrFormat) || !strings.Contains(err.Error(), "expand") {
		t.Errorf("a module of %d attributes in %d places: %v, expected a refusal", n, n, err)
	}
	quiet := mod(str("_buffers") + "}(" + buffers.String() + "u" + str("_non_persistent_buffers_set") + "\x8f(" + names.String() + "\x90")
	f := mustOpen(t, file(t, quiet))
	w := f.newWalk(nil)
	before := w.visits
	if err := w.visit(f.root, "", 0); err != nil {
		t.Fatal(err)
	}
	if spent := before - w.visits; spent < 2*n || spent > 3*n {
		t.Errorf("%d buffers that are not persistent took %d steps, expected 2 each", n, spent)
	}
}
