package main

import (
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// page is one page of the site.
type page struct {
	from  string // path in the repository; "" for what is made here
	to    string // path in the site, without .html
	group string // of the menu
	short string // its name there
	text  string // Markdown
}

// name is what the links of other pages call a page.
func (p *page) name() string {
	if p.from != "" {
		return p.from
	}
	return p.to + ".md"
}

// Groups of the menu: pages of docs that are not named here stand under Inside.
var begin = []string{"README.md", "docs/install.md", "docs/gallery.md", "docs/story.md", "docs/explain.md"}

var use = []string{
	"docs/chain.md", "docs/live.md", "docs/serving.md", "docs/precision.md", "docs/beam.md",
	"docs/formats/data.md", "docs/formats/model-folder.md", "docs/glossary.md", "CHANGELOG.md",
}

// collect reads the pages of the repository and makes those of the commands and
// packages.
func collect(root, work string) ([]*page, error) {
	var pages []*page
	add := func(name string) error {
		text, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			return err
		}
		p := &page{from: name, text: string(text)}
		p.to = strings.TrimSuffix(strings.TrimPrefix(name, "docs/"), ".md")
		if path.Base(name) == "README.md" {
			p.to = path.Join(path.Dir(p.to), "index")
		}
		if p.to = strings.ToLower(p.to); name != "README.md" && strings.HasPrefix(name, "docs/decisions/README") {
			p.to = "decisions/list"
		}
		if dir, ok := strings.CutPrefix(name, "examples/"); ok {
			p.to = "examples/" + path.Dir(dir)
		}
		p.group, p.short = groupOf(name), title(p.text)
		if name == "README.md" {
			p.short = "What it is for"
		}
		pages = append(pages, p)
		return nil
	}
	names := []string{"README.md", "CHANGELOG.md", "CONTRIBUTING.md", "bench/README.md"}
	err := filepath.WalkDir(filepath.Join(root, "docs"), func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(file) != ".md" {
			return err
		}
		name, err := filepath.Rel(root, file)
		names = append(names, filepath.ToSlash(name))
		return err
	})
	if err != nil {
		return nil, err
	}
	examples, err := filepath.Glob(filepath.Join(root, "examples", "*", "README.md"))
	if err != nil {
		return nil, err
	}
	for _, e := range examples {
		name, err := filepath.Rel(root, e)
		if err != nil {
			return nil, err
		}
		names = append(names, filepath.ToSlash(name))
	}
	for _, name := range names {
		if name == "docs/decisions/template.md" {
			continue
		}
		if err := add(name); err != nil {
			return nil, err
		}
	}
	commands, err := commandPages(root, work)
	if err != nil {
		return nil, err
	}
	packages, err := packagePages(root)
	return append(append(pages, commands...), packages...), err
}

func groupOf(name string) string {
	switch {
	case slices.Contains(begin, name):
		return "Begin"
	case slices.Contains(use, name), strings.HasPrefix(name, "examples/"):
		return "Use"
	case strings.HasPrefix(name, "docs/formats/"):
		return "Formats"
	case strings.HasPrefix(name, "docs/decisions/"):
		return "Decisions"
	}
	return "Inside"
}

// title is a page's first heading.
func title(text string) string {
	if m := regexp.MustCompile(`(?m)^##? (.+)$`).FindStringSubmatch(text); m != nil {
		return strings.ReplaceAll(m[1], "`", "")
	}
	return "without a title"
}

// commandPages are the commands' help as Markdown.
func commandPages(root, work string) ([]*page, error) {
	dir := filepath.Join(work, "commands")
	if err := tool(root, "go", "run", "-tags", "manpages", "./cmd/unroll", "man", dir, "markdown"); err != nil {
		return nil, err
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.md"))
	if err != nil {
		return nil, err
	}
	var pages []*page
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			return nil, err
		}
		name := strings.TrimSuffix(filepath.Base(f), ".md")
		t := flags(regexp.MustCompile(`(?m)^##`).ReplaceAllString(string(text), "#"))
		pages = append(pages, &page{to: "commands/" + name, group: "Commands", short: strings.ReplaceAll(name, "_", " "), text: t})
	}
	return pages, nil
}

// flags puts the flags in a command's words between back quotes, so that no line ends
// inside of one.
func flags(text string) string {
	word, fenced := regexp.MustCompile(`(^|[ (])(--[a-z][a-z-]*)`), false
	var out strings.Builder
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "```") {
			fenced = !fenced
		}
		if !fenced && !strings.HasPrefix(line, "    ") {
			line = word.ReplaceAllString(line, "$1`$2`")
		}
		out.WriteString(line)
	}
	return out.String()
}

var (
	link = regexp.MustCompile(`(!?\[[^\]]*\])\(([^()\s]+)\)`)
	code = regexp.MustCompile("(?ms)^ {0,3}```.*?^ {0,3}```|`[^`\n]*`")
)

// write puts the pages where Hugo takes them from: with their place in the menu,
// and links that lead to pages of the site where there are such.
func write(pages []*page, root, work string) error {
	to := map[string]string{}
	for _, p := range pages {
		to[p.name()] = p.to
	}
	for i, p := range pages {
		text := marks(p, relink(p, to))
		head := fmt.Sprintf("---\ntitle: %q\nshort: %q\ngroup: %q\nplace: %d\nsource: %q\nurl: %q\n---\n", title(p.text), p.short, p.group, place(p, i), p.from, "/"+p.to+".html")
		name := p.to
		if name == "index" {
			name = "home" // Hugo's own index has a template of its own
		}
		file := filepath.Join(work, "content", strings.ReplaceAll(name, "/index", "/list")+".md")
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(file, []byte(head+text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// place is where a page stands in its group.
func place(p *page, i int) int {
	for _, list := range [][]string{begin, use} {
		if n := slices.Index(list, p.from); n >= 0 {
			return n
		}
	}
	return 100 + i
}

// relink makes the links of a page those of the site.
func relink(p *page, to map[string]string) string {
	// What stands between back quotes is put aside.
	var kept []string
	text := code.ReplaceAllStringFunc(p.text, func(s string) string {
		kept = append(kept, s)
		return fmt.Sprintf("\x00%d\x00", len(kept)-1)
	})
	text = link.ReplaceAllStringFunc(text, func(s string) string {
		m := link.FindStringSubmatch(s)
		u, err := url.Parse(m[2])
		if err != nil || u.Scheme != "" || u.Path == "" {
			return s
		}
		target := path.Join(path.Dir(p.name()), u.Path)
		where := ""
		switch {
		case strings.HasPrefix(target, "docs/images/"):
			where = "/images/" + path.Base(target)
		case to[target] != "":
			where = "/" + to[target] + ".html"
		case to[target+"/README.md"] != "":
			where = "/" + to[target+"/README.md"] + ".html"
		default:
			where = source + target
		}
		if u.Fragment != "" {
			where += "#" + u.Fragment
		}
		return m[1] + "(" + where + ")"
	})
	return regexp.MustCompile("\x00(\\d+)\x00").ReplaceAllStringFunc(text, func(s string) string {
		var n int
		if _, err := fmt.Sscanf(strings.Trim(s, "\x00"), "%d", &n); err != nil {
			return s
		}
		return kept[n]
	})
}

// marks puts what only a site can show where the text has a mark for it.
func marks(p *page, text string) string {
	switch p.from {
	case "docs/story.md":
		text = strings.Replace(text, "<!-- living grid -->", `<p><iframe src="/gallery/example.html" title="The living grid: PyTorch's example" loading="lazy"></iframe></p>`, 1)
	case "docs/gallery.md":
		text = regexp.MustCompile("`([a-z]+\\.html)`").ReplaceAllString(text, "[$1](/gallery/$1)")
		for _, made := range []string{"page", "silero"} { // by the reader
			if made == "silero" && os.Getenv("SILERO_VAD") != "" {
				continue
			}
			text = strings.ReplaceAll(text, "["+made+".html](/gallery/"+made+".html)", "`"+made+".html`")
		}
	}
	return text
}
