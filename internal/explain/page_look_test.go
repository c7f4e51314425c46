//go:build !js

package explain

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"github.com/unroll-ml/unroll"
)

func TestPageOnAPhone(t *testing.T) {
	t.Parallel()
	b := openPage(t, exampleTrace(t), PageOptions{Example: true}, 390, 844)
	b.shot("phone")
	for _, tab := range []string{"cell", "ask", "change", "lesson"} {
		b.click("#tab-" + tab)
		if w := eval[float64](b, `document.documentElement.scrollWidth`); w > 390 {
			t.Errorf("with %s open the page is %g wide", tab, w)
		}
	}
	// A finger needs 44 pixels (WCAG 2.2, 2.5.5).
	for _, s := range eval[[]string](b, `[...document.querySelectorAll('button')].filter(e=>e.getClientRects().length).filter(e=>e.offsetWidth<44||e.offsetHeight<44).map(e=>e.id)`) {
		t.Errorf("the button %s is too small for a finger", s)
	}
	// What a tap opens comes into view.
	b.run(js(`scrollTo(0,0)`))
	p := eval[[]float64](b, `(()=>{const r=document.getElementById('grid').getBoundingClientRect();return[r.left+unroll.X(2)+unroll.S.cell/2,r.top+unroll.laneY(1)+5]})()`)
	b.run(chromedp.MouseClickXY(p[0], p[1]))
	b.want(`(()=>{const r=document.getElementById('result').getBoundingClientRect();return unroll.S.t===2&&r.top>0&&r.bottom<innerHeight})()`, "the result after a tap")
}

// On a projector everything is larger, and a click still finds its cell.
func TestPageOnAProjector(t *testing.T) {
	t.Parallel()
	b := openPage(t, exampleTrace(t), PageOptions{Example: true}, 1920, 1080)
	if px := eval[float64](b, `parseFloat(getComputedStyle(document.body).fontSize)`); px < 18 {
		t.Errorf("letters of %g pixels", px)
	}
	// Nothing stays as small as on a desk.
	for _, small := range eval[[]string](b, `[...document.querySelectorAll('body *')].filter(e=>e.getClientRects().length&&!e.closest('math,canvas,.off')&&[...e.childNodes].some(n=>n.nodeType===3&&n.data.trim())&&parseFloat(getComputedStyle(e).fontSize)<15.5).map(e=>e.id||e.className||e.tagName)`) {
		t.Errorf("%s has small letters", small)
	}
	p := eval[[]float64](b, `(()=>{const r=document.getElementById('grid').getBoundingClientRect();return[r.left+1.35*(176+4.5*unroll.S.cell),r.top+1.35*(unroll.laneY(0)+5)]})()`)
	b.run(chromedp.MouseClickXY(p[0], p[1]))
	b.want(`document.querySelector('#cell h2').textContent==='layer 1, step 3, unit 0'`, "a click")
}

// Words can be read on their background in both schemes (WCAG 2.2, 1.4.3), and
// the colours below and above zero stay apart for eyes that lack a cone
// (matrices of Machado, Oliveira and Fernandes 2009, severity 1).
func TestPageColours(t *testing.T) {
	t.Parallel()
	b := openPage(t, exampleTrace(t), PageOptions{}, 1000, 700)
	for range 2 {
		for _, f := range eval[[]string](b, `(()=>{
			const css=n=>getComputedStyle(document.documentElement).getPropertyValue(n).trim();
			const rgb=c=>{const d=document.createElement('i');d.style.color=c;document.body.append(d);const v=getComputedStyle(d).color.match(/[0-9.]+/g).slice(0,3).map(Number);d.remove();return v};
			const lum=c=>{const l=rgb(c).map(v=>v/255).map(v=>v<=.04045?v/12.92:((v+.055)/1.055)**2.4);return .2126*l[0]+.7152*l[1]+.0722*l[2]};
			const bad=[];
			for(const ink of ['--fg','--soft','--accent','--out','--hn','--bad'])for(const ground of ['--bg','--card']){
				const a=lum(css(ink)),c=lum(css(ground)),r=(Math.max(a,c)+.05)/(Math.min(a,c)+.05);
				if(r<4.5)bad.push(ink+' on '+ground+': contrast '+r.toFixed(2));
			}
			const eyes={protan:[[.152286,1.052583,-.204868],[.114503,.786281,.099216],[-.003882,-.048116,1.051998]],deutan:[[.367322,.860646,-.227968],[.280085,.672501,.047413],[-.011820,.042940,.968881]],tritan:[[1.255528,-.076749,-.178779],[-.078411,.930809,.147602],[.004733,.691367,.303900]]};
			const p=document.getElementById('scale').getContext('2d'),at=v=>[...p.getImageData(Math.round((v+1)*79.5),5,1,1).data].slice(0,3);
			for(const e in eyes)for(const v of [.4,.7,1]){
				const see=c=>eyes[e].map(r=>r[0]*c[0]+r[1]*c[1]+r[2]*c[2]),x=see(at(v)),y=see(at(-v)),d=Math.hypot(x[0]-y[0],x[1]-y[1],x[2]-y[2]);
				if(d<60)bad.push(e+': +'+v+' and -'+v+' are '+d.toFixed(0)+' apart');
			}
			return bad})()`) {
			t.Error(f)
		}
		b.click("#theme")
	}
}

// On paper the whole grid stands, light, without the controls.
func TestPagePrints(t *testing.T) {
	t.Parallel()
	b := openPage(t, exampleTrace(t), PageOptions{Example: true}, 1360, 820)
	b.click("#theme")
	pdf, err := chromedp.Call(b.ctx, page.PrintToPDF, page.PrintToPDFParams{})
	if err != nil || !bytes.HasPrefix(pdf.Data, []byte("%PDF-")) {
		t.Fatalf("%v, %d bytes", err, len(pdf.Data))
	}
	if !eval[bool](b, `document.documentElement.classList.contains('dark')`) {
		t.Error("after printing the page is light, it was dark")
	}
	if _, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Media: "print"}); err != nil {
		t.Fatal(err)
	}
	b.run(chromedp.EmulateViewport(720, 1000), js(`dispatchEvent(new Event('beforeprint'))`))
	for what, expr := range map[string]string{
		"the grid is cut off":  `(()=>{const g=document.getElementById('grid');return g.scrollWidth>g.clientWidth+1||g.scrollHeight>g.clientHeight+1})()`,
		"it is dark":           `document.documentElement.classList.contains('dark')`,
		"there are controls":   `[...document.querySelectorAll('button,input')].some(e=>e.getClientRects().length)`,
		"the panel is cut off": `(()=>{const c=document.getElementById('cell');return c.scrollHeight>c.clientHeight+1})()`,
	} {
		if eval[bool](b, expr) {
			t.Errorf("on paper %s", what)
		}
	}
	// Numbers and shares stay, and the opened cell has one page.
	for what, expr := range map[string]string{
		"the shares are gone":         `[...document.querySelectorAll('.share')].some(e=>!e.querySelector('code').getClientRects().length||getComputedStyle(e.querySelector('b')).printColorAdjust!=='exact')`,
		"the cell has no own page":    `getComputedStyle(document.getElementById('panel')).breakBefore!=='page'`,
		"the cell is above one page":  `document.getElementById('panel').getBoundingClientRect().height>1000`,
		"the cell's table is missing": `!document.querySelector('#cell table').getClientRects().length`,
	} {
		if eval[bool](b, expr) {
			t.Errorf("on paper %s", what)
		}
	}
	if words := drawnWords(b); !strings.Contains(words, "\n0.1340\n") || !strings.Contains(words, "\n-2.1788\n") {
		t.Errorf("on paper the cells have no digits:\n%s", words)
	}
	b.shot("print")
}

// Where the engine cannot start, the recorded run is still shown.
func TestPageWithoutAnEngine(t *testing.T) {
	t.Parallel()
	path := browserPath(t)
	var file bytes.Buffer
	if err := exampleTrace(t).Page(&file, PageOptions{}); err != nil {
		t.Fatal(err)
	}
	engine, err := encoded("engine.wasm.gz")
	if err != nil {
		t.Fatal(err)
	}
	b := openFile(t, path, bytes.Replace(file.Bytes(), []byte(engine), []byte("AAAA"), 1), 1000, 700)
	b.want(id("status")+`.textContent.startsWith('The engine could not start')`, "status")
	b.run(js(`unroll.go(1,4,3,false)`))
	b.want(id("here")+`.textContent==='layer 2, step 4, 0.1340, 0.1614, 0.1837, -0.6358'`, "the record")
}

// A click into a run of 1,024 units over 2,000 steps and two layers draws a sample
// of 48 of them, and an edit near the end computes what comes after it. The log says
// what that takes here, from the browser's time of the click to the opened cell.
func TestPageOfALargeModelDrawsASample(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it computes 1,024 units over 2,000 steps")
	}
	tr := traceOf(t, unroll.Config{Mode: unroll.LSTM, InputSize: 8, HiddenSize: 1024, NumLayers: 2}, 2000)
	start := time.Now()
	b := openPage(t, tr, PageOptions{Kind: "vectors"}, 1360, 820)
	t.Logf("written, opened and ready in %.1f s", time.Since(start).Seconds())
	b.run(js(`(()=>{let at=0;window.took=[];window.computed=[];
		(own=>{unroll.engine.call=async(...a)=>{const r=await own(...a);if(a[0]==='unit'&&!r.superseded)window.computed.push(r.computed);return r}})(unroll.engine.call);
		document.addEventListener('click',e=>{at=e.timeStamp},true);
		new MutationObserver(()=>{if(!at||!document.getElementById('result'))return;window.took.push(performance.now()-at);at=0}).observe(document.getElementById('cell'),{childList:true})})()`))
	for k := range 15 {
		b.run(js(fmt.Sprintf(`document.getElementById('grid').scrollLeft=%d`, 3000*(k+1))))
		p := eval[[]float64](b, fmt.Sprintf(`(()=>{const r=document.getElementById('grid').getBoundingClientRect();return[r.left+300+%d,r.top+unroll.laneY(%d)+%d]})()`, 7*k, k%2, 5+k*6))
		b.run(chromedp.MouseClickXY(p[0], p[1]))
		b.until(fmt.Sprintf(`window.took.length===%d`, k+1))
	}
	took := eval[[]float64](b, `window.took`)
	slices.Sort(took)
	t.Logf("%d clicks: median %.0f ms, worst %.0f ms", len(took), took[len(took)/2], took[len(took)-1])
	// A click costs what clickWork pays for in each of the two layers, and its own step.
	if n := slices.Max(eval[[]int](b, `window.computed`)); n > 2*tr.known[0].steps+1 {
		t.Errorf("a click took %d steps of lanes, expected at most %d", n, 2*tr.known[0].steps+1)
	}
	b.want(id("sampled")+`.textContent==='48 of 1024 units drawn'&&`+result+`.endsWith('bit for bit')`, "the choice of units")
	// An edit near the end runs what comes after it, not 2,000 steps.
	b.run(js(`unroll.go(-1,1999,0)`))
	b.until(`document.querySelector('#xvalue')`)
	b.run(js(id("status") + `.textContent='';document.querySelector('#xvalue').select()`))
	b.press("#xvalue", "0.5\r")
	b.want(id("status")+`.textContent==='computed here'`, "an edit of the last step")
	x := tr.X.Clone()
	x.Data[1999*8] = 0.5
	edited, err := NewTrace(tr.Layer, x, tr.S0)
	if err != nil {
		t.Fatal(err)
	}
	edited.reuse(tr, []int{1999, 1999})
	if err := edited.Run(nil); err != nil {
		t.Fatal(err)
	}
	b.shows(1, 1999, 3, row(edited.H[1], 1999)[3])
	b.shot("large")
}
