package explain

import (
	"fmt"
	"math"
	"strings"
	"unicode/utf8"
)

// grid draws time to the right and layers upward, the input at the bottom.
func (t *Trace) grid(p *printer, opt TextOptions) {
	const gutter = 13
	numbers := t.cfg.StateSize() <= mostUnits && t.cfg.InputSize <= mostUnits
	cell := 9
	if !numbers {
		cell = 3
	}
	shown := min(t.Steps(), max(1, (opt.Width-gutter-10)/cell))
	cols := make([]int, 0, shown)
	for k := range shown { // evenly over time, first and last among them
		s := 0
		if shown > 1 {
			s = k * (t.Steps() - 1) / (shown - 1)
		}
		cols = append(cols, s)
	}
	g := gridText{p: p, opt: opt, cols: cols, cell: cell, gutter: gutter, numbers: numbers}
	if shown < t.Steps() {
		p.f("The grid: time runs to the right, layers upward. %d of %d steps are shown.", shown, t.Steps())
	} else {
		p.f("The grid: time runs to the right, layers upward.")
	}
	p.f("")
	for i := t.Lanes() - 1; i >= 0; i-- {
		l, d := i/t.cfg.Directions(), i%t.cfg.Directions()
		name, mark := fmt.Sprintf("layer %d", l+1), ""
		last := len(cols) - 1
		switch {
		case t.reversed(d):
			name, last = name+" ←", 0
		case t.cfg.Bidirectional:
			name += " →"
		}
		if l == t.cfg.NumLayers-1 {
			mark = "output"
		}
		g.lane(name, mark, fmt.Sprintf("h_n[%d]", i), last, func(s, u int) float32 { return row(t.H[i], s)[u] }, t.cfg.StateSize(), 1)
		g.arrows()
	}
	scale := 0.0
	for _, v := range t.X.Data {
		scale = max(scale, math.Abs(float64(v)))
	}
	g.lane("x", "", "", -1, func(s, u int) float32 { return row(t.X, s)[u] }, t.cfg.InputSize, scale)
	var heads strings.Builder
	for _, s := range cols {
		head := fmt.Sprintf("x_%d", s)
		if s < len(opt.Labels) {
			head = label(opt.Labels[s], cell-1)
		}
		if !numbers && utf8.RuneCountInString(head) > cell {
			head = ""
		}
		fmt.Fprintf(&heads, "%*s", cell, head)
	}
	p.f("%*s%s\n", gutter, "", heads.String())
}

// label is a character or word in at most n columns, with white space that can
// be seen.
func label(s string, n int) string {
	s = strings.NewReplacer(" ", "␣", "\n", "⏎", "\t", "⇥").Replace(s)
	if r := []rune(s); len(r) > n {
		s = string(r[:n-1]) + "…"
	}
	return s
}

type gridText struct {
	p            *printer
	opt          TextOptions
	cols         []int
	cell, gutter int
	numbers      bool
}

// lane draws one row of cells: a line a unit where numbers fit, else one line
// of shades. The cell of column last ends the lane's time and belongs to h_n.
func (g *gridText) lane(name, mark, end string, last int, at func(s, u int) float32, n int, scale float64) {
	rows := n
	if !g.numbers {
		rows = min(n, mostUnits)
	}
	for r := range rows {
		u := r
		if rows < n {
			u = r * (n - 1) / max(1, rows-1)
		}
		var b strings.Builder
		first := ""
		switch {
		case r == 0:
			first = name
		case r == 1:
			first = mark
		}
		fmt.Fprintf(&b, "%-*s", g.gutter, fmt.Sprintf("%-9s%3d", first, u))
		for k, s := range g.cols {
			v := at(s, u)
			text := fmt.Sprintf("%8s", Num(v).Short())
			if !g.numbers {
				text = shade(float64(v), scale)
			}
			if g.opt.Color {
				text = paint(text, float64(v), scale)
			}
			edge := " "
			if k == last {
				edge = "|"
			}
			b.WriteString(edge + text)
		}
		if r == 0 && end != "" && last == len(g.cols)-1 {
			b.WriteString("  <- " + end)
		}
		if r == 0 && end != "" && last == 0 && len(g.cols) > 1 {
			b.WriteString("  (" + end + " is the first column)")
		}
		g.p.f("%s", strings.TrimRight(b.String(), " "))
	}
}

func (g *gridText) arrows() {
	var b strings.Builder
	for range g.cols {
		fmt.Fprintf(&b, "%*s", g.cell, "^ ")
	}
	g.p.f("%*s%s", g.gutter, "", strings.TrimRight(b.String(), " "))
}

// shade is two characters that are fuller the further from zero, with the sign.
func shade(v, scale float64) string {
	levels := []rune(" ░▒▓█")
	a := math.Abs(v) / max(scale, 1e-30)
	k := min(len(levels)-1, int(a*float64(len(levels))))
	if !(a >= 0) {
		return "??"
	}
	sign := "+"
	if v < 0 {
		sign = "-"
	}
	if k == 0 {
		sign = "·"
	}
	return sign + string(levels[k])
}

// paint puts a background behind text: blue below zero, orange above, the
// paler the nearer to zero.
func paint(text string, v, scale float64) string {
	a := min(1, math.Abs(v)/max(scale, 1e-30))
	if !(a >= 0) {
		return text
	}
	to := [3]float64{217, 119, 30}
	if v < 0 {
		to = [3]float64{49, 104, 190}
	}
	mix := func(k int) int { return int(245 + (to[k]-245)*a) }
	ink := 16
	if a > 0.62 {
		ink = 231
	}
	return fmt.Sprintf("\x1b[48;2;%d;%d;%dm\x1b[38;5;%dm%s\x1b[0m", mix(0), mix(1), mix(2), ink, text)
}
