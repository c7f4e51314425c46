package explain

// corner says why the last row of output is in h_n.
func (t *Trace) corner(p *printer) {
	c, top, last := t.cfg, t.cfg.NumLayers-1, t.Steps()-1
	y, hn := t.Output(), t.HN()
	p.f("output and h_n")
	p.f("")
	if !c.Bidirectional {
		p.f("  output is the top row of the grid, h_n its last column. They share one cell,")
		p.f("  h_%d^%d: the state of the last layer after the last step.", last, c.NumLayers)
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

// loops says what is wrong in the page's hand-written loop, on this input.
func (t *Trace) loops(p *printer) {
	p.f("The hand-written loop")
	p.f("")
	if t.cfg.Bidirectional {
		p.f("  It knows one direction, so it cannot compute this layer.")
		return
	}
	if t.cfg.NumLayers == 1 {
		p.f("  It feeds x[t] to every layer. With one layer that is right; with more, layer l")
		p.f("  needs h_t[layer-1], the new state of the layer below.")
	} else {
		res, err := t.Loop(Loop{EveryLayer: true, InPlace: true})
		if err != nil {
			p.err = err
			return
		}
		p.f("  It feeds x[t] to every layer; layer l needs h_t[layer-1], the new state of the")
		p.f("  layer below.")
		switch b := res.Break; {
		case b != nil:
			p.f("  Here it stops at step %d, layer %d: %s.", b.Step, b.Layer, b)
			p.f("  x[%d] has %d numbers, weight_ih_l%d takes the %d of the layer below.", b.Step, b.Left[1], b.Layer, b.Right[0])
		case res.WrongOutput > 0:
			p.f("  Here the sizes happen to fit, so nothing stops it: %d of the %d numbers of output", res.WrongOutput, len(res.Output.Data))
			p.f("  are wrong, first at step %d, layer %d.", res.FirstStep, res.FirstLayer)
		default:
			p.f("  On this input it makes no difference.")
		}
	}
	right, err := t.Loop(Loop{InPlace: true})
	if err != nil {
		p.err = err
		return
	}
	p.f("  It also writes h_t over the state it still has to read: h_t and h_t_minus_1 are")
	p.f("  one tensor. With the right input this alone changes %d of the %d numbers, because", right.WrongOutput, len(right.Output.Data))
	p.f("  each layer reads its row before it writes it; but the h_0 that was handed in is")
	p.f("  gone, and autograd refuses a state that was changed in place.")
	bare, err := t.Loop(Loop{InPlace: true, NoClone: true})
	if err != nil {
		p.err = err
		return
	}
	p.f("  Without the .clone() in output.append, %d of the %d numbers of output are wrong:", bare.WrongOutput, len(bare.Output.Data))
	p.f("  every row is the last state. docs/story.md has the corrected loop.")
}
