//go:build !js

package server

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
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

// A person looks at the page, steps a sequence, makes a mistake, and asks a task;
// the page asks nobody but its server. UNROLL_SHOTS names a folder for pictures.
func TestPageInABrowser(t *testing.T) {
	path := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if p, err := exec.LookPath(name); err == nil && path == "" {
			path = p
		}
	}
	if path == "" {
		t.Skip("there is no browser on this machine")
	}
	src, _ := layerSource(t, small)
	v := serve(t, Options{Models: []Source{src, {Path: "../../examples/bach"}}, Version: "test"})
	alloc, stop := chromedp.NewExecAllocator(ctx, append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU)...)
	defer stop()
	tab, stop2 := chromedp.NewContext(alloc)
	defer stop2()
	must(t, chromedp.Do(tab))
	var mu sync.Mutex
	var faults []string
	fault := func(s string) { mu.Lock(); faults = append(faults, s); mu.Unlock() }
	must(t, chromedp.Listen(tab, func(ev any) {
		switch e := ev.(type) {
		case *network.EventRequestWillBeSent:
			if u := e.Request.URL; !strings.HasPrefix(u, v.web) && !strings.HasPrefix(u, "blob:"+v.web) {
				fault("a request for " + u)
			}
		case *log.EventEntryAdded:
			if e.Entry.Level == "error" && !strings.Contains(e.Entry.Text, "409") && !strings.Contains(e.Entry.Text, "favicon") && !strings.Contains(e.Entry.Text, "404") {
				fault("log: " + e.Entry.Text)
			}
		case *runtime.EventExceptionThrown:
			fault("exception: " + e.ExceptionDetails.Text)
		}
	}))
	_, err := chromedp.Call(tab, network.Enable, network.EnableParams{})
	must(t, err)
	_, err = chromedp.Call(tab, log.Enable, cdp.Empty{})
	must(t, err)
	until := func(what, expr string) {
		t.Helper()
		for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
			if ok, err := chromedp.Run(tab, chromedp.Evaluate[bool](expr)); err == nil && ok {
				return
			}
		}
		body, _ := chromedp.Run(tab, chromedp.Evaluate[string]("document.body.innerText")) // to be shown
		t.Fatalf("not seen: %s\n%s", what, body)
	}
	do := func(js string) {
		t.Helper()
		must(t, chromedp.Do(tab, chromedp.Evaluate[chromedp.Void](js)))
	}
	has := func(id, text string) string {
		return "document.getElementById('" + id + "').textContent.includes(" + "`" + text + "`)"
	}
	shot := func(name string) {
		if dir := os.Getenv("UNROLL_SHOTS"); dir != "" {
			png, err := chromedp.Run(tab, chromedp.FullScreenshot(100))
			must(t, err)
			must(t, os.WriteFile(filepath.Join(dir, name+".png"), png, 0o600))
		}
	}
	c, cancel := context.WithTimeout(tab, time.Minute)
	defer cancel()
	must(t, chromedp.Do(c, chromedp.EmulateViewport(1100, 900), chromedp.Navigate(v.web+"/")))
	until("the models", has("models", "bach")+" && "+has("ready", "ready"))
	do(`choose("m")`)
	until("the inputs of a step", `document.querySelectorAll("#inputs textarea").length === 1`)
	for _, step := range []string{"step 1", "step 2", "step 3"} {
		do(`document.getElementById("random").click()`)
		do(`document.getElementById("step").click()`)
		until(step, has("answer", step))
	}
	until("the sequence in the table", has("models", "1")+` && models.find(m => m.name === "m").sequences === 1`)
	do(`document.getElementById("look").click()`)
	until("the way inside", has("inside", "Open steps 1 to 2 as the living grid"))
	shot("steps")
	do(`document.querySelector("#inputs textarea").value = "1 2 x"`)
	do(`document.getElementById("step").click()`)
	until("what was wrong", has("answer", "is no number"))
	do(`document.querySelector("#inputs textarea").value = "1 2"`)
	do(`document.getElementById("step").click()`)
	until("how many are wanted", has("answer", "a step takes 3"))
	do(`document.getElementById("end").click()`)
	until("the end", has("answer", "has ended"))
	do(`choose("bach")`)
	do(`document.getElementById("predict").click()`)
	until("a piece", has("told", "is composed")+` && !document.getElementById("file").hidden`)
	shot("task")
	must(t, chromedp.Do(c, chromedp.EmulateViewport(390, 800)))
	until("no sideways scrolling on a phone", "document.documentElement.scrollWidth <= innerWidth + 1")
	shot("phone")
	page, err := chromedp.Run(c, chromedp.Evaluate[string](`document.querySelector("#inside a").href`))
	must(t, err)
	must(t, chromedp.Do(c, chromedp.EmulateViewport(1100, 900), chromedp.Navigate(page)))
	until("the living grid of two steps", `typeof unroll === "object" && unroll.S && unroll.S.steps === 2 && unroll.S.H === 5`)
	until("its title", `document.getElementById("model").textContent.startsWith("m, try")`)
	shot("inside")
	mu.Lock()
	defer mu.Unlock()
	for _, f := range faults {
		t.Error(f)
	}
}
