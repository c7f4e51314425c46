package explain

import (
	"fmt"
	"strings"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/internal/cell"
)

// cellText is what the cell of a direction is, as its cell.Kind says it: the
// arithmetic, and the formulas, read.
type cellText struct {
	kind   *cell.Kind
	set    cell.Settings
	traits cell.Traits
	step   cell.Cell[float32]
	gates  []gateText
	states []stateText
}

// gateText is a gate: its function of a sum, and what of its formulas applies
// with the cell's settings, else nil.
type gateText struct {
	name                       string
	fn                         cell.Function
	apart, late, coupled, peep *expr
	place                      int // of the peephole among a unit's own parameters
}

// stateText is the formula of a state.
type stateText struct {
	left  string
	right *expr
}

// newCellText reads the formulas of a layer of one direction. It is an error of
// the Kind if they cannot be read or name what is not there.
func newCellText(cfg unroll.Config) (*cellText, error) {
	v := cfg.Variant
	c := &cellText{kind: cell.Kinds()[cfg.Mode], set: cell.Settings{
		Clip: v.Clip, InputForget: v.InputForget, ResetBefore: v.ResetBefore, Peepholes: v.Peepholes,
	}}
	for i, a := range v.Activations {
		c.set.Functions[i] = cell.Function(a)
	}
	c.set = c.kind.Plain(c.set)
	c.step = cell.Of[float32](c.kind, c.set)
	c.traits = c.step.Traits()
	known := map[string]bool{"h-": true, "c-": c.traits.CellState}
	var fault error
	read := func(applies bool, formula string) *expr {
		if !applies || formula == "" {
			return nil
		}
		e, err := parseExpr(formula)
		if err == nil {
			e.names(func(name string) {
				if !known[name] {
					err = fmt.Errorf("explain: formula %q of %s: there is no %s before it", formula, c.kind.Name, name)
				}
			})
		}
		if err != nil && fault == nil {
			fault = err
		}
		return e
	}
	for i, g := range c.kind.Gates {
		t := gateText{name: g.Name, fn: c.kind.FunctionOf(c.set, g.Function)}
		last := i == len(c.kind.Gates)-1
		t.apart, t.late = read(last && c.traits.Apart, g.Apart), read(last && c.traits.Late, g.Late)
		t.coupled = read(c.set.InputForget, g.Coupled)
		known["c"] = c.traits.CellState // a peephole may see the new one
		t.peep = read(c.set.Peepholes && t.coupled == nil, g.Peephole)
		known["c"] = false
		for _, before := range c.kind.Gates[:i] {
			if before.Peephole != "" {
				t.place++
			}
		}
		known[g.Name] = true
		c.gates = append(c.gates, t)
	}
	for _, s := range c.kind.States {
		c.states = append(c.states, stateText{s.Left, read(true, s.Right)})
		known[s.Left] = true
	}
	return c, fault
}

// single reports whether the only gate is the hidden state.
func (c *cellText) single() bool { return len(c.gates) == 1 && len(c.states) == 0 }

// letter is the letter of a gate's parameters: W_ih of a single gate.
func (c *cellText) letter(g string) string {
	if c.single() {
		return "h"
	}
	return g
}

// hidden is the formula of h, nil where a gate is h.
func (c *cellText) hidden() *expr {
	for _, s := range c.states {
		if s.left == "h" {
			return s.right
		}
	}
	return nil
}

// after reports whether a gate is computed after a state of its name, because
// its peephole sees that.
func (g *gateText) after(state string) bool {
	return g.peep != nil && g.peep.op == exprName && g.peep.name == state
}

// walk visits gates and states in the order they are computed.
func (c *cellText) walk(gate func(i int), state func(s stateText)) {
	waits := func(g *gateText) bool {
		for _, s := range c.states {
			if g.after(s.left) {
				return true
			}
		}
		return false
	}
	for i := range c.gates {
		if !waits(&c.gates[i]) {
			gate(i)
		}
	}
	for _, s := range c.states {
		state(s)
		for i := range c.gates {
			if c.gates[i].after(s.left) {
				gate(i)
			}
		}
	}
}

// bounded reports whether h lies within -1 and 1, so that one scale of colours
// fits: every function of the cell does, and nothing is projected.
func (c *cellText) bounded(cfg unroll.Config) bool {
	for i := range c.kind.Functions {
		if !c.kind.FunctionOf(c.set, i).Bounded() {
			return false
		}
	}
	return cfg.ProjSize == 0
}

// meanings are the lines that say what a function or the clip is, where its
// name does not; in LaTeX or as text.
func (c *cellText) meanings(latex bool) []string {
	var lines []string
	add := func(left, means string) {
		line := left + "(x) = " + means
		if latex {
			line = texMeaning(line)
		}
		for _, l := range lines {
			if l == line {
				return
			}
		}
		lines = append(lines, line)
	}
	for i := range c.kind.Functions {
		text, tex, means := c.kind.FunctionOf(c.set, i).Text()
		if latex {
			text = tex
		}
		if means != "" {
			add(text, means)
		}
	}
	if c.set.Clip > 0 {
		name := "clip"
		if latex {
			name = `\operatorname{clip}`
		}
		add(name, fmt.Sprintf("max(-%g, min(%g, x))", c.set.Clip, c.set.Clip))
	}
	return lines
}

// texMeaning sets the text of a function's meaning.
func texMeaning(s string) string {
	return strings.NewReplacer(
		"·", `\,`, " where ", `\text{ where }`, ", else ", `\text{, else }`, "≥", `\ge`,
		"max(", `\max(`, "min(", `\min(`, "exp(", `\exp(`, "ln(", `\ln(`, "tanh(", `\tanh(`,
	).Replace(s)
}
