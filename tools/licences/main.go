// Command licences keeps docs/licences.md equal to what is imported.
//
//	go run -C tools ./licences          # compare; exit code 1 if they differ
//	go run -C tools ./licences -write   # write the table
//	go run -C tools ./licences -root ../beam -page licences.md    # another module
//
// It lists the modules that the packages and tests of the main module import on
// any supported platform, recognises each licence by its text, and refuses one
// that is not permissive. MPL-2.0 is accepted where only tests import it.
package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strings"
)

const begin, end = "<!-- licences -->\n", "<!-- /licences -->\n"

func main() {
	root := flag.String("root", "..", "folder of the main module")
	page := flag.String("page", filepath.Join("docs", "licences.md"), "the page with the table, below root")
	write := flag.Bool("write", false, "write the table instead of comparing it")
	flag.Parse()
	if err := run(*root, *page, *write); err != nil {
		fmt.Fprintln(os.Stderr, "licences:", err)
		os.Exit(1)
	}
}

func run(root, name string, write bool) error {
	shipped, err := modules(root, false)
	if err != nil {
		return err
	}
	tested, err := modules(root, true)
	if err != nil {
		return err
	}
	table, err := table(shipped, tested)
	if err != nil {
		return err
	}
	file := filepath.Join(root, name)
	page, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	head, rest, ok := strings.Cut(string(page), begin)
	shown, tail, ok2 := strings.Cut(rest, end)
	switch {
	case !ok || !ok2:
		return fmt.Errorf("%s lacks the lines %q and %q", file, begin, end)
	case shown == table:
		return nil
	case write:
		return os.WriteFile(file, []byte(head+begin+table+end+tail), 0o644)
	}
	return fmt.Errorf("%s is not what is imported; run: go run -C tools ./licences -root %s -page %s -write\nwant:\n%s", file, root, name, table)
}

type module struct{ path, version, dir string }

// modules returns by path the modules outside the main one, and outside folders that
// stand for one, that its packages import, with or without its tests' imports, on every supported platform.
func modules(root string, tests bool) (map[string]module, error) {
	found := map[string]module{}
	for _, platform := range []string{"linux/amd64", "darwin/arm64", "windows/amd64", "js/wasm"} {
		goos, goarch, _ := strings.Cut(platform, "/")
		args := []string{"list", "-deps", "-f", "{{with .Module}}{{if not (or .Main (and .Replace (not .Replace.Version)))}}{{.Path}}\t{{.Version}}\t{{.Dir}}{{end}}{{end}}"}
		if tests {
			args = append(args, "-test")
		}
		cmd := exec.Command("go", append(args, "./...")...)
		cmd.Dir = root
		cmd.Env = append(os.Environ(), "GOOS="+goos, "GOARCH="+goarch, "CGO_ENABLED=0")
		var complaint bytes.Buffer
		cmd.Stderr = &complaint
		out, err := cmd.Output()
		if err != nil {
			return nil, fmt.Errorf("go list for %s: %w\n%s", platform, err, complaint.Bytes())
		}
		for line := range strings.Lines(string(out)) {
			if f := strings.Split(strings.TrimSpace(line), "\t"); len(f) == 3 {
				found[f[0]] = module{f[0], f[1], f[2]}
			}
		}
	}
	return found, nil
}

func table(shipped, tested map[string]module) (string, error) {
	var paths []string
	for p := range tested {
		paths = append(paths, p)
	}
	sort.Strings(paths)
	var b strings.Builder
	b.WriteString("| module | version | licence | where |\n|---|---|---|---|\n")
	var bad []string
	for _, p := range paths {
		m := tested[p]
		licence, err := read(m.dir)
		if err != nil {
			bad = append(bad, fmt.Sprintf("%s %s: %v", m.path, m.version, err))
			continue
		}
		where := "tests"
		if _, ok := shipped[p]; ok {
			where = "library or command"
			if licence == "MPL-2.0" {
				bad = append(bad, fmt.Sprintf("%s %s: MPL-2.0 is for tests only", m.path, m.version))
			}
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", m.path, m.version, licence, where)
	}
	if bad != nil {
		return "", errors.New(strings.Join(bad, "\n"))
	}
	return b.String(), nil
}

// read recognises the licence of the module in dir.
func read(dir string) (string, error) {
	for _, pattern := range []string{"LICENSE*", "LICENCE*", "License*", "license*", "COPYING*"} {
		files, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			return "", err
		}
		sort.Strings(files)
		for _, f := range files {
			text, err := os.ReadFile(f)
			if err != nil {
				continue // a folder of licences
			}
			if name := recognise(string(text)); name != "" {
				return name, nil
			}
		}
	}
	return "", errors.New("no licence that is known to be permissive; look at it, and choose another module or teach tools/licences the text")
}

// recognise names the licence that text is, or returns "" where it is not one
// of those accepted. Each is known by a sentence no other one has.
func recognise(text string) string {
	text = strings.ToLower(strings.Join(strings.Fields(text), " "))
	has := func(s string) bool { return strings.Contains(text, s) }
	switch {
	case has("apache license") && has("version 2.0, january 2004"):
		return "Apache-2.0"
	case has("permission is hereby granted, free of charge"):
		return "MIT"
	case has("redistribution and use in source and binary forms") && has("names of its contributors"),
		has("redistribution and use in source and binary forms") && has("neither the name"):
		return "BSD-3-Clause"
	case has("redistribution and use in source and binary forms"):
		return "BSD-2-Clause"
	case has("permission to use, copy, modify, and/or distribute this software"):
		return "ISC"
	case has("mozilla public license version 2.0"), has("mozilla public license, version 2.0"):
		return "MPL-2.0"
	}
	return ""
}
