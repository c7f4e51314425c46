package floors

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestPublicNamesShowNoInternalTypes(t *testing.T) {
	bad, files, err := Shown("../..")
	if err != nil || files < 100 {
		t.Fatalf("%d files, %v: the reader misses the tree", files, err)
	}
	for _, b := range bad {
		t.Error(b)
	}
}

func TestShownFindsEachPlace(t *testing.T) {
	dir := t.TempDir()
	src := `package p

import (
	"a/b/internal/x"
	y "a/internal/z"
	"a/open"
)

type A struct {
	X     x.T
	inner x.T
	*x.U
}

type B interface{ M(y.T) }

type b struct{ X x.T }

type C = x.C

var V map[string]*x.V

func F(list []x.F) open.T { return x.Value }

func (A) M() (y.M, error) { return y.N() }

func (b) M(x.T) {}

func f(x.T) { var inside x.T; _ = inside }

func G[T y.G](T) {}
`
	if err := os.WriteFile(filepath.Join(dir, "p.go"), []byte(src), 0o666); err != nil {
		t.Fatal(err)
	}
	bad, _, err := Shown(dir)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"A shows x.T", "A shows x.U", "B shows y.T", "C shows x.C", "V shows x.V", "F shows x.F", "M shows y.M", "G shows y.G"}
	if len(bad) != len(want) {
		t.Errorf("found %d places, want %d:\n%s", len(bad), len(want), strings.Join(bad, "\n"))
	}
	for i, w := range want {
		if i < len(bad) && !strings.Contains(bad[i], w) {
			t.Errorf("%q, want %q", bad[i], w)
		}
	}
}
