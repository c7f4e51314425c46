//go:build !js

package explain

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/checkpoint"
	"github.com/unroll-ml/unroll/checkpoint/array/npy"
	"github.com/unroll-ml/unroll/tensor"
)

// screens are the sizes that a page is looked at in: a phone, a small window, a
// desk, a projector.
var screens = [][2]int64{{390, 844}, {1024, 640}, {1440, 900}, {1920, 1080}}

// One notation: layers have the numbers of the formulas, the initial state one
// name, and the names that PyTorch has instead are said.
func TestPageHasOneNotation(t *testing.T) {
	t.Parallel()
	b := openPage(t, exampleTrace(t), PageOptions{Example: true}, 1400, 900)
	words := drawnWords(b)
	for _, want := range []string{"layer 1", "layer 2", "h_init", "→ weight_hh_l0"} {
		if !strings.Contains(words, "\n"+want+"\n") {
			t.Errorf("the grid lacks %q:\n%s", want, words)
		}
	}
	if strings.Contains(words, "h_0[") || strings.Contains(words, "layer 0") {
		t.Errorf("the grid has another notation:\n%s", words)
	}
	b.run(js(`unroll.go(1,0,2)`))
	b.want(`document.querySelector('#cell h2').textContent==='layer 2, step 0, unit 2'&&document.querySelector('#cell annotation, #cell math')`, "the cell")
	text := eval[string](b, id("cell")+`.textContent`)
	if !strings.Contains(text, "init") || !strings.Contains(text, "h_init[0]") || strings.Contains(text, "h_0[") || strings.Contains(text, "(2)") {
		t.Errorf("the cell: %s", text)
	}
	b.want(id("notation")+`.textContent.includes('layer l from 1')&&`+id("notation")+`.textContent.includes('h_0[l-1]')`, "what the names are in PyTorch")
	chapterOf(2)(b)
	b.want(`[...document.querySelectorAll('#lesson tr')].some(r=>r.textContent.startsWith('weight_ih_l1W_ih^2'))`, "both names of a parameter")
}

// drawnWords are the words on the grid, a line each.
func drawnWords(b *browser) string {
	b.t.Helper()
	return "\n" + eval[string](b, `(async()=>{const seen=[],p=CanvasRenderingContext2D.prototype,own=p.fillText;
		p.fillText=function(s,...a){seen.push(s);return own.call(this,s,...a)};
		dispatchEvent(new Event('resize'));await new Promise(r=>requestAnimationFrame(()=>requestAnimationFrame(r)));
		p.fillText=own;return seen.join('\n')})()`) + "\n"
}

// What the first screen says: what to do, and a cell where something is seen.
func TestPageBeginsWithWhatToDo(t *testing.T) {
	t.Parallel()
	b := openPage(t, exampleTrace(t), PageOptions{Example: true}, 1400, 900)
	b.want(id("intro")+`.textContent.includes('Choose a number')&&document.querySelector('nav button').id==='tab-lesson'`, "the first sentence, and the lesson first")
	b.want(`unroll.S.lane===1&&unroll.S.t===4&&document.querySelector('#cell h2').textContent==='layer 2, step 4, unit 0'`, "the last step of the top layer")
	// A pointer over a number says it; leaving it is quiet.
	p := eval[[]float64](b, `(()=>{const r=document.getElementById('grid').getBoundingClientRect();return[r.left+176+1.5*unroll.S.cell,r.top+unroll.laneY(0)+5]})()`)
	b.run(chromedp.MouseEvent(chromedp.MouseMoved, p[0], p[1]))
	b.want(`!`+id("tip")+`.hidden&&`+id("tip")+`.textContent==='h[0], layer 1, step 0: 0.6804406'`, "a number under the pointer")
	b.run(chromedp.MouseEvent(chromedp.MouseMoved, 5, 5))
	b.want(id("tip")+`.hidden&&!unroll.S.hover`, "the pointer elsewhere")
}

// The last chapter shows the wrong numbers beside the right ones, for each kind
// of layer.
func TestPageShowsWrongNumbersBesideRightOnes(t *testing.T) {
	t.Parallel()
	for _, cfg := range []unroll.Config{
		{InputSize: 4, HiddenSize: 4, NumLayers: 2},
		{Mode: unroll.LSTM, InputSize: 3, HiddenSize: 3, NumLayers: 2},
		{Mode: unroll.GRU, InputSize: 6, HiddenSize: 3, NumLayers: 2, Bidirectional: true},
		{Mode: unroll.LSTM, InputSize: 4, HiddenSize: 3, ProjSize: 2, NumLayers: 3, Bidirectional: true},
	} {
		tr := traceOf(t, cfg, 4)
		res, err := tr.Loop(Loop{EveryLayer: true, InPlace: true})
		if err != nil || res.WrongStates == 0 {
			t.Fatalf("%v %+v", err, res)
		}
		b := openPage(t, tr, PageOptions{}, 1400, 900)
		lane := cfg.Directions() // the first of layer 2
		b.run(js(fmt.Sprintf(`unroll.go(%d,1,0)`, lane)))
		chapterOf(6)(b)
		row := func(s int) string {
			return fmt.Sprintf(`document.querySelector('#beside table').rows[1].textContent==='0%s%s'`, Num(row(tr.H[lane], s)[0]), Num(row(res.H[lane], s)[0]))
		}
		b.want(row(1)+`&&document.querySelector('#beside .bad')`, "%v: the numbers of the chosen cell", cfg)
		// Another of the framed cells stays in the lesson.
		p := eval[[]float64](b, fmt.Sprintf(`(()=>{const r=document.getElementById('grid').getBoundingClientRect();return[r.left+unroll.X(2)+unroll.S.cell/2,r.top+unroll.laneY(%d)+5]})()`, lane))
		b.run(chromedp.MouseClickXY(p[0], p[1]))
		b.want(row(2)+`&&!`+id("lesson")+`.hidden`, "%v: another cell", cfg)
		for _, line := range tr.LoopCode(Loop{EveryLayer: true, InPlace: true}) {
			if text := eval[string](b, `document.querySelector('#lesson .code').textContent`); !strings.Contains(text, line.Text+"\n") {
				t.Errorf("%v: the code lacks %q:\n%s", cfg, line.Text, text)
			}
		}
		if words := drawnWords(b); !strings.Contains(words, "\n"+Num(row0(res, lane, 2)).Short()+"\n") {
			t.Errorf("%v: the grid does not show the loop's numbers:\n%s", cfg, words)
		}
		b.end()
	}
}

// Where the sizes do not fit, the lesson shows where the loop stops, and goes on with an
// input that fits; a mistake in output alone is shown in both directions.
func TestPageGoesOnWhereTheLoopStops(t *testing.T) {
	t.Parallel()
	cfg := unroll.Config{Mode: unroll.LSTM, InputSize: 3, HiddenSize: 2, NumLayers: 3, Bidirectional: true}
	tr := traceOf(t, cfg, 4)
	b := openPage(t, tr, PageOptions{}, 1400, 900)
	chapterOf(6)(b)
	b.want(id("loopresult")+`.textContent.includes('weight_ih_l1 takes the 4 of the layer below, both directions')&&!document.querySelector('#beside table')`, "where it stops")
	b.click("#fit")
	b.want(`unroll.S.I===4&&document.querySelectorAll('#beside .bad').length===2&&`+id("notice")+`.textContent.includes('input_size 4')`, "an input that fits")
	if got := eval[string](b, `document.querySelector('#beside h3').textContent`); got != "layer 3 ←, step 3: right, and in the loop" {
		t.Errorf("the chosen cell: %q", got)
	}
	b.click("#undo")
	b.want(`unroll.S.I===3`, "the input that was here before")

	one := traceOf(t, unroll.Config{Mode: unroll.GRU, InputSize: 3, HiddenSize: 2, Bidirectional: true}, 4)
	b = openPage(t, one, PageOptions{}, 1400, 900)
	chapterOf(6)(b)
	b.want(id("loopresult")+`.textContent.startsWith('All 16 numbers of output are right')`, "one layer")
	b.click("#m-noclone")
	b.want(id("loopresult")+`.textContent.includes('12 of 16 numbers of output are wrong: every row has the last state of each direction')`, "output of both directions")
	if got := fmt.Sprint(eval[[]float64](b, `[...unroll.S.marks]`)); got != "[2 2 2 0 0 2 2 2]" {
		t.Errorf("marks %s", got)
	}
	// Who leaves before the answer comes has the grid as it is.
	b.run(js(`unroll.S.marks=null;` + id("tab-cell") + `.click();` + id("tab-lesson") + `.click();` + id("tab-cell") + `.click()`))
	b.quiet()
	b.want(`!unroll.S.marks`, "no marks beside another tab")
	b.click("#tab-lesson")
	b.run(js(`unroll.go(1,2,0,false)`))
	b.want(fmt.Sprintf(`document.querySelector('#beside h3').textContent.startsWith('output[2], reverse')&&document.querySelector('#beside table').rows[1].textContent==='0%s%s'`, Num(row(one.H[1], 2)[0]), Num(row(one.H[1], 0)[0])), "the reverse half of output")
}

func row0(res *LoopResult, lane, s int) float32 { return row(res.H[lane], s)[0] }

// A model that comes without an input says so, takes one, and a refusal stands
// above the grid.
func TestPageTakesAnInput(t *testing.T) {
	t.Parallel()
	b := openPage(t, exampleTrace(t), PageOptions{Example: true}, 1360, 820)
	file, err := os.ReadFile(filepath.Join("..", "..", "examples", "bach", "model.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	b.drop("model.safetensors", file)
	b.want(id("notice")+`.textContent.startsWith('No input came with model.safetensors')&&`+id("notice")+`.textContent.includes('12 steps of drawn numbers (seed 0)')`, "a drawn input")
	b.drop("short.csv", []byte("1,2,3\n"))
	b.want(id("notice")+`.textContent.startsWith('short.csv is not taken: ')&&`+id("notice")+`.textContent.includes('[T,88]')&&`+id("notice")+`.className==='bad'`, "a refusal")
	if y := eval[[]float64](b, `[document.getElementById('notice').getBoundingClientRect().bottom,document.getElementById('grid').getBoundingClientRect().top]`); y[0] > y[1] {
		t.Errorf("the refusal ends at %g, the grid begins at %g", y[0], y[1])
	}
	line := strings.TrimSuffix(strings.Repeat("0.5,", 88), ",") + "\n"
	b.drop("notes.csv", []byte(line+line+line))
	b.want(id("status")+`.textContent==='notes.csv: 3 steps, on this machine only'&&`+id("notice")+`.textContent===''&&unroll.S.steps===3`, "an input")
	b.run(js(`unroll.go(-1,1,5)`))
	b.want(`document.querySelector('#xvalue').value==='0.5'`, "its numbers")
	b.run(js(`unroll.go(1,2,3)`))
	b.want(result+`.endsWith('bit for bit')`, "the run on it")
}

func tensorOf(v []float32, shape ...int) tensor.Dense { return tensor.Dense{Shape: shape, Data: v} }

// writeNPY stores a matrix as numpy does.
func writeNPY(w *bytes.Buffer, d tensor.Dense) error {
	return npy.Write(w, checkpoint.Of("", d))
}

// Inputs as they are typed, pasted and stored.
func TestSessionTakesInputs(t *testing.T) {
	tr := exampleTrace(t)
	want, _, err := tr.Layer.Forward(tensorOf([]float32{1, 2, 3, -4, 0.5, 6}, 2, 3), unroll.State{})
	if err != nil {
		t.Fatal(err)
	}
	var stored bytes.Buffer
	if err := writeNPY(&stored, tensorOf([]float32{1, 2, 3, -4, 0.5, 6}, 2, 3)); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"a.csv": "a,b,c\n1,2,3\n-4,0.5,6\n", "a.txt": " 1 2  3\r\n\r\n-4\t.5;6", "a.npy": stored.String(),
	} {
		s := session(t, tr, false)
		ask(t, s, "input", map[string]any{"name": name}, []byte(text))
		if got := ask(t, s, "values", map[string]any{"what": "h", "lane": 1}, nil); differ(got, want.Data) > 0 {
			t.Errorf("%s: another output", name)
		}
	}
	for name, c := range map[string][2]string{
		"a.csv": {"1,2\n", "[T,3]"}, "b.csv": {"", "b.csv"}, "c.csv": {"1,x,3\n1,2,3", "x"}, "d.npy": {"no", "no .npy file"},
	} {
		s := session(t, tr, false)
		if _, _, err := s.Do("input", []byte(fmt.Sprintf(`{"name":%q}`, name)), []byte(c[0])); err == nil || !strings.Contains(err.Error(), c[1]) {
			t.Errorf("%s: %v, expected words with %q", name, err, c[1])
		}
	}
}

// No word on the grid is cut: not by the edge, not by the names at the left, and
// no name of a state lies on the frame of output. Lanes out of sight are told.
func TestPageCutsNothing(t *testing.T) {
	t.Parallel()
	for _, tr := range []*Trace{
		exampleTrace(t),
		traceOf(t, unroll.Config{Mode: unroll.LSTM, InputSize: 3, HiddenSize: 6, NumLayers: 3, Bidirectional: true}, 6),
		traceOf(t, unroll.Config{InputSize: 3, HiddenSize: 4, Variant: unroll.Variant{Reverse: true}}, 4),
	} {
		turned := openPage(t, tr, PageOptions{}, screens[0][0], screens[0][1])
		for i, size := range slices.Concat(screens, screens[1:]) {
			b := turned
			if i < len(screens) {
				b = openPage(t, tr, PageOptions{}, size[0], size[1])
			} else { // a page that was another size
				b.resize(size)
			}
			for _, fault := range eval[[]string](b, `(async()=>{
				const bad=[],p=CanvasRenderingContext2D.prototype,own=p.fillText,rect=p.strokeRect,words=[],frames=[];
				p.fillText=function(s,x,y,...a){const w=this.measureText(s).width,l=this.textAlign==='right'?x-w:this.textAlign==='center'?x-w/2:x;words.push([s,l,l+w,y]);return own.call(this,s,x,y,...a)};
				p.strokeRect=function(x,y,w,h){frames.push([x,y,w,h,this.strokeStyle]);return rect.call(this,x,y,w,h)};
				dispatchEvent(new Event('resize'));await new Promise(r=>requestAnimationFrame(()=>requestAnimationFrame(r)));
				p.fillText=own;p.strokeRect=rect;
				const g=document.getElementById('grid'),z=innerWidth>=1900?1.35:1,W=g.clientWidth/z,H=g.clientHeight/z,gutter=W>640?176:92;
				for(const [s,l,r,y] of words){
					if(y>H||y<0)continue;
					if(l<0||r>W+.5)bad.push(s+' from '+l.toFixed(0)+' to '+r.toFixed(0)+' of '+W);
					if(/^(h_|= output)/.test(s)&&l>gutter-100&&l<gutter-8&&!/\[T/.test(s))bad.push(s+' begins under the names, at '+l.toFixed(0));
					if(s==='h_init')for(const [x,t,w,h] of frames)if(w>200&&y>t-2&&y-9<t+h&&r>x&&l<x+w)bad.push(s+' lies on a frame');
				}
				if(g.scrollHeight>g.clientHeight+20&&!words.some(w=>/more below/.test(w[0])))bad.push('lanes are out of sight without a word');
				if(document.documentElement.scrollWidth>innerWidth)bad.push('the page is wider than the screen');
				return bad})()`) {
				t.Errorf("%v at %v: %s", tr.cfg, size, fault)
			}
			if b != turned {
				b.end()
			}
		}
		turned.end()
	}
}

// In a low window the characters under many units are in sight, and of an input that is
// cut it is said that there is more.
func TestPageShowsTheInputInALowWindow(t *testing.T) {
	t.Parallel()
	b := openPage(t, traceOf(t, unroll.Config{Mode: unroll.GRU, InputSize: 8, HiddenSize: 64, NumLayers: 2}, 40), PageOptions{Labels: strings.Split(strings.Repeat("characters", 4), "")}, 1024, 640)
	if over := eval[float64](b, `(g=>g.scrollHeight-g.clientHeight)(`+id("grid")+`)`); over > 1 {
		t.Errorf("the characters are %g pixels out of sight", over)
	}
	b.end()
	b = openPage(t, traceOf(t, unroll.Config{Mode: unroll.LSTM, InputSize: 6, HiddenSize: 3, NumLayers: 2, Bidirectional: true}, 6), PageOptions{}, 1024, 640)
	if words := drawnWords(b); !strings.Contains(words, "\n▼ more below: scroll\n") {
		t.Errorf("the input is cut without a word:\n%s", words)
	}
}

// A run wider than its window: wherever it is scrolled to, the name of the initial
// state is whole or gone, and the words under the grid take the lines that they need.
func TestPageScrolledCutsNothing(t *testing.T) {
	t.Parallel()
	b := openPage(t, traceOf(t, unroll.Config{InputSize: 60, HiddenSize: 60}, 60), PageOptions{}, 1024, 640)
	for _, fault := range eval[[]string](b, `(async()=>{
		const bad=new Set(),p=CanvasRenderingContext2D.prototype,own=p.fillText,g=document.getElementById('grid');
		let whole=0;
		p.fillText=function(s,x,...a){if(s==='h_init'){const l=x-this.measureText(s).width;if(l<(g.clientWidth>640?176:92)-9)bad.add(s+' begins under the names, at '+l.toFixed(0));else whole++}return own.call(this,s,x,...a)};
		for(let at=0;at<80;at+=8){g.scrollLeft=at;await new Promise(r=>requestAnimationFrame(()=>requestAnimationFrame(r)))}
		p.fillText=own;
		if(!whole)bad.add('the initial state is nowhere');
		const here=document.getElementById('here');
		if(here.scrollHeight>here.clientHeight+1)bad.add('the words under the grid have '+here.clientHeight+' of '+here.scrollHeight+' pixels');
		return[...bad]})()`) {
		t.Error(fault)
	}
}

// A reverse lane's weight points the way time goes there; a chart of steps counts
// in steps; c has an axis of its own.
func TestPageArrowsAndAxes(t *testing.T) {
	t.Parallel()
	tr := traceOf(t, unroll.Config{Mode: unroll.LSTM, InputSize: 3, HiddenSize: 4, Bidirectional: true}, 4)
	b := openPage(t, tr, PageOptions{}, 1400, 900)
	words := drawnWords(b)
	for _, want := range []string{"→ weight_hh_l0", "← weight_hh_l0_reverse", "= output[0,H:]"} {
		if !strings.Contains(words, "\n"+want+"\n") {
			t.Errorf("the grid lacks %q:\n%s", want, words)
		}
	}
	b.click("#tab-ask")
	b.run(js(`window.labels=[];(p=>{const own=p.fillText;p.fillText=function(s,...a){if(this.canvas.id!=='canvas')window.labels.push(s);return own.call(this,s,...a)}})(CanvasRenderingContext2D.prototype)`))
	b.click("#askfollow")
	b.until(`document.querySelector('#followedc canvas')&&document.querySelector('#followed canvas')`)
	b.want(`document.querySelector('#followed [role=img]').ariaLabel.startsWith('h[0]')&&!document.querySelector('#followed [role=img]').ariaLabel.includes('c[0]')&&document.querySelector('#followedc [role=img]').ariaLabel.startsWith('c[0]')`, "two charts")
	labels := eval[string](b, `window.labels.join(' ')`)
	if !strings.Contains(labels, "0 1 2 3") || strings.Contains(labels, "0.5 1 1.5") {
		t.Errorf("labels of the charts: %s", labels)
	}
}

// What stands over a name has a line as long as itself, with any font.
func TestPageBracesAreAsLongAsTheirSums(t *testing.T) {
	t.Parallel()
	b := openPage(t, exampleTrace(t), PageOptions{Example: true}, 1400, 900)
	b.run(js(`unroll.go(1,3,1)`))
	b.until(`document.querySelectorAll('#cell .braced').length===4`)
	for _, w := range eval[[][]float64](b, `[...document.querySelectorAll('#cell .braced')].map(e=>{const r=document.createRange();r.selectNodeContents(e);return[e.getBoundingClientRect().width,r.getBoundingClientRect().width,parseFloat(getComputedStyle(e).borderBottomWidth)]})`) {
		if w[0] < w[1]-1 || w[2] < 1 {
			t.Errorf("a line of %g under a sum of %g, %g thick", w[0], w[1], w[2])
		}
	}
	if eval[bool](b, id("cell")+`.textContent.includes('⏟')`) {
		t.Error("there is a brace left")
	}
}

// Digits can be read on every colour of the scale (WCAG 2.2, 1.4.3), in both
// schemes, and the frame under the pointer is not the chosen one's.
func TestPageDigitsCanBeRead(t *testing.T) {
	t.Parallel()
	b := openPage(t, exampleTrace(t), PageOptions{}, 1000, 700)
	for range 2 {
		low := eval[[]float64](b, `(()=>{const lum=c=>{const l=c.map(v=>v/255).map(v=>v<=.04045?v/12.92:((v+.055)/1.055)**2.4);return .2126*l[0]+.7152*l[1]+.0722*l[2]};
			const rgb=s=>s[0]==='#'?[1,2,3].map(k=>parseInt(s.length===4?s[k]+s[k]:s.slice(2*k-1,2*k+1),16)):s.match(/\d+/g).map(Number);
			let low=99,at=0;const s=unroll.scales[document.documentElement.classList.contains('dark')?'dark':'light'];
			s.fill.forEach((f,k)=>{const a=lum(rgb(f)),b=lum(rgb(s.ink[k])),r=(Math.max(a,b)+.05)/(Math.min(a,b)+.05);if(r<low)[low,at]=[r,k]});
			return[low,at,s.fill.length]})()`)
		if low[0] < 4.5 || low[2] != 257 {
			t.Errorf("contrast %.2f at colour %g of %g", low[0], low[1], low[2])
		}
		b.click("#theme")
	}
}

// A link keeps the place, and one to a place that is not there opens the nearest.
func TestPageLinkKeepsThePlace(t *testing.T) {
	t.Parallel()
	b := openPage(t, exampleTrace(t), PageOptions{Example: true}, 1000, 700)
	b.run(js(`unroll.go(0,2,3)`))
	b.want(`location.hash==='#lane=0&step=2&unit=3'`, "the link")
	b.run(chromedp.Reload())
	b.want(`document.querySelector('#cell h2').textContent==='layer 1, step 2, unit 3'&&document.getElementById('result')`, "the place again")
	b.run(js(`location.hash='#lane=7&step=x&unit=99'`), chromedp.Reload())
	b.want(`document.querySelector('#cell h2').textContent==='layer 2, step 0, unit 3'`, "a place that is not there")
}

// In a text what moved a number is its characters.
func TestPageNamesTheCharactersThatMovedIt(t *testing.T) {
	t.Parallel()
	tr := traceOf(t, unroll.Config{Mode: unroll.GRU, InputSize: 3, HiddenSize: 4}, 6)
	b := openPage(t, tr, PageOptions{Labels: []string{"h", "e", "l", "l", "o", " "}}, 1360, 820)
	inf, err := tr.Influence(Target{Step: 4, Unit: 1}, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	best := 0
	for s, v := range inf.XNorm {
		if v > inf.XNorm[best] {
			best = s
		}
	}
	b.run(js(`unroll.go(0,4,1)`))
	b.click("#tab-ask")
	b.click("#askgrad")
	b.until(`document.querySelector('#ask table')`)
	want := fmt.Sprintf("“%s”|%d|%s", []string{"h", "e", "l", "l", "o", " "}[best], best, Num(float32(inf.XNorm[best])))
	if got := eval[string](b, `[...document.querySelector('#ask table').rows[1].cells].map(c=>c.textContent).join('|')`); got != want {
		t.Errorf("moved most by %s, expected %s", got, want)
	}
	b.click("#ask a[data-control=to-step]")
	b.want(fmt.Sprintf(`unroll.S.lane===-1&&unroll.S.t===%d`, best), "the character")
}
