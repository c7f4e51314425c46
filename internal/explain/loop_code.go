package explain

import (
	"fmt"
	"strings"
)

// CodeLine is a line of the hand-written loop in Python.
type CodeLine struct {
	Text  string `json:"text"`
	Wrong bool   `json:"wrong,omitempty"` // one of the mistakes
	// Now says in which cells the line is at work: "all", "first" in those of
	// the first layer, "above" in the others.
	Now string `json:"now,omitempty"`
}

// LoopCode returns the loop with its mistakes in Python, for the trace's cell.
func (t *Trace) LoopCode(loop Loop) []CodeLine {
	c := &code{t: t, loop: loop}
	if t.cfg.Bidirectional {
		c.line(0, "layer_input = x")
		c.line(0, "for layer in range(num_layers):")
		c.now("all").line(4, "for direction, times in enumerate([forward, reverse]):")
		c.line(8, "k = 2*layer + direction")
		c.line(8, "for t in times:")
		c.cell("k", "layer_input[t]", 12)
		c.wrong(loop.NoClone).line(12, "output[t][direction] = h_t[k]"+copied(!loop.NoClone))
		c.wrong(loop.InPlace).line(12, "h_t_minus_1 = h_t"+copied(!loop.InPlace))
		if t.cfg.HasCell() {
			c.line(12, "c_t_minus_1 = c_t.clone()")
		}
		if loop.EveryLayer {
			c.wrong(true).line(4, "layer_input = x")
		} else {
			c.line(4, "layer_input = [cat(o) for o in output]")
		}
		return c.lines
	}
	if t.reversed(0) {
		c.line(0, "for t in reversed(range(seq_len)):")
	} else {
		c.line(0, "for t in range(seq_len):")
	}
	c.now("all").line(4, "for layer in range(num_layers):")
	c.cell("layer", "", 8)
	c.wrong(loop.NoClone).line(4, "output.append(h_t[-1]"+copied(!loop.NoClone)+")")
	c.wrong(loop.InPlace).line(4, "h_t_minus_1 = h_t"+copied(!loop.InPlace))
	if t.cfg.HasCell() {
		c.line(4, "c_t_minus_1 = c_t.clone()")
	}
	return c.lines
}

func copied(yes bool) string {
	if yes {
		return ".clone()"
	}
	return ""
}

// code is a loop's text as it grows.
type code struct {
	t     *Trace
	loop  Loop
	lines []CodeLine
	next  CodeLine
}

func (c *code) wrong(is bool) *code   { c.next.Wrong = is; return c }
func (c *code) now(when string) *code { c.next.Now = when; return c }
func (c *code) line(indent int, s string) {
	c.next.Text = strings.Repeat(" ", indent) + s
	c.lines, c.next = append(c.lines, c.next), CodeLine{}
}

// input writes what a layer takes, before and after it what stands around it.
func (c *code) input(indent int, open, given, end string) {
	switch {
	case given != "":
		c.now("all").line(indent, open+given+end)
	case c.loop.EveryLayer:
		c.wrong(true).now("all").line(indent, open+"x[t]"+end)
	default:
		c.now("first").line(indent, open+"(x[t] if layer == 0")
		c.now("above").line(indent+len(open), " else h_t[layer-1])"+end)
	}
}

// cell writes one step of the cell of lane index.
func (c *code) cell(index, input string, indent int) {
	text, cfg := c.t.cells[0], c.t.cfg
	bias := func(side string) string {
		if cfg.NoBias {
			return ""
		}
		return " + bias_" + side + "[" + index + "]"
	}
	if text.single() && text.set.Clip == 0 {
		act, _, _ := text.gates[0].fn.Text()
		c.line(indent, "h_t["+index+"] = "+act+"(")
		c.input(indent+4, "", input, "")
		c.line(indent+4, "@ weight_ih["+index+"].T"+bias("ih"))
		c.line(indent+4, "+ h_t_minus_1["+index+"]")
		c.line(indent+4, "@ weight_hh["+index+"].T"+bias("hh")+")")
		return
	}
	names := func(prefix string) string {
		var all []string
		for _, g := range text.gates {
			all = append(all, prefix+g.name)
		}
		return strings.Join(all, ", ")
	}
	c.input(indent, "inp = ", input, "")
	c.line(indent, names("a_")+" = (inp @ weight_ih["+index+"].T"+bias("ih")+fmt.Sprintf(").chunk(%d, -1)", len(text.gates)))
	c.line(indent, names("b_")+" = (h_t_minus_1["+index+"] @ weight_hh["+index+"].T"+bias("hh")+fmt.Sprintf(").chunk(%d, -1)", len(text.gates)))
	py := text.python(index)
	text.walk(func(i int) { c.line(indent, text.pythonGate(i, py, index, cfg.NoBias)) }, func(s stateText) {
		right := py.write(s.right, true)
		if s.left == "h" && cfg.ProjSize > 0 {
			right = "(" + right + ") @ weight_hr[" + index + "].T"
		}
		c.line(indent, s.left+"_t["+index+"] = "+right)
	})
}

// pythonGate is a gate of its sums a and b.
func (c *cellText) pythonGate(i int, py *style, index string, noBias bool) string {
	g := &c.gates[i]
	if g.coupled != nil {
		return g.name + " = " + py.write(g.coupled, true)
	}
	state := "b_" + g.name
	if g.apart != nil {
		state = py.write(&expr{op: exprProduct, kids: []*expr{g.apart}}, true) + " * " + state
	}
	if g.late != nil {
		state = "(" + py.write(g.late, true) + ") @ weight_h" + g.name + "[" + index + "].T"
		if !noBias {
			state += " + bias_h" + g.name + "[" + index + "]"
		}
	}
	if g.peep != nil {
		state += " + weight_p" + g.name + "[" + index + "] * " + py.write(g.peep, true)
	}
	sum := "a_" + g.name + " + " + state
	if c.set.Clip > 0 {
		sum = fmt.Sprintf("clamp(%s, -%g, %g)", sum, c.set.Clip, c.set.Clip)
	}
	act, _, _ := g.fn.Text()
	if c.single() {
		return "h_t[" + index + "] = " + act + "(" + sum + ")"
	}
	return g.name + " = " + act + "(" + sum + ")"
}

// python writes formulas as Python does.
func (c *cellText) python(index string) *style {
	s := &style{times: " * ", minus: " - "}
	s.name = func(name string, _ bool) string {
		switch name {
		case "h-", "c-":
			return name[:1] + "_t_minus_1[" + index + "]"
		case "h", "c":
			return name + "_t[" + index + "]"
		}
		return name
	}
	s.call = func(place int, arg *expr) string {
		f, _, _ := c.kind.FunctionOf(c.set, place).Text()
		return f + "(" + s.write(arg, true) + ")"
	}
	return s
}
