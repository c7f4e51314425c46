package main

import (
	"bytes"
	"debug/buildinfo"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/template"

	"github.com/CycloneDX/cyclonedx-go"
	"github.com/goreleaser/nfpm/v2"
	"github.com/goreleaser/nfpm/v2/deb"
	"github.com/goreleaser/nfpm/v2/files"
)

const (
	homepage = "https://github.com/unroll-ml/unroll"
	summary  = "Recurrent networks of PyTorch, ONNX and Keras: run, explained and trained"
)

// bom is the list of what is in a binary, by the build information that Go put
// there (CycloneDX 1.6, JSON).
func (r *release) bom(binary string, t target) ([]byte, error) {
	info, err := buildinfo.ReadFile(binary)
	if err != nil {
		return nil, err
	}
	number := strings.TrimPrefix(r.version, "v")
	ref := "pkg:golang/github.com/unroll-ml/unroll@" + r.version
	b := cyclonedx.NewBOM()
	b.Metadata = &cyclonedx.Metadata{
		Timestamp: r.when.Format("2006-01-02T15:04:05Z"),
		Component: &cyclonedx.Component{
			BOMRef: ref, Type: cyclonedx.ComponentTypeApplication, Name: "unroll", Version: number, PackageURL: ref,
			Description: "for " + t.String(), Licenses: &cyclonedx.Licenses{{License: &cyclonedx.License{ID: "Apache-2.0"}}},
		},
	}
	goRef := "pkg:golang/std@" + strings.TrimPrefix(info.GoVersion, "go")
	parts := []cyclonedx.Component{{BOMRef: goRef, Type: cyclonedx.ComponentTypeLibrary, Name: "std", Version: info.GoVersion, PackageURL: goRef}}
	needs := []string{goRef}
	for _, d := range info.Deps {
		ref := "pkg:golang/" + d.Path + "@" + d.Version
		parts = append(parts, cyclonedx.Component{
			BOMRef: ref, Type: cyclonedx.ComponentTypeLibrary, Name: d.Path, Version: d.Version, PackageURL: ref,
			Properties: &[]cyclonedx.Property{{Name: "go:sum", Value: d.Sum}},
		})
		needs = append(needs, ref)
	}
	b.Components, b.Dependencies = &parts, &[]cyclonedx.Dependency{{Ref: ref, Dependencies: &needs}}
	var out bytes.Buffer
	e := cyclonedx.NewBOMEncoder(&out, cyclonedx.BOMFileFormatJSON)
	e.SetPretty(true)
	if err := e.EncodeVersion(b, cyclonedx.SpecVersion1_6); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// licences are the texts of the licences of all modules that a target's binary is
// made of, and Go's own.
func (r *release) licences() ([]file, error) {
	found := map[string]string{} // folder by module
	for _, t := range r.targets {
		s, err := output(r.root, []string{"GOFLAGS=", "CGO_ENABLED=0", "GOOS=" + t.os, "GOARCH=" + t.arch}, "go", "list", "-deps",
			"-f", "{{with .Module}}{{if not .Main}}{{.Path}}@{{.Version}}\t{{.Dir}}{{end}}{{end}}", "./cmd/unroll")
		if err != nil {
			return nil, err
		}
		for line := range strings.Lines(s) {
			if name, dir, ok := strings.Cut(strings.TrimSpace(line), "\t"); ok {
				found[name] = dir
			}
		}
	}
	root, err := output(r.root, nil, "go", "env", "GOROOT")
	if err != nil {
		return nil, err
	}
	found["go"] = strings.TrimSpace(root)
	var files []file
	for name, dir := range found {
		entries, err := os.ReadDir(dir)
		if err != nil {
			return nil, err
		}
		before := len(files)
		for _, e := range entries {
			upper := strings.ToUpper(e.Name())
			if e.IsDir() || !slices.ContainsFunc([]string{"LICENSE", "LICENCE", "COPYING", "NOTICE"}, func(s string) bool { return strings.HasPrefix(upper, s) }) {
				continue
			}
			text, err := os.ReadFile(filepath.Join(dir, e.Name()))
			if err != nil {
				return nil, err
			}
			files = append(files, file{"licences/" + strings.ReplaceAll(name, "/", "_") + "/" + e.Name(), text, 0o644})
		}
		if len(files) == before {
			return nil, fmt.Errorf("%s has no licence in %s", name, dir)
		}
	}
	return files, nil
}

// deb writes a Debian package.
func (r *release) deb(out string, t target, from []file) error {
	work, err := os.MkdirTemp("", "deb")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	arch := map[string]string{"amd64": "amd64", "arm64": "arm64", "arm": "arm7"}[t.arch]
	info := nfpm.WithDefaults(&nfpm.Info{
		Name: "unroll", Arch: arch, Platform: "linux", Version: r.version, Section: "science", Priority: "optional",
		Maintainer: maintainer, Description: summary + "\n" + described, Homepage: homepage, MTime: r.when,
	})
	from = append(slices.Clone(from), file{"debian/copyright", []byte(copyright), 0o644}, file{"debian/changelog", []byte(r.debChangelog()), 0o644},
		file{"debian/overrides", []byte("unroll: statically-linked-binary [usr/bin/unroll]\n"), 0o644})
	for i, f := range from {
		to := debPath(f.name)
		if to == "" {
			continue
		}
		text := f.text
		if strings.HasSuffix(to, ".gz") {
			if text, err = gzipped(text); err != nil {
				return err
			}
		}
		source := filepath.Join(work, fmt.Sprint(i))
		if err := os.WriteFile(source, text, 0o644); err != nil {
			return err
		}
		info.Contents = append(info.Contents, &files.Content{
			Source: source, Destination: to, FileInfo: &files.ContentFileInfo{Mode: f.mode, MTime: r.when, Owner: "root", Group: "root"},
		})
	}
	if err := nfpm.PrepareForPackager(info, "deb"); err != nil {
		return err
	}
	var b bytes.Buffer
	if err := deb.Default.Package(info, &b); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(out, deb.Default.ConventionalFileName(info)), b.Bytes(), 0o644)
}

// What Debian wants of every package.
const (
	maintainer = "The unroll authors <unroll-ml@users.noreply.github.com>"
	described  = "One static program without other files. It runs the models of ONNX, Keras\nand PyTorch files that have recurrent layers, shows how each number of one\ncomes about, trains small ones on text and tables, and serves them over\nHTTP and gRPC."
	copyright  = "unroll, " + homepage + "\n\nCopyright 2026 The unroll authors\nLicense: Apache-2.0, see /usr/share/common-licenses/Apache-2.0\n\nThe program is linked with modules of others; their licences are in the folder\nlicences beside this file.\n"
)

// debChangelog points to the changelog, in the form that Debian's tools read.
func (r *release) debChangelog() string {
	number := strings.Replace(strings.TrimPrefix(r.version, "v"), "-", "~", 1)
	return fmt.Sprintf("unroll (%s) unstable; urgency=medium\n\n  * What is new is in CHANGELOG.md.gz beside this file.\n\n -- %s  %s\n", number, maintainer, r.when.Format("Mon, 02 Jan 2006 15:04:05 -0700"))
}

// debPath is where a file of the archive stands on Debian, "" for nowhere.
func debPath(name string) string {
	base := filepath.Base(name)
	switch {
	case name == "unroll":
		return "/usr/bin/unroll"
	case strings.HasPrefix(name, "man/"):
		return "/usr/share/man/man1/" + base + ".gz"
	case name == "completions/unroll.bash":
		return "/usr/share/bash-completion/completions/unroll"
	case name == "completions/_unroll":
		return "/usr/share/zsh/vendor-completions/_unroll"
	case name == "completions/unroll.fish":
		return "/usr/share/fish/vendor_completions.d/unroll.fish"
	case name == "debian/copyright":
		return "/usr/share/doc/unroll/copyright"
	case name == "debian/changelog":
		return "/usr/share/doc/unroll/changelog.gz"
	case name == "debian/overrides":
		return "/usr/share/lintian/overrides/unroll"
	case name == "CHANGELOG.md":
		return "/usr/share/doc/unroll/CHANGELOG.md.gz"
	case strings.HasPrefix(name, "licences/"):
		return "/usr/share/doc/unroll/" + name
	}
	return ""
}

// pages writes the Homebrew formula and the page that says how to install.
func (r *release) pages(out string, sums []sum) error {
	number := strings.TrimPrefix(r.version, "v")
	data := struct {
		Class, Version, Number, URL, Home, Summary string
		Sum                                        map[string]string
		Files                                      []sum
	}{"Unroll", r.version, number, r.site + "/" + r.version, homepage, summary, map[string]string{}, sums}
	for _, s := range sums {
		if t, ok := strings.CutPrefix(s.name, "unroll_"+number+"_"); ok {
			data.Sum[strings.TrimSuffix(t, ".tar.gz")] = s.sum
		}
	}
	texts := map[string]string{"INSTALL.md": install}
	if len(r.targets) == len(all) {
		texts["unroll.rb"] = formula
	}
	for name, text := range texts {
		t, err := template.New(name).Option("missingkey=error").Parse(text)
		if err != nil {
			return err
		}
		var b bytes.Buffer
		if err := t.Execute(&b, data); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(out, name), b.Bytes(), 0o644); err != nil {
			return err
		}
	}
	return nil
}

const formula = `class {{.Class}} < Formula
  desc "{{.Summary}}"
  homepage "{{.Home}}"
  version "{{.Number}}"
  license "Apache-2.0"

  on_macos do
    on_arm do
      url "{{.URL}}/unroll_{{.Number}}_darwin_arm64.tar.gz"
      sha256 "{{index .Sum "darwin_arm64"}}"
    end
    on_intel do
      url "{{.URL}}/unroll_{{.Number}}_darwin_amd64.tar.gz"
      sha256 "{{index .Sum "darwin_amd64"}}"
    end
  end

  on_linux do
    on_arm do
      url "{{.URL}}/unroll_{{.Number}}_linux_arm64.tar.gz"
      sha256 "{{index .Sum "linux_arm64"}}"
    end
    on_intel do
      url "{{.URL}}/unroll_{{.Number}}_linux_amd64.tar.gz"
      sha256 "{{index .Sum "linux_amd64"}}"
    end
  end

  def install
    bin.install "unroll"
    man1.install Dir["man/*.1"]
    bash_completion.install "completions/unroll.bash" => "unroll"
    zsh_completion.install "completions/_unroll"
    fish_completion.install "completions/unroll.fish"
  end

  test do
    assert_match version.to_s, shell_output("#{bin}/unroll --version")
  end
end
`

const install = `# Install unroll {{.Version}}

One static file, without cgo, for each system. The archives hold it with manual
pages, completions, and the licences of all that is in it; a file *.cdx.json lists
that.

Linux on amd64; other names end in linux_arm64, linux_arm, darwin_arm64 (Macs) and
darwin_amd64:

    curl -LO {{.URL}}/unroll_{{.Number}}_linux_amd64.tar.gz
    curl -LO {{.URL}}/SHA256SUMS
    sha256sum --check --ignore-missing SHA256SUMS
    tar xzf unroll_{{.Number}}_linux_amd64.tar.gz
    unroll_{{.Number}}_linux_amd64/unroll run
    sudo install unroll_{{.Number}}_linux_amd64/unroll /usr/local/bin/

macOS has ` + "`shasum -a 256 --check --ignore-missing SHA256SUMS`" + ` instead. Windows: unpack
unroll_{{.Number}}_windows_amd64.zip, or arm64; unroll.exe needs nothing beside it.
` + "`source <(unroll completion bash)`" + `, or zsh, completes commands; ` + "`man -l man/unroll.1`" + ` in
the folder is the manual.

Debian and Ubuntu: ` + "`dpkg -i unroll_*_amd64.deb`" + `, or arm64, or armhf.
Homebrew: ` + "`brew install --formula ./unroll.rb`" + `.
With Go: ` + "`go install github.com/unroll-ml/unroll/cmd/unroll@{{.Version}}`" + `.

The same sources and the same Go give the same bytes:

    go run -C tools/release . -version {{.Version}} -twice ../../dist

| file | SHA-256 |
|---|---|
{{range .Files}}| {{.Name}} | {{.Digest}} |
{{end}}`
