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
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
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
// stands still: what is drawn above it may still move it.
func (b *browser) at(selector string) (x, y float64) {
	b.t.Helper()
	middle := func() []float64 {
		p := eval[[]float64](b, fmt.Sprintf(`(()=>{const e=document.querySelector(%q);if(!e)return[];e.scrollIntoView({block:'nearest'});const r=e.getBoundingClientRect();return[r.left+r.width/2,r.top+r.height/2]})()`, selector))
		if len(p) == 0 {
			b.t.Fatalf("there is no %s", selector)
		}
		return p
	}
	p := middle()
	for range 50 {
		time.Sleep(20 * time.Millisecond) // longer than a frame
		q := middle()
		if slices.Equal(p, q) {
			break
		}
		p = q
	}
	return p[0], p[1]
}

// holds reports whether an expression is true; what is not there yet makes it false.
func (b *browser) holds(expr string) bool {
	b.t.Helper()
	return eval[bool](b, `(()=>{try{return !!(`+expr+`)}catch(e){if(e instanceof TypeError)return false;throw e}})()`)
}

// until waits until an expression is true.
func (b *browser) until(expr string) {
	b.t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if b.holds(expr) {
			return
		}
	}
	b.t.Fatalf("not within %v: %s; status: %s; faults: %v", patience, expr, eval[string](b, `document.getElementById('status').textContent+' | '+document.getElementById('cell').textContent.slice(0,200)`), b.faults)
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

// one is the browser that all tests have tabs in.
var one struct {
	once sync.Once
	ctx  context.Context
	stop []context.CancelFunc
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
	ctx, cancel := chromedp.NewContext(shared(path))
	t.Cleanup(cancel)
	b := &browser{t: t, ctx: ctx}
	err := chromedp.Listen(ctx, func(ev any) {
		switch e := ev.(type) {
		case *network.EventRequestWillBeSent:
			if u := e.Request.URL; !strings.HasPrefix(u, "file://"+file) && !strings.HasPrefix(u, "data:") && !strings.HasPrefix(u, "blob:") {
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
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := chromedp.Call(ctx, network.Enable, network.EnableParams{}); err != nil {
		t.Fatal(err)
	}
	if _, err := chromedp.Call(ctx, log.Enable, cdp.Empty{}); err != nil {
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
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if b.holds(expr) {
			return
		}
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
