package modelfile

import (
	"os"

	"github.com/unroll-ml/unroll/checkpoint"
)

// Detect tells the format of a file or folder that is there, by its contents and
// without reading it. It is "" for what is neither, such as a pipe, which could be
// read once only.
func Detect(path string) (Format, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return "", err
	case info.IsDir() && indexIn(path) != "":
		return Sharded, nil
	case info.IsDir() && weightsIn(path) != "":
		return Detect(weightsIn(path))
	case info.IsDir():
		return Folder, nil
	case !info.Mode().IsRegular():
		return "", nil
	}
	in, err := checkpoint.OpenInput(path)
	if err != nil {
		return "", err
	}
	defer in.Close()
	r, err := detect(path, in)
	if err != nil {
		return "", err
	}
	return r.Format, nil
}
