//go:build !js

package explain

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/unroll-ml/unroll"
)

// browser is a page in a headless browser that notes what it must not do.
type browser struct {
	t   *testing.T
	ctx context.Context

	mu     sync.Mutex
	faults []string
}

func (b *browser) fault(format string, a ...any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.faults = append(b.faults, fmt.Sprintf(format, a...))
}

func (b *browser) run(actions ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, 20*time.Second)
	defer cancel()
	if err := chromedp.Do(ctx, actions...); err != nil {
		b.t.Fatal(err)
	}
}

func eval[T any](b *browser, js string) T {
	b.t.Helper()
	v, err := chromedp.Run(b.ctx, chromedp.Evaluate[T](js, chromedp.EvalAwaitPromise))
	if err != nil {
		b.t.Fatalf("%s: %v", js, err)
	}
	return v
}

// js runs a script for what it does.
func js(script string) chromedp.Action[chromedp.Void] {
	return chromedp.Evaluate[chromedp.Void](script)
}

// click presses the mouse in the middle of an element.
func (b *browser) click(selector string) {
	b.t.Helper()
	at := eval[[]float64](b, fmt.Sprintf(`(()=>{const e=document.querySelector(%q);e.scrollIntoView({block:'nearest'});const r=e.getBoundingClientRect();return[r.left+r.width/2,r.top+r.height/2]})()`, selector))
	b.run(chromedp.MouseClickXY(at[0], at[1]))
}

// until waits until an expression is true.
func (b *browser) until(expr string) {
	b.t.Helper()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if eval[bool](b, "!!("+expr+")") {
			return
		}
	}
	b.t.Fatalf("not within 20 seconds: %s; status: %s; faults: %v", expr, eval[string](b, `document.getElementById('status').textContent+' | '+document.getElementById('cell').textContent.slice(0,200)`), b.faults)
}

// openPage writes the trace's page to a file and opens it; a machine without a
// browser skips the test.
func openPage(t *testing.T, tr *Trace, opt PageOptions, width, height int64) *browser {
	t.Helper()
	path := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if p, err := exec.LookPath(name); err == nil {
			path = p
			break
		}
	}
	if path == "" {
		t.Skip("there is no browser on this machine")
	}
	file := filepath.Join(t.TempDir(), "page.html")
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := tr.Page(f, opt); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	alloc, cancel := chromedp.NewExecAllocator(context.Background(), append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.WindowSize(int(width), int(height)))...)
	t.Cleanup(cancel)
	ctx, cancel := chromedp.NewContext(alloc)
	t.Cleanup(cancel)
	b := &browser{t: t, ctx: ctx}
	err = chromedp.Listen(ctx, func(ev any) {
		switch e := ev.(type) {
		case *network.EventRequestWillBeSent:
			if u := e.Request.URL; !strings.HasPrefix(u, "file://"+file) && !strings.HasPrefix(u, "data:") && !strings.HasPrefix(u, "blob:") {
				b.fault("request for %s", u)
			}
		case *runtime.EventExceptionThrown:
			b.fault("exception: %s", e.ExceptionDetails.Text)
		case *runtime.EventConsoleAPICalled:
			if e.Type == "error" {
				b.fault("console: %v", e.Args)
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := chromedp.Call(ctx, network.Enable, network.EnableParams{}); err != nil {
		t.Fatal(err)
	}
	b.run(chromedp.EmulateViewport(width, height), chromedp.Navigate("file://"+file))
	t.Cleanup(func() {
		for _, f := range b.faults {
			t.Error(f)
		}
	})
	b.until(`document.body.dataset.ready === '1'`)
	return b
}

// shot keeps a picture for the documentation where EXPLAIN_SHOTS names a folder.
func (b *browser) shot(name string) {
	dir := os.Getenv("EXPLAIN_SHOTS")
	if dir == "" {
		return
	}
	time.Sleep(300 * time.Millisecond)
	png, err := chromedp.Run(b.ctx, chromedp.CaptureScreenshot())
	if err != nil {
		b.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name+".png"), png, 0o644); err != nil {
		b.t.Fatal(err)
	}
}

const result = `(document.getElementById('result')||{}).textContent||''`

func TestPageShowsTheEnginesNumbers(t *testing.T) {
	tr := example(t)
	b := openPage(t, tr, PageOptions{Example: true}, 1360, 820)
	for i := range tr.H {
		for s := range tr.Steps() {
			for u, v := range row(tr.H[i], s) {
				b.run(js(fmt.Sprintf(`unroll.go(%d,%d,%d)`, i, s, u)))
				b.until(fmt.Sprintf(`(%s) === 'h = %s = the record, bit for bit' && document.querySelector('#cell h2').textContent.includes('layer %d, step %d, unit %d')`, result, Num(v), i, s, u))
			}
		}
	}
	b.shot("cell-light")
	b.click("#theme")
	b.shot("cell-dark")
}

func TestPageByMouseAndKeyboard(t *testing.T) {
	tr := example(t)
	b := openPage(t, tr, PageOptions{Example: true}, 1360, 820)
	b.run(chromedp.Focus("#grid"), chromedp.KeyEvent(kb.ArrowRight), chromedp.KeyEvent(kb.ArrowRight), chromedp.KeyEvent(kb.ArrowDown), chromedp.KeyEvent(kb.Enter))
	b.until(`document.querySelector('#cell h2').textContent === 'layer 0, step 2, unit 0'`)
	if s := eval[string](b, `document.getElementById('acell').textContent`); !strings.HasPrefix(s, "layer 0, step 2, unit 0: 0.2215, -0.5338") {
		t.Errorf("a screen reader hears %q", s)
	}
	// From a term of the state to the cell it came from, by mouse.
	b.run(js(`[...document.querySelectorAll('#cell td a')].find(a=>a.textContent==='h[3] step 1').click()`))
	b.until(`document.querySelector('#cell h2').textContent === 'layer 0, step 1, unit 3'`)
	// A click in the grid.
	b.run(js(`(()=>{const g=document.getElementById('grid').getBoundingClientRect();document.getElementById('grid').dispatchEvent(new MouseEvent('click',{clientX:g.left+118+1.5*unroll.S.cell,clientY:g.top+40,bubbles:true}))})()`))
	b.until(`document.querySelector('#cell h2').textContent === 'layer 1, step 0, unit 0'`)
	// Stepping.
	b.click("#first")
	b.until(`document.getElementById('processing').textContent === 'Processing x_0: layer 0'`)
	b.click("#next")
	b.until(`document.getElementById('processing').textContent === 'Processing x_0: layer 1'`)
	b.run(chromedp.Focus("#grid"), chromedp.KeyEvent("n"))
	b.click("#play")
	b.until(`document.getElementById('processing').textContent.startsWith('Processing x_2')`)
	b.shot("stepping")
	b.click("#play")
	b.click("#whole")
	// Every tab by its key.
	for key, id := range map[string]string{"2": "ask", "3": "change", "4": "lesson", "1": "cell"} {
		b.run(chromedp.Focus("#grid"), chromedp.KeyEvent(key))
		b.until(fmt.Sprintf(`!document.getElementById(%q).hidden`, id))
	}
	for _, id := range []string{"#askgrad", "#askfollow", "#askkeep"} {
		b.click(`[data-tab=ask]`)
		b.click(id)
	}
	b.click(`[data-tab=ask]`)
	b.click("#askgrad")
	b.until(`document.querySelectorAll('#memory canvas').length === 1`)
	b.shot("ask")
	b.until(`document.querySelectorAll('#follow canvas').length === 1`)
}

func TestPageChangesWhatTheCommandComputes(t *testing.T) {
	tr := example(t)
	b := openPage(t, tr, PageOptions{Example: true}, 1360, 820)
	b.run(js(`unroll.go(-1,1,2)`), chromedp.SetValue("#xvalue", "0.25"), js(`document.getElementById('xvalue').onchange()`))
	b.until(`document.getElementById('status').textContent === 'computed here'`)
	x := tr.X.Clone()
	x.Data[1*3+2] = 0.25
	y, _, err := tr.Layer.Forward(x, unroll.State{})
	if err != nil {
		t.Fatal(err)
	}
	b.run(js(`unroll.go(1,4,3)`))
	b.until(fmt.Sprintf(`(%s).startsWith('h = %s = the record')`, result, Num(row(y, 4)[3])))
	// Three layers are PyTorch's for this seed, with the input as edited.
	b.click(`[data-tab=change]`)
	b.run(chromedp.SetValue("#nlayers", "3"), js(`document.getElementById('nlayers').onchange()`))
	b.until(`unroll.S.L === 3`)
	deep, _, err := Example(3)
	if err != nil {
		t.Fatal(err)
	}
	if y, _, err = deep.Forward(x, unroll.State{}); err != nil {
		t.Fatal(err)
	}
	b.run(js(`unroll.go(2,4,1)`))
	b.until(fmt.Sprintf(`(%s).startsWith('h = %s = the record')`, result, Num(row(y, 4)[1])))
	b.shot("three-layers")
}

func TestPageOpensADroppedCheckpoint(t *testing.T) {
	b := openPage(t, example(t), PageOptions{Example: true}, 1360, 820)
	for _, name := range []string{"model.safetensors", "model.pt"} {
		path, err := filepath.Abs(filepath.Join("..", "..", "examples", "bach", name))
		if err != nil {
			t.Fatal(err)
		}
		b.run(chromedp.SetUploadFiles("#file", []string{path}))
		b.until(fmt.Sprintf(`document.getElementById('status').textContent === '%s, on this machine only'`, name))
		if got := eval[string](b, `document.getElementById('model').textContent`); !strings.Contains(got, "LSTM 88 → 128, 2 layers") {
			t.Errorf("%s: %s", name, got)
		}
		b.until(result + `.endsWith('bit for bit')`)
	}
}

func TestPageLesson(t *testing.T) {
	b := openPage(t, example(t), PageOptions{Example: true}, 1360, 820)
	b.click(`[data-tab=lesson]`)
	for range 3 {
		b.click("#lnext")
	}
	b.until(`document.getElementById('chain').textContent === '20 of 20 numbers of output are equal, bit for bit.'`)
	b.click("#lnext")
	b.click("#lnext")
	b.until(`document.getElementById('loopresult').textContent.includes('Step 0, layer 1: mat1 and mat2 shapes cannot be multiplied (1x3 and 4x4)')`)
	b.shot("lesson")
	b.click("#m-every")
	b.until(`document.getElementById('loopresult').textContent.includes('All 20 numbers of output are right')`)
	b.click("#m-noclone")
	b.until(`document.getElementById('loopresult').textContent.includes('16 of 20 numbers of output are wrong')`)
}

func TestPageOnAPhone(t *testing.T) {
	b := openPage(t, example(t), PageOptions{Example: true}, 390, 844)
	if w := eval[float64](b, `document.documentElement.scrollWidth`); w > 390 {
		t.Errorf("the page is %g wide", w)
	}
	b.shot("phone")
}

func TestPageOfALargeModelAnswersInTime(t *testing.T) {
	if testing.Short() {
		t.Skip("it computes 1,024 units over 2,000 steps")
	}
	tr := traceOf(t, unroll.Config{InputSize: 8, HiddenSize: 1024}, 2000)
	b := openPage(t, tr, PageOptions{Kind: "vectors"}, 1360, 820)
	var all []float64
	for k := range 9 {
		s := 100 + 200*k
		ms := eval[float64](b, fmt.Sprintf(`(async()=>{const t0=performance.now();unroll.go(0,%d,%d);while(!((document.getElementById('result')||{}).textContent||'').includes('record')||document.querySelector('#cell h2').textContent!=='layer 0, step %d, unit %d')await new Promise(r=>setTimeout(r,1));return performance.now()-t0})()`, s, 7+k, s, 7+k))
		all = append(all, ms)
	}
	t.Logf("milliseconds to an opened cell: %.0f", all)
	slices.Sort(all)
	if all[len(all)/2] > 100 {
		t.Errorf("half of the clicks took more than %.0f ms", all[len(all)/2])
	}
	b.shot("large")
}
