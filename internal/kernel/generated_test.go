package kernel

import (
	"os"
	"os/exec"
	"testing"
)

// TestGenerated: the committed assembler files are what the generator writes.
func TestGenerated(t *testing.T) {
	if testing.Short() {
		t.Skip("runs the generator")
	}
	for _, tool := range []string{"go", "sh", "diff"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip("no", tool, "here")
		}
	}
	if _, err := os.Stat("_asm/main.go"); err != nil {
		t.Skip("the generator's source is not here")
	}
	if out, err := exec.Command("_asm/check-generated.sh").CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
