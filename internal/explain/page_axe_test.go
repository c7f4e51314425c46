//go:build !js

package explain

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// axeVersion is the version of axe-core that npm is asked for.
const axeVersion = "4.14.1"

// axe returns the text of axe-core, which checks pages against WCAG: of the file
// that AXE_CORE names, else by npm into a folder of the test. It is no part of this
// project; a machine that has neither skips.
func axe(t *testing.T) string {
	t.Helper()
	file := os.Getenv("AXE_CORE")
	if file == "" {
		npm, err := exec.LookPath("npm")
		if err != nil {
			t.Skip("no axe-core: AXE_CORE names no file, and there is no npm")
		}
		dir := t.TempDir()
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
		defer cancel()
		c := exec.CommandContext(ctx, npm, "install", "--prefix", dir, "--ignore-scripts", "--no-audit", "--no-fund", "axe-core@"+axeVersion)
		if out, err := c.CombinedOutput(); err != nil {
			t.Skipf("no axe-core: npm: %v: %.200s", err, out)
		}
		file = filepath.Join(dir, "node_modules", "axe-core", "axe.min.js")
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// axe-core finds nothing in any tab, in both schemes, on every screen.
func TestPageHasNoViolations(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("it fetches axe-core")
	}
	browserPath(t)
	source := axe(t)
	tr, opt := wholeModel(t)
	for _, size := range screens {
		b := openPage(t, tr, opt, size[0], size[1])
		b.run(js(source))
		for range 2 {
			for _, tab := range []string{"lesson", "cell", "ask", "change", "save"} {
				b.run(js(id("tab-"+tab) + `.click()`))
				b.until(id(tab) + `.children.length>1`)
				for _, f := range eval[[]string](b, `(async()=>{for(let k=0;k<4;k++)await new Promise(requestAnimationFrame);return axe.run(document,{resultTypes:['violations']})})().then(r=>r.violations.map(v=>v.id+': '+v.help+': '+v.nodes.slice(0,3).map(n=>n.html.slice(0,140)+' '+n.any.map(a=>a.message).join(' ').slice(0,160)).join(' | ')))`) {
					t.Errorf("%v %s: %s", size, tab, f)
				}
			}
			b.run(js(id("theme") + `.click()`))
		}
		b.end()
		if t.Failed() {
			return
		}
	}
	if n := eval[int](openPage(t, tr, opt, 800, 600), fmt.Sprintf(`(()=>{%s;document.getElementById('theme').ariaLabel='';document.getElementById('theme').textContent='';return axe.run(document).then(r=>r.violations.length)})()`, source)); n == 0 {
		t.Error("a button without a name is no violation: axe-core does not work here")
	}
}
