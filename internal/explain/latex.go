package explain

import (
	"fmt"
	"strings"

	"github.com/unroll-ml/unroll"
)

// names are the symbols of one cell: superscripts count layers from 1, as the
// mathematics of the stacked layer does; parameters' names count them from 0.
type names struct {
	sup     string // ^{(2)}
	h       string // the new state
	c       string
	x       string // the input: x_2 or the layer below's h_2
	hp, cp  string // the state before
	project bool
}

func (t *Trace) names(layer, direction, step int) names {
	prev := step - 1
	if direction == 1 {
		prev = step + 1
	}
	way := func(d int) string {
		if t.cfg.Directions() == 1 {
			return ""
		}
		return [...]string{`\rightarrow`, `\leftarrow`}[d]
	}
	at := func(s string, d, layer, step int) string {
		return fmt.Sprintf(`%s_{%d}^{(%d)%s}`, s, step, layer+1, way(d))
	}
	n := names{
		sup: fmt.Sprintf(`^{(%d)%s}`, layer+1, way(direction)),
		h:   at("h", direction, layer, step), c: at("c", direction, layer, step),
		hp: at("h", direction, layer, prev), cp: at("c", direction, layer, prev),
		x: fmt.Sprintf(`x_{%d}`, step), project: t.cfg.ProjSize > 0,
	}
	if layer > 0 {
		n.x = at("h", 0, layer-1, step)
		if t.cfg.Directions() == 2 {
			n.x = `\bigl[` + n.x + `;\,` + at("h", 1, layer-1, step) + `\bigr]`
		}
	}
	return n
}

// Equations returns the cell's equations for one lane and step in LaTeX, a
// line each, as torch.nn's pages state them, in the order they are computed.
func (t *Trace) Equations(layer, direction, step int) []string {
	n := t.names(layer, direction, step)
	line := func(left, act, gate string) string {
		s := fmt.Sprintf(`W_{i%s}%s %s`, gate, n.sup, n.x)
		if !t.cfg.NoBias {
			s += fmt.Sprintf(` + b_{i%s}%s`, gate, n.sup)
		}
		s += fmt.Sprintf(` + W_{h%s}%s %s`, gate, n.sup, n.hp)
		if !t.cfg.NoBias {
			s += fmt.Sprintf(` + b_{h%s}%s`, gate, n.sup)
		}
		return fmt.Sprintf(`%s = %s\bigl(%s\bigr)`, left, act, s)
	}
	switch t.cfg.Mode {
	case unroll.LSTM:
		hidden := fmt.Sprintf(`%s = o \odot \tanh\bigl(%s\bigr)`, n.h, n.c)
		if n.project {
			hidden = fmt.Sprintf(`%s = W_{hr}%s \bigl(o \odot \tanh\bigl(%s\bigr)\bigr)`, n.h, n.sup, n.c)
		}
		return []string{
			line("i", `\sigma`, "i"), line("f", `\sigma`, "f"), line("g", `\tanh`, "g"), line("o", `\sigma`, "o"),
			fmt.Sprintf(`%s = f \odot %s + i \odot g`, n.c, n.cp), hidden,
		}
	case unroll.GRU:
		bi, bh := fmt.Sprintf(` + b_{in}%s`, n.sup), fmt.Sprintf(` + b_{hn}%s`, n.sup)
		if t.cfg.NoBias {
			bi, bh = "", ""
		}
		return []string{
			line("r", `\sigma`, "r"), line("z", `\sigma`, "z"),
			fmt.Sprintf(`n = \tanh\bigl(W_{in}%s %s%s + r \odot \bigl(W_{hn}%s %s%s\bigr)\bigr)`, n.sup, n.x, bi, n.sup, n.hp, bh),
			fmt.Sprintf(`%s = (1 - z) \odot n + z \odot %s`, n.h, n.hp),
		}
	case unroll.RNNReLU:
		return []string{line(n.h, `\operatorname{ReLU}`, "h")}
	}
	return []string{line(n.h, `\tanh`, "h")}
}

// mostTerms is how many products of a sum the text spells out, and mostTeX how
// many Numbers does; of more, the first and the last are shown.
const (
	mostTerms = 6
	mostTeX   = 4
)

// Numbers returns Equations with the numbers of one unit put in.
func (t *Trace) Numbers(u *Unit) []string {
	n := t.names(u.Layer, u.Direction, u.Step)
	var out []string
	for _, g := range u.Gates {
		out = append(out, gateNumbers(g, u.Bias, n, u.Unit)...)
	}
	val := func(name string) Num {
		for _, g := range u.Gates {
			if g.Name == name {
				return g.Value
			}
		}
		return 0
	}
	unit := fmt.Sprintf(`[%d]`, u.Unit)
	switch {
	case u.Projection != nil:
		out = append(out, fmt.Sprintf(`%s%s = %s = %s`, n.h, unit, texTerms(u.Projection.Terms), texFull(u.H)))
	case t.cfg.Mode == unroll.LSTM:
		left := n.h + unit
		if u.Inner {
			left = `m` + unit
		}
		out = append(out,
			fmt.Sprintf(`%s%s = f\,c + i\,g = %s \cdot %s + %s \cdot %s = %s`, n.c, unit, texShort(val("f")), texShort(u.CPrev), texShort(val("i")), texShort(val("g")), texFull(u.C)),
			fmt.Sprintf(`%s = o \tanh(c) = %s \cdot \tanh\left(%s\right) = %s \cdot %s = %s`, left, texShort(val("o")), texFull(u.C), texShort(val("o")), texShort(u.TanhC), texFull(u.H)))
	case t.cfg.Mode == unroll.GRU:
		out = append(out, fmt.Sprintf(`%s%s = (1 - z)\,n + z\,h = (1 - %s) \cdot %s + %s \cdot %s = %s`, n.h, unit,
			texShort(val("z")), texShort(val("n")), texShort(val("z")), texShort(u.HPrev), texFull(u.H)))
	}
	return out
}

func gateNumbers(g Gate, bias bool, n names, unit int) []string {
	act := map[string]string{"tanh": `\tanh`, "sigmoid": `\sigma`, "relu": `\operatorname{ReLU}`}[g.Activation]
	left := g.Name
	if g.Name == "h" {
		left = n.h
	}
	left += fmt.Sprintf(`[%d]`, unit)
	input := fmt.Sprintf(`\underbrace{%s}_{W_{i%s}\,%s\,=\,%s}`, texTerms(g.Input.Terms), g.Name, n.x, texShort(g.Input.Share))
	state := fmt.Sprintf(`\underbrace{%s}_{W_{h%s}\,%s\,=\,%s}`, texTerms(g.State.Terms), g.Name, n.hp, texShort(g.State.Share))
	// One line a part: a sum of eight products is wider than any page.
	lines := []string{fmt.Sprintf(`%s = %s\Bigl(`, left, act), `\qquad ` + input}
	bi, bh := fmt.Sprintf(`\underbrace{%s}_{b_{i%s}}`, texShort(g.BiasIH), g.Name), fmt.Sprintf(`\underbrace{%s}_{b_{h%s}}`, texShort(g.BiasHH), g.Name)
	switch {
	case g.Apart && bias:
		lines = append(lines, `\qquad + `+bi, `\qquad + r \cdot \bigl( `+state, `\qquad + `+bh+` \bigr) \Bigr)`)
	case g.Apart:
		lines = append(lines, `\qquad + r \cdot `+state+` \Bigr)`)
	case bias:
		lines = append(lines, `\qquad + `+state, `\qquad + `+bi+` + `+bh+` \Bigr)`)
	default:
		lines = append(lines, `\qquad + `+state+` \Bigr)`)
	}
	return append(lines, fmt.Sprintf(`\qquad = %s(%s) = %s`, act, texFull(g.Pre), texFull(g.Value)))
}

// texTerms writes products, the middle ones as dots where there are many.
func texTerms(terms []Term) string {
	var parts []string
	for k, p := range terms {
		if len(terms) > mostTeX && k >= mostTeX-3 && k < len(terms)-1 {
			if k == mostTeX-3 {
				parts = append(parts, `\cdots`)
			}
			continue
		}
		parts = append(parts, texExp(p.Weight.Short())+`{\cdot}`+texShort(p.Value))
	}
	sum := signedSum(parts)
	if strings.HasPrefix(sum, "-") {
		return "(" + sum + ")" // it may follow a sign
	}
	return sum
}

// texShort is Short, in parentheses where a minus would follow a sign.
func texShort(n Num) string {
	s := n.Short()
	if strings.HasPrefix(s, "-") {
		return "(" + texExp(s) + ")"
	}
	return texExp(s)
}

func texFull(n Num) string { return texExp(n.String()) }

func texExp(s string) string {
	switch s {
	case "NaN":
		return `\text{NaN}`
	case "+Inf":
		return `\infty`
	case "-Inf":
		return `-\infty`
	}
	if m, e, ok := strings.Cut(s, "e"); ok {
		return m + ` \cdot 10^{` + strings.TrimPrefix(strings.Replace(strings.TrimLeft(e, "+"), "-0", "-", 1), "0") + `}`
	}
	return s
}
