package explain

import (
	"fmt"
	"strings"

	"github.com/unroll-ml/unroll/internal/kernel"
)

// expr is a formula of a cell.Kind, read. Exactly one of its shapes is set: a
// sum of several kids (minus says which are taken away), a product of several,
// a function of one, a name, or the number one.
type expr struct {
	op    exprOp
	name  string // of a gate or state; with a minus at its end, before the step
	place int    // of a function among Kind.Functions
	kids  []*expr
	minus []bool
}

type exprOp int

const (
	exprOne exprOp = iota
	exprName
	exprCall
	exprProduct
	exprSum
)

// parseExpr reads the language of cell.Formula.
func parseExpr(s string) (*expr, error) {
	p := &exprParser{rest: s}
	e := p.sum()
	p.space()
	if p.bad == "" && p.rest != "" {
		p.fail("an end")
	}
	if p.bad != "" {
		return nil, fmt.Errorf("explain: formula %q, before %q: expected %s", s, p.at, p.bad)
	}
	return e, nil
}

// exprParser reads a formula from left to right and keeps the first thing that
// was not there.
type exprParser struct{ rest, bad, at string }

func (p *exprParser) space() { p.rest = strings.TrimLeft(p.rest, " ") }

func (p *exprParser) fail(want string) {
	if p.bad == "" {
		p.bad, p.at = want, p.rest
	}
}

// take takes a prefix away if it is there.
func (p *exprParser) take(prefix string) bool {
	p.space()
	rest, ok := strings.CutPrefix(p.rest, prefix)
	p.rest = rest
	return ok
}

func (p *exprParser) need(prefix string) {
	if !p.take(prefix) {
		p.fail(prefix)
	}
}

func (p *exprParser) sum() *expr {
	e := &expr{op: exprSum, kids: []*expr{p.product()}, minus: []bool{false}}
	for p.bad == "" {
		minus := p.take("-")
		if !minus && !p.take("+") {
			break
		}
		e.kids, e.minus = append(e.kids, p.product()), append(e.minus, minus)
	}
	if len(e.kids) == 1 {
		return e.kids[0]
	}
	return e
}

func (p *exprParser) product() *expr {
	e := &expr{op: exprProduct, kids: []*expr{p.factor()}}
	for p.bad == "" && p.take("*") {
		e.kids = append(e.kids, p.factor())
	}
	if len(e.kids) == 1 {
		return e.kids[0]
	}
	return e
}

func (p *exprParser) factor() *expr {
	switch {
	case p.take("1"):
		return &expr{}
	case p.take("{"):
		name, rest, ok := strings.Cut(p.rest, "}")
		if !ok || name == "" {
			p.fail("a name and }")
			return &expr{}
		}
		p.rest = rest
		return &expr{op: exprName, name: name}
	case p.take("["):
		e := &expr{op: exprCall}
		if len(p.rest) > 0 {
			e.place, p.rest = int(p.rest[0])-'0', p.rest[1:]
		}
		if e.place < 0 || e.place > 2 {
			p.fail("a place from 0 to 2")
		}
		p.need("](")
		e.kids = []*expr{p.sum()}
		p.need(")")
		return e
	case p.take("("):
		e := p.sum()
		p.need(")")
		return e
	}
	p.fail("1, {, [ or (")
	return &expr{}
}

// names calls f with every name in e.
func (e *expr) names(f func(name string)) {
	if e.op == exprName {
		f(e.name)
	}
	for _, k := range e.kids {
		k.names(f)
	}
}

// calls reports whether there is a function in e.
func (e *expr) calls() bool {
	if e.op == exprCall {
		return true
	}
	for _, k := range e.kids {
		if k.calls() {
			return true
		}
	}
	return false
}

// value is e of float32 numbers: what a factor or an argument amounts to. No
// state is computed with it; those are the record's.
func (e *expr) value(c *cellText, values map[string]Num) float32 {
	switch e.op {
	case exprName:
		return float32(values[e.name])
	case exprCall:
		return c.kind.FunctionOf(c.set, e.place).At(e.kids[0].value(c, values))
	case exprProduct:
		v := e.kids[0].value(c, values)
		for _, k := range e.kids[1:] {
			v *= k.value(c, values)
		}
		return v
	case exprSum:
		v := e.kids[0].value(c, values)
		for i, k := range e.kids[1:] {
			w := k.value(c, values)
			if e.minus[i+1] {
				w = -w
			}
			v = kernel.FMA32(w, 1, v)
		}
		return v
	}
	return 1
}

// style is a way to write an expr: as symbols or as numbers, for a terminal, in
// LaTeX or in Python.
type style struct {
	times string                               // between factors
	bind  string                               // between a factor and a function, "" for times
	minus string                               // within parentheses
	call  func(place int, arg *expr) string    // a function
	name  func(name string, first bool) string // first: no sign can stand before it
}

// write writes e; first says that nothing stands before it.
func (s *style) write(e *expr, first bool) string {
	switch e.op {
	case exprName:
		return s.name(e.name, first)
	case exprCall:
		return s.call(e.place, e.kids[0])
	case exprProduct:
		var b strings.Builder
		for i, k := range e.kids {
			if i > 0 {
				if k.op == exprCall && s.bind != "" {
					b.WriteString(s.bind)
				} else {
					b.WriteString(s.times)
				}
			}
			if k.op == exprSum {
				b.WriteString("(" + s.sum(k, s.minus) + ")")
			} else {
				b.WriteString(s.write(k, first && i == 0))
			}
		}
		return b.String()
	case exprSum:
		return s.sum(e, " - ")
	}
	return "1"
}

func (s *style) sum(e *expr, minus string) string {
	var b strings.Builder
	for i, k := range e.kids {
		switch {
		case i == 0:
		case e.minus[i]:
			b.WriteString(minus)
		default:
			b.WriteString(strings.ReplaceAll(minus, "-", "+"))
		}
		part := s.write(k, i == 0)
		if k.op == exprSum {
			part = "(" + part + ")"
		}
		b.WriteString(part)
	}
	return b.String()
}
