package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestCheckFindsOnlyBrokenLinks(t *testing.T) {
	dir := t.TempDir()
	text := "[a](b.md) [c](b.md#part) [d](https://example.org/x) [e](#here) [f](gone.md) `g[int](x)`\n```\n[g](code.md)\n```\n![h](pic/i.png)\n"
	for name, s := range map[string]string{"a.md": text, "b.md": ""} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(s), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := check(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 2 || !strings.Contains(got[0], "gone.md") || !strings.Contains(got[1], "pic/i.png") {
		t.Errorf("got %q, want gone.md and pic/i.png", got)
	}
}
