package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strconv"
	"strings"
)

// mutant is a file with the bytes [from,to) replaced.
type mutant struct {
	file     string
	line     int
	from, to int
	with     string
	src      []byte
}

func (m mutant) apply() []byte {
	return slices.Concat(m.src[:m.from], []byte(m.with), m.src[m.to:])
}

// String shows the line as it was and the change.
func (m mutant) String() string {
	was, with := strings.Join(strings.Fields(string(m.src[m.from:m.to])), " "), m.with
	if with == "" {
		with = "nothing"
	}
	line := strings.TrimSpace(strings.Split(string(m.src), "\n")[m.line-1])
	return fmt.Sprintf("%s:%d: %s -> %s in: %s", m.file, m.line, was, with, line)
}

// swap says what takes an operator's place: the other of its kind, or the same
// bound off by one.
var swap = map[token.Token]string{
	token.ADD: "-", token.SUB: "+", token.MUL: "/", token.QUO: "*",
	token.LSS: "<=", token.LEQ: "<", token.GTR: ">=", token.GEQ: ">",
	token.EQL: "!=", token.NEQ: "==", token.LAND: "||", token.LOR: "&&",
	token.ADD_ASSIGN: "-=", token.SUB_ASSIGN: "+=", token.MUL_ASSIGN: "/=", token.QUO_ASSIGN: "*=",
	token.INC: "--", token.DEC: "++",
}

// mutants returns every one-line change of a file.
func mutants(file string, src []byte) ([]mutant, error) {
	set := token.NewFileSet()
	tree, err := parser.ParseFile(set, file, src, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	var all []mutant
	add := func(from, to token.Pos, with string) {
		p := set.Position(from)
		if set.Position(to).Line == p.Line {
			all = append(all, mutant{file, p.Line, p.Offset, set.Position(to).Offset, with, src})
		}
	}
	op := func(at token.Pos, t token.Token) {
		if with, ok := swap[t]; ok {
			add(at, at+token.Pos(len(t.String())), with)
		}
	}
	ast.Inspect(tree, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GenDecl:
			return n.Tok != token.IMPORT && n.Tok != token.TYPE
		case *ast.BinaryExpr:
			if l, ok := n.X.(*ast.BasicLit); !ok || l.Kind != token.STRING { // text is not added up
				op(n.OpPos, n.Op)
			}
		case *ast.IncDecStmt:
			op(n.TokPos, n.Tok)
		case *ast.AssignStmt:
			op(n.TokPos, n.Tok)
			if n.Tok != token.DEFINE {
				add(n.Pos(), n.End(), blank(n, src, set))
			}
		case *ast.ExprStmt:
			add(n.Pos(), n.End(), "")
		case *ast.BasicLit:
			add(n.Pos(), n.End(), other(n))
		case *ast.IfStmt:
			add(n.Cond.Pos(), n.Cond.End(), "!("+string(src[set.Position(n.Cond.Pos()).Offset:set.Position(n.Cond.End()).Offset])+")")
		case *ast.UnaryExpr:
			if n.Op == token.NOT || n.Op == token.SUB {
				add(n.OpPos, n.OpPos+1, "")
			}
		}
		return true
	})
	return slices.DeleteFunc(all, func(m mutant) bool { return string(src[m.from:m.to]) == m.with }), nil
}

// blank is what is left of a dropped assignment: its right side is used, so that
// the rest compiles.
func blank(n *ast.AssignStmt, src []byte, set *token.FileSet) string {
	from, to := set.Position(n.Rhs[0].Pos()).Offset, set.Position(n.Rhs[len(n.Rhs)-1].End()).Offset
	return strings.TrimSuffix(strings.Repeat("_, ", len(n.Rhs)), ", ") + " = " + string(src[from:to])
}

// other is another number; text stays as it is.
func other(n *ast.BasicLit) string {
	switch n.Kind {
	case token.INT:
		if v, err := strconv.ParseInt(n.Value, 0, 62); err == nil {
			return strconv.FormatInt(v+1, 10)
		}
	case token.FLOAT:
		return "(2*" + n.Value + ")"
	}
	return n.Value
}
