package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"html"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/unroll-ml/unroll/model"
)

// The picture of a training is of the run that the README's text shows.
func TestReadmePictureIsOfItsRun(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	session, err := os.ReadFile("../../docs/images/train.session")
	if err != nil {
		t.Fatal(err)
	}
	picture, err := os.ReadFile("../../docs/images/train.svg")
	if err != nil {
		t.Fatal(err)
	}
	drawn := strings.Join(strings.Fields(html.UnescapeString(regexp.MustCompile("<[^>]*>").ReplaceAllString(string(picture), ""))), " ")
	block := regexp.MustCompile(`(?s)\$ \./(unroll train .*?)\n(test loss .*?)\n(test accuracy .*?)\n.*?predict names-model Satoshi\n(.*?)\n`).FindStringSubmatch(string(readme))
	if block == nil {
		t.Fatal("the README shows no training")
	}
	if !strings.Contains(string(session), block[1]+"\n") {
		t.Errorf("docs/images/train.session does not run\n%s", block[1])
	}
	for _, line := range block[1:] {
		if line = strings.Join(strings.Fields(line), " "); !strings.Contains(drawn, line) {
			t.Errorf("docs/images/train.svg does not show %q:\n%s\ndocs/images/make.sh says how it is made", line, drawn)
		}
	}
}

// The README's console blocks are a session: each command of ours runs, in
// order, and prints what stands below it, where "..." is any text. A command
// without anything below it may print what it likes.
func TestReadmeIsTrue(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	examples, err := filepath.Abs("../../examples")
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	if err := os.Symlink(examples, "examples"); err != nil {
		t.Skipf("the session needs a link to the examples: %v", err)
	}
	ran := 0
	for _, block := range regexp.MustCompile("(?s)```console\n(.*?)```").FindAllStringSubmatch(string(readme), -1) {
		text := strings.ReplaceAll(block[1], "\\\n", " ")
		for _, part := range strings.Split("\n"+text, "\n$ ")[1:] {
			line, want, _ := strings.Cut(part, "\n")
			command, digest := strings.CutSuffix(line, " | sha256sum")
			args := strings.Fields(command)
			switch {
			case args[0] == "./unroll":
				args = args[1:]
			case strings.HasPrefix(line, "go run ./cmd/unroll "):
				args = args[3:]
			case strings.HasPrefix(line, "go build ./cmd/unroll"):
				continue
			default:
				t.Fatalf("%q is not a command this test can run", line)
			}
			var out, errs bytes.Buffer
			if code := execute(context.Background(), args, strings.NewReader(""), &out, &errs); code != codeOK {
				t.Fatalf("$ %s\nexit code %d\n%s", line, code, errs.String())
			}
			ran++
			got := out.String()
			if digest {
				got = fmt.Sprintf("%x  -\n", sha256.Sum256(out.Bytes()))
			}
			if want == "" {
				continue
			}
			if !strings.HasSuffix(want, "\n") {
				want += "\n"
			}
			pattern := strings.ReplaceAll(regexp.QuoteMeta(want), `\.\.\.`+"\n", "(?s:.*)")
			if !regexp.MustCompile("^" + pattern + "$").MatchString(got) {
				t.Errorf("$ %s\nprints\n%s\nthe README says\n%s", line, got, want)
			}
		}
	}
	if ran < 6 {
		t.Errorf("%d commands ran, expected at least 6: the test misses the README's blocks", ran)
	}
}

// The README's Go code is that of the root package's examples, which run; how far
// it is indented there does not matter.
func TestReadmesCodeRuns(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	example, err := os.ReadFile("../../example_test.go")
	if err != nil {
		t.Fatal(err)
	}
	flat := func(s string) string {
		return "\n" + regexp.MustCompile(`(?m)^\t+`).ReplaceAllString(strings.Trim(s, "\n"), "") + "\n"
	}
	code := regexp.MustCompile("(?s)```go\n(.*?)```").FindAllStringSubmatch(string(readme), -1)
	if len(code) < 5 {
		t.Fatalf("the README has %d pieces of Go code, want at least 5", len(code))
	}
	for _, c := range code {
		if !strings.Contains(flat(string(example)), flat(c[1])) {
			t.Errorf("example_test.go does not have\n%s", c[1])
		}
	}
}

// The trained files beside the names hold what the README's command trains.
func TestModelsOfNamesAreOfTheReadmesCommand(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	line := regexp.MustCompile(`(?s)\./unroll (train examples/names.*?--seed 1)\n`).FindStringSubmatch(string(readme))
	if line == nil {
		t.Fatal("the README does not train on the names")
	}
	dir := t.TempDir()
	args := strings.Fields(strings.ReplaceAll(strings.ReplaceAll(line[1], "\\\n", " "), "examples/", "../../examples/"))
	for i := range args {
		args[i] = strings.Replace(args[i], "names-model", filepath.Join(dir, "model"), 1)
	}
	unrollIn(t, args...)
	for _, name := range []string{"model.pt", "model.onnx"} {
		made, kept := filepath.Join(dir, name), filepath.Join("../../examples/names", name)
		unrollIn(t, "convert", filepath.Join(dir, "model"), made)
		a, b := tensorsOf(t, made), tensorsOf(t, kept) // not bytes: a writer may come to say more
		if len(a) < 7 || !maps.Equal(a, b) {
			t.Errorf("%s has other tensors than examples/names/%[1]s", name)
		}
	}
}

// tensorsOf are a file's tensors as text.
func tensorsOf(t *testing.T, path string) map[string]string {
	t.Helper()
	m, err := model.Options{Layout: model.TimeFirst}.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	all := map[string]string{}
	for _, name := range m.Params().Names() {
		tensor, err := m.Params().Tensor(name)
		if err != nil {
			t.Fatal(err)
		}
		all[name] = fmt.Sprintf("%v %x", tensor.Shape, tensor.Data)
	}
	return all
}
