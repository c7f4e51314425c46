//go:build !js

// The engine in the page must not hold the page, or it would hold itself.

package explain

import (
	"embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/unroll-ml/unroll"
)

//go:embed assets
var assets embed.FS

// PageOptions say how the page names and shows the input.
type PageOptions struct {
	Title   string
	Kind    string   // text, series, notes, vectors, or "" for InputKind's guess
	Labels  []string // a character or word per step
	Columns []string // names of the inputs
	Example bool     // the trace is Example's
	// Of a whole model: what stands around its recurrent layers, and these, of which
	// the trace is the first. Without a model there is no part.
	Boxes []Box
	Parts []Part
}

// InputKind guesses what a sequence [T,I] is: notes (88 inputs that are 0 or
// 1), series (at most 8 inputs over 16 steps or more), else vectors.
func (t *Trace) InputKind() string {
	switch {
	case t.cfg.InputSize == 88 && !slices.ContainsFunc(t.X.Data, func(v float32) bool { return v != 0 && v != 1 }):
		return "notes"
	case t.cfg.InputSize >= 1 && t.cfg.InputSize <= 8 && t.Steps() >= 16:
		return "series"
	}
	return "vectors"
}

// Page writes one HTML file that shows the run: it holds the model, the input,
// the record and the engine, and asks nothing of the network.
func (t *Trace) Page(w io.Writer, opt PageOptions) error {
	p, err := t.NewPage(opt)
	if err != nil {
		return err
	}
	return p.Write(w)
}

// Page is a page that is ready to be written.
type Page struct {
	html  string
	data  []byte
	block []byte // float32
}

// NewPage prepares a page. Errors are those of options that do not fit the trace.
func (t *Trace) NewPage(opt PageOptions) (*Page, error) {
	if err := t.kind(&opt); err != nil {
		return nil, err
	}
	html, err := asset("page.html")
	if err != nil {
		return nil, err
	}
	first, block := t.part(nil)
	facts := maps.Clone(first)
	for k, v := range map[string]any{
		"title": opt.Title, "kind": opt.Kind, "labels": opt.Labels, "columns": opt.Columns, "example": opt.Example,
	} {
		facts[k] = v
	}
	if len(opt.Boxes) > 0 {
		var parts []map[string]any
		for i, p := range opt.Parts {
			of := first
			if i > 0 {
				of, block = p.Trace.part(block)
			}
			parts = append(parts, map[string]any{"name": p.Name, "facts": of})
		}
		for i := range opt.Boxes {
			b := &opt.Boxes[i]
			b.At, b.Held = len(block), len(b.Values)
			block = append(block, b.Values...)
		}
		facts["parts"], facts["boxes"] = parts, opt.Boxes
	}
	data, err := json.Marshal(facts)
	return &Page{html, data, floats(block)}, err
}

// kind fills in what the input is, or refuses what it cannot be.
func (t *Trace) kind(opt *PageOptions) error {
	switch {
	case opt.Kind == "" && opt.Labels != nil && len(opt.Labels) == t.Steps():
		opt.Kind = "text"
	case opt.Kind == "":
		opt.Kind = t.InputKind()
	case !slices.Contains([]string{"text", "series", "notes", "vectors"}, opt.Kind):
		return &unroll.ArgError{Kind: unroll.ErrUsage, Arg: "--as", Got: opt.Kind, Want: "text, series, notes or vectors"}
	}
	if opt.Kind == "notes" && t.cfg.InputSize != 88 {
		return &unroll.ArgError{Kind: unroll.ErrUsage, Arg: "--as", Got: "notes", Want: fmt.Sprintf("88 inputs, the keys of a piano; the model has %d", t.cfg.InputSize)}
	}
	return nil
}

// part appends what the engine loads of a trace to a block: parameters, input,
// initial states, and from facts' record on the states. at and count say where; with
// rows above 0 the input is so many rows, and of each step which of them.
func (t *Trace) part(block []float32) (facts map[string]any, all []float32) {
	at := len(block)
	for _, p := range t.Layer.Params() {
		block = append(block, p.Value.Data...)
	}
	rows, index := t.distinct()
	if index == nil {
		block = append(block, t.X.Data...)
	} else {
		block = append(append(block, rows...), index...)
	}
	block = append(append(block, t.S0.H.Data...), t.S0.C.Data...)
	record := len(block)
	ends := t.recordBytes() > wholeRecord && t.known[0].steps > 1
	t.record(ends, func(rows []float32) { block = append(block, rows...) })
	facts = t.facts()
	facts["at"], facts["count"], facts["record"], facts["ends"] = at, len(block)-at, record, ends
	facts["rows"] = len(rows) / t.X.Shape[1]
	return facts, block
}

// distinct returns the rows of x that differ, [K,I], and of each step which it is,
// where that is half of x at most: characters, words and chords come again.
func (t *Trace) distinct() (rows, index []float32) {
	width, room := t.X.Shape[1], len(t.X.Data)/2-t.Steps()
	seen := map[string]int{}
	for s := range t.Steps() {
		v := row(t.X, s)
		key := string(floats(v))
		k, ok := seen[key]
		if !ok {
			if len(rows)+width > room {
				return nil, nil
			}
			k = len(seen)
			seen[key] = k
			rows = append(rows, v...)
		}
		index = append(index, float32(k))
	}
	return rows, index
}

// MaxRun bounds what a run takes of a browser's memory, in bytes: it has 4 GiB at
// most, of which x, h and c of all steps are a part.
const MaxRun = 1 << 30

// RunBytes is what x, h and c of all steps take in memory.
func RunBytes(cfg unroll.Config, steps int) float64 {
	lanes := cfg.Layers() * cfg.Directions()
	each := cfg.InputSize + lanes*cfg.StateSize()
	if cfg.HasCell() {
		each += lanes * cfg.HiddenSize
	}
	return 4 * float64(steps) * float64(each)
}

// Size returns how many bytes Write writes, and of what: the block of numbers, what
// is said of them (labels, names, shapes), and the rest, the same for all pages.
func (p *Page) Size() (all, numbers, words, rest int64, err error) {
	var n counter
	numbers, words = int64(base64.StdEncoding.EncodedLen(len(p.block))), int64(len(p.data))
	with := *p
	with.block, with.data = nil, nil
	if err := with.Write(&n); err != nil {
		return 0, 0, 0, 0, err
	}
	return int64(n) + numbers + words, numbers, words, int64(n), nil
}

// counter counts the bytes written to it.
type counter int64

func (c *counter) Write(b []byte) (int, error) {
	*c += counter(len(b))
	return len(b), nil
}

// Write writes the page, with the engine that it runs.
func (p *Page) Write(w io.Writer) error {
	fill := map[string]func() (string, error){
		"data":   func() (string, error) { return string(p.data), nil },
		"block":  func() (string, error) { return base64.StdEncoding.EncodeToString(p.block), nil },
		"engine": func() (string, error) { return encoded("engine.wasm.gz") },
	}
	for html := p.html; ; {
		before, rest, ok := strings.Cut(html, "<!--=")
		if _, err := io.WriteString(w, before); err != nil || !ok {
			return err
		}
		name, after, ok := strings.Cut(rest, "-->")
		if !ok {
			return fmt.Errorf("explain: page.html: %q is not closed", "<!--=")
		}
		text, err := "", error(nil)
		if f, ok := fill[name]; ok {
			text, err = f()
		} else {
			text, err = asset(name)
		}
		if err != nil {
			return err
		}
		if _, err := io.WriteString(w, text); err != nil {
			return err
		}
		html = after
	}
}

func asset(name string) (string, error) {
	b, err := assets.ReadFile("assets/" + name)
	return string(b), err
}

func encoded(name string) (string, error) {
	b, err := assets.ReadFile("assets/" + name)
	return base64.StdEncoding.EncodeToString(b), err
}
