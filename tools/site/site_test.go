package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestLinksLeadToPagesPicturesAndSources(t *testing.T) {
	p := &page{from: "docs/story.md", text: "[a](explain.md#on-the-page) [b](../README.md) [c](../internal/scan/run.go) ![d](images/x.png) [e](https://example.org) `[f](gone.md)` [g](#here) [h](decisions)"}
	got := relink(p, map[string]string{"docs/explain.md": "explain", "README.md": "index", "docs/decisions/README.md": "decisions/list"})
	want := "[a](/explain.html#on-the-page) [b](/index.html) [c](" + source + "internal/scan/run.go) ![d](/images/x.png) [e](https://example.org) `[f](gone.md)` [g](#here) [h](/decisions/list.html)"
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestFlagsStandBetweenQuotes(t *testing.T) {
	got := flags("with --batch-first (--set too)\n```\nrun --json\n```\n    run --json\n--last a--b\n")
	if want := "with `--batch-first` (`--set` too)\n```\nrun --json\n```\n    run --json\n`--last` a--b\n"; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestExampleIsWhatStandsBetweenItsBraces(t *testing.T) {
	got := body("{\n\tx := 1\n\tif x > 0 {\n\t\tprint(x)\n\t}\n}")
	if want := "x := 1\nif x > 0 {\n\tprint(x)\n}"; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// smallSite is two pages with search.
func smallSite(t *testing.T) string {
	t.Helper()
	out := t.TempDir()
	head := `<script defer src="search-index.js"></script><script defer src="search.js" data-root="./"></script><form><input id="search"></form><ol id="results"></ol><main>`
	js, err := os.ReadFile("assets/search.js")
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"a.html":    head + `<h1 id="a">Streams</h1><p>A state is carried.</p><h2 id="b">Resets</h2><p>The initial state again. <a href="b.html#none">x</a> <a href="c.html">y</a> <a href="b.html#d">z</a></p></main>`,
		"b.html":    head + `<h1 id="d">Dropout</h1><p>Masks, and the state of a stream.</p></main>`,
		"search.js": string(js),
	} {
		if err := os.WriteFile(filepath.Join(out, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

func TestCheckFindsOnlyBrokenLinks(t *testing.T) {
	out := smallSite(t)
	if n, err := index(out); n != 3 || err != nil {
		t.Fatalf("%d sections, %v; want 3", n, err)
	}
	got, err := check(out, false)
	if err != nil {
		t.Fatal(err)
	}
	if want := "a.html: b.html#none leads nowhere|a.html: c.html leads nowhere"; strings.Join(got, "|") != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// searchable returns a browser, and the folder of a small site that can be searched.
func searchable(t *testing.T) (browser, out string) {
	t.Helper()
	browser, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("no chromium on the path")
	}
	out = smallSite(t)
	if _, err := index(out); err != nil {
		t.Fatal(err)
	}
	return browser, out
}

// Answers do not stay over the page that was chosen, nor over what is touched beside them.
func TestSearchPutsItsAnswersAway(t *testing.T) {
	browser, out := searchable(t)
	name := filepath.Join(out, "b.html") // which the answer is on
	page, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	page = append(page, `<script defer src="act.js"></script>`...)
	if err := os.WriteFile(name, page, 0o600); err != nil {
		t.Fatal(err)
	}
	for what, act := range map[string]string{
		"a chosen answer": `list.querySelector("a").click();`,
		"a touch":         `document.querySelector("main").dispatchEvent(new PointerEvent("pointerdown", { bubbles: true }));`,
		"the return key":  `box.form.requestSubmit();`,
	} {
		act = `box.value = "dropout"; show(); const shown = !list.hidden; ` + act + ` document.title = "shown " + shown + ", hidden " + list.hidden;`
		if err := os.WriteFile(filepath.Join(out, "act.js"), []byte(act), 0o600); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
		dom, err := exec.CommandContext(ctx, browser, "--headless", "--no-sandbox", "--disable-gpu", "--user-data-dir="+t.TempDir(),
			"--dump-dom", "file://"+name).Output()
		cancel()
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(dom), "<title>shown true, hidden true</title>") {
			t.Errorf("%s leaves the answers where they are:\n%s", what, dom)
		}
	}
}

// The search of a page, in a browser: what has all words, titles first.
func TestSearchFindsSections(t *testing.T) {
	browser, out := searchable(t)
	for query, want := range map[string][]string{
		"stream":        {"a.html#a", "a.html#b", "b.html#d"}, // Resets is on the page of streams
		"initial+state": {"a.html#b"},
		"nothing+here":  nil,
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
		dom, err := exec.CommandContext(ctx, browser, "--headless", "--no-sandbox", "--disable-gpu", "--user-data-dir="+t.TempDir(),
			"--dump-dom", "file://"+filepath.Join(out, "b.html")+"?q="+query).Output()
		cancel()
		if err != nil {
			t.Fatal(err)
		}
		_, found, _ := strings.Cut(string(dom), `<ol id="results">`)
		found, _, _ = strings.Cut(found, "</ol>")
		var got []string
		for _, part := range strings.Split(found, `href="./`)[1:] {
			link, _, _ := strings.Cut(part, `"`)
			got = append(got, link)
		}
		if strings.Join(got, " ") != strings.Join(want, " ") {
			t.Errorf("%q finds %q, want %q\n%s", query, got, want, found)
		}
	}
}
