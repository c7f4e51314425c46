package testkit

import (
	"bytes"
	"os/exec"
	"testing"

	"github.com/unroll-ml/unroll/internal/testkit/python"
)

// Torch runs a Python script with arguments and returns what it printed. It
// skips the test where PyTorch is not installed, and fails it if the script
// does.
func Torch(t testing.TB, script string, args ...string) []byte {
	t.Helper()
	interpreter := python.With("torch")
	if interpreter == "" {
		t.Skip("PyTorch is not installed: no Python has the package torch (UNROLL_PYTHON names one)")
	}
	cmd := exec.Command(interpreter, append([]string{script}, args...)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %v: %v\n%s%s", script, args, err, out, stderr.Bytes())
	}
	return out
}
