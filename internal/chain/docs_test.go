package chain

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/unroll-ml/unroll"
)

const page = "../../docs/chain.md"

var update = flag.Bool("update", false, "write the tables into docs/chain.md")

// The tables of the page are the code's.
func TestTheTablesOfThePage(t *testing.T) {
	data, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	text := string(data)
	var functions, modules strings.Builder
	functions.WriteString("| function | arguments |\n|---|---|\n")
	for _, name := range functionNames() {
		f := functionOf(name)
		what := paramNames(f.params)
		switch {
		case f.values == 2:
			what = "two values; " + what
		case f.values < 0:
			what = "values; " + what
		}
		fmt.Fprintf(&functions, "| `%s` | %s |\n", name, what)
	}
	modules.WriteString("| kind | torch's classes | arguments |\n|---|---|---|\n")
	for _, name := range sortedKeys(kinds) {
		var of []string
		for _, class := range sortedKeys(classKinds) {
			if classKinds[class] == name {
				of = append(of, class)
			}
		}
		fmt.Fprintf(&modules, "| `%s` | %s | %s |\n", name, strings.Join(of, ", "), paramNames(kinds[name].params))
	}
	want := text
	for name, table := range map[string]string{"functions": functions.String(), "modules": modules.String()} {
		open, end := "<!-- "+name+" -->\n", "<!-- /"+name+" -->"
		before, rest, ok := strings.Cut(want, open)
		_, after, ok2 := strings.Cut(rest, end)
		if !ok || !ok2 {
			t.Fatalf("the page has no place for %s", name)
		}
		want = before + open + table + end + after
	}
	if want == text {
		return
	}
	if !*update {
		t.Fatalf("the tables of %s are not the code's; go test ./internal/chain -run Tables -update writes them", page)
	}
	if err := os.WriteFile(page, []byte(want), 0o644); err != nil {
		t.Fatal(err)
	}
}

// The lines of the page are built over modules of those names.
func TestTheLinesOfThePage(t *testing.T) {
	data, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	s := map[string][]int{"v.weight": {1, 6}, "emb.weight": {9, 4}, "embedding.weight": {9, 4}, "cnn.0.weight": {4, 1, 3, 3}, "head.0.weight": {6}, "head.0.bias": {6}}
	recurrent(s, "lstm.", unroll.Config{Mode: unroll.LSTM, InputSize: 4, HiddenSize: 6})
	recurrent(s, "gru.", unroll.Config{Mode: unroll.GRU, InputSize: 4, HiddenSize: 6})
	for _, name := range []string{"fc", "fc1", "fc2", "w", "head.1", "head.4", "policy", "value"} {
		linearShapes(s, name, 6, 6)
	}
	for _, name := range []string{"bn", "cnn.1"} {
		for _, leaf := range []string{"weight", "bias", "running_mean", "running_var"} {
			s[name+"."+leaf] = []int{4}
		}
	}
	src := weights(s)
	built := 0
	for i, block := range strings.Split(string(data), "```") {
		lines, ok := strings.CutPrefix(block, "text\n")
		if !ok || i%2 == 0 {
			continue
		}
		for _, line := range strings.Split(strings.TrimSpace(lines), "\n") {
			c, err := Parse(line)
			if err != nil {
				t.Error(err)
				continue
			}
			if _, err := Build(src, c, Options{Layout: BatchFirst}); err != nil {
				t.Errorf("%s: %v", line, err)
			}
			if c.String() != line {
				t.Errorf("%s is not in its one form, %s", line, c)
			}
			built++
		}
	}
	if built < 8 {
		t.Errorf("%d lines built", built)
	}
}
