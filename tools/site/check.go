package main

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// section is what search finds: the text under one heading.
type section struct {
	URL   string `json:"url"`
	Page  string `json:"page"`
	Title string `json:"title"`
	Text  string `json:"text"`
}

// eachPage parses the pages of the site, but for those of the gallery.
func eachPage(out string, f func(name string, root *html.Node) error) error {
	return filepath.WalkDir(out, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && d.Name() == "gallery" {
			return filepath.SkipDir
		}
		if d.IsDir() || filepath.Ext(file) != ".html" {
			return nil
		}
		r, err := os.Open(file)
		if err != nil {
			return err
		}
		defer r.Close()
		root, err := html.Parse(r)
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		name, err := filepath.Rel(out, file)
		if err != nil {
			return err
		}
		return f(filepath.ToSlash(name), root)
	})
}

// index writes search-index.js and returns how many sections it has.
func index(out string) (int, error) {
	var all []section
	err := eachPage(out, func(name string, root *html.Node) error {
		var main *html.Node
		for n := range root.Descendants() {
			if n.DataAtom == atom.Main {
				main = n
			}
		}
		if main == nil {
			return fmt.Errorf("%s has no text", name)
		}
		at := section{URL: name}
		var text strings.Builder
		done := func() {
			at.Text = strings.Join(strings.Fields(text.String()), " ")
			if at.Title != "" {
				all = append(all, at)
			}
			text.Reset()
		}
		for n := range main.Descendants() {
			switch {
			case n.DataAtom == atom.H1, n.DataAtom == atom.H2, n.DataAtom == atom.H3:
				done()
				at.Title = plain(n)
				if n.DataAtom == atom.H1 {
					at.Page = at.Title
				}
				at.URL = name + "#" + attr(n, "id")
			case n.Type == html.TextNode:
				text.WriteString(n.Data + " ")
			}
		}
		done()
		return nil
	})
	if err != nil {
		return 0, err
	}
	b, err := json.Marshal(all)
	if err != nil {
		return 0, err
	}
	return len(all), os.WriteFile(filepath.Join(out, "search-index.js"), []byte("const searchIndex = "+string(b)+";\n"), 0o644)
}

func plain(n *html.Node) string {
	var b strings.Builder
	for c := range n.Descendants() {
		if c.Type == html.TextNode {
			b.WriteString(c.Data)
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

func attr(n *html.Node, key string) string {
	for _, a := range n.Attr {
		if a.Key == key {
			return a.Val
		}
	}
	return ""
}

// check returns a line for each link of the site that leads nowhere in it.
func check(out string, noGallery bool) ([]string, error) {
	ids := map[string]map[string]bool{}
	type ref struct{ from, to string }
	var refs []ref
	err := eachPage(out, func(name string, root *html.Node) error {
		ids[name] = map[string]bool{"": true}
		for n := range root.Descendants() {
			if id := attr(n, "id"); id != "" {
				ids[name][id] = true
			}
			for _, key := range []string{"href", "src"} {
				if to := attr(n, key); to != "" {
					refs = append(refs, ref{name, to})
				}
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	var broken []string
	seen := map[string]bool{}
	for _, r := range refs {
		u, err := url.Parse(r.to)
		if err != nil || u.Scheme != "" || u.Host != "" {
			if err != nil {
				broken = append(broken, fmt.Sprintf("%s: %v", r.from, err))
			}
			continue
		}
		to := r.from
		if u.Path != "" {
			to = strings.TrimPrefix(path.Join("/", path.Dir(r.from), u.Path), "/")
			if strings.HasPrefix(u.Path, "/") {
				to = strings.TrimPrefix(path.Clean(u.Path), "/")
			}
		}
		if noGallery && strings.HasPrefix(to, "gallery/") {
			continue
		}
		_, err = os.Stat(filepath.Join(out, filepath.FromSlash(to)))
		line := fmt.Sprintf("%s: %s leads nowhere", r.from, r.to)
		if bad := err != nil || ids[to] != nil && !ids[to][u.Fragment]; bad && !seen[line] {
			seen[line] = true
			broken = append(broken, line)
		}
	}
	return broken, nil
}
