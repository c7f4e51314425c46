// Package python finds an interpreter for tests that ask installed Python
// packages. It imports nothing of the project, so that every test may use it.
package python

import (
	"os"
	"os/exec"
	"strings"
	"sync"
)

var found sync.Map // modules, joined, to the interpreter or ""

// With returns an interpreter that can import the modules, or "": $UNROLL_PYTHON,
// python3, or the system's, into which packages of distributions install. It
// may be called from any goroutine and asks each set of modules once.
func With(modules ...string) string {
	list := strings.Join(modules, ", ")
	if p, ok := found.Load(list); ok {
		return p.(string)
	}
	python := ""
	for _, p := range []string{os.Getenv("UNROLL_PYTHON"), "python3", "/usr/bin/python3"} {
		if p != "" && exec.Command(p, "-c", "import "+list).Run() == nil {
			python = p
			break
		}
	}
	found.Store(list, python)
	return python
}
