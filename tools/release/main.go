// Command release builds everything that a release of unroll consists of:
//
//	go run -C tools/release . -version v0.1.0 -twice ../../dist
//
// For linux, darwin and windows on amd64 and arm64, and linux on arm, it makes an
// archive with one static binary (the page's WebAssembly engine is inside), manual
// pages, completions, licences and a list of what it is made of (CycloneDX); Debian
// packages; a Homebrew formula; SHA256SUMS; and a page that says how to install
// them. The same sources and the same Go give the same bytes; -twice builds again
// from a copy of the sources in another folder and compares.
//
// It refuses a version without a section in CHANGELOG.md, sources with changes that
// are not committed, and an engine that is older than its sources; -snapshot builds
// all the same and says so in the version. -outdated lists the dependencies of which
// the module proxy has a newer version, and builds nothing.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// release is what one build is made of.
type release struct {
	root     string // of the sources
	version  string // v0.1.0
	revision string // 12 digits
	when     time.Time
	site     string // where the archives of a version are, for the formula
	targets  []target
}

var all = []target{
	{"linux", "amd64"},
	{"linux", "arm64"},
	{"linux", "arm"},
	{"darwin", "amd64"},
	{"darwin", "arm64"},
	{"windows", "amd64"},
	{"windows", "arm64"},
}

type target struct{ os, arch string }

func (t target) String() string { return t.os + "_" + t.arch }

func main() {
	version := flag.String("version", "", "version, v1.2.3")
	root := flag.String("root", "../..", "folder of the sources")
	site := flag.String("site", "https://github.com/unroll-ml/unroll/releases/download", "where the archives will be, for the Homebrew formula")
	twice := flag.Bool("twice", false, "build again from a copy of the sources and compare the bytes")
	snapshot := flag.Bool("snapshot", false, "build what is there, for a look: no section in CHANGELOG.md, uncommitted changes or an old engine are said and allowed")
	only := flag.String("only", "", "build for one target alone, linux_amd64 for instance; there is no Homebrew formula then")
	outdated := flag.Bool("outdated", false, "list dependencies that have a newer version, and build nothing")
	flag.Parse()
	r := &release{root: *root, version: *version, site: *site}
	if err := r.run(flag.Arg(0), *only, *twice, *snapshot, *outdated); err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

func (r *release) run(out, only string, twice, snapshot, outdated bool) (err error) {
	if r.root, err = filepath.Abs(r.root); err != nil {
		return err
	}
	if outdated {
		return listOutdated(r.root)
	}
	for _, t := range all {
		if only == "" || t.String() == only {
			r.targets = append(r.targets, t)
		}
	}
	if len(r.targets) == 0 {
		return fmt.Errorf("-only %s: expected one of %v", only, all)
	}
	if !regexp.MustCompile(`^v\d+\.\d+\.\d+(-[0-9A-Za-z.]+)?$`).MatchString(r.version) || out == "" {
		return errors.New("usage: release -version v1.2.3 FOLDER")
	}
	if err := r.commit(); err != nil {
		return err
	}
	if err := r.check(snapshot); err != nil {
		return err
	}
	// A copy, so that what changes in the meantime does not get in.
	work, err := os.MkdirTemp("", "sources")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	if err := copyTree(r.root, work); err != nil {
		return err
	}
	r.root = work
	if err := r.build(out); err != nil {
		return err
	}
	if twice {
		if err := r.again(out); err != nil {
			return err
		}
	}
	return list(out)
}

// commit reads the time and name of the commit that is built.
func (r *release) commit() error {
	s, err := output(r.root, nil, "git", "log", "-1", "--format=%ct %H")
	if err != nil {
		return err
	}
	seconds, hash, _ := strings.Cut(strings.TrimSpace(s), " ")
	n, err := strconv.ParseInt(seconds, 10, 64)
	if err != nil || len(hash) < 12 {
		return fmt.Errorf("git log says %q", s)
	}
	r.when, r.revision = time.Unix(n, 0).UTC(), hash[:12]
	return nil
}

// check refuses what must not be released.
func (r *release) check(snapshot bool) error {
	var faults []error
	changelog, err := os.ReadFile(filepath.Join(r.root, "CHANGELOG.md"))
	if err != nil {
		return err
	}
	faults = append(faults, inChangelog(string(changelog), r.version))
	if s, err := output(r.root, nil, "git", "status", "--porcelain"); err != nil || s != "" {
		faults = append(faults, errors.Join(err, fmt.Errorf("there are changes that are not committed:\n%s", s)))
	}
	if s, err := output(r.root, nil, "bash", "internal/explain/wasm/check-generated.sh"); err != nil {
		faults = append(faults, errors.New(strings.TrimSpace(s)))
	} else if strings.HasPrefix(s, "skipped") {
		faults = append(faults, fmt.Errorf("the page's engine: %s", strings.TrimSpace(s)))
	}
	err = errors.Join(faults...)
	if err == nil || !snapshot {
		return err
	}
	fmt.Fprintln(os.Stderr, "release: a snapshot in spite of:", err)
	r.version += "-snapshot." + r.revision
	return nil
}

// inChangelog wants a section with a date and at least one entry.
func inChangelog(text, version string) error {
	head := regexp.MustCompile(`(?m)^## \[` + regexp.QuoteMeta(strings.TrimPrefix(version, "v")) + `\] - \d{4}-\d{2}-\d{2}$`)
	at := head.FindStringIndex(text)
	if at == nil {
		return fmt.Errorf("CHANGELOG.md has no section \"## [%s] - DATE\"", strings.TrimPrefix(version, "v"))
	}
	section, _, _ := strings.Cut(text[at[1]:], "\n## ")
	if !strings.Contains(section, "\n- ") {
		return fmt.Errorf("CHANGELOG.md says nothing of %s", version)
	}
	return nil
}
