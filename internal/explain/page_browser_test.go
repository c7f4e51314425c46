//go:build !js

package explain

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// browser is a page in a headless browser that notes what it must not do.
type browser struct {
	t   *testing.T
	ctx context.Context
	// file is the page's own, the only one it may read.
	file string
	// end says what the page must not have done, and leaves the tab to other pages; a
	// test that opens many calls it before its own end.
	end func()

	mu     sync.Mutex
	faults []string
}

func (b *browser) fault(format string, a ...any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.faults = append(b.faults, fmt.Sprintf(format, a...))
}

// patience is how long a browser may do nothing before a test gives it up. It is
// no bound on anything: what a page costs is counted, not timed.
const patience = time.Minute

func (b *browser) run(actions ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
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
	x, y := b.at(selector)
	b.run(chromedp.MouseClickXY(x, y))
}

// press focuses an element and types. The page may draw the element anew between
// two calls of the browser, so one script finds and focuses it.
func (b *browser) press(selector, keys string) {
	b.t.Helper()
	b.run(js(fmt.Sprintf(`document.querySelector(%q).focus()`, selector)), chromedp.KeyEvent(keys))
}

// at returns the middle of an element after it was scrolled into view, once it
// stands still for two frames: what is drawn above it may still move it.
func (b *browser) at(selector string) (x, y float64) {
	b.t.Helper()
	p := eval[[]float64](b, fmt.Sprintf(`(async()=>{
		const middle=()=>{const e=document.querySelector(%q);if(!e)return[];e.scrollIntoView({block:'nearest'});const r=e.getBoundingClientRect();return[r.left+r.width/2,r.top+r.height/2]};
		let p=middle();
		for(let k=0;p.length&&k<50;k++){
			for(let f=0;f<2;f++)await new Promise(requestAnimationFrame);
			const q=middle();
			if(String(p)===String(q))break;
			p=q;
		}
		return p})()`, selector))
	if len(p) == 0 {
		b.t.Fatalf("there is no %s", selector)
	}
	return p[0], p[1]
}

// holds reports whether an expression is true; what is not there yet makes it false.
func (b *browser) holds(expr string) bool {
	b.t.Helper()
	return eval[bool](b, `(()=>{try{return !!(`+expr+`)}catch(e){if(e instanceof TypeError)return false;throw e}})()`)
}

// met waits in the page until an expression is true, and reports whether it became so.
// A page that is loaded anew meanwhile is asked again.
func (b *browser) met(expr string) bool {
	b.t.Helper()
	script := fmt.Sprintf(`new Promise((done,fail)=>{const end=Date.now()+%d;(function look(){
		let ok=false;
		try{ok=!!(%s)}catch(e){if(!(e instanceof TypeError)){fail(e);return}}
		if(ok||Date.now()>end)done(ok);else setTimeout(look,4)})()})`, patience.Milliseconds(), expr)
	for end := time.Now().Add(patience); ; {
		ok, err := chromedp.Run(b.ctx, chromedp.Evaluate[bool](script, chromedp.EvalAwaitPromise))
		if err == nil || time.Now().After(end) {
			return ok
		}
		if !strings.Contains(err.Error(), "context") && !strings.Contains(err.Error(), "navigated") {
			b.t.Fatalf("%s: %v", expr, err)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// until waits until an expression is true.
func (b *browser) until(expr string) {
	b.t.Helper()
	if !b.met(expr) {
		b.t.Fatalf("not within %v: %s; status: %s; faults: %v", patience, expr, eval[string](b, `document.getElementById('status').textContent+' | '+document.getElementById('cell').textContent.slice(0,200)`), b.faults)
	}
}

// quiet waits until the engine has answered all questions, also those that the next
// picture asks.
func (b *browser) quiet() {
	b.t.Helper()
	eval[bool](b, `(async()=>{for(const e=unroll.engine;;){const last=e.last,calm=!e.waiting.size;await new Promise(requestAnimationFrame);await new Promise(r=>setTimeout(r));if(calm&&!e.waiting.size&&e.last===last)return true}})()`)
}

// browserPath finds a browser; a machine without one skips the test.
func browserPath(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if p, err := exec.LookPath(name); err == nil {
			return p
		}
	}
	t.Skip("there is no browser on this machine")
	return ""
}

// one is the browser that all tests have tabs in. A tab is a window of its own, which
// costs a browser as much as a page does, so one test has it after the other.
var one struct {
	once sync.Once
	ctx  context.Context
	stop []context.CancelFunc

	mu   sync.Mutex
	free []*tab
}

// tab is a window of the browser. What happens in it is noted for whoever has it.
type tab struct {
	ctx context.Context
	mu  sync.Mutex
	has *browser
}

func shared(path string) context.Context {
	one.once.Do(func() {
		alloc, stop := chromedp.NewExecAllocator(context.Background(), append(chromedp.DefaultExecAllocatorOptions[:],
			chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU)...)
		ctx, stop2 := chromedp.NewContext(alloc)
		one.ctx, one.stop = ctx, []context.CancelFunc{stop2, stop}
		if err := chromedp.Do(ctx); err != nil { // starts it; a tab would say the same
			one.ctx = alloc
		}
	})
	return one.ctx
}

// newTab takes a tab that no test has, or opens one.
func newTab(path string) (*tab, error) {
	root := shared(path)
	one.mu.Lock()
	if n := len(one.free); n > 0 {
		w := one.free[n-1]
		one.free = one.free[:n-1]
		one.mu.Unlock()
		return w, nil
	}
	one.mu.Unlock()
	ctx, cancel := chromedp.NewContext(root)
	w := &tab{ctx: ctx}
	one.mu.Lock()
	one.stop = append([]context.CancelFunc{cancel}, one.stop...)
	one.mu.Unlock()
	if err := chromedp.Listen(ctx, w.note); err != nil {
		return nil, err
	}
	// Keys go where the focus is in every tab, not only in the one in front.
	focus := emulation.SetFocusEmulationEnabledParams{Enabled: true}
	if _, err := chromedp.Call(ctx, emulation.SetFocusEmulationEnabled, focus); err != nil {
		return nil, err
	}
	if _, err := chromedp.Call(ctx, network.Enable, network.EnableParams{}); err != nil {
		return nil, err
	}
	_, err := chromedp.Call(ctx, log.Enable, cdp.Empty{})
	return w, err
}

// leave empties a tab for the next test: no page, no medium, the pointer in a corner. One
// that cannot be emptied is not used again.
func (w *tab) leave() {
	w.give(nil)
	ctx, cancel := context.WithTimeout(w.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, chromedp.Navigate("about:blank"), chromedp.MouseEvent(chromedp.MouseMoved, 0, 0)); err != nil {
		return
	}
	if _, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{}); err != nil {
		return
	}
	one.mu.Lock()
	one.free = append(one.free, w)
	one.mu.Unlock()
}

func (w *tab) give(to *browser) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.has = to
}

// note faults every request that leaves a test's page, and every error.
func (w *tab) note(ev any) {
	w.mu.Lock()
	b := w.has
	w.mu.Unlock()
	if b == nil {
		return
	}
	switch e := ev.(type) {
	case *network.EventRequestWillBeSent:
		if u := e.Request.URL; !strings.HasPrefix(u, "file://"+b.file) && !strings.HasPrefix(u, "data:") && !strings.HasPrefix(u, "blob:") {
			b.fault("request for %s", u)
		}
	case *log.EventEntryAdded:
		if e.Entry.Level == "error" {
			b.fault("log: %s", e.Entry.Text)
		}
	case *runtime.EventExceptionThrown:
		b.fault("exception: %s", e.ExceptionDetails.Text)
	case *runtime.EventConsoleAPICalled:
		if e.Type == "error" {
			b.fault("console: %v", e.Args)
		}
	}
}

func TestMain(m *testing.M) {
	code := m.Run()
	for _, stop := range one.stop {
		stop()
	}
	os.Exit(code)
}

// openPage writes the trace's page to a file and opens it.
func openPage(t *testing.T, tr *Trace, opt PageOptions, width, height int64) *browser {
	t.Helper()
	path := browserPath(t)
	var page bytes.Buffer
	if err := tr.Page(&page, opt); err != nil {
		t.Fatal(err)
	}
	return openFile(t, path, page.Bytes(), width, height)
}

// openFile opens a page from a file, notes every request that leaves it and
// every error, and waits until its engine has started or failed to.
func openFile(t *testing.T, path string, page []byte, width, height int64) *browser {
	t.Helper()
	file := filepath.Join(t.TempDir(), "page.html")
	if err := os.WriteFile(file, page, 0o600); err != nil {
		t.Fatal(err)
	}
	w, err := newTab(path)
	if err != nil {
		t.Fatal(err)
	}
	b := &browser{t: t, ctx: w.ctx, file: file}
	w.give(b)
	b.end = sync.OnceFunc(func() {
		for _, f := range b.faults {
			t.Error(f)
		}
		w.leave()
	})
	t.Cleanup(b.end)
	b.run(chromedp.EmulateViewport(width, height), chromedp.Navigate("file://"+file))
	b.until(`document.body.dataset.ready === '1'`)
	return b
}

// resize gives the page another screen, and waits until it is laid out anew: the page
// computes everything that depends on its size when it is told so, as when it opens.
func (b *browser) resize(size [2]int64) {
	b.t.Helper()
	b.run(chromedp.EmulateViewport(size[0], size[1]))
	b.until(fmt.Sprintf(`innerWidth===%d&&innerHeight===%d`, size[0], size[1]))
	eval[bool](b, `new Promise(r=>requestAnimationFrame(()=>requestAnimationFrame(()=>r(true))))`)
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

// want is until with words for what failed, and lets the test go on.
func (b *browser) want(expr, format string, a ...any) {
	b.t.Helper()
	if b.met(expr) {
		return
	}
	b.t.Errorf("%s: not within %v: %s; status: %s", fmt.Sprintf(format, a...), patience, expr, eval[string](b, `document.getElementById('status').textContent`))
}

// drop lets a file fall on the page.
func (b *browser) drop(name string, file []byte) {
	b.t.Helper()
	b.run(js(fmt.Sprintf(`(()=>{const raw=atob(%q),bytes=Uint8Array.from(raw,c=>c.charCodeAt(0)),d=new DataTransfer();
		d.items.add(new File([bytes],%q));
		for(const kind of ['dragover','drop'])document.body.dispatchEvent(new DragEvent(kind,{dataTransfer:d,bubbles:true,cancelable:true}))})()`,
		base64.StdEncoding.EncodeToString(file), name)))
}
