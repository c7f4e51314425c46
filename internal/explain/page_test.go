//go:build !js

package explain

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/rng"
	"github.com/unroll-ml/unroll/tensor"
)

const result = `(document.getElementById('result')||{}).textContent||''`

// shows waits until a cell is open that says this number is the record's.
func (b *browser) shows(lane, t, u int, v float32) {
	b.t.Helper()
	b.run(js(fmt.Sprintf(`unroll.go(%d,%d,%d)`, lane, t, u)))
	b.want(fmt.Sprintf(`(%s)==='h = %s = the record, bit for bit'&&document.querySelector('#cell h2').textContent.includes('step %d, unit %d')`, result, Num(v), t, u), "lane %d step %d unit %d", lane, t, u)
}

func TestPageShowsTheEnginesNumbers(t *testing.T) {
	t.Parallel()
	tr := exampleTrace(t)
	b := openPage(t, tr, PageOptions{Example: true}, 1400, 900)
	b.shot("grid")
	// One after the other: each waits until the cell before it is open.
	got := eval[[]string](b, `(async()=>{const said=[];
		for(let i=0;i<unroll.S.lanes;i++)for(let t=0;t<unroll.S.steps;t++)for(let u=0;u<unroll.S.size;u++){
			await unroll.go(i,t,u);
			said.push(document.querySelector('#cell h2').textContent+': '+document.getElementById('result').textContent);
		}
		return said})()`)
	var want []string
	for i := range tr.H {
		for s := range tr.Steps() {
			for u, v := range row(tr.H[i], s) {
				want = append(want, fmt.Sprintf("layer %d, step %d, unit %d: h = %s = the record, bit for bit", i+1, s, u, Num(v)))
			}
		}
	}
	for k := range max(len(want), len(got)) {
		if k >= len(want) || k >= len(got) || want[k] != got[k] {
			t.Fatalf("cell %d: the page has %q, the engine %q", k, got[min(k, len(got)):], want[min(k, len(want)):])
		}
	}
	b.shows(1, 4, 3, row(tr.H[1], 4)[3])
	// Every number of the opened cell is the engine's, to the last digit.
	unit, err := tr.Unit(1, 0, 4, 3, false)
	if err != nil {
		t.Fatal(err)
	}
	g, text := unit.Gates[0], eval[string](b, id("cell")+`.textContent`)
	numbers := []Num{g.Input.Share, g.State.Share, g.BiasIH, g.BiasHH, g.Pre, g.Value, g.Input.Start}
	for _, p := range append(slices.Clone(g.Input.Terms), g.State.Terms...) {
		numbers = append(numbers, p.Weight, p.Value, p.After)
	}
	for _, n := range numbers {
		if !strings.Contains(text, n.String()) {
			t.Errorf("the opened cell lacks %s", n)
		}
	}
	b.shot("cell-light")
	b.click("#theme")
	b.shot("cell-dark")
}

// Gates, two directions and a projection: what the page says is the engine's.
func TestPageOfEveryCell(t *testing.T) {
	t.Parallel()
	for _, cfg := range []unroll.Config{
		{Mode: unroll.LSTM, InputSize: 3, HiddenSize: 4, NumLayers: 2, Bidirectional: true},
		{Mode: unroll.GRU, InputSize: 2, HiddenSize: 5, NumLayers: 2, NoBias: true},
		{Mode: unroll.LSTM, InputSize: 3, HiddenSize: 6, ProjSize: 2, NumLayers: 2},
	} {
		tr := traceOf(t, cfg, 6)
		b := openPage(t, tr, PageOptions{}, 1400, 900)
		for i := range tr.H {
			l, d := i/cfg.Directions(), i%cfg.Directions()
			b.shows(i, 3, 1, row(tr.H[i], 3)[1])
			unit, err := tr.Unit(l, d, 3, 1, false)
			if err != nil {
				t.Fatal(err)
			}
			text := eval[string](b, id("cell")+`.textContent`)
			for _, g := range unit.Gates {
				if want := fmt.Sprintf("gate %s: %s(%s) = %s", g.Name, g.Activation, g.Pre, g.Value); !strings.Contains(text, want) {
					t.Errorf("%v lane %d: the cell lacks %q", cfg, i, want)
				}
			}
			if n := eval[int](b, `document.querySelectorAll('#cell merror').length`); n > 0 {
				t.Errorf("%v: %d formulas are not typeset", cfg, n)
			}
		}
		// A unit before the projection is reached through c or a gate.
		if cfg.ProjSize > 0 {
			b.click("#what-c")
			b.run(js(`unroll.go(1,3,5)`))
			b.want(fmt.Sprintf(`(%s)==='c = %s = the record, bit for bit'`, result, Num(row(tr.C[1], 3)[5])), "a unit before the projection")
		}
		// The gates drawn in the grid.
		for _, name := range tr.Layer.Gates() {
			g, err := tr.Gate(1, 0, 0, 6, name)
			if err != nil {
				t.Fatal(err)
			}
			lane := cfg.Directions()
			b.run(js(fmt.Sprintf(`unroll.go(%d,2,0,false)`, lane)))
			b.click("#what-" + name)
			b.want(fmt.Sprintf(`%s.textContent.includes('step 2, %s, %s')`, id("here"), Num(row(g, 2)[0]).Short(), Num(row(g, 2)[1]).Short()), "%v gate %s", cfg, name)
		}
		b.shot(fmt.Sprintf("cells-%v-%d", cfg.Mode, cfg.Directions()))
		b.end()
	}
}

// The page writes a float32 as the command does.
func TestPageWritesNumbersAsTheCommand(t *testing.T) {
	t.Parallel()
	b := openPage(t, exampleTrace(t), PageOptions{}, 800, 600)
	g := rng.New(3)
	vals := []float64{0, math.Copysign(0, -1), 1, -1, 0.1, 1e-4, 9.99e-5, 123456, 999999, 1e6, 1.5e6, 1 << 24, 1e-45, math.MaxFloat32}
	for range 2000 {
		if f := math.Float32frombits(g.Uint32()); f-f == 0 {
			vals = append(vals, float64(f))
		}
	}
	list, err := json.Marshal(vals)
	if err != nil {
		t.Fatal(err)
	}
	for i, got := range eval[[]string](b, fmt.Sprintf(`%s.map(v=>unroll.full(v))`, strings.Replace(string(list), "[0,0,", "[0,-0,", 1))) {
		if want := Num(float32(vals[i])).String(); got != want {
			t.Errorf("%v: the page writes %s, the command %s", vals[i], got, want)
		}
	}
}

// An edited input, weight, initial state or number of layers gives what the
// command prints for it.
func TestPageChangesWhatTheCommandComputes(t *testing.T) {
	t.Parallel()
	tr := exampleTrace(t)
	b := openPage(t, tr, PageOptions{Example: true}, 1360, 820)
	enter := func(selector, value string) {
		b.t.Helper()
		b.run(js(id("status")+`.textContent=''`), js(fmt.Sprintf(`document.querySelector(%q).select()`, selector)))
		b.press(selector, value+"\r")
		b.until(id("status") + `.textContent==='computed here'`)
	}
	prints := func(layer *unroll.Layer, x []float32, s0 unroll.State, l, s, u int) {
		b.t.Helper()
		in := tr.X.Clone()
		copy(in.Data, x)
		want, err := NewTrace(layer, in, s0)
		if err != nil {
			t.Fatal(err)
		}
		if err := want.Run(nil); err != nil {
			t.Fatal(err)
		}
		var text bytes.Buffer
		if err := want.Text(&text, TextOptions{Step: s, Layer: l, Unit: u}); err != nil {
			t.Fatal(err)
		}
		v := row(want.H[l], s)[u]
		if !strings.Contains(text.String(), "= "+Num(v).String()+"\n") {
			t.Fatalf("the command does not print %s:\n%s", Num(v), text.String())
		}
		b.shows(l, s, u, v)
	}
	x := slices.Clone(tr.X.Data)
	x[1*3+2] = 0.25
	b.run(js(`unroll.go(-1,1,2)`))
	b.until(`document.querySelector('#xvalue')`)
	enter("#xvalue", "0.25")
	prints(tr.Layer, x, unroll.State{}, 1, 4, 3)

	deep, _, err := Example(3)
	if err != nil {
		t.Fatal(err)
	}
	b.click("#tab-change")
	enter("#nlayers", "3")
	prints(deep, x, unroll.State{}, 2, 4, 1)
	b.shot("three-layers")

	goTo := func(name string, index int) {
		b.run(js(fmt.Sprintf(`unroll.S.param={name:%q,index:%d}`, name, index)))
		b.click("#tab-change")
		b.until(id("value") + `.value`)
	}
	goTo("weight_hh_l1", 2*4+1)
	enter("#value", "-0.5")
	deep.Update(func(ps []unroll.Param) {
		for _, p := range ps {
			if p.Name == "weight_hh_l1" {
				p.Value.Data[2*4+1] = -0.5
			}
		}
	})
	prints(deep, x, unroll.State{}, 2, 3, 0)

	goTo("h_0", 1*4+2)
	enter("#value", "1.5")
	s0 := unroll.State{H: tensor.New(3, 4)}
	s0.H.Data[1*4+2] = 1.5
	prints(deep, x, s0, 2, 0, 3)
}

// Two runs compared: what changed is the difference of the two.
func TestPageComparesTwoRuns(t *testing.T) {
	t.Parallel()
	tr := traceOf(t, unroll.Config{Mode: unroll.GRU, InputSize: 2, HiddenSize: 3}, 6)
	b := openPage(t, tr, PageOptions{}, 1360, 820)
	b.click("#tab-ask")
	b.click("#askkeep")
	b.until(`document.querySelector('#what-d')`)
	b.run(js(`unroll.engine.call('edit',{name:'input',index:4,value:2}).then(()=>{window.edited=true})`))
	b.until(`window.edited`)
	x := tr.X.Clone()
	x.Data[4] = 2
	y, _, err := tr.Layer.Forward(x, tr.S0)
	if err != nil {
		t.Fatal(err)
	}
	b.click("#what-d")
	b.run(js(`unroll.go(0,5,0,false)`))
	d := row(y, 5)[0] - row(tr.H[0], 5)[0]
	b.want(fmt.Sprintf(`%s.textContent.includes('step 5, %s')`, id("here"), Num(d).Short()), "the change")
	// Before the edited step nothing changed.
	b.run(js(`unroll.go(0,1,0,false)`))
	b.want(id("here")+`.textContent.includes('step 1, 0.0000, 0.0000, 0.0000')`, "no change")
}

func TestPageOpensADroppedCheckpoint(t *testing.T) {
	t.Parallel()
	b := openPage(t, exampleTrace(t), PageOptions{Example: true}, 1360, 820)
	for _, name := range []string{"model.safetensors", "model.pt"} {
		file, err := os.ReadFile(filepath.Join("..", "..", "examples", "bach", name))
		if err != nil {
			t.Fatal(err)
		}
		b.drop(name, file)
		b.until(fmt.Sprintf(`%s.textContent === '%s, on this machine only'`, id("status"), name))
		if got := eval[string](b, id("model")+`.textContent`); !strings.Contains(got, "model: LSTM 88 → 128, 2 layers") {
			t.Errorf("%s: %s", name, got)
		}
		b.want(result+`.endsWith('bit for bit')`, "%s", name)
	}
	// What is no checkpoint is refused in words, and the page goes on.
	b.drop("picture.png", []byte("\x89PNG no checkpoint"))
	b.want(id("notice")+`.textContent.startsWith('picture.png is not opened: ')&&`+id("notice")+`.className==='bad'&&`+id("status")+`.textContent===''`, "a picture")
	b.run(js(`unroll.go(0,1,1)`))
	b.want(`document.querySelector('#cell h2').textContent==='layer 1, step 1, unit 1'&&`+result+`.endsWith('bit for bit')`, "after a picture")
	// By the button's dialog.
	path, err := filepath.Abs(filepath.Join("..", "..", "examples", "bach", "model.pt"))
	if err != nil {
		t.Fatal(err)
	}
	b.run(chromedp.SetUploadFiles("#file", []string{path}))
	b.want(id("status")+`.textContent==='model.pt, on this machine only'`, "the file dialog")
}

func TestPageAsks(t *testing.T) {
	t.Parallel()
	tr := traceOf(t, unroll.Config{Mode: unroll.LSTM, InputSize: 2, HiddenSize: 3, NumLayers: 2}, 20)
	b := openPage(t, tr, PageOptions{}, 1360, 820)
	b.run(js(`unroll.go(1,12,2)`))
	b.click("#tab-ask")
	b.click("#askgrad")
	b.until(`document.querySelector('#memory canvas')`)
	inf, err := tr.Influence(Target{Layer: 1, Step: 12, Unit: 2}, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	best := 0
	for k, v := range inf.X.Data {
		if math.Abs(float64(v)) > math.Abs(float64(inf.X.Data[best])) {
			best = k
		}
	}
	want := fmt.Sprintf("x_%d[%d] %s", best/2, best%2, Num(inf.X.Data[best]))
	if got := eval[string](b, `[...document.querySelector('#ask table').rows[1].cells].map(c=>c.textContent).filter(s=>s).join(' ')`); got != want {
		t.Errorf("moved most by %q, expected %q", got, want)
	}
	// On the grid: nothing after the step moved it, its own state is 1.
	if got := eval[[]float64](b, `[unroll.S.influence.x(13),unroll.S.influence.h(1,12),unroll.S.influence.h(0,13)]`); got[0] != 0 || got[1] <= 0 || got[2] != 0 {
		t.Errorf("influence on the grid: %v", got)
	}
	b.shot("ask")
	// Then the bars follow the pointer, and what is chosen next is asked the same.
	p := eval[[]float64](b, `(()=>{const r=document.getElementById('grid').getBoundingClientRect();return[r.left+unroll.X(10)+unroll.S.cell/2,r.top+unroll.laneY(0)+6]})()`)
	bars := func(lane, step, u int) string {
		inf, err := tr.Influence(Target{Layer: lane, Step: step, Unit: u}, 0, nil)
		if err != nil {
			t.Fatal(err)
		}
		most := slices.Max(inf.XNorm)
		return fmt.Sprintf(`Math.abs(unroll.S.influence.x(%d)-%v)<1e-6&&unroll.S.influence.x(%d)===0`, step-1, inf.XNorm[step-1]/most, step+1)
	}
	b.run(chromedp.MouseEvent(chromedp.MouseMoved, p[0], p[1]))
	b.want(bars(0, 10, 0), "the bars under a pointer")
	b.want(`unroll.S.t===12`, "the chosen number")
	b.run(chromedp.MouseEvent(chromedp.MouseMoved, 5, 5))
	b.want(bars(1, 12, 2), "the bars of the chosen number again")
	b.run(chromedp.MouseClickXY(p[0], p[1]))
	b.want(bars(0, 10, 0)+`&&unroll.S.t===10&&!`+id("ask")+`.hidden&&document.querySelector('#memory canvas')`, "another number, asked the same")
	b.run(js(`unroll.go(1,12,2,false)`))
	b.want(bars(1, 12, 2)+`&&!unroll.engine.waiting.size`, "the first number again")
	b.click("#askgates")
	b.until(`document.querySelector('#gates canvas')`)
	means, err := tr.MeanGates(1, 0, 0, 20, nil)
	if err != nil {
		t.Fatal(err)
	}
	var words []string
	for k, name := range tr.Layer.Gates() {
		words = append(words, fmt.Sprintf("%s from %s to %s", name, Num(slices.Min(means[k])).Short(), Num(slices.Max(means[k])).Short()))
	}
	if got := eval[string](b, `document.querySelector('#gates [role=img]').ariaLabel`); got != strings.Join(words, "; ") {
		t.Errorf("gates: %q, expected %q", got, strings.Join(words, "; "))
	}
}

func TestPageShowsWhatTheInputIs(t *testing.T) {
	t.Parallel()
	labels := []string{"h", "e", "l", "l", "o", " "}
	tr := traceOf(t, unroll.Config{Mode: unroll.GRU, InputSize: 3, HiddenSize: 4}, 6)
	b := openPage(t, tr, PageOptions{Labels: labels}, 1360, 820)
	b.run(js(`unroll.go(0,5,1)`))
	b.want(id("here")+`.textContent.endsWith('(x_5 “␣”)')`, "a character")
	b.click("#first")
	b.want(id("processing")+`.textContent==='Processing x_0 “h”: layer 1'`, "a character played")
	b.click("#tab-ask")
	b.click("#askfollow")
	b.want(`document.querySelector('.painted').textContent==='hello '&&document.querySelectorAll('.painted span').length===6&&document.querySelector('#followed canvas')`, "text above the unit")
	b.shot("text")

	tr = traceOf(t, unroll.Config{InputSize: 2, HiddenSize: 4}, 30)
	b = openPage(t, tr, PageOptions{Columns: []string{"load", "oil"}}, 1360, 820)
	b.click("#tab-ask")
	b.click("#askfollow")
	b.want(`document.querySelectorAll('#follow canvas').length===2&&document.querySelector('#follow').textContent.includes('oil')`, "a series above the unit")
	b.run(js(`unroll.go(-1,3,1)`))
	b.want(`document.querySelector('#cell h2').textContent==='x_3[1] oil'`, "a column's name")

	tr = traceOf(t, unroll.Config{InputSize: 88, HiddenSize: 4}, 5)
	clear(tr.X.Data)
	for _, k := range []int{39, 43, 46} {
		tr.X.Data[2*88+k] = 1
	}
	b = openPage(t, tr, PageOptions{}, 1360, 820)
	b.run(js(`unroll.go(-1,2,39)`))
	b.want(id("here")+`.textContent==='input, step 2: C4 E4 G4'&&document.querySelector('#cell h2').textContent==='x_2[39] C4'`, "notes")
	b.run(js(`unroll.go(-1,0,0)`))
	b.want(id("here")+`.textContent==='input, step 0: silence'`, "silence")
}

// What comes again in the input is held once, and the engine gets every step.
func TestPageHoldsRowsOnce(t *testing.T) {
	t.Parallel()
	tr := traceOf(t, unroll.Config{Mode: unroll.LSTM, InputSize: 16, HiddenSize: 4}, 40)
	for s := range tr.Steps() {
		copy(tr.X.Data[s*16:(s+1)*16], tr.X.Data[s%3*16:(s%3+1)*16])
	}
	again, err := NewTrace(tr.Layer, tr.X, tr.S0)
	if err != nil {
		t.Fatal(err)
	}
	if err := again.Run(nil); err != nil {
		t.Fatal(err)
	}
	rows, index := again.distinct()
	if len(rows) != 3*16 || len(index) != 40 || index[37] != 1 {
		t.Fatalf("%d numbers of rows, index %v", len(rows), index)
	}
	if rows, index := traceOf(t, again.Config(), 40).distinct(); rows != nil || index != nil {
		t.Error("rows that all differ are stored as an index")
	}
	b := openPage(t, again, PageOptions{}, 1360, 820)
	b.run(js(`unroll.go(-1,37,5)`))
	b.want(fmt.Sprintf(`document.querySelector('#xvalue').value===%q`, Num(row(again.X, 37)[5])), "an input")
	b.shows(0, 39, 3, row(again.H[0], 39)[3])
	b.run(js(`document.querySelector('#what-c').click();unroll.go(0,20,2,false)`))
	b.want(fmt.Sprintf(`%s.textContent.includes('step 20, %s')`, id("here"), Num(row(again.C[0], 20)[0]).Short()), "a cell state")
}

func TestPageLesson(t *testing.T) {
	t.Parallel()
	b := openPage(t, exampleTrace(t), PageOptions{Example: true}, 1400, 900)
	b.click("#tab-lesson")
	for range 3 {
		b.click("#lnext")
	}
	b.want(id("chain")+`.textContent === '20 of 20 numbers of output are equal, bit for bit.'`, "the chain")
	b.click("#lnext")
	b.click("#next")
	b.want(`document.querySelectorAll('#lesson .code .now').length===2`, "the line at work")
	b.click("#whole")
	b.click("#lnext")
	said := func(s string) string {
		return fmt.Sprintf(`%s.textContent.includes(%q)`, id("loopresult"), s)
	}
	b.want(said("At t = 0, layer = 1 (layer 2): mat1 and mat2 shapes cannot be multiplied (1x3 and 4x4)"), "where the shapes break")
	b.shot("lesson")
	// The cells that are never computed are marked, and only they.
	if got, want := fmt.Sprint(eval[[]float64](b, `[...unroll.S.marks]`)), "[0 -1 -1 -1 -1 -1 -1 -1 -1 -1]"; got != want {
		t.Errorf("marks %s, expected %s", got, want)
	}
	b.click("#m-every")
	b.want(said("All 20 numbers of output are right"), "without the mistake")
	b.click("#m-noclone")
	b.want(said("16 of 20 numbers of output are wrong"), "without clone")
	b.click("#m-noclone")
	b.click("#m-every")
	b.click("#sizes")
	b.want(said("20 of 20 numbers of output are wrong, first in step 0, layer 2"), "where the sizes fit")
	if got, want := fmt.Sprint(eval[[]float64](b, `[...unroll.S.marks]`)), "[0 0 0 0 0 4 4 4 4 4]"; got != want {
		t.Errorf("marks %s, expected %s", got, want)
	}
	// PyTorch: torch.manual_seed(0); x = torch.randn(5, 4); RNN(4, 4, 2)(x)[0][4, 0].
	b.run(js(`unroll.go(1,4,0,false)`))
	b.want(id("here")+`.textContent.startsWith('layer 2, step 4, -0.7331, 0.0917, -0.2758, 0.3331')`, "PyTorch's numbers")
}
