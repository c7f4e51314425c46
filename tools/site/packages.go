package main

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/doc"
	"go/doc/comment"
	"go/format"
	"go/parser"
	"go/printer"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
)

const module = "github.com/unroll-ml/unroll"

// packagePages are the public packages: what they are, and their examples, which
// go test runs. Everything else about them is on pkg.go.dev.
func packagePages(root string) ([]*page, error) {
	var pages []*page
	err := filepath.WalkDir(root, func(dir string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		name, err := filepath.Rel(root, dir)
		if err != nil {
			return err
		}
		name = filepath.ToSlash(name)
		if slices.Contains([]string{"internal", "cmd", "tools", "bench", "examples", "docs", "testdata"}, d.Name()) || strings.HasPrefix(d.Name(), ".") && name != "." {
			return filepath.SkipDir
		}
		p, err := packagePage(dir, name)
		if p != nil {
			pages = append(pages, p)
		}
		return err
	})
	return pages, err
}

func packagePage(dir, name string) (*page, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil || len(files) == 0 {
		return nil, err
	}
	fset := token.NewFileSet()
	var all []*ast.File
	for _, f := range files {
		a, err := parser.ParseFile(fset, f, nil, parser.ParseComments)
		if err != nil {
			return nil, err
		}
		all = append(all, a)
	}
	path := strings.TrimSuffix(module+"/"+name, "/.")
	d, err := doc.NewFromFiles(fset, all, path)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", dir, err)
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "# Package %s\n\n    import \"%s\"\n\nAll of its types and functions: [pkg.go.dev](https://pkg.go.dev/%s).\n\n", d.Name, path, path)
	words := &comment.Printer{HeadingLevel: 2, DocLinkURL: func(*comment.DocLink) string { return "https://pkg.go.dev/" + path }}
	b.Write(words.Markdown(d.Parser().Parse(d.Doc)))
	examples := func(of string, list []*doc.Example) error {
		for _, e := range list {
			fmt.Fprintf(&b, "\n## Example%s\n\n%s\n", heading(of, e.Suffix), e.Doc)
			var text bytes.Buffer
			if err := format.Node(&text, fset, &printer.CommentedNode{Node: e.Code, Comments: e.Comments}); err != nil {
				return err
			}
			fmt.Fprintf(&b, "```go\n%s\n```\n", body(text.String()))
			if e.Output != "" {
				fmt.Fprintf(&b, "\nprints\n\n```text\n%s```\n", e.Output)
			}
		}
		return nil
	}
	if err := each(d, examples); err != nil {
		return nil, err
	}
	short := name
	if name == "." {
		short = "unroll"
	}
	return &page{to: "packages/" + strings.ReplaceAll(short, "/", "-"), group: "Packages", short: short, text: b.String()}, nil
}

// each calls f for the package, its functions, types and methods that have examples.
func each(d *doc.Package, f func(of string, list []*doc.Example) error) error {
	if err := f("", d.Examples); err != nil {
		return err
	}
	for _, x := range d.Funcs {
		if err := f(x.Name, x.Examples); err != nil {
			return err
		}
	}
	for _, t := range d.Types {
		if err := f(t.Name, t.Examples); err != nil {
			return err
		}
		for _, x := range slices.Concat(t.Funcs, t.Methods) {
			name := x.Name
			if x.Recv != "" {
				name = t.Name + "." + x.Name
			}
			if err := f(name, x.Examples); err != nil {
				return err
			}
		}
	}
	return nil
}

func heading(of, suffix string) string {
	if of != "" {
		of = ": " + of
	}
	if suffix != "" {
		of += " (" + suffix + ")"
	}
	return of
}

// body is what stands between the braces of a block, one tab less indented.
func body(block string) string {
	block = strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(block), "{"), "}")
	return strings.ReplaceAll(strings.Trim(block, "\n"), "\n\t", "\n")[strings.IndexFunc(strings.Trim(block, "\n"), func(r rune) bool { return r != '\t' }):]
}
