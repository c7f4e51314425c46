// Package floors reads the project's import graph and holds it against the
// floors table: a package imports the standard library, packages of lower
// floors, and the libraries its row names. It exists for its own test.
package floors

import (
	"fmt"
	"path"
	"sort"
	"strings"
)

// Import is one import declaration.
type Import struct {
	File string // slash-separated, relative to the module's root
	Path string // as written in the file
	Test bool   // the file is a _test.go file
}

// Package is one folder with Go files.
type Package struct {
	Path    string // slash-separated, relative to the module's root; "." is the root
	Imports []Import
}

// Check returns one sentence for each import in pkgs that table forbids, and
// for each package that table does not place. module is the module's path.
func Check(module string, pkgs []Package, table []Row) []string {
	c := checker{module: module, table: table}
	for _, p := range pkgs {
		c.pkg(p)
	}
	sort.Strings(c.bad)
	return c.bad
}

type checker struct {
	module string
	table  []Row
	bad    []string
}

func (c *checker) pkg(p Package) {
	row, unit, ok := place(c.table, p.Path)
	if !ok {
		c.bad = append(c.bad, fmt.Sprintf("%s stands on no floor: give it a row in internal/floors/table.go", p.Path))
		return
	}
	for _, im := range p.Imports {
		if why := c.judge(row, unit, im); why != "" {
			c.bad = append(c.bad, fmt.Sprintf("%s imports %s: %s", im.File, im.Path, why))
		}
	}
}

// judge returns why a package placed at (row, unit) may not hold im, or "".
func (c *checker) judge(row Row, unit string, im Import) string {
	test := im.Test || row.TestOnly
	rel, inside := relative(c.module, im.Path)
	if !inside {
		return judgeOutside(row, test, im.Path)
	}
	other, otherUnit, ok := place(c.table, rel)
	switch {
	case !ok:
		return "it stands on no floor"
	case otherUnit == unit:
		return ""
	case unit == "internal/ref" && !im.Test:
		return "internal/ref shares nothing with what it judges"
	case other.TestOnly && !test:
		return "only tests may import it"
	case test || other.Floor < row.Floor:
		return ""
	case other.Floor == row.Floor && hasPrefix(row.Libraries, im.Path):
		return ""
	}
	return fmt.Sprintf("floor %d may import only floors below it, and that is on floor %d", row.Floor, other.Floor)
}

func judgeOutside(row Row, test bool, imported string) string {
	first, _, _ := strings.Cut(imported, "/")
	if !strings.Contains(first, ".") { // the standard library, and "C"
		if imported == "C" {
			return "the project has no cgo"
		}
		return ""
	}
	if row.Anything || hasPrefix(row.Libraries, imported) || test && hasPrefix(testLibraries, imported) {
		return ""
	}
	return fmt.Sprintf("the row of %s does not name that library", row.Path)
}

// place finds the row of the folder rel, and the unit it belongs to: the
// folder that row stands for. The longest fitting row counts, and an exact one
// before a "*" of the same length.
func place(table []Row, rel string) (Row, string, bool) {
	var best Row
	unit := ""
	for _, r := range table {
		u := r.Path
		if dir, last := path.Split(r.Path); last == "*" {
			rest, ok := strings.CutPrefix(rel, dir)
			if !ok {
				continue
			}
			name, _, _ := strings.Cut(rest, "/")
			u = dir + name
		}
		if (rel == u || u != "." && strings.HasPrefix(rel, u+"/")) && len(u) > len(unit) {
			best, unit = r, u
		}
	}
	return best, unit, unit != ""
}

// relative turns an import path of the module into a folder of it.
func relative(module, imported string) (string, bool) {
	if imported == module {
		return ".", true
	}
	return strings.CutPrefix(imported, module+"/")
}

func hasPrefix(list []string, imported string) bool {
	for _, l := range list {
		if imported == l || strings.HasPrefix(imported, l+"/") {
			return true
		}
	}
	return false
}

// Markdown is the table as docs/architecture.md shows it.
func Markdown(table []Row) string {
	var b strings.Builder
	b.WriteString("| floor | package | duty | may import besides lower floors |\n|---|---|---|---|\n")
	for _, r := range table {
		floor, libs := fmt.Sprint(r.Floor), "standard library"
		if r.TestOnly {
			floor = "test only"
		}
		if len(r.Libraries) > 0 {
			libs = "`" + strings.Join(r.Libraries, "`, `") + "`"
		}
		if r.Anything {
			libs = "anything"
		}
		name := "`" + r.Path + "`"
		if r.Path == "." {
			name = "`unroll` (root)"
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", floor, name, r.Duty, libs)
	}
	return b.String()
}
