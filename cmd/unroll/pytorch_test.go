package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/unroll-ml/unroll/internal/testkit"
)

// unrollIn runs a command line.
func unrollIn(t *testing.T, args ...string) string {
	t.Helper()
	var stdout, stderr bytes.Buffer
	if code := execute(context.Background(), args, strings.NewReader(""), &stdout, &stderr); code != codeOK {
		t.Fatalf("unroll %s: exit code %d\n%s", strings.Join(args, " "), code, &stderr)
	}
	return stdout.String()
}

// A model of each task, trained here, loads into the installed PyTorch with
// load_state_dict(strict=True) and gives the same loss.
func TestPyTorchGivesTrainedModelsTheSameLoss(t *testing.T) {
	dir := t.TempDir()
	names, poem := "text,label\n", strings.Repeat("to be, or not to be: that is the question.\n", 20)
	series, tags := "t,a,b\n", ""
	for i := range 40 {
		names += strings.Repeat("ab", 1+i%4) + "," + []string{"x", "y"}[i%2] + "\n"
		series += "1," + string(rune('1'+i%3)) + "," + string(rune('2'+i%4)) + "\n"
		tags += "the D\ncat N\n" + strings.Repeat("sat V\n", i%3) + "\n"
	}
	rolls := `{"dim":8,"train":[[[1,2],[3],[1,2]],[[0],[1]],[[2],[3],[],[7]]],"valid":[[[1],[2]]],"test":[[[1],[2],[3],[1]],[[5],[6]]]}`
	for name, text := range map[string]string{"names.csv": names, "poem.txt": poem, "series.csv": series, "tags.conll": tags, "rolls.json": rolls} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	for _, line := range []string{
		"poem.txt --task text --mode LSTM --layers 2 --window 10 --batch 3",
		"poem.txt --task text --mode GRU --embedding 12 --tie-weights --window 10 --batch 3",
		"names.csv --task classify --mode RNN_TANH --bidirectional",
		"tags.conll --task tag --mode RNN_RELU --bidirectional --batch 4",
		"rolls.json --task music --mode GRU",
		"series.csv --task forecast --mode LSTM --lags 4 --horizon 2 --season 3 --no-calendar --loss huber --valid .2 --test .2",
	} {
		f := strings.Fields(line)
		file, model, one := filepath.Join(dir, f[0]), filepath.Join(t.TempDir(), "model"), filepath.Join(dir, "case.json")
		unrollIn(t, append([]string{"train", file, "-o", model, "--hidden", "12", "--epochs", "2", "--lr", "1e-3"}, f[1:]...)...)
		unrollIn(t, "eval", model, file, "--case", one)
		t.Logf("%s: %s", line, testkit.Torch(t, "../../examples/pytorch/load_in_pytorch.py", model, one))
	}
}

// The run of the README, from the same seed here and in the installed PyTorch: the
// script compares the losses of both epochs.
func TestPyTorchGivesTheSameRun(t *testing.T) {
	dir := t.TempDir()
	script, err := os.ReadFile("../../examples/pytorch/train_in_pytorch.py")
	if err != nil {
		t.Fatal(err)
	}
	line := regexp.MustCompile(`(?s)    unroll (train .*?run\.jsonl)\n`).FindSubmatch(script)
	if line == nil {
		t.Fatal("the script does not say how unroll trains")
	}
	args := strings.Fields(strings.ReplaceAll(string(line[1]), "\\\n", " "))
	log := filepath.Join(dir, "run.jsonl")
	text := "../../" + args[1]
	args[1], args[len(args)-1] = text, log
	for i, a := range args {
		if a == "-o" {
			args[i+1] = filepath.Join(dir, "model")
		}
	}
	unrollIn(t, args...)
	t.Logf("%s", testkit.Torch(t, "../../examples/pytorch/train_in_pytorch.py", text, log))
}
