//go:build !js

package explain

import (
	"bytes"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"fmt"
	"image/png"
	"io"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/checkpoint/safetensors"
)

// catchFiles keeps what the page hands to the browser's download.
const catchFiles = `(()=>{window.files=[];if(window.catching)return;window.catching=true;const blobs=new Map(),own=URL.createObjectURL,click=HTMLAnchorElement.prototype.click;
	const text=async u=>{const a=new Uint8Array(await blobs.get(u).arrayBuffer());let s='';for(const c of a)s+=String.fromCharCode(c);return btoa(s)};
	URL.createObjectURL=b=>{const u=own(b);blobs.set(u,b);return u};
	HTMLAnchorElement.prototype.click=function(){const name=this.download;if(name)text(this.href).then(b=>window.files.push([name,b]));else click.call(this)}})()`

// saved presses a button and returns the name and bytes of the file it gives.
func (b *browser) saved(button string) (string, []byte) {
	b.t.Helper()
	b.run(js(`window.files.length=0`))
	b.click(button)
	b.until(`window.files.length===1`)
	f := eval[[]string](b, `window.files[0]`)
	raw, err := base64.StdEncoding.DecodeString(f[1])
	if err != nil {
		b.t.Fatal(err)
	}
	return f[0], raw
}

// The grid is saved as pictures of all of it, the run as files that are read back.
func TestPageSaves(t *testing.T) {
	t.Parallel()
	tr := traceOf(t, unroll.Config{Mode: unroll.LSTM, InputSize: 3, HiddenSize: 4, NumLayers: 2}, 40)
	b := openPage(t, tr, PageOptions{Title: "a model"}, 1000, 700)
	b.run(js(catchFiles), js(`unroll.go(0,1,0)`), js(`(z=>{z.value=85;z.oninput({target:z})})(`+id("zoom")+`)`))
	b.click("#tab-save")
	name, raw := b.saved("#savepng")
	img, err := png.Decode(bytes.NewReader(raw))
	if err != nil || name != "a-model.png" {
		t.Fatalf("%s: %v", name, err)
	}
	seen := eval[[]float64](b, `[document.getElementById('grid').clientWidth,document.getElementById('space').offsetWidth]`)
	if w := img.Bounds().Dx(); float64(w) < seen[1] || seen[1] < 1.5*seen[0] {
		t.Errorf("the picture is %d wide; the grid is %g, of which %g are seen", w, seen[1], seen[0])
	}
	name, raw = b.saved("#savesvg")
	words := svgWords(t, raw)
	for _, want := range []string{"x_39", "layer 2", "h_n[1]", Num(row(tr.H[1], 39)[3]).Short(), "a model: LSTM 3 → 4, 2 layers, 40 steps; h from −1 (blue) to +1 (orange)"} {
		if !strings.Contains(words, "\n"+want+"\n") {
			t.Errorf("%s lacks %q", name, want)
		}
	}
	if name, raw = b.saved("#savecsv"); name != "a-model.csv" || !bytes.Contains(raw, fmt.Appendf(nil, "h,2,forward,39,3,%s\n", Num(row(tr.H[1], 39)[3]))) {
		t.Errorf("%s: %.80s", name, raw)
	}
	for button, want := range map[string]string{"#savemodel": "weight_hh_l1", "#saveinput": "hx"} {
		name, raw := b.saved(button)
		f, err := safetensors.NewReader(bytes.NewReader(raw), int64(len(raw)))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if _, ok := f.Info(want); !ok {
			t.Errorf("%s holds %v", name, f.Names())
		}
	}
}

// svgWords are the words of a drawing, a line each; it must be well-formed.
func svgWords(t *testing.T, raw []byte) string {
	t.Helper()
	words := "\n"
	for d := xml.NewDecoder(bytes.NewReader(raw)); ; {
		tok, err := d.Token()
		if errors.Is(err, io.EOF) {
			return words
		}
		if err != nil {
			t.Fatal(err)
		}
		if s, ok := tok.(xml.CharData); ok && strings.TrimSpace(string(s)) != "" {
			words += string(s) + "\n"
		}
	}
}

// Changes are counted, taken back one by one or all, and what the page alone knows
// of a model comes back with it.
func TestPageUndoes(t *testing.T) {
	t.Parallel()
	tr := exampleTrace(t)
	b := openPage(t, tr, PageOptions{Example: true, Columns: []string{"a", "b", "c"}}, 1360, 820)
	b.want(id("undo")+`.hidden&&`+id("edited")+`.textContent===''`, "nothing is changed")
	opened(-1, 1, 2)(b)
	b.press("#xvalue", kb.ArrowUp+"\r")
	b.want(id("edited")+`.textContent==='edited: 1 change'&&!`+id("undo")+`.hidden`, "one change")
	b.drop("x.csv", []byte("1,2,3\n4,5,6\n"))
	b.want(id("edited")+`.textContent==='edited: 2 changes'&&unroll.S.steps===2`, "two changes")
	b.run(chromedp.Focus("#grid"), chromedp.KeyEvent("z", chromedp.KeyModifiers(chromedp.ModifierCtrl)))
	b.want(id("edited")+`.textContent==='edited: 1 change'&&unroll.S.steps===5`, "the input again")
	b.click("#reset")
	b.want(id("edited")+`.textContent===''&&`+id("reset")+`.hidden&&unroll.S.columns[2]==='c'`, "as it came")
	b.shows(1, 4, 3, row(tr.H[1], 4)[3])
}

// A link keeps what the cells show and the tab, and one that is typed is followed.
func TestPageLinkKeepsWhatIsShown(t *testing.T) {
	t.Parallel()
	tr := traceOf(t, unroll.Config{Mode: unroll.LSTM, InputSize: 3, HiddenSize: 4, NumLayers: 2}, 6)
	b := openPage(t, tr, PageOptions{}, 1000, 700)
	b.run(js(`unroll.go(0,2,3)`))
	b.click("#what-c")
	b.click("#tab-ask")
	b.want(`location.hash==='#lane=0&step=2&unit=3&show=c&tab=ask'`, "the link")
	b.run(chromedp.Reload())
	b.want(`document.body.dataset.ready==='1'&&unroll.S.what==='c'&&!`+id("ask")+`.hidden`, "the same again")
	b.run(js(`location.hash='#lane=1&step=5&unit=1&show=o'`))
	b.want(`unroll.S.what==='o'&&document.querySelector('#cell h2').textContent==='layer 2, step 5, unit 1'`, "a link that was typed")
}
