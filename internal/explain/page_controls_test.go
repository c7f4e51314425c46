//go:build !js

package explain

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/unroll-ml/unroll"
)

// operated is a control and what happens when it is used, which must not be so
// before.
type operated struct {
	name, selector string
	before         func(b *browser)
	mouse          func(b *browser) // nil: a click in its middle
	keys           string           // typed while it has the focus; "": Enter
	focus          string           // what has the focus then, if something else
	want           string
}

// id is JavaScript for an element.
func id(name string) string { return fmt.Sprintf(`document.getElementById(%q)`, name) }

// do runs scripts one after the other; what begins with "until " is waited for.
func do(scripts ...string) func(b *browser) {
	return func(b *browser) {
		b.t.Helper()
		for _, s := range scripts {
			if len(s) > 6 && s[:6] == "until " {
				b.until(s[6:])
			} else {
				b.run(js(s))
			}
		}
	}
}

// opened chooses a number and waits until its cell is open.
func opened(lane, t, u int) func(b *browser) {
	return func(b *browser) {
		b.t.Helper()
		title := eval[string](b, fmt.Sprintf(`(async()=>{await unroll.go(%d,%d,%d);return document.querySelector('#cell h2').textContent})()`, lane, t, u))
		if want := fmt.Sprintf("step %d, unit %d", t, u); lane >= 0 && !strings.HasSuffix(title, want) {
			b.t.Fatalf("the cell is %q, expected %q", title, want)
		}
	}
}

func chapterOf(n int) func(b *browser) {
	return do(id("tab-lesson")+`.click()`, fmt.Sprintf(`for(let i=0;i<9;i++)document.getElementById('lback').click();for(let i=1;i<%d;i++)document.getElementById('lnext').click()`, n))
}

// spin clicks the upper arrow of a number box.
func spin(selector string) func(b *browser) {
	return func(b *browser) {
		b.t.Helper()
		b.at(selector)
		p := eval[[]float64](b, fmt.Sprintf(`(()=>{const e=document.querySelector(%q),r=e.getBoundingClientRect(),s=getComputedStyle(e);return[r.right-parseFloat(s.paddingRight)-parseFloat(s.borderRightWidth)-7,r.top+r.height*.33]})()`, selector))
		b.run(chromedp.MouseEvent(chromedp.MouseMoved, p[0]-40, p[1]), chromedp.MouseEvent(chromedp.MouseMoved, p[0], p[1]), chromedp.MouseClickXY(p[0], p[1]))
	}
}

// slide clicks far right in a slider.
func slide(selector string) func(b *browser) {
	return func(b *browser) {
		b.t.Helper()
		x, y := b.at(selector)
		b.run(chromedp.MouseClickXY(x+30, y))
	}
}

const halt = `if(document.getElementById('play').textContent.includes('pause'))document.getElementById('play').click()`

func number(name, selector string, before func(*browser), want string) operated {
	return operated{name: name, selector: selector, before: before, mouse: spin(selector), keys: kb.ArrowUp, want: want}
}

// exampleControls are used on the page of the example.
func exampleControls() []operated {
	ask := func(before ...string) func(*browser) {
		return do(append([]string{`unroll.go(1,3,1)`, id("tab-ask") + `.click()`, id("answer") + `.replaceChildren()`}, before...)...)
	}
	change := do(`unroll.S.param={name:'weight_ih_l0',index:0}`, id("tab-change")+`.click()`, `until `+id("value")+`.value`)
	played := do(halt, `unroll.S.cursor=5`)
	edited := func(b *browser) {
		opened(-1, 1, 2)(b)
		do(id("status")+`.textContent=''`, `(x=>{x.value=+x.value+1;x.onchange()})(`+id("xvalue")+`)`, `until `+id("status")+`.textContent==='computed here'&&!`+id("undo")+`.hidden`)(b)
	}
	all := []operated{
		{name: "first", selector: "#first", before: played, want: `unroll.S.cursor===0`},
		{name: "back", selector: "#back", before: played, want: `unroll.S.cursor===4`},
		{name: "next", selector: "#next", before: played, want: `unroll.S.cursor===6`},
		{name: "whole", selector: "#whole", before: played, want: `unroll.S.cursor===-1`},
		{name: "play", selector: "#play", before: do(halt, `unroll.S.cursor=-1`), want: id("play") + `.textContent.includes('pause')&&unroll.S.cursor>=1`},
		{name: "pace", selector: "#pace", before: do(halt, id("pace")+`.value=50`), mouse: slide("#pace"), keys: kb.ArrowRight, want: `+` + id("pace") + `.value>50`},
		{name: "zoom", selector: "#zoom", before: do(id("zoom") + `.value=50;` + id("zoom") + `.dispatchEvent(new Event('input'))`), mouse: slide("#zoom"), keys: kb.ArrowRight, want: `unroll.S.cell>19`},
		{name: "theme", selector: "#theme", before: do(`document.documentElement.classList.remove('dark')`), want: `document.documentElement.classList.contains('dark')`},
		{name: "open", selector: "#open", before: do(`window.chosen=false;document.getElementById('file').click=()=>{window.chosen=true}`), want: `window.chosen`},
		{name: "grid", selector: "#grid", before: opened(1, 3, 2), keys: kb.ArrowLeft, want: `unroll.S.t<3`, mouse: func(b *browser) {
			p := eval[[]float64](b, `(()=>{const r=document.getElementById('grid').getBoundingClientRect();return[r.left+unroll.X(1)+unroll.S.cell/2,r.top+60]})()`)
			b.run(chromedp.MouseClickXY(p[0], p[1]))
		}},
		number("unit", "#unit", opened(1, 2, 0), `unroll.S.u===1`),
		{name: "bias", selector: "#cell a[data-control=bias]", before: opened(1, 2, 0), want: `!` + id("change") + `.hidden&&` + id("parameter") + `.value==='bias_ih_l1'`},
		{name: "weight", selector: "#cell a[data-control=weight]", before: opened(1, 2, 0), want: `!` + id("change") + `.hidden&&` + id("parameter") + `.value==='weight_ih_l1'`},
		{name: "from-below", selector: "#cell a[data-control=from-below]", before: opened(1, 2, 0), want: `unroll.S.lane===0&&unroll.S.t===2`},
		{name: "from-state", selector: "#cell a[data-control=from-state]", before: opened(1, 2, 0), want: `unroll.S.lane===1&&unroll.S.t===1`},
		{name: "from-start", selector: "#cell a[data-control=from-start]", before: opened(1, 0, 0), want: `!` + id("change") + `.hidden&&` + id("parameter") + `.value==='h_0'`},
		{name: "from-input", selector: "#cell a[data-control=from-input]", before: opened(0, 2, 0), want: `unroll.S.lane===-1&&unroll.S.t===2`},
		{name: "to-cell", selector: "#cell a[data-control=to-cell]", before: opened(-1, 1, 0), want: `unroll.S.lane===0&&unroll.S.t===1`},
		number("xunit", "#xunit", opened(-1, 1, 0), `unroll.S.u===1`),
		number("xvalue", "#xvalue", func(b *browser) {
			opened(-1, 1, 2)(b)
			b.quiet()
			b.run(js(id("status") + `.textContent=''`))
		}, id("status")+`.textContent==='computed here'`),
		{name: "askgrad", selector: "#askgrad", before: ask(), want: `document.querySelector('#memory canvas')`},
		{name: "to-input", selector: "#ask a[data-control=to-input]", before: ask(id("askgrad")+`.click()`, `until document.querySelector('#ask a')`), want: `unroll.S.lane===-1`},
		{name: "askfollow", selector: "#askfollow", before: ask(id("follow") + `.replaceChildren()`), want: `document.querySelector('#followed canvas')`},
		{name: "close", selector: "#close", before: ask(id("follow")+`.replaceChildren()`, id("askfollow")+`.click()`, `until document.querySelector('#followed canvas')`), want: `!` + id("follow") + `.firstChild`},
		{name: "askkeep", selector: "#askkeep", before: ask(`unroll.S.kept=false`, id("status")+`.textContent=''`), want: `unroll.S.kept&&` + id("status") + `.textContent==='this run is kept'`},
		{name: "parameter", selector: "#parameter", before: change, mouse: func(b *browser) { b.click("#parameter option:nth-child(2)") }, keys: kb.ArrowDown, want: id("parameter") + `.value!=='weight_ih_l0'`},
		number("row", "#row", change, `unroll.S.param.index===3`),
		number("column", "#column", change, `unroll.S.param.index===1`),
		number("value", "#value", func(b *browser) {
			change(b)
			b.quiet()
			b.run(js(id("status") + `.textContent=''`))
		}, id("status")+`.textContent==='computed here'`),
		{name: "typed", selector: "#typed", before: func(b *browser) {
			change(b)
			b.run(js(id("typed") + `.value='';` + id("typed") + `.oninput({target:` + id("typed") + `})`))
		}, mouse: func(b *browser) {
			b.click("#typed")
			b.run(chromedp.KeyEvent("1 2 3"))
		}, keys: "1 2 3", want: id("typed") + `.value==='1 2 3'`},
		number("nlayers", "#nlayers", do(id("tab-change")+`.click()`, id("nlayers")+`.value=2;`+id("nlayers")+`.onchange()`, `until unroll.S.L===2`), `unroll.S.L===3`),
		{name: "lnext", selector: "#lnext", before: chapterOf(1), want: `document.querySelector('#lesson h2').textContent.startsWith('2')`},
		{name: "lback", selector: "#lback", before: chapterOf(2), want: `document.querySelector('#lesson h2').textContent.startsWith('1')`},
		{name: "copycode", selector: "#copycode", before: func(b *browser) {
			chapterOf(4)(b)
			do(`until document.getElementById('copycode')`, id("status")+`.textContent=''`)(b)
		}, want: id("status") + `.textContent.startsWith('the program is ')`},
		{name: "to-parameter", selector: "#lesson a[data-control=to-parameter]", before: chapterOf(2), want: `!` + id("change") + `.hidden`},
		{name: "corner", selector: "#lesson a[data-control=corner]", before: func(b *browser) { opened(0, 0, 0)(b); chapterOf(3)(b) }, want: `unroll.S.t===4&&unroll.S.lane===unroll.S.lanes-1`},
		{name: "undo", selector: "#undo", before: edited, want: `['one change less','as it came'].includes(` + id("status") + `.textContent)`},
		{name: "reset", selector: "#reset", before: edited, want: id("status") + `.textContent==='as it came'&&` + id("reset") + `.hidden`},
		{name: "sizes", selector: "#sizes", before: func(b *browser) {
			chapterOf(6)(b)
			do(`if(unroll.S.I!==3)document.getElementById('sizes').click()`, `until unroll.S.I===3`)(b)
		}, want: `unroll.S.I===4`},
	}
	// Last: it runs on another input, which is no longer the example's.
	last := operated{name: "setinput", selector: "#setinput", before: func(b *browser) {
		change(b)
		b.run(js(id("typed") + `.value=[1,2].map(()=>Array(unroll.S.I).fill(.5).join(' ')).join('\n');` + id("typed") + `.oninput({target:` + id("typed") + `});` + id("status") + `.textContent=''`))
	}, want: `unroll.S.steps===2&&` + id("status") + `.textContent==='what was typed: 2 steps, on this machine only'`}
	for _, m := range []string{"every", "inplace", "noclone"} {
		all = append(all, operated{name: "m-" + m, selector: "#m-" + m, keys: " ", before: func(b *browser) {
			chapterOf(6)(b)
			do(fmt.Sprintf(`if(document.getElementById('m-%s').checked)document.getElementById('m-%s').click()`, m, m))(b)
		}, want: id("m-"+m) + `.checked`})
	}
	for _, name := range []string{"savepng", "savesvg", "savecsv", "saveinput", "savemodel"} {
		all = append(all, operated{name: name, selector: "#" + name, before: do(catchFiles, id("tab-save")+`.click()`, id("status")+`.textContent=''`), want: `window.files.length===1`})
	}
	all = append(all, operated{name: "savelink", selector: "#savelink", before: do(id("tab-save")+`.click()`, id("status")+`.textContent=''`), want: id("status") + `.textContent.startsWith('the link is ')`})
	for _, tab := range []string{"cell", "ask", "change", "lesson", "save"} {
		other := map[bool]string{true: "tab-ask", false: "tab-cell"}[tab == "cell"]
		all = append(all, operated{name: "tab", selector: "#tab-" + tab, before: do(id(other) + `.click()`), want: `!` + id(tab) + `.hidden&&` + id("tab-"+tab) + `.getAttribute('aria-selected')==='true'`})
	}
	return append(all, last)
}

// gatedControls are there for gates, and for more units than are drawn.
func gatedControls() []operated {
	return []operated{
		{name: "what", selector: "#what-c", before: do(id("what-h") + `.click()`), focus: "#what-h", keys: kb.ArrowRight, want: `unroll.S.what==='c'`},
		{name: "units", selector: "#units-first", before: do(id("units-even") + `.click()`), focus: "#units-even", keys: kb.ArrowRight, want: `unroll.S.choice==='first'`},
		{name: "fit", selector: "#fit", before: func(b *browser) {
			if b.holds(`unroll.S.edits`) {
				do(id("reset")+`.click()`, `until unroll.S.I===60`)(b)
			}
			chapterOf(6)(b)
			b.until(id("fit"))
		}, want: `unroll.S.I===50`},
		{name: "askgates", selector: "#askgates", before: do(id("tab-ask")+`.click()`, id("answer")+`.replaceChildren()`), want: `document.querySelector('#gates canvas')`},
		// Last: all terms stay shown.
		{name: "more", selector: "#cell a[data-control=more]", before: opened(0, 1, 0), want: `document.querySelector('#cell table').rows.length>60`},
	}
}

// projectedControls are there for a projection.
func projectedControls() []operated {
	before := func(b *browser) {
		b.run(js(id("what-h") + `.click()`))
		opened(1, 2, 0)(b)
	}
	return []operated{
		{name: "from-inner", selector: "#cell tr:nth-child(6) a[data-control=from-inner]", before: before, want: `unroll.S.u===4&&unroll.S.what==='c'&&(document.getElementById('result')||{}).textContent.startsWith('c = ')`},
	}
}

// wholeControls are there for a whole model.
func wholeControls() []operated {
	first := do(`document.querySelectorAll('#flow .box')[1].click()`, `until unroll.S.part===0&&unroll.S.box<0`)
	return []operated{
		{name: "box", selector: "#flow .box:nth-child(4)", before: first, want: `document.querySelector('#cell h2').textContent==='Gemm fc'`},
		{name: "layer", selector: "#flow .box:nth-child(3)", before: first, want: `unroll.S.part===1&&unroll.S.D===2`},
		{name: "to-box", selector: "#cell a[data-control=to-box]", before: do(`document.querySelectorAll('#flow .box')[1].click()`, `until unroll.S.part===0`, `document.querySelectorAll('#flow .box')[3].click()`, `until document.querySelector('#cell a[data-control=to-box]')`), want: `unroll.S.part===1`},
	}
}

// controls lists what can be operated and is seen, and faults what has no name
// of its own or none that a screen reader could say.
func (b *browser) controls(seen map[string]bool) {
	b.t.Helper()
	for _, c := range eval[[][]string](b, `[...document.querySelectorAll('button,input,select,textarea,a,summary,[tabindex],[contenteditable]')].filter(e=>e.getClientRects().length&&!e.closest('[hidden]')).map(e=>[e.dataset.control||'',e.ariaLabel||(e.labels&&e.labels[0]||e).textContent.trim(),e.outerHTML.slice(0,120)])`) {
		if c[0] == "" || c[1] == "" {
			b.t.Errorf("a control without data-control or without words: %s", c[2])
		}
		seen[c[0]] = true
	}
}

// Every control does its work by mouse and by keyboard; a control that no row
// uses fails the test.
func TestPageByMouseAndByKeyboard(t *testing.T) {
	t.Parallel()
	whole, wholeOptions := wholeModel(t)
	seen, used := map[string]bool{}, map[string]bool{}
	for _, page := range []struct {
		tr   *Trace
		opt  PageOptions
		rows []operated
	}{
		{exampleTrace(t), PageOptions{Example: true}, exampleControls()},
		{traceOf(t, unroll.Config{Mode: unroll.LSTM, InputSize: 60, HiddenSize: 50, NumLayers: 2}, 4), PageOptions{}, gatedControls()},
		{traceOf(t, unroll.Config{Mode: unroll.LSTM, InputSize: 3, HiddenSize: 6, ProjSize: 2, NumLayers: 2}, 5), PageOptions{}, projectedControls()},
		{whole, wholeOptions, wholeControls()},
	} {
		b := openPage(t, page.tr, page.opt, 1360, 820)
		b.controls(seen)
		for _, c := range page.rows {
			used[c.name] = true
			for way, act := range map[string]func(){
				"mouse": func() {
					if c.mouse != nil {
						c.mouse(b)
					} else {
						b.click(c.selector)
					}
				},
				"keyboard": func() {
					focus, keys := c.focus, c.keys
					if focus == "" {
						focus = c.selector
					}
					if keys == "" {
						keys = kb.Enter
					}
					b.press(focus, keys)
				},
			} {
				if c.name == "more" && b.holds(c.want) { // its work cannot be undone
					continue
				}
				// What the row before asked of the engine must not answer in this one.
				b.quiet()
				c.before(b)
				b.quiet()
				b.controls(seen)
				if b.holds(c.want) {
					t.Errorf("%s: %s before anything is done", c.selector, c.want)
					continue
				}
				act()
				b.want(c.want, "%s by %s", c.selector, way)
				b.controls(seen)
			}
		}
		b.end()
	}
	for _, name := range slices.Sorted(maps.Keys(seen)) {
		// What is wider than a narrow screen is scrolled by the browser's own keys.
		if !used[name] && name != "scroll" {
			t.Errorf("no row of this test uses the control %q", name)
		}
	}
	for name := range used {
		if !seen[name] {
			t.Errorf("there is no control %q any more", name)
		}
	}
}

func TestPageKeys(t *testing.T) {
	t.Parallel()
	b := openPage(t, exampleTrace(t), PageOptions{Example: true}, 1360, 820)
	at := func(lane, s, u int) string {
		return fmt.Sprintf(`unroll.S.lane===%d&&unroll.S.t===%d&&unroll.S.u===%d`, lane, s, u)
	}
	for _, k := range []struct {
		key  string
		mods []chromedp.Modifier
		want string
	}{
		{kb.ArrowLeft, nil, at(1, 3, 0)}, // the page opens at the last step of the top layer
		{kb.Home, nil, at(1, 0, 0)},
		{kb.ArrowRight, nil, at(1, 1, 0)},
		{kb.ArrowDown, nil, at(0, 1, 0)},
		{kb.ArrowDown, []chromedp.Modifier{chromedp.ModifierShift}, at(0, 1, 1)},
		{kb.ArrowUp, []chromedp.Modifier{chromedp.ModifierShift}, at(0, 1, 0)},
		{kb.End, nil, at(0, 4, 0)},
		{kb.Home, nil, at(0, 0, 0)},
		{kb.PageDown, nil, at(0, 4, 0)},
		{kb.PageUp, nil, at(0, 0, 0)},
		{kb.ArrowDown, nil, at(-1, 0, 0)},
		{kb.ArrowUp, nil, at(0, 0, 0)},
		{"3", nil, `!` + id("ask") + `.hidden`},
		{"4", nil, `!` + id("change") + `.hidden`},
		{"1", nil, `!` + id("lesson") + `.hidden`},
		{"2", nil, `!` + id("cell") + `.hidden`},
		{"5", nil, `!` + id("save") + `.hidden`},
		{"1", nil, `!` + id("lesson") + `.hidden`},
		{kb.Enter, nil, `!` + id("cell") + `.hidden`},
		{"n", nil, id("processing") + `.textContent==='Processing x_0: layer 1'`},
		{"n", nil, id("processing") + `.textContent==='Processing x_0: layer 2'`},
		{"b", nil, id("processing") + `.textContent==='Processing x_0: layer 1'`},
		{" ", nil, id("processing") + `.textContent==='Processing x_2: layer 2'`},
		{" ", nil, id("play") + `.textContent.includes('play')`},
		{"w", nil, `unroll.S.cursor===-1&&` + id("processing") + `.textContent===''`},
		{"-", nil, `unroll.S.cell<80`},
		{"+", nil, `unroll.S.cell>80`},
	} {
		b.run(chromedp.Focus("#grid"), chromedp.KeyEvent(k.key, chromedp.KeyModifiers(k.mods...)))
		b.want(k.want, "key %q", k.key)
	}
	// The tabs are one stop; arrows go from one to the next.
	b.run(js(`unroll.go(1,0,0)`))
	b.press("#tab-cell", kb.ArrowRight)
	b.want(`document.activeElement.id==='tab-ask'&&!`+id("ask")+`.hidden`, "arrow on a tab")
	// What a screen reader hears is another element at each move.
	b.run(chromedp.Focus("#grid"), chromedp.KeyEvent(kb.ArrowRight))
	b.want(`document.getElementById(`+id("grid")+`.getAttribute('aria-activedescendant')).textContent==='layer 2, step 1, 0.3831, 0.0295, -0.2423, -0.8370, unit 0'`, "screen reader")
}

// With two directions a layer is finished, forward and then reverse, before the
// next begins: no cell is played before what flows into it.
func TestPagePlaysInTheOrderOfComputation(t *testing.T) {
	t.Parallel()
	tr := traceOf(t, unroll.Config{Mode: unroll.GRU, InputSize: 2, HiddenSize: 3, NumLayers: 2, Bidirectional: true}, 3)
	b := openPage(t, tr, PageOptions{}, 1360, 820)
	var want []string
	for l := range 2 {
		for d, arrow := range []string{"→", "←"} {
			for s := range 3 {
				want = append(want, fmt.Sprintf("Processing x_%d: layer %d %s", tr.time(d, s), l+1, arrow))
			}
		}
	}
	for _, w := range want {
		b.run(chromedp.Focus("#grid"), chromedp.KeyEvent("n"))
		b.want(id("processing")+fmt.Sprintf(`.textContent===%q`, w), "a step")
	}
	b.want(`document.getElementById('play').textContent.includes('play')`, "at the end")
}
