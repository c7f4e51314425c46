package modelfile

import (
	"os"
	"path/filepath"

	"github.com/unroll-ml/unroll/internal/atomicfile"
	"github.com/unroll-ml/unroll/nn"
)

// Files returns the paths of what a model consists of, of which path is the first:
// the shards of an index, the files beside an ONNX file that hold its data, the
// files of a model folder, whether they are there or not. What cannot be opened is
// path alone; nothing of the tensors is read.
func Files(path string) []string {
	all := []string{path}
	if list := programFiles(path); list != nil { // to compare the program's sum all of it would be read
		return append(all, list...)
	}
	f, err := Open(path)
	if err != nil {
		return all
	}
	defer f.Close()
	switch {
	case f.Folder != nil:
		for _, name := range []string{nn.ConfigFile, nn.WeightsFile, nn.ReadmeFile} {
			all = append(all, filepath.Join(path, name))
		}
	default:
		if f.Path != path { // a folder's, which config.json or an index names
			all = append(all, f.Path, filepath.Join(path, nn.ConfigFile))
		}
		if f.ONNX != nil {
			for _, name := range f.ONNX.External() {
				all = append(all, filepath.Join(filepath.Dir(f.Path), name))
			}
		}
		if s, ok := f.Source.(*shards); ok {
			all = append(all, s.path)
			for _, shard := range s.files {
				all = append(all, shard.Path)
			}
		}
	}
	return all
}

// programFiles are the files of a folder around a program, nil of any other; a save that
// was killed has left the program under another name.
func programFiles(dir string) []string {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil
	}
	defer root.Close()
	c, err := programOf(root)
	if err != nil || c.Program == "" || c.Program != filepath.Base(c.Program) || indexIn(dir) != "" {
		return nil
	}
	return []string{filepath.Join(dir, c.Program), atomicfile.Next(filepath.Join(dir, c.Program)), filepath.Join(dir, nn.ConfigFile)}
}
