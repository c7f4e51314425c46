package explain

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/tensor"
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

// What Text computes anew, four times, to compare a set of single layers and
// hand-written loops with the run, which say the same of any length: so many steps, and
// of a large layer no more than so many multiply-adds pay for.
const (
	mostRepeated = 1000
	repeatedWork = 256 << 20
)

// repeated is how many steps Text computes anew.
func (t *Trace) repeated() int {
	return min(mostRepeated, max(mostSteps, repeatedWork/t.stepWork()))
}

// first returns a trace of the first n steps, which has run, of a trace that has; t
// itself if it has no more. Where no lane goes back it has the same states.
func (t *Trace) first(n int) (*Trace, error) {
	if t.Steps() <= n {
		return t, nil
	}
	k := t.X.Shape[1]
	f, err := newTrace(t.Layer, tensor.Dense{Shape: []int{n, k}, Data: t.X.Data[:n*k]}, t.S0, t)
	if err != nil {
		return nil, err
	}
	if !t.cfg.Bidirectional && !t.reversed(0) {
		for i := range f.H {
			copyRows(f.H[i], t.H[i], 0, n)
			if t.cfg.HasCell() {
				copyRows(f.C[i], t.C[i], 0, n)
			}
			for k := range f.known[i].all {
				f.known[i].all[k], f.known[i].end[k] = true, true
			}
		}
	}
	return f, f.Run(nil)
}

// Check refuses options that this trace has no step, layer or unit for, as Text does
// before it computes or writes anything.
func (t *Trace) Check(opt TextOptions) error {
	for _, a := range []struct {
		name string
		v, n int
	}{{"--step", opt.Step, t.Steps()}, {"--layer", opt.Layer, t.cfg.NumLayers}, {"--unit", opt.Unit, t.cfg.StateSize()}} {
		if a.v < -1 || a.v >= a.n {
			return &unroll.ArgError{Kind: unroll.ErrUsage, Arg: a.name, Got: fmt.Sprint(a.v), Want: fmt.Sprintf("0 to %d", a.n-1)}
		}
	}
	return nil
}

// Text writes the run for a terminal: the grid, then each step through each
// layer as formula, formula with numbers and result, then why the last row of
// output is in h_n, then what is wrong in the hand-written loop. It computes what of
// the run is not known and leads to what it writes: for one step of one layer, that
// layer, those below and the steps before.
func (t *Trace) Text(w io.Writer, opt TextOptions) error {
	if opt.Width <= 0 {
		opt.Width = 100
	}
	if err := t.Check(opt); err != nil {
		return err
	}
	top := t.cfg.NumLayers - 1
	if opt.Layer >= 0 {
		top = opt.Layer
	}
	t.fine()
	for d := range t.cfg.Directions() {
		from, to := 0, t.Steps()
		if opt.Step >= 0 {
			from, to = t.withBefore(d, opt.Step, opt.Step+1)
		}
		if err := t.need(top, d, from, to, nil); err != nil {
			return err
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
		first, err := t.first(t.repeated())
		if err != nil {
			return err
		}
		if first != t {
			p.f("What follows computes the run again, step by step, and takes its first %d steps.\n", first.Steps())
		}
		first.chainText(p)
		first.loops(p)
		if first != t {
			t.computed += first.computed
		}
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
	p.f("h_t^l is the state of layer l after step t. Steps count from 0, layers from 1; in")
	p.f("PyTorch's names, and in --layer, layers count from 0: layer 1 has weight_ih_l0.")
	p.f("h_init^l is the state before the first step, PyTorch's h_0[l-1].")
	p.f("")
}

func (t *Trace) extras() string {
	s := ""
	if t.cfg.Bidirectional {
		s += ", bidirectional"
	}
	if t.cfg.Variant.Reverse {
		s += ", reverse"
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
	if t.reversed(0) {
		slices.Reverse(steps)
	}
	for k, s := range steps {
		if k > 0 && max(s-steps[k-1], steps[k-1]-s) > 1 && !opt.LaTeX {
			p.f("... %d steps left out; --step N shows one\n", max(s-steps[k-1], steps[k-1]-s)-1)
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
	switch {
	case t.reversed(d):
		way = ", reverse: from the last step to the first"
	case t.cfg.Bidirectional:
		way = ", forward"
	}
	p.f("  layer %d (l%d)%s", l+1, l, way)
	n := t.names(l, d, s)
	for _, e := range t.cells[d].equations(n, !t.cfg.NoBias) {
		p.f("    %s", plain(e))
	}
	for _, line := range t.cells[d].meanings(false) {
		p.f("    %s", line)
	}
	i := l*t.cfg.Directions() + d
	w, err := t.workings(l, d, s)
	if err != nil {
		p.err = err
		return
	}
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
		unit := t.spell(w, i, s, u, false)
		for _, line := range t.cells[d].unitText(unit, plain(n.h)) {
			p.f("    %s", line)
		}
		if !unit.Same {
			p.f("    !! the record has %s", unit.Record)
		}
	}
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
	w, err := t.workings(l, d, s)
	if err != nil {
		p.err = err
		return
	}
	for u := range t.cfg.StateSize() {
		if !wanted(u, t.cfg.StateSize(), opt.Unit) {
			continue
		}
		lines = append(lines, t.Numbers(t.spell(w, l*t.cfg.Directions()+d, s, u, false))...)
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
func (c *cellText) unitText(u *Unit, h string) []string {
	left := fmt.Sprintf("%s[%d]", h, u.Unit)
	if u.Projection != nil {
		return []string{fmt.Sprintf("%s = W_hr·(%s) = %s = %s", left, c.brief(false).write(c.hidden(), true), signedSum(products(u.Projection.Terms, "·")), u.H)}
	}
	var out []string
	values := u.values()
	stages := func(left string, e *expr, result Num) {
		out = append(out, fmt.Sprintf("%s = %s = %s = %s", left, c.brief(false).write(e, true), c.numbersText(values).write(e, true), result))
	}
	c.walk(func(i int) {
		g := &u.Gates[i]
		name := fmt.Sprintf("%s[%d]", g.Name, u.Unit)
		if c.single() {
			name = left
		}
		if c.gates[i].coupled != nil {
			stages(name, c.gates[i].coupled, g.Value)
		} else {
			out = append(out, gateLines(g, u.Bias, name)...)
		}
	}, func(s stateText) {
		name := left
		if s.left != "h" {
			name = fmt.Sprintf("%s[%d]", s.left, u.Unit)
		}
		stages(name, s.right, values[s.left])
	})
	return out
}

// gateLines are a gate's sum and its function of it.
func gateLines(g *Gate, bias bool, name string) []string {
	input, state := products(g.Input.Terms, "·"), products(g.State.Terms, "·")
	if bias {
		input, state = append(input, g.BiasIH.Short()), append(state, g.BiasHH.Short())
	}
	open, end, pre := g.Activation+"(", ")", g.Pre.String()
	if g.Clip > 0 {
		open, end, pre = open+"clip(", "))", "clip("+pre+")"
	}
	second := plus(signedSum(state))
	if g.Apart != "" {
		second = "+ " + g.Apart + "·(" + signedSum(state) + ")"
	}
	if p := g.Peephole; p != nil {
		second += " " + plus(p.Weight.Short()+"·"+signed(p.Value))
	}
	blank := strings.Repeat(" ", len([]rune(name)))
	return []string{
		fmt.Sprintf("%s = %s%s", name, open, signedSum(input)),
		fmt.Sprintf("%s  %s %s%s", blank, strings.Repeat(" ", len(open)), second, end),
		fmt.Sprintf("%s = %s(%s) = %s", blank, g.Activation, pre, g.Value),
	}
}

// numbersText writes formulas with the numbers of a unit.
func (c *cellText) numbersText(values map[string]Num) *style {
	s := &style{times: "·", minus: " - "}
	write := func(v Num, first bool) string {
		if first {
			return v.Short()
		}
		return signed(v)
	}
	s.name = func(name string, first bool) string { return write(values[name], first) }
	s.call = func(place int, arg *expr) string {
		return write(Num((&expr{op: exprCall, place: place, kids: []*expr{arg}}).value(c, values)), false)
	}
	return s
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

// plain turns the LaTeX of equations into text.
func plain(s string) string {
	return strings.NewReplacer(
		`\rightarrow`, "→", `\leftarrow`, "←", `\text`, "",
		`\operatorname{ReLU}`, "relu", `\operatorname`, "", `\tanh`, "tanh", `\sigma`, "sigmoid",
		"LeakyReLU", "leakyrelu", "ThresholdedReLU", "thresholdedrelu", "ScaledTanh", "scaledtanh",
		"HardSigmoid", "hardsigmoid", "ELU", "elu",
		`\bigl`, "", `\bigr`, "", `\odot`, "·", `\,`, " ", `{`, "", `}`, "",
	).Replace(s)
}
