package floors

import (
	"bytes"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
)

// Read finds the packages of the module whose root folder is root and their
// imports, of all platforms and build tags. Folders that the go command does
// not look into (testdata, names that begin with "." or "_", other modules)
// and files marked "//go:build ignore" are left out.
func Read(root string) ([]Package, error) {
	found := map[string]*Package{}
	err := filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if file != root && skipDir(file, d.Name()) {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(file, ".go") {
			return nil
		}
		rel, err := filepath.Rel(root, file)
		if err != nil {
			return err
		}
		return readFile(found, file, filepath.ToSlash(rel))
	})
	if err != nil {
		return nil, err
	}
	pkgs := make([]Package, 0, len(found))
	for _, p := range found {
		pkgs = append(pkgs, *p)
	}
	sort.Slice(pkgs, func(i, j int) bool { return pkgs[i].Path < pkgs[j].Path })
	return pkgs, nil
}

func skipDir(dir, name string) bool {
	if name == "testdata" || name == "node_modules" || strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_") {
		return true
	}
	_, err := os.Stat(filepath.Join(dir, "go.mod"))
	return err == nil
}

func readFile(found map[string]*Package, file, rel string) error {
	src, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if bytes.HasPrefix(src, []byte("//go:build ignore\n")) || bytes.Contains(src, []byte("\n//go:build ignore\n")) {
		return nil
	}
	f, err := parser.ParseFile(token.NewFileSet(), rel, src, parser.ImportsOnly)
	if err != nil {
		return err
	}
	dir := path.Dir(rel)
	p := found[dir]
	if p == nil {
		p = &Package{Path: dir}
		found[dir] = p
	}
	for _, spec := range f.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return err
		}
		p.Imports = append(p.Imports, Import{File: rel, Path: imported, Test: strings.HasSuffix(rel, "_test.go")})
	}
	return nil
}
