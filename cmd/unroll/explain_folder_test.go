package main

import (
	"bytes"
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/nn"
	"github.com/unroll-ml/unroll/task"
	"github.com/unroll-ml/unroll/train/data"
)

// A model folder is shown with what stands around its layer: the embedding before
// it, the head after it, and what the task makes of its numbers, to the bit.
func TestExplainShowsWhatStandsAroundAFoldersLayer(t *testing.T) {
	letters := &data.Vocabulary{Level: "char", Tokens: []string{"<unk>", "e", "h", "l", "o"}, Unknown: 0, Pad: -1}
	pad := *letters
	pad.Tokens, pad.Pad = append(slices.Clone(pad.Tokens), "<pad>"), 5
	five := 5
	for _, c := range []struct {
		name  string
		of    task.Task
		net   nn.Config
		boxes []string
	}{
		{
			"text", &task.Text{Vocabulary: letters},
			nn.Config{NumEmbeddings: 5, OutFeatures: 5, RNN: unroll.Config{Mode: unroll.GRU, InputSize: 3, HiddenSize: 4}},
			[]string{"tokens", "embedding", "rnn", "fc", "probability"},
		},
		{
			"classify", &task.Classify{Vocabulary: &pad, Classes: []string{"bad", "good", "so-so"}},
			nn.Config{NumEmbeddings: 6, PaddingIdx: &five, OutFeatures: 3, Output: "last", RNN: unroll.Config{Mode: unroll.LSTM, InputSize: 2, HiddenSize: 4, NumLayers: 2, Bidirectional: true}},
			[]string{"tokens", "embedding", "rnn", "h_last", "fc", "probability"},
		},
	} {
		cfg := described(t, c.net, c.of)
		cfg.RNN = c.net.RNN
		m, dir := folder(t, cfg)
		pass := nn.Pass{Model: m}
		logits, _, err := pass.Forward(nn.Input{Tokens: []int{2, 1, 3, 3, 4}}, unroll.State{})
		if err != nil {
			t.Fatal(err)
		}
		p := make([]float32, len(logits.Data))
		if err := nn.Softmax(p, logits.Data, cfg.OutFeatures); err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(t.TempDir(), "page.html")
		run := func(args ...string) string {
			var out bytes.Buffer
			if code := execute(context.Background(), append([]string{"explain", dir, "--text", "hello"}, args...), strings.NewReader(""), &out, &out); code != codeOK {
				t.Fatalf("%s: exit code %d: %s", c.name, code, out.String())
			}
			return out.String()
		}
		run("--html", file)
		_, boxes := lastState(t, file)
		var names []string
		for _, b := range boxes {
			names = append(names, b.Name)
		}
		if !slices.Equal(names, c.boxes) {
			t.Errorf("%s: boxes %v, expected %v", c.name, names, c.boxes)
			continue
		}
		last := boxes[len(boxes)-1]
		if got := boxes[len(boxes)-2].values; !slices.Equal(got, logits.Data) {
			t.Errorf("%s: the head gives %v, the model %v", c.name, got, logits.Data)
		}
		if !slices.Equal(last.values, p) || last.Output != "probability" {
			t.Errorf("%s: %+v, expected %v", c.name, last, p)
		}
		if want, _ := task.Outputs(c.of); !slices.Equal(last.Columns, want) {
			t.Errorf("%s: names %v, expected %v", c.name, last.Columns, want)
		}
		// The terminal says the largest of the last row, by name.
		k := cfg.OutFeatures
		row := p[len(p)-k:]
		best := nn.Argmax(row)
		if want := fmt.Sprintf("%s %.4f, ", last.Columns[best], row[best]); !strings.Contains(run(), want) {
			t.Errorf("%s: the text lacks %q:\n%s", c.name, want, run())
		}
		if text := run("--step", "1"); strings.Contains(text, "in the order in which it runs") {
			t.Errorf("%s: one step comes with all boxes:\n%s", c.name, text)
		}
	}
}

// What a head of many steps and names would hold is bounded.
func TestExplainKeepsTheFirstStepsOfABox(t *testing.T) {
	v := &data.Vocabulary{Level: "char", Tokens: []string{"<unk>", "a"}, Unknown: 0, Pad: -1}
	cfg := described(t, nn.Config{NumEmbeddings: 2, OutFeatures: 2}, &task.Text{Vocabulary: v})
	cfg.RNN = unroll.Config{Mode: unroll.GRU, InputSize: 3, HiddenSize: 4}
	_, dir := folder(t, cfg)
	file := filepath.Join(t.TempDir(), "page.html")
	var out bytes.Buffer
	if code := execute(context.Background(), []string{"explain", dir, "--text", strings.Repeat("a", 9000), "--html", file}, strings.NewReader(""), &out, &out); code != codeOK {
		t.Fatalf("exit code %d: %s", code, out.String())
	}
	_, boxes := lastState(t, file)
	for _, b := range boxes {
		if b.Held > 1<<14 || b.Name == "fc" && (b.Held != 1<<14 || !slices.Equal(b.Shape, []int{9000, 2})) {
			t.Errorf("%s %v holds %d numbers", b.Name, b.Shape, b.Held)
		}
	}
}
