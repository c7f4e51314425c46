package explain

// corner says why the last row of output is in h_n.
func (t *Trace) corner(p *printer) {
	c, top, last := t.cfg, t.cfg.NumLayers-1, t.Steps()-1
	y, hn := t.Output(), t.HN()
	p.f("output and h_n")
	p.f("")
	if !c.Bidirectional {
		column, end := "last", "last step"
		if t.reversed(0) {
			column, end, last = "first", "last of its steps, step 0", 0
		}
		p.f("  output is the top row of the grid, h_n its %s column. They share one cell,", column)
		p.f("  %s: the state of the last layer after the %s.", plain(t.names(top, 0, last).h), end)
		p.f("    output[%d] = %s", last, vector(row(y, last)))
		p.f("    h_n[%d]    = %s", top, vector(row(hn, top)))
		p.f("  %d of %d numbers are the same, bit for bit.", c.StateSize()-differ(row(y, last), row(hn, top)), c.StateSize())
		p.f("")
		return
	}
	n := c.StateSize()
	p.f("  output is the top row of the grid, both directions beside each other. h_n is")
	p.f("  where each direction ends: forward in the last column, reverse in the first.")
	p.f("    output[%d][:%d] = %s", last, n, vector(row(y, last)[:n]))
	p.f("    h_n[%d]         = %s", 2*top, vector(row(hn, 2*top)))
	p.f("    output[0][%d:] = %s", n, vector(row(y, 0)[n:]))
	p.f("    h_n[%d]         = %s", 2*top+1, vector(row(hn, 2*top+1)))
	wrong := differ(row(y, last)[:n], row(hn, 2*top)) + differ(row(y, 0)[n:], row(hn, 2*top+1))
	p.f("  %d of %d numbers are the same, bit for bit. output[%d][%d:] is the reverse", 2*n-wrong, 2*n, last, n)
	p.f("  direction after its first step only.")
	p.f("")
}

// loops shows the page's hand-written loop for this layer, and says what is wrong in it
// on this input.
func (t *Trace) loops(p *printer) {
	p.f("The hand-written loop")
	p.f("")
	loop := func(l Loop) *LoopResult {
		res, err := t.Loop(l)
		if err != nil {
			p.err = err
			return &LoopResult{}
		}
		return res
	}
	mistakes := Loop{EveryLayer: true, InPlace: true}
	for _, line := range t.LoopCode(mistakes) {
		mark := "    "
		if line.Wrong {
			mark = " !  "
		}
		p.f("%s%s", mark, line.Text)
	}
	p.f("")
	if t.cfg.Bidirectional {
		p.f("  It feeds x to every layer; layer l needs the outputs of both directions of layer l-1.")
	} else {
		p.f("  It feeds x[t] to every layer; with layers counted from 0, layer l needs")
		p.f("  h_t[layer-1], the new state of the layer below.")
	}
	if t.cfg.NumLayers == 1 {
		p.f("  With one layer that is right.")
	} else {
		t.everyLayer(p, loop(mistakes))
	}
	right := loop(Loop{InPlace: true})
	p.f("  It also writes h_t over the state it still has to read: h_t and h_t_minus_1 are")
	p.f("  one tensor. With the right input this alone changes %d of the %d numbers, because", right.WrongOutput, len(right.Output.Data))
	p.f("  each layer reads its row before it writes it; but the h_0 that was handed in is")
	p.f("  gone, and autograd refuses a state that was changed in place.")
	bare := loop(Loop{InPlace: true, NoClone: true})
	row, last := "output.append", "every row is the last state"
	if t.cfg.Bidirectional {
		row, last = "output[t]", "every row has the last state of each direction"
	}
	p.f("  Without the .clone() in %s, %d of the %d numbers of output are wrong:", row, bare.WrongOutput, len(bare.Output.Data))
	p.f("  %s. docs/story.md has the corrected loop.", last)
}

// everyLayer says what x[t] in every layer does.
func (t *Trace) everyLayer(p *printer, res *LoopResult) {
	switch {
	case res.Break != nil:
		b := res.Break
		p.f("  Here it stops at step %d, layer %d: %s.", b.Step, b.Layer, b)
		p.f("  x[%d] has %d numbers, weight_ih_l%d takes the %d of the layer below.", b.Step, b.Left[1], b.Layer, b.Right[0])
	case res.WrongOutput > 0:
		p.f("  Here the sizes happen to fit, so nothing stops it: %d of the %d numbers of output", res.WrongOutput, len(res.Output.Data))
		way := ""
		if t.cfg.Bidirectional {
			way = [2]string{", forward", ", reverse"}[res.FirstDirection]
		}
		p.f("  are wrong, first at step %d, layer %d%s:", res.FirstStep, res.FirstLayer, way)
		i := res.FirstLayer*t.cfg.Directions() + res.FirstDirection
		p.f("    right    %s", vector(row(t.H[i], res.FirstStep)))
		p.f("    the loop %s", vector(row(res.H[i], res.FirstStep)))
	default:
		p.f("  On this input it makes no difference.")
	}
}
