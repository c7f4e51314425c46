package train_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
	"testing"
)

// One rule for names: a generic type is XOf and its float32 short name X; a
// function that makes one for an element type that no argument tells is NewXOf,
// and without Of it makes the float32 one.
func TestNamesFollowOneRule(t *testing.T) {
	for _, dir := range []string{".", "../nn"} {
		types, funcs, alias := declared(t, dir)
		for name, generic := range types {
			if short, of := strings.CutSuffix(name, "Of"); generic && (!of || alias[short] != name+"[float32]") {
				t.Errorf("%s.%s is generic: expected a name that ends in Of, and a short name for float32", dir, name)
			}
		}
		for name, chosen := range funcs {
			short, of := strings.CutSuffix(name, "Of")
			if chosen && !of {
				t.Errorf("%s.%s: the caller chooses its element type, expected %sOf", dir, name, name)
			}
			if _, ok := funcs[short]; of && !ok {
				t.Errorf("%s.%s has no short form for float32", dir, name)
			}
		}
		if len(types) < 10 || len(funcs) < 5 {
			t.Errorf("%s: %d types, %d functions: the test looks at the wrong folder", dir, len(types), len(funcs))
		}
	}
}

// declared returns the exported types of a folder and whether they are generic,
// its functions and whether callers choose their element type, and the types that
// stand for an instance of another.
func declared(t *testing.T, dir string) (types, funcs map[string]bool, alias map[string]string) {
	t.Helper()
	types, funcs, alias = map[string]bool{}, map[string]bool{}, map[string]string{}
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	must(t, err)
	for _, path := range files {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		must(t, err)
		for _, d := range f.Decls {
			if d, ok := d.(*ast.FuncDecl); ok && d.Recv == nil && d.Name.IsExported() {
				funcs[d.Name.Name] = d.Type.TypeParams != nil && !takes(d)
			}
			g, ok := d.(*ast.GenDecl)
			if !ok {
				continue
			}
			for _, s := range g.Specs {
				s, ok := s.(*ast.TypeSpec)
				if !ok || !s.Name.IsExported() {
					continue
				}
				types[s.Name.Name] = s.TypeParams != nil
				if x, ok := s.Type.(*ast.IndexExpr); ok && s.Assign != 0 {
					alias[s.Name.Name] = x.X.(*ast.Ident).Name + "[" + x.Index.(*ast.Ident).Name + "]"
				}
			}
		}
	}
	return types, funcs, alias
}

// takes reports whether a parameter of f has its type parameter, so that a call
// need not say it.
func takes(f *ast.FuncDecl) bool {
	found := false
	for _, p := range f.Type.Params.List {
		ast.Inspect(p.Type, func(n ast.Node) bool {
			id, ok := n.(*ast.Ident)
			found = found || ok && id.Name == "F"
			return !found
		})
	}
	return found
}
