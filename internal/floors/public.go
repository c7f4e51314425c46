package floors

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"path/filepath"
	"strconv"
	"strings"
)

// Shown returns a sentence for each exported function, method, field, type or variable
// of a public package whose declaration names a type of an internal package: nobody
// outside of the module can name what it takes or gives.
func Shown(root string) (bad []string, files int, err error) {
	err = filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && file != root && (skipDir(file, d.Name()) || d.Name() == "internal" || d.Name() == "cmd" || d.Name() == "examples"):
			return filepath.SkipDir
		case d.IsDir() || !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go"):
			return nil
		}
		set := token.NewFileSet()
		f, err := parser.ParseFile(set, file, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		if f.Name.Name == "main" {
			return nil
		}
		files++
		s := shown{set: set, internal: map[string]bool{}}
		for _, im := range f.Imports {
			p, err := strconv.Unquote(im.Path.Value)
			if err != nil {
				return err
			}
			name := path.Base(p)
			if im.Name != nil {
				name = im.Name.Name
			}
			s.internal[name] = strings.Contains(p+"/", "/internal/")
		}
		for _, decl := range f.Decls {
			s.decl(decl)
		}
		bad = append(bad, s.bad...)
		return nil
	})
	return bad, files, err
}

type shown struct {
	set      *token.FileSet
	internal map[string]bool // by the name of a file's import
	bad      []string
}

func (s *shown) decl(d ast.Decl) {
	switch d := d.(type) {
	case *ast.FuncDecl:
		if !d.Name.IsExported() || d.Recv != nil && !exported(d.Recv.List[0].Type) {
			return
		}
		s.fields(d.Name.Name, d.Type.TypeParams, true)
		s.fields(d.Name.Name, d.Type.Params, true)
		s.fields(d.Name.Name, d.Type.Results, true)
	case *ast.GenDecl:
		for _, spec := range d.Specs {
			switch spec := spec.(type) {
			case *ast.TypeSpec:
				if spec.Name.IsExported() {
					s.expr(spec.Name.Name, spec.Type)
				}
			case *ast.ValueSpec:
				for _, n := range spec.Names {
					if n.IsExported() && spec.Type != nil {
						s.expr(n.Name, spec.Type)
					}
				}
			}
		}
	}
}

// exported reports whether the type of a receiver is.
func exported(e ast.Expr) bool {
	switch e := e.(type) {
	case *ast.StarExpr:
		return exported(e.X)
	case *ast.IndexExpr:
		return exported(e.X)
	case *ast.IndexListExpr:
		return exported(e.X)
	case *ast.Ident:
		return e.IsExported()
	}
	return false
}

// fields looks at a list of parameters, all of it, or at the exported fields of a type.
func (s *shown) fields(of string, list *ast.FieldList, all bool) {
	if list == nil {
		return
	}
	for _, f := range list.List {
		show := all || len(f.Names) == 0 && embedded(f.Type)
		for _, n := range f.Names {
			show = show || n.IsExported()
		}
		if show {
			s.expr(of, f.Type)
		}
	}
}

// embedded reports whether a field without a name can be seen.
func embedded(e ast.Expr) bool {
	if p, is := e.(*ast.StarExpr); is {
		e = p.X
	}
	if sel, is := e.(*ast.SelectorExpr); is {
		return sel.Sel.IsExported()
	}
	return exported(e)
}

func (s *shown) expr(of string, e ast.Expr) {
	ast.Inspect(e, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.StructType:
			s.fields(of, n.Fields, false)
			return false
		case *ast.InterfaceType:
			s.fields(of, n.Methods, false)
			return false
		case *ast.SelectorExpr:
			if x, is := n.X.(*ast.Ident); is && s.internal[x.Name] {
				s.bad = append(s.bad, fmt.Sprintf("%s: %s shows %s.%s, a type of an internal package", s.set.Position(n.Pos()), of, x.Name, n.Sel.Name))
			}
			return false
		}
		return true
	})
}
