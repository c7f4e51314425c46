package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

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
			args := strings.Fields(line)
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
			if want == "" {
				continue
			}
			if !strings.HasSuffix(want, "\n") {
				want += "\n"
			}
			pattern := strings.ReplaceAll(regexp.QuoteMeta(want), `\.\.\.`+"\n", "(?s:.*)")
			if !regexp.MustCompile("^" + pattern + "$").MatchString(out.String()) {
				t.Errorf("$ %s\nprints\n%s\nthe README says\n%s", line, out.String(), want)
			}
		}
	}
	if ran < 6 {
		t.Errorf("%d commands ran, expected at least 6: the test misses the README's blocks", ran)
	}
}

// The README's Go code is that of the root package's Example, which runs.
func TestReadmesCodeRuns(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	example, err := os.ReadFile("../../example_test.go")
	if err != nil {
		t.Fatal(err)
	}
	code := regexp.MustCompile("(?s)```go\n(.*?)```").FindAllStringSubmatch(string(readme), -1)
	if len(code) == 0 {
		t.Fatal("the README has no Go code")
	}
	for _, c := range code {
		indented := strings.ReplaceAll("\n"+strings.TrimRight(c[1], "\n"), "\n", "\n\t")
		indented = strings.ReplaceAll(indented, "\n\t\n", "\n\n")
		if !strings.Contains(string(example), indented+"\n") {
			t.Errorf("example_test.go does not have\n%s", c[1])
		}
	}
}
