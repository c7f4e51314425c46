//go:build !js

package server

import (
	"crypto/rand"
	"net/http"
	"slices"
	"sync"

	"github.com/unroll-ml/unroll/internal/explain"
	"github.com/unroll-ml/unroll/live"
)

// What people look at, of which few are kept: they are asked for by hand.
const (
	lookSteps = 64 // of a sequence, or up to twice as many
	lookMost  = 16 // sequences of a model
	gridMost  = 4  // pages
	gridBytes = 64 << 20
)

// looking are the sequences of a model whose steps are kept, the one that was asked
// for last at the end.
type looking struct {
	mu  sync.Mutex
	ids []string
}

// keep has a pool keep the steps of a sequence, and lets go of the one that nobody
// has asked for the longest.
func (l *looking) keep(p *live.Pool, id string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := p.Watch(id, lookSteps); err != nil {
		return err
	}
	l.ids = append(slices.DeleteFunc(l.ids, func(other string) bool { return other == id }), id)
	if len(l.ids) > lookMost {
		p.Unwatch(l.ids[0])
		l.ids = l.ids[1:]
	}
	return nil
}

// grids are the last pages, under names that nobody guesses: a browser that opens
// one has no way to send a token.
type grids struct {
	mu    sync.Mutex
	names []string
	pages []*explain.Page
}

func (g *grids) add(p *explain.Page) (name string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.names) == gridMost {
		g.names, g.pages = slices.Delete(g.names, 0, 1), slices.Delete(g.pages, 0, 1)
	}
	name = rand.Text()
	g.names, g.pages = append(g.names, name), append(g.pages, p)
	return name
}

func (g *grids) get(name string) *explain.Page {
	g.mu.Lock()
	defer g.mu.Unlock()
	if i := slices.Index(g.names, name); i >= 0 {
		return g.pages[i]
	}
	return nil
}

// looks adds how a sequence is looked into.
func (s *Server) looks(open, closed *http.ServeMux) {
	closed.HandleFunc("POST /v2/models/{model}/sequences/{id}/explain", s.about(s.postExplain))
	open.HandleFunc("GET /explain/{page}", s.getGrid)
}

// postExplain has a sequence's steps kept from now on, and answers with a page of
// those that are there.
func (s *Server) postExplain(w http.ResponseWriter, a *asked) error {
	h, v := a.host, a.version
	if why := h.hidden(v); why != "" {
		return failf(badRequest, "model %s %s", h.name, why)
	}
	if err := h.looking.keep(h.pool, a.id); err != nil {
		return err
	}
	kept, err := h.pool.Watched(a.id)
	if err != nil {
		return err
	}
	body := map[string]any{"first": kept.First, "steps": len(kept.X) / v.step.in}
	if len(kept.X) > 0 {
		p, err := v.grid(h.name+", "+a.id, kept)
		if err != nil {
			return err
		}
		body["page"] = "/explain/" + s.grids.add(p)
	}
	a.reply(w, body)
	return nil
}

// grid explains the steps that are kept of a sequence.
func (v *version) grid(title string, kept live.Watched) (*explain.Page, error) {
	if kept.Target.Digest() != v.step.target.Digest() {
		return nil, failf(modelChanged, "the model has changed meanwhile; ask again")
	}
	l := &looker{}
	if err := l.steps(v, kept); err != nil {
		return nil, err
	}
	parts, err := l.parts()
	if err != nil {
		return nil, err
	}
	opt := explain.PageOptions{Title: title}
	if len(parts) > 1 {
		opt.Parts = parts
		for i, p := range parts {
			opt.Boxes = append(opt.Boxes, explain.Box{Name: p.Name, Op: p.Trace.Config().Mode.String(), Shape: p.Trace.X.Shape, Part: i + 1})
		}
	}
	p, err := parts[0].Trace.NewPage(opt)
	if err != nil {
		return nil, err
	}
	all, _, _, _, err := p.Size()
	if err == nil && all > gridBytes {
		return nil, failf(tooLarge, "the page would have %d bytes, the limit is %d", all, gridBytes)
	}
	return p, err
}

// getGrid answers with a page that postExplain has made.
func (s *Server) getGrid(w http.ResponseWriter, r *http.Request) {
	p := s.grids.get(r.PathValue("page"))
	if p == nil {
		s.refuse(w, r, failf(notFound, "the page is not here any more; the last %d are", gridMost))
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", "frame-ancestors 'none'") // the page has the rest
	_ = p.Write(w)                                             // who is gone is gone
}
