package explain

import (
	"fmt"
	"io"
	"strings"

	"github.com/unroll-ml/unroll"
)

// TextOptions say what Text writes.
type TextOptions struct {
	Step, Layer, Unit int // the only one to write; -1 for all
	LaTeX             bool
	Color             bool // paint the grid with the terminal's colours
	Width             int  // columns; 0 means 100
	Labels            []string
}

// Most steps and units that Text spells out when none was asked for; of more,
// the first ones and the last.
const (
	mostSteps = 8
	mostUnits = 8
)

// Text writes the run for a terminal: the grid, then each step through each
// layer as formula, formula with numbers and result, then why the last row of
// output is in h_n, then what is wrong in the hand-written loop.
func (t *Trace) Text(w io.Writer, opt TextOptions) error {
	if opt.Width <= 0 {
		opt.Width = 100
	}
	for _, a := range []struct {
		name string
		v, n int
	}{{"--step", opt.Step, t.Steps()}, {"--layer", opt.Layer, t.cfg.NumLayers}, {"--unit", opt.Unit, t.cfg.StateSize()}} {
		if a.v < -1 || a.v >= a.n {
			return &unroll.ArgError{Kind: unroll.ErrUsage, Arg: a.name, Got: fmt.Sprint(a.v), Want: fmt.Sprintf("0 to %d", a.n-1)}
		}
	}
	p := &printer{w: w}
	if opt.LaTeX {
		t.steps(p, opt)
		return p.err
	}
	narrowed := opt.Step >= 0 || opt.Layer >= 0 || opt.Unit >= 0
	if !narrowed {
		t.heading(p)
		t.grid(p, opt)
	}
	t.steps(p, opt)
	if !narrowed {
		t.corner(p)
		t.loops(p)
	}
	return p.err
}

type printer struct {
	w   io.Writer
	err error
}

func (p *printer) f(format string, a ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.w, format+"\n", a...)
	}
}

func (t *Trace) heading(p *printer) {
	c := t.cfg
	p.f("%s, input_size %d, hidden_size %d, num_layers %d%s", c.Mode, c.InputSize, c.HiddenSize, c.NumLayers, t.extras())
	p.f("%d steps. output [%d, %d], h_n [%d, %d]", t.Steps(), t.Steps(), c.OutputSize(), t.Lanes(), c.StateSize())
	p.f("")
}

func (t *Trace) extras() string {
	s := ""
	if t.cfg.Bidirectional {
		s += ", bidirectional"
	}
	if t.cfg.NoBias {
		s += ", bias=False"
	}
	if t.cfg.ProjSize > 0 {
		s += fmt.Sprintf(", proj_size %d", t.cfg.ProjSize)
	}
	return s
}

// steps writes each step and layer that was asked for. With two directions a
// layer is finished before the next begins, so layers come first there.
func (t *Trace) steps(p *printer, opt TextOptions) {
	var steps, layers []int
	for s := range t.Steps() {
		if opt.Step == s || opt.Step < 0 && (t.Steps() <= mostSteps || s < mostSteps-2 || s == t.Steps()-1) {
			steps = append(steps, s)
		}
	}
	for l := range t.cfg.NumLayers {
		if opt.Layer < 0 || opt.Layer == l {
			layers = append(layers, l)
		}
	}
	if t.cfg.Bidirectional {
		for _, l := range layers {
			for d := range 2 {
				for k := range steps {
					s := steps[k]
					if d == 1 {
						s = steps[len(steps)-1-k]
					}
					t.processing(p, s, opt)
					t.cell(p, l, d, s, opt)
				}
			}
		}
		return
	}
	for k, s := range steps {
		if k > 0 && s > steps[k-1]+1 && !opt.LaTeX {
			p.f("... %d steps left out; --step N shows one\n", s-steps[k-1]-1)
		}
		t.processing(p, s, opt)
		for _, l := range layers {
			t.cell(p, l, 0, s, opt)
		}
	}
}

func (t *Trace) processing(p *printer, s int, opt TextOptions) {
	if opt.LaTeX {
		p.f("%% Processing x_%d", s)
		return
	}
	label := ""
	if s < len(opt.Labels) {
		label = fmt.Sprintf(" %q", opt.Labels[s])
	}
	title := fmt.Sprintf("Processing x_%d%s", s, label)
	p.f("%s %s", title, strings.Repeat("=", max(0, min(opt.Width, 80)-len([]rune(title))-1)))
	p.f("x_%d = %s", s, vector(row(t.X, s)))
	p.f("")
}

func (t *Trace) cell(p *printer, l, d, s int, opt TextOptions) {
	if opt.LaTeX {
		t.cellLaTeX(p, l, d, s, opt)
		return
	}
	way := ""
	if t.cfg.Bidirectional {
		way = [...]string{", forward", ", reverse: from the last step to the first"}[d]
	}
	p.f("  layer %d%s", l, way)
	for _, e := range t.Equations(l, d, s) {
		p.f("    %s", plain(e))
	}
	n := t.names(l, d, s)
	left := 0
	for u := range t.cfg.StateSize() {
		if !wanted(u, t.cfg.StateSize(), opt.Unit) {
			left++
			continue
		}
		if left > 0 && opt.Unit < 0 {
			p.f("    ... %d units left out; --unit N shows one", left)
			left = 0
		}
		unit, err := t.Unit(l, d, s, u, false)
		if err != nil {
			p.err = err
			return
		}
		for _, line := range unitText(unit, plain(n.h), t.cfg) {
			p.f("    %s", line)
		}
		if !unit.Same {
			p.f("    !! the record has %s", unit.Record)
		}
	}
	i := l*t.cfg.Directions() + d
	if t.cfg.HasCell() {
		p.f("    %s = %s", plain(n.c), vector(row(t.C[i], s)))
	}
	p.f("    %s = %s", plain(n.h), vector(row(t.H[i], s)))
	p.f("")
}

func wanted(u, n, only int) bool {
	return only == u || only < 0 && (n <= mostUnits || u < 3 || u == n-1)
}

func (t *Trace) cellLaTeX(p *printer, l, d, s int, opt TextOptions) {
	lines := t.Equations(l, d, s)
	for u := range t.cfg.StateSize() {
		if !wanted(u, t.cfg.StateSize(), opt.Unit) {
			continue
		}
		unit, err := t.Unit(l, d, s, u, false)
		if err != nil {
			p.err = err
			return
		}
		lines = append(lines, t.Numbers(unit)...)
	}
	p.f("\\begin{align*}")
	for k, e := range lines {
		end := ` \\`
		if k == len(lines)-1 {
			end = ""
		}
		if rest, ok := strings.CutPrefix(e, `\qquad `); ok {
			e = `&\qquad ` + rest
		} else {
			e = strings.Replace(e, " = ", " &= ", 1)
		}
		p.f("  %s%s", e, end)
	}
	p.f("\\end{align*}")
}

// unitText writes one unit's numbers: each gate's sum, then what the cell
// makes of the gates.
func unitText(u *Unit, h string, cfg unroll.Config) []string {
	var out []string
	left := fmt.Sprintf("%s[%d]", h, u.Unit)
	for _, g := range u.Gates {
		name := fmt.Sprintf("%s[%d]", g.Name, u.Unit)
		if g.Name == "h" {
			name = left
		}
		input, state := products(g.Input.Terms, "·"), products(g.State.Terms, "·")
		if u.Bias {
			input, state = append(input, g.BiasIH.Short()), append(state, g.BiasHH.Short())
		}
		second := plus(signedSum(state))
		if g.Apart {
			second = "+ r·(" + signedSum(state) + ")"
		}
		blank := strings.Repeat(" ", len([]rune(name)))
		out = append(out,
			fmt.Sprintf("%s = %s(%s", name, g.Activation, signedSum(input)),
			fmt.Sprintf("%s   %s %s)", blank, strings.Repeat(" ", len(g.Activation)), second),
			fmt.Sprintf("%s = %s(%s) = %s", blank, g.Activation, g.Pre, g.Value))
	}
	val := map[string]Num{}
	for _, g := range u.Gates {
		val[g.Name] = g.Value
	}
	switch {
	case u.Projection != nil:
		out = append(out, fmt.Sprintf("%s = W_hr·(o·tanh(c)) = %s = %s", left, signedSum(products(u.Projection.Terms, "·")), u.H))
	case cfg.Mode == unroll.LSTM:
		out = append(out,
			fmt.Sprintf("c[%d] = f·c + i·g = %s·%s + %s·%s = %s", u.Unit, val["f"].Short(), signed(u.CPrev), val["i"].Short(), signed(val["g"]), u.C),
			fmt.Sprintf("%s = o·tanh(c) = %s·%s = %s", left, val["o"].Short(), signed(u.TanhC), u.H))
	case cfg.Mode == unroll.GRU:
		out = append(out, fmt.Sprintf("%s = (1-z)·n + z·h = (1 - %s)·%s + %s·%s = %s", left, val["z"].Short(), signed(val["n"]), val["z"].Short(), signed(u.HPrev), u.H))
	}
	return out
}

// products writes the products of a sum; of many, the first and the last, and
// "..." for those between.
func products(terms []Term, dot string) []string {
	var parts []string
	for k, p := range terms {
		if len(terms) > mostTerms && k >= mostTerms-3 && k < len(terms)-1 {
			if k == mostTerms-3 {
				parts = append(parts, "...")
			}
			continue
		}
		parts = append(parts, p.Weight.Short()+dot+signed(p.Value))
	}
	return parts
}

// signedSum joins summands with plus and minus.
func signedSum(parts []string) string {
	if len(parts) == 0 {
		return "0"
	}
	var b strings.Builder
	b.WriteString(parts[0])
	for _, s := range parts[1:] {
		if rest, ok := strings.CutPrefix(s, "-"); ok {
			b.WriteString(" - " + rest)
		} else {
			b.WriteString(" + " + s)
		}
	}
	return b.String()
}

// plus writes a sum as what follows another one.
func plus(sum string) string {
	if rest, ok := strings.CutPrefix(sum, "-"); ok {
		return "- " + rest
	}
	return "+ " + sum
}

func signed(n Num) string {
	if s := n.Short(); strings.HasPrefix(s, "-") {
		return "(" + s + ")"
	} else {
		return s
	}
}

func vector(v []float32) string {
	var parts []string
	for k, x := range v {
		if len(v) > 2*mostUnits && k >= 4 && k < len(v)-4 {
			if k == 4 {
				parts = append(parts, "...")
			}
			continue
		}
		parts = append(parts, Num(x).Short())
	}
	return "[" + strings.Join(parts, ", ") + "]"
}

// plain turns the LaTeX of Equations into text.
func plain(s string) string {
	return strings.NewReplacer(
		`^{(`, "^(", `)\rightarrow}`, ")→", `)\leftarrow}`, ")←", `)}`, ")",
		`\operatorname{ReLU}`, "relu", `\tanh`, "tanh", `\sigma`, "sigmoid",
		`\bigl`, "", `\bigr`, "", `\odot`, "·", `\,`, " ", `{`, "", `}`, "",
	).Replace(s)
}
