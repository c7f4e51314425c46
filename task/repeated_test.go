package task_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/unroll-ml/unroll/task"
)

// Items that stand in two parts are counted: by text, words or numbers, with the label.
func TestRepeatedItemsAreSaid(t *testing.T) {
	write := func(name, text string) string {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
		return path
	}
	rows := func(text func(i int) string, label func(i int) string) string {
		b := "text,label\n"
		for i := range 100 {
			b += text(i) + "," + label(i) + "\n"
		}
		return b
	}
	half := func(i int) string { return string('a' + rune(i%2)) }
	number := task.NewClassify()
	number.Level = "number"
	sentence := func(w string) string { return w + "\tA\nis\tB\n\n" }
	apart := ""
	for i := range 50 {
		apart += sentence(fmt.Sprint("w", i))
	}
	const said = "stand in the training part too, with the same label"
	for _, c := range []struct {
		name string
		task task.Task
		path string
		want string
	}{
		{"texts", task.NewClassify(), write("x.csv", rows(func(i int) string { return fmt.Sprint("t", i/2%2) }, half)), "10 of 10 texts for test and 10 of 10 for validation " + said},
		{"numbers", number, write("n.csv", rows(func(i int) string { return fmt.Sprintf("%d 1 2", i/2%2) }, half)), "10 of 10 sequences for test and 10 of 10 for validation " + said},
		{"sentences", task.NewTag(), write("x.conll", strings.Repeat(sentence("same"), 50)), "5 of 5 sentences for test and 5 of 5 for validation " + said},
		{"other texts", task.NewClassify(), write("x.csv", rows(func(i int) string { return fmt.Sprint("t", i) }, half)), ""},
		{"other labels", task.NewClassify(), write("x.csv", rows(func(i int) string { return fmt.Sprint("t", i/2) }, half)), ""},
		{"other sentences", task.NewTag(), write("x.conll", apart), ""},
	} {
		set, err := c.task.Load(c.path)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		found := 0
		for _, n := range set.Notes {
			if strings.Contains(n, said) {
				found++
				if c.want == "" || !strings.HasPrefix(n, c.want) {
					t.Errorf("%s: %q, want %q", c.name, n, c.want)
				}
			}
		}
		if (found == 1) != (c.want != "") {
			t.Errorf("%s: %d notes in %q", c.name, found, set.Notes)
		}
	}
}
