package explain

import (
	"fmt"
	"strings"
)

// names are the symbols of one cell: the superscript counts layers from 1, as
// the mathematics of the stacked layer does; parameters' names count them from
// 0. The state before the first step is h_init, in both directions.
type names struct {
	sup     string // ^{2}
	h       string // the new state
	c       string
	x       string // the input: x_2 or the layer below's h_2
	hp, cp  string // the state before
	project bool
	cell    *cellText
}

// symbol is a letter at a step, of a layer and direction.
func (t *Trace) symbol(letter string, d int, layer, step string) string {
	return fmt.Sprintf(`%s_{%s}^{%s%s}`, letter, step, layer, t.way(d))
}

// way is the arrow of a direction, where it is not the only usual one.
func (t *Trace) way(d int) string {
	switch {
	case t.reversed(d):
		return `\leftarrow`
	case t.cfg.Directions() == 1:
		return ""
	}
	return `\rightarrow`
}

// below is what a layer above the first takes: the states of the one below.
func (t *Trace) below(layer, step string) string {
	x := t.symbol("h", 0, layer, step)
	if t.cfg.Directions() == 2 {
		x = `\bigl[` + x + `;\,` + t.symbol("h", 1, layer, step) + `\bigr]`
	}
	return x
}

func (t *Trace) names(layer, direction, step int) names {
	prev := step - 1
	if t.reversed(direction) {
		prev = step + 1
	}
	before := fmt.Sprint(prev)
	if prev < 0 || prev >= t.Steps() {
		before = `\text{init}`
	}
	n := t.named(direction, fmt.Sprint(layer+1), fmt.Sprint(step), before)
	n.x = fmt.Sprintf(`x_{%d}`, step)
	if layer > 0 {
		n.x = t.below(fmt.Sprint(layer), fmt.Sprint(step))
	}
	return n
}

// named are names but for x.
func (t *Trace) named(d int, layer, step, before string) names {
	return names{
		sup: fmt.Sprintf(`^{%s%s}`, layer, t.way(d)),
		h:   t.symbol("h", d, layer, step), c: t.symbol("c", d, layer, step),
		hp: t.symbol("h", d, layer, before), cp: t.symbol("c", d, layer, before),
		project: t.cfg.ProjSize > 0, cell: t.cells[d],
	}
}

// Idea returns the cell's equations of any layer l and step t in LaTeX, the last
// of them what the first layer takes.
func (t *Trace) Idea() []string {
	before := "t-1"
	if t.reversed(0) {
		before = "t+1"
	}
	n := t.named(0, "l", "t", before)
	n.x = t.below("l-1", "t")
	return append(append(n.cell.equations(n, !t.cfg.NoBias), n.cell.meanings(true)...), t.below("0", "t")+" = x_t")
}

// Equations returns the cell's equations for one lane and step in LaTeX, a
// line each, as torch.nn's pages state them, in the order they are computed.
func (t *Trace) Equations(layer, direction, step int) []string {
	c := t.cells[direction]
	return append(c.equations(t.names(layer, direction, step), !t.cfg.NoBias), c.meanings(true)...)
}

func (c *cellText) equations(n names, bias bool) []string {
	s := n.symbols()
	var out []string
	c.walk(func(i int) {
		g := &c.gates[i]
		left := g.name
		if c.single() {
			left = n.h
		}
		if g.coupled != nil {
			out = append(out, left+" = "+s.write(g.coupled, true))
			return
		}
		_, act, _ := g.fn.Text()
		sum := g.sum(c.letter(g.name), n, s, bias)
		if c.set.Clip > 0 {
			sum = `\operatorname{clip}\bigl(` + sum + `\bigr)`
		}
		out = append(out, fmt.Sprintf(`%s = %s\bigl(%s\bigr)`, left, act, sum))
	}, func(st stateText) {
		left, right := n.c, s.write(st.right, true)
		if st.left == "h" {
			left = n.h
			if n.project {
				right = fmt.Sprintf(`W_{hr}%s \bigl(%s\bigr)`, n.sup, right)
			}
		}
		out = append(out, left+" = "+right)
	})
	return out
}

// sum writes what a gate's function is of.
func (g *gateText) sum(letter string, n names, s *style, bias bool) string {
	plus := func(side string) string {
		if !bias {
			return ""
		}
		return fmt.Sprintf(` + b_{%s%s}%s`, side, letter, n.sup)
	}
	state := n.hp
	if g.late != nil {
		state = `\bigl(` + s.write(g.late, true) + `\bigr)`
	}
	input := fmt.Sprintf(`W_{i%s}%s %s`, letter, n.sup, n.x) + plus("i")
	state = fmt.Sprintf(`W_{h%s}%s %s`, letter, n.sup, state) + plus("h")
	if g.apart != nil {
		state = s.write(&expr{op: exprProduct, kids: []*expr{g.apart}}, true) + ` \odot \bigl(` + state + `\bigr)`
	}
	if g.peep != nil {
		state += fmt.Sprintf(` + p_{%s}%s \odot %s`, letter, n.sup, s.write(g.peep, true))
	}
	return input + " + " + state
}

// symbols writes formulas with the symbols of a lane and step.
func (n names) symbols() *style {
	s := &style{times: ` \odot `, minus: " - "}
	s.name = func(name string, _ bool) string {
		switch name {
		case "h-":
			return n.hp
		case "c-":
			return n.cp
		case "c":
			return n.c
		}
		return name
	}
	s.call = func(place int, arg *expr) string {
		return n.cell.functionTeX(place) + `\bigl(` + s.write(arg, true) + `\bigr)`
	}
	return s
}

func (c *cellText) functionTeX(place int) string {
	_, tex, _ := c.kind.FunctionOf(c.set, place).Text()
	return tex
}

// brief writes formulas with names alone: what was before the step is called as
// what is after it.
func (c *cellText) brief(latex bool) *style {
	s := &style{times: `·`, minus: "-", name: func(name string, _ bool) string { return strings.TrimSuffix(name, "-") }}
	if latex {
		s.times, s.bind, s.minus = `\,`, " ", " - "
	}
	s.call = func(place int, arg *expr) string {
		f, tex, _ := c.kind.FunctionOf(c.set, place).Text()
		if latex {
			f = tex
		}
		return f + "(" + s.write(arg, true) + ")"
	}
	return s
}

// mostTerms is how many products of a sum the text spells out, and mostTeX how
// many Numbers does; of more, the first and the last are shown.
const (
	mostTerms = 6
	mostTeX   = 4
)

// numbersTeX writes formulas with the numbers of a unit; a function as itself
// with its argument if open, else as its value.
func (c *cellText) numbersTeX(values map[string]Num, open bool) *style {
	s := &style{times: ` \cdot `, minus: " - "}
	s.name = func(name string, _ bool) string { return texShort(values[name]) }
	s.call = func(place int, arg *expr) string {
		v := Num(arg.value(c, values))
		if open {
			return c.functionTeX(place) + `\left(` + texFull(v) + `\right)`
		}
		return texShort(Num(c.kind.FunctionOf(c.set, place).At(float32(v))))
	}
	return s
}

// Numbers returns Equations with the numbers of one unit put in.
func (t *Trace) Numbers(u *Unit) []string {
	n, c := t.names(u.Layer, u.Direction, u.Step), t.cells[u.Direction]
	unit := fmt.Sprintf(`[%d]`, u.Unit)
	if u.Projection != nil {
		return []string{fmt.Sprintf(`%s%s = %s = %s`, n.h, unit, texTerms(u.Projection.Terms), texFull(u.H))}
	}
	var out []string
	values, brief := u.values(), c.brief(true)
	stages := func(left string, e *expr, result Num) {
		line := left + unit + " = " + brief.write(e, true)
		if e.calls() {
			line += " = " + c.numbersTeX(values, true).write(e, true)
		}
		out = append(out, line+" = "+c.numbersTeX(values, false).write(e, true)+" = "+texFull(result))
	}
	c.walk(func(i int) {
		if g := &c.gates[i]; g.coupled != nil {
			stages(g.name, g.coupled, u.Gates[i].Value)
		} else {
			out = append(out, c.gateNumbers(i, u, n)...)
		}
	}, func(s stateText) {
		left := n.h
		switch {
		case s.left == "c":
			left = n.c
		case u.Inner:
			left = "m"
		}
		stages(left, s.right, values[s.left])
	})
	return out
}

func (c *cellText) gateNumbers(i int, u *Unit, n names) []string {
	g, t := &u.Gates[i], &c.gates[i]
	letter := c.letter(g.Name)
	_, act, _ := t.fn.Text()
	left := g.Name
	if c.single() {
		left = n.h
	}
	left += fmt.Sprintf(`[%d]`, u.Unit)
	takes := n.hp
	if t.late != nil {
		takes = "(" + c.brief(true).write(t.late, true) + ")"
	}
	input := fmt.Sprintf(`\underbrace{%s}_{W_{i%s}\,%s\,=\,%s}`, texTerms(g.Input.Terms), letter, n.x, texShort(g.Input.Share))
	state := fmt.Sprintf(`\underbrace{%s}_{W_{h%s}\,%s\,=\,%s}`, texTerms(g.State.Terms), letter, takes, texShort(g.State.Share))
	bi, bh := fmt.Sprintf(`\underbrace{%s}_{b_{i%s}}`, texShort(g.BiasIH), letter), fmt.Sprintf(`\underbrace{%s}_{b_{h%s}}`, texShort(g.BiasHH), letter)
	// One line a part: a sum of eight products is wider than any page.
	open, end := act+`\Bigl(`, ` \Bigr)`
	if c.set.Clip > 0 {
		open, end = act+`\Bigl(\operatorname{clip}\bigl(`, ` \bigr)\Bigr)`
	}
	if t.peep != nil {
		end = fmt.Sprintf(` + \underbrace{%s{\cdot}%s}_{p_{%s}\,%s}`, texShort(g.Peephole.Weight), texShort(g.Peephole.Value), letter, n.symbols().write(t.peep, true)) + end
	}
	lines := []string{fmt.Sprintf(`%s = %s`, left, open), `\qquad ` + input}
	switch {
	case t.apart != nil && u.Bias:
		lines = append(lines, `\qquad + `+bi, `\qquad + `+c.brief(true).write(t.apart, true)+` \cdot \bigl( `+state, `\qquad + `+bh+` \bigr)`+end)
	case t.apart != nil:
		lines = append(lines, `\qquad + `+c.brief(true).write(t.apart, true)+` \cdot `+state+end)
	case u.Bias:
		lines = append(lines, `\qquad + `+state, `\qquad + `+bi+` + `+bh+end)
	default:
		lines = append(lines, `\qquad + `+state+end)
	}
	pre := texFull(g.Pre)
	if c.set.Clip > 0 {
		pre = `\operatorname{clip}(` + pre + `)`
	}
	return append(lines, fmt.Sprintf(`\qquad = %s(%s) = %s`, act, pre, texFull(g.Value)))
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
