package modelfile

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/unroll-ml/unroll/internal/atomicfile"
)

// TestFilesOfAProgramAreNotRead: what a folder around a program consists of is known from
// its config.json, whatever the program holds: it need not be read to the end for its sum.
func TestFilesOfAProgramAreNotRead(t *testing.T) {
	dir := t.TempDir()
	program, config := filepath.Join(dir, "model.onnx"), filepath.Join(dir, "config.json")
	for path, text := range map[string]string{program: "no model", config: `{"program": "model.onnx", "sha256": "00"}`} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := Open(dir); err == nil {
		t.Error("a program with another sum was opened")
	}
	if got, want := Files(dir), []string{dir, program, atomicfile.Next(program), config}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	for _, other := range []string{`{"program": "../model.onnx"}`, `{"program": ""}`, `[`} {
		if err := os.WriteFile(config, []byte(other), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := Files(dir); len(got) != 1 {
			t.Errorf("%s: %q", other, got)
		}
	}
}
