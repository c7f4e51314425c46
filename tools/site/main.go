// Command site makes the documentation's site of README.md, docs, the commands'
// help and the packages' examples:
//
//	go run -C tools/site . FOLDER
//
// Hugo, which go.mod pins and Go builds, makes the pages; the pages of the gallery
// are made by docs/gallery/make.sh, and the first stands in the story. The folder
// works on any server and from a disk, and has its search in it. A link that leads
// nowhere, in the site, is an error. -no-gallery leaves the gallery out, for a
// quick look at the text.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

const source = "https://github.com/unroll-ml/unroll/blob/main/"

func main() {
	noGallery := flag.Bool("no-gallery", false, "leave the gallery out")
	flag.Parse()
	if flag.NArg() != 1 {
		fmt.Fprintln(os.Stderr, "usage: site [-no-gallery] FOLDER")
		os.Exit(2)
	}
	if err := run(flag.Arg(0), !*noGallery); err != nil {
		fmt.Fprintln(os.Stderr, "site:", err)
		os.Exit(1)
	}
}

func run(out string, gallery bool) error {
	out, err := filepath.Abs(out)
	if err != nil {
		return err
	}
	if there, err := os.ReadDir(out); err == nil && len(there) > 0 {
		if _, err := os.Stat(filepath.Join(out, "search-index.js")); err != nil {
			return fmt.Errorf("%s is not empty, and no site", out)
		}
	}
	if err := os.RemoveAll(out); err != nil {
		return err
	}
	root, err := filepath.Abs("../..")
	if err != nil {
		return err
	}
	work, err := os.MkdirTemp("", "site")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	pages, err := collect(root, work)
	if err != nil {
		return err
	}
	if err := write(pages, root, work); err != nil {
		return err
	}
	if err := os.CopyFS(filepath.Join(work, "layouts"), os.DirFS("layouts")); err != nil {
		return err
	}
	if err := os.CopyFS(filepath.Join(work, "static"), os.DirFS("assets")); err != nil {
		return err
	}
	if err := images(root, filepath.Join(work, "static", "images")); err != nil {
		return err
	}
	if gallery {
		if err := tool(root, "bash", "docs/gallery/make.sh", filepath.Join(work, "static", "gallery")); err != nil {
			return err
		}
	}
	settings, err := filepath.Abs("hugo.toml")
	if err != nil {
		return err
	}
	if err := tool(".", "go", "tool", "hugo", "--quiet", "--source", work, "--config", settings, "--destination", out, "--noBuildLock", "--panicOnWarning"); err != nil {
		return err
	}
	sections, err := index(out)
	if err != nil {
		return err
	}
	broken, err := check(out, !gallery)
	if err != nil {
		return err
	}
	if len(broken) > 0 {
		return errors.New(strings.Join(broken, "\n"))
	}
	fmt.Printf("%d pages, %d sections to search, every link leads somewhere\n", len(pages), sections)
	return nil
}

// images copies the pictures of docs.
func images(root, to string) error {
	if err := os.MkdirAll(to, 0o755); err != nil {
		return err
	}
	entries, err := os.ReadDir(filepath.Join(root, "docs", "images"))
	if err != nil {
		return err
	}
	for _, e := range entries {
		if ext := filepath.Ext(e.Name()); ext != ".png" && ext != ".svg" {
			continue
		}
		text, err := os.ReadFile(filepath.Join(root, "docs", "images", e.Name()))
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(to, e.Name()), text, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// tool runs a program, whose output is shown where it fails.
func tool(dir, name string, args ...string) error {
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, out)
	}
	return nil
}
