package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const source = `package p

func Clamp(x, most int) int {
	if x > most {
		return most
	}
	return x
}

func Unseen(x int) int {
	x += 3
	return x
}
`

func TestMutants(t *testing.T) {
	all, err := mutants("p.go", []byte(source))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, m := range all {
		got = append(got, m.String())
		if n := strings.Count(string(m.apply()), "\n"); n != strings.Count(source, "\n") {
			t.Errorf("%v: %d lines", m, n)
		}
	}
	want := []string{
		"p.go:4: x > most -> !(x > most) in: if x > most {",
		"p.go:4: > -> >= in: if x > most {",
		"p.go:11: += -> -= in: x += 3",
		"p.go:11: x += 3 -> _ = 3 in: x += 3",
		"p.go:11: 3 -> 4 in: x += 3",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// A function that no test calls survives, one that is tested does not.
func TestSurvivors(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"go.mod": "module p\n\ngo 1.26\n", "p.go": source,
		"p_test.go": "package p\n\nimport \"testing\"\n\nfunc TestClamp(t *testing.T) {\n\tif Clamp(3, 2) != 2 || Clamp(1, 2) != 1 {\n\t\tt.Error()\n\t}\n}\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	n, err := mutatePackage(dir, ".", 0, 1, time.Minute, nil)
	if err != nil {
		t.Fatal(err)
	}
	if n != 4 { // three in Unseen, and > against >= in Clamp, which computes the same
		t.Errorf("%d survived, want 4", n)
	}
}
