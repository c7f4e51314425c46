package atomicfile

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
)

// A Write in whose midst the process ends leaves the old file and nothing beside it,
// and none begins after that.
func TestAbandonLeavesTheOldFileAlone(t *testing.T) {
	defer func() { running.abandoned = false }()
	path := filepath.Join(t.TempDir(), "model.bin")
	if err := os.WriteFile(path, []byte("old"), 0o666); err != nil {
		t.Fatal(err)
	}
	err := Write(path, func(w io.Writer) error {
		Abandon()
		_, _ = io.WriteString(w, "new")
		return nil
	})
	if err == nil {
		t.Error("an abandoned write reports no error")
	}
	if err := Write(path, func(io.Writer) error { return nil }); !errors.Is(err, errAbandoned) {
		t.Errorf("a write after Abandon: %v", err)
	}
	got, err := os.ReadFile(path)
	if err != nil || string(got) != "old" {
		t.Errorf("the file holds %q, %v", got, err)
	}
	if all, _ := os.ReadDir(filepath.Dir(path)); len(all) != 1 {
		t.Errorf("the folder holds %v", all)
	}
}
