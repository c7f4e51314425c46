// Command mutate breaks one line at a time and lists what no test notices:
//
//	go run -C tools ./mutate [flags] ./train ./nn ./cmd/unroll/paths.go
//
// A file stands for itself; the tests are those of its package.
//
// It changes an operator, moves a bound by one, drops a statement, changes a
// constant, or turns a condition round, in the packages named, and runs the
// package's own tests on each through an overlay: no file of the tree is touched.
// A mutant that does not compile counts for nothing; one whose tests fail or take
// longer than -timeout is found; the others are printed. Some survivors are no
// gap: a mutant may compute the same.
package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

func main() {
	root := flag.String("C", "..", "the module's folder")
	n := flag.Int("n", 40, "mutants drawn in each package; 0: all")
	seed := flag.Uint64("seed", 1, "seed of the draw")
	run := flag.String("run", "", "run only the tests that match")
	short := flag.Bool("short", true, "run the short tests only")
	timeout := flag.Duration("timeout", time.Minute, "bound for the tests of one mutant, building included")
	flag.Parse()
	if flag.NArg() == 0 {
		fmt.Fprintln(os.Stderr, "mutate: name at least one package folder or file, ./train for example")
		os.Exit(2)
	}
	args := []string{"-count=1", "-failfast"}
	if *short {
		args = append(args, "-short")
	}
	if *run != "" {
		args = append(args, "-run", *run)
	}
	survived := 0
	for _, dir := range flag.Args() {
		s, err := mutatePackage(*root, dir, *n, *seed, *timeout, args)
		if err != nil {
			fmt.Fprintln(os.Stderr, "mutate:", err)
			os.Exit(2)
		}
		survived += s
	}
	if survived > 0 {
		os.Exit(1)
	}
}

// mutatePackage tests n mutants of the folder dir and returns how many survived.
func mutatePackage(root, dir string, n int, seed uint64, timeout time.Duration, args []string) (int, error) {
	files, err := filepath.Glob(filepath.Join(root, dir, "*.go"))
	if err != nil {
		return 0, err
	}
	if filepath.Ext(dir) == ".go" {
		files, dir = []string{filepath.Join(root, dir)}, filepath.Dir(dir)
	}
	var all []mutant
	for _, f := range files {
		if strings.HasSuffix(f, "_test.go") {
			continue
		}
		abs, err := filepath.Abs(f)
		if err != nil {
			return 0, err
		}
		src, err := os.ReadFile(abs)
		if err != nil {
			return 0, err
		}
		m, err := mutants(abs, src)
		if err != nil {
			return 0, err
		}
		all = append(all, m...)
	}
	if len(all) == 0 {
		return 0, fmt.Errorf("%s: there is nothing to change", dir)
	}
	if err := test(root, dir, nil, 10*timeout, args); err != nil {
		return 0, fmt.Errorf("%s: the tests fail as they are: %w", dir, err)
	}
	total := len(all)
	if n > 0 && n < total {
		g := rand.New(rand.NewPCG(seed, 0))
		g.Shuffle(total, func(i, j int) { all[i], all[j] = all[j], all[i] })
		all = all[:n]
		slices.SortFunc(all, func(a, b mutant) int { return cmp.Or(strings.Compare(a.file, b.file), a.from-b.from) })
	}
	found, broken, survived := 0, 0, 0
	for _, m := range all {
		switch err := test(root, dir, &m, timeout, args); {
		case errors.Is(err, errBuild):
			broken++
		case err != nil:
			found++
		default:
			survived++
			fmt.Println("survived:", m)
		}
	}
	fmt.Printf("%s: of %d mutants %d tried: %d found, %d survived, %d do not compile\n", dir, total, len(all), found, survived, broken)
	return survived, nil
}

var errBuild = errors.New("it does not compile")

// test runs the tests of dir with m in the place of its file; nil: as it is.
func test(root, dir string, m *mutant, timeout time.Duration, args []string) error {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, "go", append([]string{"test"}, args...)...)
	if m != nil {
		tmp, err := os.MkdirTemp("", "mutate")
		if err != nil {
			return err
		}
		defer os.RemoveAll(tmp)
		file, overlay := filepath.Join(tmp, filepath.Base(m.file)), filepath.Join(tmp, "overlay.json")
		if err := os.WriteFile(file, m.apply(), 0o600); err != nil {
			return err
		}
		b, err := json.Marshal(map[string]map[string]string{"Replace": {m.file: file}})
		if err != nil {
			return err
		}
		if err := os.WriteFile(overlay, b, 0o600); err != nil {
			return err
		}
		cmd.Args = append(cmd.Args, "-overlay="+overlay)
	}
	cmd.Args = append(cmd.Args, "./"+filepath.ToSlash(filepath.Clean(dir)))
	cmd.Dir, cmd.WaitDelay = root, time.Second
	out, err := cmd.CombinedOutput()
	switch {
	case err == nil:
		return nil
	case ctx.Err() == nil && (strings.Contains(string(out), "[build failed]") || strings.Contains(string(out), "[setup failed]")):
		return errBuild
	}
	return fmt.Errorf("%w\n%s", err, out)
}
