package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// output runs a program and returns what it writes to stdout; with an error, what
// it wrote to stderr too.
func output(dir string, env []string, name string, args ...string) (string, error) {
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), env...)
	var complaint bytes.Buffer
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	if err != nil {
		return string(out) + complaint.String(), fmt.Errorf("%s %s: %w\n%s%s", name, strings.Join(args, " "), err, out, complaint.Bytes())
	}
	return string(out), nil
}

// build makes all files of the release in a folder, which must be empty.
func (r *release) build(out string) error {
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	if there, err := os.ReadDir(out); err != nil || len(there) > 0 {
		return errors.Join(err, fmt.Errorf("%s is not empty", out))
	}
	work, err := os.MkdirTemp("", "release")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	common, err := r.words(work)
	if err != nil {
		return err
	}
	for _, t := range r.targets {
		if err := r.target(t, out, work, common); err != nil {
			return fmt.Errorf("%v: %w", t, err)
		}
	}
	sums, err := sumsOf(out)
	if err != nil {
		return err
	}
	if err := r.pages(out, sums); err != nil {
		return err
	}
	if sums, err = sumsOf(out); err != nil {
		return err
	}
	var b strings.Builder
	for _, s := range sums {
		fmt.Fprintf(&b, "%s  %s\n", s.sum, s.name)
	}
	return os.WriteFile(filepath.Join(out, "SHA256SUMS"), []byte(b.String()), 0o644)
}

// target builds one binary, its archive, its list of modules and its package.
func (r *release) target(t target, out, work string, common []file) error {
	binary := filepath.Join(work, t.String(), "unroll")
	if t.os == "windows" {
		binary += ".exe"
	}
	if err := r.compile(t, binary); err != nil {
		return err
	}
	text, err := os.ReadFile(binary)
	if err != nil {
		return err
	}
	bom, err := r.bom(binary, t)
	if err != nil {
		return err
	}
	name := fmt.Sprintf("unroll_%s_%v", strings.TrimPrefix(r.version, "v"), t)
	if err := os.WriteFile(filepath.Join(out, name+".cdx.json"), bom, 0o644); err != nil {
		return err
	}
	files := append([]file{{filepath.Base(binary), text, 0o755}}, common...)
	if t.os == "windows" {
		return r.zip(filepath.Join(out, name+".zip"), name, files)
	}
	if err := r.tar(filepath.Join(out, name+".tar.gz"), name, files); err != nil {
		return err
	}
	if t.os != "linux" {
		return nil
	}
	return r.deb(out, t, files)
}

// compile builds the command for a target: static, without paths of this machine,
// with the version.
func (r *release) compile(t target, binary string, tags ...string) error {
	env := []string{"CGO_ENABLED=0", "GOFLAGS=", "GOOS=" + t.os, "GOARCH=" + t.arch, "GOAMD64=v1", "GOARM=7", "GOARM64=v8.0"}
	_, err := output(r.root, env, "go", "build", "-trimpath", "-buildvcs=false", "-tags", strings.Join(tags, ","),
		"-ldflags", "-s -w -buildid= -X main.stamped="+r.version+" -X main.stampedRevision="+r.revision, "-o", binary, "./cmd/unroll")
	return err
}

// words are the files that stand in every archive: manual pages and completions,
// which this machine's build writes, and licences.
func (r *release) words(work string) ([]file, error) {
	helper := filepath.Join(work, "helper")
	host, err := output(r.root, nil, "go", "env", "GOHOSTOS", "GOHOSTARCH")
	if err != nil {
		return nil, err
	}
	f := strings.Fields(host)
	if err := r.compile(target{f[0], f[1]}, helper, "manpages"); err != nil {
		return nil, err
	}
	man := filepath.Join(work, "man")
	epoch := fmt.Sprintf("SOURCE_DATE_EPOCH=%d", r.when.Unix())
	if _, err := output(r.root, []string{epoch}, helper, "man", man); err != nil {
		return nil, err
	}
	var files []file
	pages, err := os.ReadDir(man)
	if err != nil {
		return nil, err
	}
	for _, p := range pages {
		text, err := os.ReadFile(filepath.Join(man, p.Name()))
		if err != nil {
			return nil, err
		}
		files = append(files, file{"man/" + p.Name(), text, 0o644})
	}
	for shell, name := range map[string]string{"bash": "unroll.bash", "zsh": "_unroll", "fish": "unroll.fish", "powershell": "unroll.ps1"} {
		text, err := output(r.root, nil, helper, "completion", shell)
		if err != nil {
			return nil, err
		}
		files = append(files, file{"completions/" + name, []byte(text), 0o644})
	}
	for _, name := range []string{"LICENSE", "README.md", "CHANGELOG.md"} {
		text, err := os.ReadFile(filepath.Join(r.root, name))
		if err != nil {
			return nil, err
		}
		files = append(files, file{name, away(text, r.version), 0o644})
	}
	licences, err := r.licences()
	if err != nil {
		return nil, err
	}
	files = append(files, licences...)
	slices.SortFunc(files, func(a, b file) int { return strings.Compare(a.name, b.name) })
	return files, nil
}

var link = regexp.MustCompile(`\]\(([^)\s]+)\)`)

// away leads the links of a page of the sources to those of a version in the network:
// the archive has no folder docs.
func away(text []byte, version string) []byte {
	return link.ReplaceAllFunc(text, func(m []byte) []byte {
		to := string(m[2 : len(m)-1])
		if strings.HasPrefix(to, "#") || strings.Contains(to, "://") {
			return m
		}
		return []byte("](" + homepage + "/blob/" + version + "/" + to + ")")
	})
}

type sum struct{ name, sum string }

// Name and Digest are for templates.
func (s sum) Name() string   { return s.name }
func (s sum) Digest() string { return s.sum }

// sumsOf are the SHA-256 of the files in a folder, by name.
func sumsOf(dir string) (all []sum, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		text, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			return nil, err
		}
		all = append(all, sum{e.Name(), fmt.Sprintf("%x", sha256.Sum256(text))})
	}
	return all, nil
}

// again builds a copy of the sources, in another folder, and compares.
func (r *release) again(out string) error {
	work, err := os.MkdirTemp("", "again")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	other := *r
	other.root = filepath.Join(work, "a folder", "sources") // also a name that could get into the bytes
	if err := os.CopyFS(other.root, os.DirFS(r.root)); err != nil {
		return err
	}
	second := filepath.Join(work, "dist")
	if err := other.build(second); err != nil {
		return err
	}
	a, err := sumsOf(out)
	if err != nil {
		return err
	}
	b, err := sumsOf(second)
	if err != nil {
		return err
	}
	if !slices.Equal(a, b) {
		return fmt.Errorf("two builds differ:\n%v\n%v", a, b)
	}
	fmt.Printf("built twice, in two folders: %d files, equal bytes\n", len(a))
	return nil
}

// copyTree copies the files that git knows.
func copyTree(from, to string) error {
	names, err := output(from, nil, "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	if err != nil {
		return err
	}
	for _, name := range strings.Split(strings.TrimRight(names, "\x00"), "\x00") {
		text, err := os.ReadFile(filepath.Join(from, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue // taken away, and not committed
		}
		if err != nil {
			return err
		}
		if err := os.MkdirAll(filepath.Dir(filepath.Join(to, name)), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(to, name), text, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// list prints what there is.
func list(out string) error {
	entries, err := os.ReadDir(out)
	if err != nil {
		return err
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			return err
		}
		fmt.Printf("%10d  %s\n", info.Size(), e.Name())
	}
	return nil
}

// listOutdated prints the modules of every go.mod that have a newer version.
func listOutdated(root string) error {
	found := 0
	for _, dir := range []string{".", "tools", "tools/release", "tools/site", "internal/kernel/_asm"} {
		if _, err := os.Stat(filepath.Join(root, dir, "go.mod")); err != nil {
			continue
		}
		edit, err := output(filepath.Join(root, dir), nil, "go", "mod", "edit", "-json")
		if err != nil {
			return err
		}
		direct, err := chosen([]byte(edit))
		if err != nil {
			return err
		}
		s, err := output(filepath.Join(root, dir), nil, "go", append([]string{
			"list", "-mod=mod", "-m", "-u", "-f",
			"{{if .Update}}{{.Path}} {{.Version}}, newer is {{.Update.Version}}{{end}}",
		}, direct...)...)
		if err != nil {
			return err
		}
		for line := range strings.Lines(s) {
			if line = strings.TrimSpace(line); line != "" {
				fmt.Println(filepath.Join(dir, "go.mod")+":", line)
				found++
			}
		}
	}
	if found > 0 {
		return fmt.Errorf("%d dependencies have a newer version; update or say in the commit why not", found)
	}
	fmt.Println("no direct dependency has a newer version")
	return nil
}

// chosen are the modules that a go.mod, as "go mod edit -json" prints it, asks for
// itself: what its packages import and what its tools are of.
func chosen(edit []byte) (modules []string, err error) {
	var mod struct {
		Require []struct {
			Path     string
			Indirect bool
		}
		Tool []struct{ Path string }
	}
	if err := json.Unmarshal(edit, &mod); err != nil {
		return nil, err
	}
	for _, r := range mod.Require {
		isTool := slices.ContainsFunc(mod.Tool, func(t struct{ Path string }) bool {
			return t.Path == r.Path || strings.HasPrefix(t.Path, r.Path+"/")
		})
		if !r.Indirect || isTool {
			modules = append(modules, r.Path)
		}
	}
	return modules, nil
}
