package checkpoint

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestPrintable(t *testing.T) {
	for from, want := range map[string]string{
		"rnn.weight_ih_l0": "rnn.weight_ih_l0", "名 é": "名 é", "": "",
		"a\x1b]0;PWNED\ab": `a\x1b]0;PWNED\ab`, "\x9b31m": `\x9b31m`, "\u009b31m": `\u009b31m`,
		"a\nb\r": `a\nb\r`, "x\u202ey": `x\u202ey`, "\xff": `\xff`, "\u200b": `\u200b`,
	} {
		if got := Printable(from); got != want {
			t.Errorf("%q: %s, expected %s", from, got, want)
		}
	}
	e := &Error{File: "a\x1bb", Tensor: "c\x1bd", Place: "e\x1bf", Reason: "g\x1bh"}
	if got := e.Error(); strings.ContainsRune(got, 0x1b) {
		t.Errorf("%q", got)
	}
}

func TestOpenInput(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a")
	if err := os.WriteFile(path, []byte("hello"), 0o600); err != nil {
		t.Fatal(err)
	}
	in, err := OpenInput(path)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(io.NewSectionReader(in, 1, in.Size-1))
	if err != nil || string(b) != "ello" || in.Close() != nil {
		t.Errorf("%q, %v", b, err)
	}
	if _, err := OpenInput(dir); !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), "a folder") {
		t.Errorf("a folder: %v", err)
	}
	if _, err := OpenInput(path + "none"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
}
