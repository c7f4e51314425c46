package testkit

import (
	"bytes"
	"os/exec"
	"sync"
	"testing"
)

// python is an interpreter that has PyTorch, or "".
var python = sync.OnceValue(func() string {
	for _, p := range []string{"/usr/bin/python3", "python3"} {
		if exec.Command(p, "-c", "import torch").Run() == nil {
			return p
		}
	}
	return ""
})

// Torch runs a Python script with arguments and returns what it printed. It
// skips the test where PyTorch is not installed, and fails it if the script
// does.
func Torch(t testing.TB, script string, args ...string) []byte {
	t.Helper()
	if python() == "" {
		t.Skip("PyTorch is not installed: neither /usr/bin/python3 nor python3 can import torch")
	}
	cmd := exec.Command(python(), append([]string{script}, args...)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %v: %v\n%s%s", script, args, err, out, stderr.Bytes())
	}
	return out
}
