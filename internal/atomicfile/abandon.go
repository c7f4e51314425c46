package atomicfile

import (
	"errors"
	"io/fs"
	"os"
	"sync"
)

// errAbandoned is what a Write returns that Abandon ended.
var errAbandoned = errors.New("the process is ending")

// running are the new files that Writes of this process fill.
var running struct {
	sync.Mutex
	files     map[*os.File]bool
	abandoned bool
}

// Abandon ends every Write of this process, running and to come: their new files
// are removed and no path is replaced any more. It is for the moment before a
// process exits in the midst of its work.
func Abandon() {
	running.Lock()
	defer running.Unlock()
	running.abandoned = true
	for f := range running.files {
		f.Close() // Windows removes no open file
		os.Remove(f.Name())
	}
}

// begin is create for a file that Abandon knows until it has its place.
func begin(path string, perm fs.FileMode) (*os.File, error) {
	running.Lock()
	defer running.Unlock()
	if running.abandoned {
		return nil, errAbandoned
	}
	f, err := create(path, perm)
	if err == nil {
		if running.files == nil {
			running.files = map[*os.File]bool{}
		}
		running.files[f] = true
	}
	return f, err
}
