//go:build !js

package explain

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/unroll-ml/unroll"
)

// wholeModel is two layers of different sizes with boxes around them.
func wholeModel(t *testing.T) (*Trace, PageOptions) {
	t.Helper()
	one := traceOf(t, unroll.Config{Mode: unroll.LSTM, InputSize: 3, HiddenSize: 6}, 5)
	two := traceOf(t, unroll.Config{Mode: unroll.GRU, InputSize: 6, HiddenSize: 4, Bidirectional: true}, 5)
	x := make([]float32, 15)
	for i := range x {
		x[i] = float32(i)/8 - 1
	}
	return one, PageOptions{Title: "whole", Parts: []Part{{"lstm", one}, {"gru", two}}, Boxes: []Box{
		{Name: "x", Op: "input", Shape: []int{5, 3}, Values: x},
		{Name: "lstm", Op: "LSTM", From: []string{"x"}, Shape: []int{5, 6}, Part: 1, Values: one.H[0].Data},
		{Name: "gru", Op: "GRU", From: []string{"lstm"}, Shape: []int{5, 8}, Part: 2},
		{Name: "fc", Op: "Gemm", From: []string{"gru"}, Shape: []int{1, 2}, Weights: []string{"[2 8]"}, Output: "y", Values: []float32{0.25, -4}},
	}}
}

// A whole model: boxes with their numbers, and each recurrent layer as the grid,
// also of different sizes.
func TestPageOfAWholeModel(t *testing.T) {
	t.Parallel()
	tr, opt := wholeModel(t)
	two := opt.Parts[1].Trace
	for _, size := range [][2]int64{screens[0], screens[2]} {
		b := openPage(t, tr, opt, size[0], size[1])
		b.want(`document.querySelectorAll('#flow .box').length===4&&`+id("model")+`.textContent.startsWith('whole: lstm: LSTM 3 → 6')`, "the boxes")
		b.shows(0, 4, 5, row(tr.H[0], 4)[5])
		b.click("#flow .box:nth-child(4)")
		b.want(`document.querySelector('#cell h2').textContent==='Gemm fc'&&document.querySelector('#cell table').rows[1].textContent==='00.25-4'`, "a box")
		if text := eval[string](b, id("cell")+`.textContent`); !strings.Contains(text, "It takes gru.") || !strings.Contains(text, "[2 8]") || !strings.Contains(text, "output y") {
			t.Errorf("the box: %s", text)
		}
		b.press("#cell a[data-control=to-box]", "\r")
		b.want(`unroll.S.D===2&&unroll.S.H===4&&document.activeElement.textContent.includes('the grid below')`, "the other layer")
		b.shows(1, 1, 3, row(two.H[1], 1)[3])
		b.run(js(`unroll.go(-1,2,5)`))
		b.want(`!!document.querySelector('#xvalue').value`, "its input")
		if w := eval[float64](b, `document.documentElement.scrollWidth-innerWidth`); w > 0 {
			t.Errorf("at %v the page is %g too wide", size, w)
		}
		if size[0] == 1440 {
			b.click("#flow .box:nth-child(2)")
			b.want(`unroll.S.D===1`, "the first layer again")
			b.shot("whole")
		}
		b.end()
	}
}

// Of many boxes the one of the layer in the grid is in sight, and the grid of many
// units under them is not cut.
func TestPageOfManyBoxes(t *testing.T) {
	t.Parallel()
	tr := traceOf(t, unroll.Config{Mode: unroll.LSTM, InputSize: 32, HiddenSize: 64}, 12)
	var all []Box
	for i := range 25 {
		all = append(all, Box{Name: fmt.Sprintf("relu_%d", i), Op: "Relu", Shape: []int{12, 64}})
	}
	all = append(all, Box{Name: "rnn", Op: "LSTM", Shape: []int{12, 64}, Part: 1}, Box{Name: "fc", Op: "Linear", Shape: []int{18}})
	b := openPage(t, tr, PageOptions{Parts: []Part{{"rnn", tr}}, Boxes: all}, 1440, 900)
	b.want(seen(`#flow [aria-pressed=true]`)+`&&document.querySelector('#flow [aria-pressed=true]').textContent.includes('the grid below')&&(r=>{const f=`+id("flow")+`.getBoundingClientRect();return r.left>=f.left&&r.right<=f.right})(document.querySelector('#flow [aria-pressed=true]').getBoundingClientRect())`, "the box of the layer")
	b.want(`(g=>g.scrollHeight<=g.clientHeight+1)(`+id("grid")+`)`, "all lanes in sight")
}

// The grid has the larger part of a window's height, also under boxes and in a low
// window, and all that belongs to it is in the window.
func TestPageGivesTheGridRoom(t *testing.T) {
	t.Parallel()
	tr, opt := wholeModel(t)
	many := opt
	for i := range 25 {
		many.Boxes = append(slices.Clone(many.Boxes), Box{Name: fmt.Sprintf("relu_%d", i), Op: "Relu", Shape: []int{12, 64}, Output: "y"})
	}
	for _, o := range []PageOptions{opt, many, {Example: true}} {
		of := tr
		if o.Example {
			of = exampleTrace(t)
		}
		b := openPage(t, of, o, screens[1][0], screens[1][1])
		for _, size := range slices.Concat(screens[1:], screens[:1]) {
			b.resize(size)
			got := eval[[]float64](b, `[`+id("grid")+`.offsetHeight,`+id("flow")+`.offsetHeight,`+id("left")+`.scrollHeight-`+id("left")+`.clientHeight,innerHeight]`)
			share, over := .5, got[2]
			if size[0] <= 820 { // the page scrolls
				share, over = .45, 0
			}
			if got[0] < share*got[3] || over > 0 {
				t.Errorf("%v, %d boxes: of %g pixels the grid has %g, the boxes %g; %g are out of sight", size, len(o.Boxes), got[3], got[0], got[1], over)
			}
			// Where the cells are played is said without moving the grid.
			before := eval[float64](b, id("grid")+`.offsetHeight`)
			b.click("#next")
			b.want(id("processing")+`.textContent.startsWith('Processing')`, "the cell at work")
			if after := eval[float64](b, id("grid")+`.offsetHeight`); size[0] > 820 && after != before {
				t.Errorf("%v, %d boxes: the grid's height goes from %g to %g as it plays", size, len(o.Boxes), before, after)
			}
			b.click("#whole")
		}
		b.end()
	}
}

// On the terminal the boxes are lines.
func TestBoxesAsText(t *testing.T) {
	_, opt := wholeModel(t)
	var out strings.Builder
	if err := Boxes(&out, opt.Boxes); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"  input  x [5 3]\n      [-1.0000, -0.8750, -0.7500, -0.6250, -0.5000, -0.3750] ...\n", "  GRU  gru [5 8]  of lstm\n      explained below\n", "  Gemm  fc [1 2]  of gru  with [2 8]  gives output y\n      [0.2500, -4.0000]\n"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the text lacks %q:\n%s", want, out.String())
		}
	}
}
