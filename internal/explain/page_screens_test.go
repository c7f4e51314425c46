//go:build !js

package explain

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/unroll-ml/unroll"
)

// What every screen has to show, whatever its size and colours. Where a test of its
// own looks closer, it is the one that is named.
//
//	one notation                          TestPageHasOneNotation
//	what to do, a number at the pointer   TestPageBeginsWithWhatToDo
//	wrong numbers beside right ones       TestPageShowsWrongNumbersBesideRightOnes
//	a program that runs                   TestChainCodeRuns, TestTextHasASetOfSingleLayers
//	an input, a refusal                   TestPageTakesAnInput, TestPageOpensADroppedCheckpoint
//	undo, files, links                    TestPageUndoes, TestPageSaves, TestPageLinkKeepsWhatIsShown
//	phone, projector, paper               TestPageOnAPhone, TestPageOnAProjector, TestPagePrints
//	nothing is cut, arrows and axes       TestPageCutsNothing, TestPageArrowsAndAxes
//	sums have lines under them            TestPageBracesAreAsLongAsTheirSums
//	digits can be read                    TestPageDigitsCanBeRead, TestPageColours
//	a long text                           TestPageOfALongText, TestSessionAnswersWhatIsInViewFirst
//	characters that moved it              TestPageNamesTheCharactersThatMovedIt
//	the whole model                       TestPageOfAWholeModel
//	the gallery                           TestGalleryOpens
func TestPageOnEveryScreen(t *testing.T) {
	t.Parallel()
	stack := traceOf(t, unroll.Config{InputSize: 4, HiddenSize: 4, NumLayers: 2}, 5)
	opt := PageOptions{Labels: []string{"l", "i", "g", "h", "t"}, Parts: []Part{{"rnn", stack}}, Boxes: []Box{
		{Name: "tokens", Op: "input", Shape: []int{5}, Values: []float32{4, 3, 2, 1, 0}},
		{Name: "rnn", Op: "RNN_TANH", From: []string{"tokens"}, Shape: []int{5, 4}, Part: 1},
		{
			Name: "probability", Op: "softmax", From: []string{"rnn"}, Weights: []string{"[8 4]"}, Shape: []int{2, 8}, Output: "probability", Ranked: true,
			Columns: []string{"a", "b", "c", "d", "e", "f", "g", "h"}, Values: []float32{0, 1, 0, 0, 0, 0, 0, 0, 3, 1, 2, 0, 0, 0, 0, 0},
		},
	}}
	for _, size := range screens {
		b := openPage(t, stack, opt, size[0], size[1])
		for _, scheme := range []string{"light", "dark"} {
			t.Run(fmt.Sprintf("%dx%d/%s", size[0], size[1], scheme), func(t *testing.T) {
				b.t = t
				if scheme == "dark" {
					b.click("#theme")
					b.until(`document.documentElement.classList.contains('dark')`)
				}
				everyScreen(b, stack)
			})
		}
		b.t = t
		b.end()
	}
}

// seen is JavaScript for: an element is on the screen, as wide as it wants to be.
func seen(selector string) string {
	return fmt.Sprintf(`(()=>{const e=document.querySelector(%q),r=e.getBoundingClientRect();return r.width>0&&r.height>0&&r.left>=0&&r.right<=innerWidth+1&&r.top<innerHeight&&r.bottom>0})()`, selector)
}

func everyScreen(b *browser, tr *Trace) {
	t := b.t
	t.Helper()
	opened := func(lane, step, u int) func(*browser) {
		b.quiet() // what was asked before answers first
		return opened(lane, step, u)
	}
	wide := func(what string) {
		t.Helper()
		if w := eval[float64](b, `document.documentElement.scrollWidth-innerWidth`); w > 0 {
			t.Errorf("%s: the page is %g too wide", what, w)
		}
	}
	// One notation, and what to do, at first sight.
	b.run(js(`scrollTo(0,0)`))
	opened(1, 0, 0)(b) // the initial states come into view
	b.run(js(`scrollTo(0,0)`))
	b.want(seen("#intro")+`&&`+id("intro")+`.textContent.includes('Choose a number')`, "what to do")
	words := drawnWords(b)
	for _, want := range []string{"layer 1", "layer 2", "h_init"} {
		if !strings.Contains(words, "\n"+want+"\n") {
			t.Errorf("the grid lacks %q", want)
		}
	}
	if strings.Contains(words, "h_0[") || strings.Contains(words, "layer 0") {
		t.Error("the grid has another notation")
	}
	wide("the grid")
	// A number under the pointer, and its sum on a click.
	p := eval[[]float64](b, `(()=>{document.getElementById('grid').scrollIntoView({block:'nearest'});const r=document.getElementById('grid').getBoundingClientRect(),z=innerWidth>=1900?1.35:1;return[r.left+z*(unroll.X(2)+unroll.S.cell/2),r.top+z*(unroll.laneY(1)+5)]})()`)
	b.run(chromedp.MouseEvent(chromedp.MouseMoved, p[0], p[1]))
	b.want(fmt.Sprintf(`%s&&%s.textContent==='h[0], layer 2, step 2: %s'`, seen("#tip"), id("tip"), Num(row(tr.H[1], 2)[0])), "a number under the pointer")
	b.run(chromedp.MouseEvent(chromedp.MouseMoved, 3, 3), chromedp.MouseClickXY(p[0], p[1]))
	b.want(`document.querySelector('#cell h2').textContent==='layer 2, step 2, unit 0'&&(`+result+`).endsWith('bit for bit')&&`+seen("#result"), "a click")
	b.want(`[...document.querySelectorAll('#cell .braced')].length===4&&[...document.querySelectorAll('#cell .braced')].every(e=>parseFloat(getComputedStyle(e).borderBottomWidth)>=1)`, "sums with lines under them")
	wide("the cell")
	// The boxes, by keyboard: their numbers, with names.
	b.press("#flow .box:nth-child(3)", kb.Enter)
	b.want(`document.querySelector('#cell h2').textContent==='softmax probability'&&document.querySelector('#cell .scroll table').rows[2].textContent.endsWith('a 3.0000c 2.0000b 1.0000')`, "a box")
	wide("a box")
	// The lesson: wrong numbers beside right ones, and a program.
	opened(1, 1, 0)(b)
	chapterOf(6)(b)
	b.until(`document.querySelector('#beside table')`)
	b.want(`document.querySelectorAll('#beside .bad').length>0`, "wrong numbers")
	wide("the lesson")
	chapterOf(4)(b)
	b.until(`document.querySelector('#program pre')`)
	b.want(id("program")+`.textContent.includes('import torch')`, "the program")
	wide("the program")
	// What moved it: characters.
	opened(1, 3, 1)(b)
	b.press("#tab-ask", kb.Enter)
	b.press("#askgrad", kb.Enter)
	b.until(`document.querySelector('#ask table')`)
	b.want(`/^“[light]”$/.test(document.querySelector('#ask table').rows[1].cells[0].textContent)`, "a character")
	wide("the answer")
	// Another input, by keyboard; a refusal is seen; undo.
	b.press("#tab-change", kb.Enter)
	b.until(id("value") + `.value`)
	b.run(js(id("typed") + `.value='1 2';` + id("typed") + `.oninput({target:` + id("typed") + `})`))
	b.press("#setinput", kb.Enter)
	b.want(id("notice")+`.className==='bad'&&`+id("notice")+`.textContent.startsWith('what was typed is not taken: ')`, "a refusal")
	wide("a refusal")
	b.run(js(id("typed") + `.value='1 2 3 4\n5 6 7 8';` + id("typed") + `.oninput({target:` + id("typed") + `})`))
	b.press("#setinput", kb.Enter)
	b.want(`unroll.S.steps===2&&`+id("edited")+`.textContent==='edited: 1 change'`, "an input")
	b.run(chromedp.Focus("#grid"), chromedp.KeyEvent("z", chromedp.KeyModifiers(chromedp.ModifierCtrl)))
	b.want(`unroll.S.steps===5&&`+id("edited")+`.textContent===''&&!`+id("flow")+`.hidden`, "undo")
	// A finger on a phone, letters on a projector.
	small := eval[[]string](b, `(()=>{const phone=innerWidth<=820,big=innerWidth>=1900;
		return[...document.querySelectorAll('button,select')].filter(e=>e.getClientRects().length).filter(e=>phone?e.offsetWidth<44||e.offsetHeight<44:big&&parseFloat(getComputedStyle(e).fontSize)<15.5).map(e=>e.id||e.className)})()`)
	for _, s := range small {
		t.Errorf("%s is too small", s)
	}
	b.press("#tab-save", kb.Enter)
	b.want(id("savelink")+`.getClientRects().length>0&&location.hash.includes('tab=save')`, "the link")
	wide("what is saved")
	onPaper(b, tr)
}

// onPaper prints: digits and shares stay, the opened cell has one page, no control is
// there.
func onPaper(b *browser, tr *Trace) {
	t := b.t
	t.Helper()
	b.quiet()
	opened(1, 4, 0)(b)
	media := func(m string) {
		t.Helper()
		if _, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Media: m}); err != nil {
			t.Fatal(err)
		}
	}
	media("print")
	b.run(js(`dispatchEvent(new Event('beforeprint'))`))
	for what, expr := range map[string]string{
		"it is dark":                  `document.documentElement.classList.contains('dark')`,
		"there are controls":          `[...document.querySelectorAll('button:not(.box),input')].some(e=>e.getClientRects().length)`,
		"the shares are gone":         `[...document.querySelectorAll('.share')].some(e=>!e.querySelector('code').getClientRects().length)`,
		"the cell is above one page":  `document.getElementById('panel').getBoundingClientRect().height>1000`,
		"the cell's table is missing": `!document.querySelector('#cell table').getClientRects().length`,
	} {
		if eval[bool](b, expr) {
			t.Errorf("on paper %s", what)
		}
	}
	if words := drawnWords(b); !strings.Contains(words, "\n"+Num(row(tr.H[1], 4)[0]).Short()+"\n") {
		t.Error("on paper the cells have no digits")
	}
	b.run(js(`dispatchEvent(new Event('afterprint'))`))
	media("")
}

// The pages of the gallery, which the site's build makes, open, and their engine has
// the bits of the record. UNROLL_GALLERY names their folder.
func TestGalleryOpens(t *testing.T) {
	t.Parallel()
	dir := os.Getenv("UNROLL_GALLERY")
	if dir == "" {
		t.Skip("UNROLL_GALLERY names no folder of pages (docs/gallery/make.sh FOLDER)")
	}
	pages, err := filepath.Glob(filepath.Join(dir, "*.html"))
	if err != nil || len(pages) < 4 {
		t.Fatalf("%s has %d pages, expected four at least (%v)", dir, len(pages), err)
	}
	path := browserPath(t)
	for _, p := range pages {
		html, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		b := openFile(t, path, html, 1440, 900)
		b.want(`(`+result+`).endsWith('bit for bit')`, "%s", filepath.Base(p))
		b.shot("gallery-" + strings.TrimSuffix(filepath.Base(p), ".html"))
		b.end()
	}
}

// A text of 20,000 characters: the page holds every 64th state, opens a number in its
// middle, and an edit there asks the engine for what is in view and not for the rest.
func TestPageOfALongText(t *testing.T) {
	t.Parallel()
	const steps = 20000
	tr := traceOf(t, unroll.Config{Mode: unroll.GRU, InputSize: 3, HiddenSize: 16, NumLayers: 2}, steps)
	labels := make([]string, steps)
	for i := range labels {
		labels[i] = string(rune('a' + i%26))
	}
	b := openPage(t, tr, PageOptions{Labels: labels}, 1440, 900)
	b.shows(1, 10000, 3, row(tr.H[1], 10000)[3])
	opened(-1, 10000, 1)(b)
	b.run(js(id("status") + `.textContent='';window.asked=0;(own=>{unroll.engine.ask=(c,a,bin)=>{if(c==='values')window.asked+=(a.to<0?1e9:a.to)-a.from;return own(c,a,bin)}})(unroll.engine.ask);document.querySelector('#xvalue').select()`))
	b.press("#xvalue", "2.5\r")
	start := time.Now()
	b.want(id("status")+`.textContent==='computed here'`, "an edit in the middle")
	t.Logf("the edit answers after %v", time.Since(start).Round(time.Millisecond))
	x := tr.X.Clone()
	x.Data[10000*3+1] = 2.5
	edited, err := NewTrace(tr.Layer, x, tr.S0)
	if err != nil {
		t.Fatal(err)
	}
	if err := edited.Run(nil); err != nil {
		t.Fatal(err)
	}
	b.shows(1, 10000, 3, row(edited.H[1], 10000)[3])
	b.quiet()
	// Three rows (x and two layers) of what is in view and a screen to both sides.
	if n := eval[float64](b, `window.asked`); n == 0 || n > 3000 {
		t.Errorf("the edit asked for %g steps of %d", n, steps)
	}
	b.shows(1, steps-1, 3, row(edited.H[1], steps-1)[3])
	// An edit near the beginning: a number near the end takes the steps until the run is
	// the old one again.
	opened(-1, 10, 0)(b)
	b.quiet()
	b.run(js(id("status") + `.textContent='';window.computed=[];(own=>{unroll.engine.call=async(...a)=>{const r=await own(...a);if(a[0]==='unit')window.computed.push(r.computed);return r}})(unroll.engine.call);document.querySelector('#xvalue').select()`))
	// What is being typed stays, whatever comes into view meanwhile.
	b.press("#xvalue", "-")
	b.run(js(id("grid") + `.scrollLeft=60000`))
	b.quiet()
	if !b.holds(`document.activeElement.id==='xvalue'&&document.activeElement.validity.badInput`) {
		t.Error("what was being typed is gone")
	}
	b.run(chromedp.KeyEvent("1.5\r"))
	b.want(id("status")+`.textContent==='computed here'`, "an edit near the beginning")
	x.Data[10*3] = -1.5
	if edited, err = NewTrace(tr.Layer, x, tr.S0); err != nil {
		t.Fatal(err)
	}
	if err := edited.Run(nil); err != nil {
		t.Fatal(err)
	}
	b.shows(1, steps-100, 3, row(edited.H[1], steps-100)[3])
	if n := slices.Max(eval[[]int](b, `window.computed`)); n > 2*3*stride*longest {
		t.Errorf("the number took %d steps of lanes of %d", n, 2*steps)
	}
	// While steps are computed the page says which, and for what.
	b.run(js(`(e=>{e.id='waiting';document.getElementById('cell').append(e)})(document.createElement('p'));unroll.engine.worker.onmessage({data:{progress:.34,opening:true,layer:0,step:6500}})`))
	b.want(id("waiting")+`.textContent.startsWith('After a change the steps up to here are computed anew: 34 %, now layer 1, step 6500.')`, "what is computed")
}
