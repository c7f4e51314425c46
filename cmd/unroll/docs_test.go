package main

import (
	"bytes"
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/unroll-ml/unroll/checkpoint"
	"github.com/unroll-ml/unroll/checkpoint/array"
	"github.com/unroll-ml/unroll/checkpoint/torchfile"
	"github.com/unroll-ml/unroll/tensor"
)

// sources is the folder of the sources, as tests see it.
const sources = "../.."

// pages are the documents that print commands, by their paths in the sources. Those
// of the examples come first: others use what they train.
func pages(t *testing.T) (names []string, text map[string]string) {
	t.Helper()
	text = map[string]string{}
	for _, pattern := range []string{"examples/*/README.md", "README.md", "CONTRIBUTING.md", "docs/*.md", "docs/*/*.md", "deploy/README.md", "bench/README.md"} {
		files, err := filepath.Glob(filepath.Join(sources, pattern))
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: no such page (%v)", pattern, err)
		}
		for _, f := range files {
			b, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			name, err := filepath.Rel(sources, f)
			if err != nil {
				t.Fatal(err)
			}
			name = filepath.ToSlash(name)
			names, text[name] = append(names, name), string(b)
		}
	}
	return names, text
}

var (
	begins = regexp.MustCompile(`^(?:[A-Z_]+=\S* )*(unroll|\./unroll|go|bash|python3|curl|pip|source|export|[a-z]+/[a-z/]+(?:\.sh)?) `)
	sets   = regexp.MustCompile(`^([A-Z])=(\S+)$`)
)

// printed are the commands in a page's blocks, indented or fenced, without comments,
// their continued lines joined and variables of one letter put in. Blocks of the
// language console are TestReadmeIsTrue's.
func printed(text string) (lines []string) {
	text = regexp.MustCompile("(?s)```(?:console|go|text|python)\n.*?```").ReplaceAllString(text, "")
	text = regexp.MustCompile(`\\\n +`).ReplaceAllString(text, "")
	fenced, vars := false, map[string]string{}
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		if strings.HasPrefix(line, "```") {
			fenced = !fenced
			continue
		}
		code, indented := strings.CutPrefix(line, "    ")
		if !fenced && !indented {
			continue
		}
		if i := strings.Index(code, "  #"); i >= 0 {
			code = strings.TrimRight(code[:i], " ")
		}
		if m := sets.FindStringSubmatch(code); m != nil {
			vars["$"+m[1]] = m[2]
		}
		for name, value := range vars {
			code = strings.ReplaceAll(code, name+" ", value+" ")
		}
		if begins.MatchString(code + " ") {
			lines = append(lines, code)
		}
	}
	return lines
}

// words splits a command line as a shell does, as far as the pages need it.
func words(line string) []string {
	all := regexp.MustCompile(`"[^"]*"|'[^']*'|\S+`).FindAllString(line, -1)
	for i := range all {
		all[i] = strings.Trim(all[i], `"'`)
	}
	return all
}

// Commands that are not run here, and why. They are parsed all the same.
var elsewhere = map[string]string{
	"unroll serve examples/bach":                                                "it runs until it is told to end: TestServe*",
	"unroll completion fish | source":                                           "a shell runs it",
	"unroll serve vad=silero_vad.onnx --set sr=16000 --size 'vad:input[1]=576'": "TestServeSilero",
}

// What stands in a page for a reader's own files, and what is taken for it here.
// A page is opened by nobody: it is written instead.
var stands = map[string][]string{
	"MODEL-FOLDER": {"shakespeare-model"},
	"MODEL":        {"examples/bach"},
	"INPUT":        {"examples/bach/chorale.safetensors"},
	"--open":       {"--html", "opened.html"},
}

// Trainings are short here: the last of two equal flags is the one that counts.
var short = []string{"--epochs", "1", "--hidden", "4", "--layers", "1", "--lags", "8"}

// TestThePagesCommandsRun: every command of ours that a page prints is one that the
// command line takes, and ends with exit code 0 in a folder like a clone's.
func TestThePagesCommandsRun(t *testing.T) {
	if testing.Short() {
		t.Skip("the trainings of the pages")
	}
	names, text := pages(t)
	dir := clone(t)
	t.Chdir(dir)
	ran, seen := 0, map[string]bool{}
	for _, name := range names {
		for _, line := range printed(text[name]) {
			args, ours := strings.CutPrefix(strings.TrimPrefix(line, "./"), "unroll ")
			if !ours {
				if args, ours = strings.CutPrefix(line, "go run ./cmd/unroll "); !ours {
					continue
				}
			}
			checkExample(t, newRootCmd(), "  unroll "+args)
			if _, ok := elsewhere[line]; ok {
				seen[line] = true
				continue
			}
			if strings.Contains(args, "<(") || strings.Contains(args, ">") {
				t.Errorf("%s: $ %s: this test runs no shell", name, line)
			}
			var all []string
			for _, w := range words(args) {
				if other, ok := stands[w]; ok {
					all = append(all, other...)
					continue
				}
				all = append(all, w)
			}
			if all[0] == "train" {
				all = append(all, shortFor(t, all)...)
			}
			var out, errs bytes.Buffer
			if code := execute(context.Background(), all, strings.NewReader(""), &out, &errs); code != codeOK {
				t.Errorf("%s: $ %s\nas unroll %s: exit code %d\n%s", name, line, strings.Join(all, " "), code, &errs)
			}
			ran++
		}
	}
	for line := range elsewhere {
		if !seen[line] {
			t.Errorf("no page prints %q, which is not run here", line)
		}
	}
	if ran < 25 {
		t.Errorf("%d commands ran, expected at least 25: the test misses blocks", ran)
	}
}

// shortFor are the flags of short that a training's task has.
func shortFor(t *testing.T, args []string) (flags []string) {
	t.Helper()
	forecast := slices.Contains(args, "forecast")
	for i := 0; i < len(short); i += 2 {
		if short[i] != "--lags" || forecast {
			flags = append(flags, short[i:i+2]...)
		}
	}
	return flags
}

// clone is a folder with a copy of the examples, and files by the names that the
// pages give to files of a reader's own.
func clone(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(filepath.Join(dir, "examples"), os.DirFS(filepath.Join(sources, "examples"))); err != nil {
		t.Fatal(err)
	}
	for to, from := range map[string]string{
		"speech.onnx": "examples/names/model.onnx",
		"weights.npz": "checkpoint/keras/testdata/gru.npz",
	} {
		b, err := os.ReadFile(filepath.Join(sources, from))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, to), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, shape := range map[string][]int{"x.npy": {2, 5, 3}, "input.npy": {5, 3}, "sound.npy": {7, 1}} {
		if err := array.WriteFile(filepath.Join(dir, name), checkpoint.Set{checkpoint.Of("input", tensor.New(shape...))}, array.Options{}); err != nil {
			t.Fatal(err)
		}
	}
	w := func(name string, shape ...int) checkpoint.Tensor { return checkpoint.Of(name, tensor.New(shape...)) }
	state := checkpoint.Set{
		w("lstm.weight_ih_l0", 16, 3), w("lstm.weight_hh_l0", 16, 4), w("lstm.bias_ih_l0", 16), w("lstm.bias_hh_l0", 16),
		w("fc.weight", 2, 4), w("fc.bias", 2),
	}
	if err := torchfile.WriteFile(filepath.Join(dir, "model.pt"), state); err != nil {
		t.Fatal(err)
	}
	return dir
}

// TestThePagesFlagsAreThere: what stands between back quotes and looks like a flag of
// ours is one, of that command where one is named.
func TestThePagesFlagsAreThere(t *testing.T) {
	flags := map[string]map[string]bool{} // by command
	all := map[string]bool{}
	everyCommand(newRootCmd(), func(cmd *cobra.Command) {
		cmd.InitDefaultHelpFlag()
		of := map[string]bool{}
		cmd.Flags().VisitAll(func(f *pflag.Flag) { of[f.Name], all[f.Name] = true, true })
		flags[cmd.Name()] = of
	})
	all["version"] = true
	names, text := pages(t)
	checked := 0
	foreign := regexp.MustCompile(`^(?:brew|dpkg|go|unroll (?:capsule|snapshot) 1)`) // the last is what a file begins with
	flag := regexp.MustCompile(`(?:^|[\s(])--([a-z][a-z0-9-]*)`)
	for _, name := range names {
		if name == "bench/README.md" || name == "docs/gauntlet.md" { // of other programs
			continue
		}
		prose := regexp.MustCompile("(?s)```.*?```").ReplaceAllString(text[name], "")
		for _, m := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(prose, -1) {
			if foreign.MatchString(m[1]) {
				continue
			}
			of, where := all, "any command"
			if c := regexp.MustCompile(`^unroll ([a-z]+)`).FindStringSubmatch(m[1]); c != nil {
				if flags[c[1]] == nil {
					t.Errorf("%s: `%s`: there is no command %q", name, m[1], c[1])
					continue
				}
				of, where = flags[c[1]], c[1]
			}
			for _, f := range flag.FindAllStringSubmatch(m[1], -1) {
				checked++
				if !of[f[1]] {
					t.Errorf("%s: `%s`: --%s is no flag of %s", name, m[1], f[1], where)
				}
			}
		}
	}
	if checked < 80 {
		t.Errorf("%d flags, expected at least 80: the test misses them", checked)
	}
}

// TestThePagesProgramsAreThere: the packages, tests, benchmarks and scripts of the
// commands that this test does not run are there. Commands of a new kind are to be
// added here, so that none goes unseen.
func TestThePagesProgramsAreThere(t *testing.T) {
	names, text := pages(t)
	checked := map[string]int{}
	for _, name := range names {
		for _, line := range printed(text[name]) {
			line = regexp.MustCompile(`^(?:[A-Z_]+=\S* )*`).ReplaceAllString(line, "")
			for _, part := range strings.Split(line, " && ") {
				w := words(part)
				switch first := strings.TrimPrefix(w[0], "./"); {
				case first == "unroll", first == "python3", first == "curl", first == "pip", first == "unzip", first == "export":
				case first == "source":
					if part != "source <(unroll completion bash)" {
						t.Errorf("%s: $ %s", name, part)
					}
				case first == "go":
					checkGo(t, name, w[1:])
					checked["go"]++
				case first == "bash":
					exists(t, name, w[1])
					checked["script"]++
				case strings.HasSuffix(first, ".sh"):
					exists(t, name, first)
					checked["script"]++
				case first == "beam/score": // go build -C beam -o score, above it
				default:
					t.Errorf("%s: $ %s: nothing looks after %q", name, part, w[0])
				}
			}
		}
	}
	if checked["go"] < 20 || checked["script"] < 7 {
		t.Errorf("%v commands were looked at: the test misses blocks", checked)
	}
}

func exists(t *testing.T, page, file string) {
	t.Helper()
	st, err := os.Stat(filepath.Join(sources, file))
	if err != nil {
		t.Errorf("%s names %s: %v", page, file, err)
	} else if strings.HasSuffix(file, ".sh") && filepath.Separator == '/' && st.Mode()&0o111 == 0 {
		t.Errorf("%s runs %s, which is not executable", page, file)
	}
}

// checkGo looks for the packages of a go command, and for the tests and benchmarks
// that its patterns name.
func checkGo(t *testing.T, page string, args []string) {
	t.Helper()
	dir, patterns, verb := "", map[string]string{}, args[0]
	var packages []string
	for i := 1; i < len(args); i++ {
		switch a := args[i]; {
		case a == "-C" || a == "-run" || a == "-bench":
			i++
			if a == "-C" {
				dir = args[i]
			} else {
				patterns[a] = args[i]
			}
		case a == "-o" || a == "-count" || a == "-cpu" || a == "-benchtime" || a == "-n":
			i++
		case strings.HasPrefix(a, "."):
			packages = append(packages, a)
			if verb == "run" {
				i = len(args) // the rest is the program's
			}
		}
	}
	if verb == "get" || verb == "install" || verb == "generate" || verb == "tool" || verb == "mod" {
		return // modules by their names, and tools of tools/go.mod
	}
	if len(packages) == 0 {
		t.Errorf("%s: go %s names no package", page, strings.Join(args, " "))
	}
	for _, p := range packages {
		folder, recursive := strings.CutSuffix(p, "...")
		folder = filepath.Join(dir, folder)
		if folder == "package" || p == "./package" {
			continue // of the reader's choice
		}
		exists(t, page, folder)
		for flag, pattern := range patterns {
			prefix := map[string]string{"-run": "Test", "-bench": "Benchmark"}[flag]
			if pattern == "^$" || pattern == "NAME" {
				continue
			}
			if !declares(t, filepath.Join(sources, folder), prefix, pattern, recursive) {
				t.Errorf("%s: %s has no %s for %s %s", page, p, prefix, flag, pattern)
			}
		}
	}
}

// declares reports whether a folder's tests have a function that a pattern names.
func declares(t *testing.T, dir, prefix, pattern string, recursive bool) (found bool) {
	t.Helper()
	re := regexp.MustCompile(pattern)
	err := filepath.WalkDir(dir, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if file != dir && !recursive {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(file, "_test.go") {
			return nil
		}
		b, err := os.ReadFile(file)
		for _, m := range regexp.MustCompile(`(?m)^func (`+prefix+`\w*)\(`).FindAllSubmatch(b, -1) {
			found = found || re.Match(m[1])
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	return found
}

// What the tests of the pages refuse, so that they can be seen to.
func TestPagesAreReadAsPrinted(t *testing.T) {
	page := "Words.\n\n    D=a/b.json\n    unroll train $D --task text \\\n        --seed 1    # a comment\n    h = tanh(x)\n\n```sh\nbench/run.sh W1\n```\n```console\n$ unroll run\n```\n"
	want := []string{"unroll train a/b.json --task text --seed 1", "bench/run.sh W1"}
	if got := printed(page); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := words(`run a 'b c' --chain "d | e"`), []string{"run", "a", "b c", "--chain", "d | e"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
