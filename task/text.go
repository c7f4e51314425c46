package task

import (
	"context"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"

	unroll "github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/nn"
	"github.com/unroll-ml/unroll/rng"
	"github.com/unroll-ml/unroll/tensor"
	"github.com/unroll-ml/unroll/train"
	"github.com/unroll-ml/unroll/train/data"
)

// Text predicts the next character or word of a text, and so writes on.
type Text struct {
	Cut
	Level     string // tokens are "char" or "word"; argument "level"
	MaxTokens int    // keep the most frequent words only, 0: all; argument "max-tokens"
	Window    int    // steps of backpropagation through time; argument "window"

	Vocabulary *data.Vocabulary // learnt; nil before the first Load
}

// NewText returns the task with default options.
func NewText() *Text { return &Text{Cut: newCut(), Level: "char", Window: 100} }

var textKind = Kind{
	Name: "text", Title: "A model of text", Causal: true,
	Reads: "a text file; the model predicts the next character or word",
	New:   func() Task { return NewText() },
}

// Kind implements Task.
func (t *Text) Kind() Kind { return textKind }

const (
	levelUsage  = "text, classify: tokens are char or word; classify: number, for sequences of numbers"
	tokensUsage = "keep the most frequent words only; 0: all"
)

// Arguments implements Task.
func (t *Text) Arguments() []Argument {
	return append(t.arguments(),
		Argument{Name: "level", Usage: levelUsage, Value: &t.Level, Learnt: true},
		Argument{Name: "max-tokens", Usage: tokensUsage, Value: &t.MaxTokens},
		Argument{Name: "window", Usage: "text: steps of backpropagation through time", Value: &t.Window},
	)
}

// Load implements Task. The last Test part of the file and, before it, the
// Valid part are held out. The test part is read as one text from its first
// token to its last, so that its loss depends on neither batch nor window;
// training and validation are cut into texts that are read side by side.
func (t *Text) Load(path string) (*Set, error) {
	if err := t.check(false); err != nil {
		return nil, err
	}
	if err := oneOf("level", t.Level, "char", "word"); err != nil {
		return nil, err
	}
	if t.Window < 1 {
		return nil, badArg("window", "is %d, expected at least 1", t.Window)
	}
	text, err := data.ReadText(t.file(path))
	if err != nil {
		return nil, err
	}
	tokens := data.Split(text, t.Level)
	n := len(tokens)
	nt, nv := int(float64(n)*t.Test), int(float64(n)*t.Valid)
	nTrain := n - nt - nv
	if nTrain < t.Window+1 || nv < 2 || nt < 2 {
		return nil, data.Fault(path, 0, "%d %ss are too few: training needs more than the window of %d, validation and test at least 2", n, t.Level, t.Window)
	}
	if t.Vocabulary == nil {
		t.Vocabulary = data.BuildVocabulary(tokens[:nTrain], t.Level, t.MaxTokens)
	}
	ids, name := data.Encode(t.Vocabulary, tokens), "word"
	if t.Level == "char" {
		name = "character"
	}
	return &Set{
		Train: data.BatchText(ids[:nTrain], t.Batch, t.Window), Valid: data.BatchText(ids[nTrain:nTrain+nv], t.Batch, t.Window), Test: data.BatchText(ids[nTrain+nv:], 1, t.Window),
		Objective: &train.Classes{}, Loss: "cross_entropy", Unit: "nats a " + name, Items: name + "s",
		About: fmt.Sprintf("a text of %d %ss, %d different tokens: the first %d for training, the next %d for validation, the last %d for test", n, name, len(t.Vocabulary.Tokens), nTrain, nv, nt),
	}, nil
}

// Network implements Task.
func (t *Text) Network() (c nn.Config) {
	if t.Vocabulary != nil {
		c.NumEmbeddings, c.OutFeatures = len(t.Vocabulary.Tokens), len(t.Vocabulary.Tokens)
	}
	return c
}

func (t *Text) metadata() metadata {
	return metadata{Vocabulary: t.Vocabulary, Source: t.source()}
}

func (t *Text) restore(m metadata) {
	t.Vocabulary = m.Vocabulary
	t.Cut.restore(m.Source)
	if m.Vocabulary != nil {
		t.Level = m.Vocabulary.Level
	}
}

func (t *Text) misfit(c nn.Config) string {
	var m misfits
	m.output(c, "all")
	m.tokens(t.Vocabulary, c)
	m.number("out_features", c.OutFeatures, c.NumEmbeddings, "num_embeddings")
	return m.first
}

func (t *Text) watch(*Set, *Measurement) func(*train.Batch, tensor.Dense) error { return nil }

// Answer implements Task: it writes on from q.Input, a text or a file, or else
// from q.Prompt. q.Log is told of tokens that the model does not know.
func (t *Text) Answer(ctx context.Context, m *nn.Model, q Query) error {
	if err := q.check(); err != nil {
		return err
	}
	if q.Input != "" {
		if q.Prompt != "" && q.Prompt != DefaultQuery().Prompt {
			return badArg("prompt", "and an input are both given to write on from; give one of them")
		}
		r, file, err := q.source()
		if err != nil {
			return err
		}
		defer r.Close()
		b, err := io.ReadAll(io.LimitReader(r, maxLine+1))
		if err != nil {
			return err
		}
		if len(b) > maxLine {
			return badArg("input", "has more than %d bytes", maxLine)
		}
		if q.Prompt, err = data.Text(q.name(file), b); err != nil {
			return err
		}
	}
	if len(data.Split(q.Prompt, t.Vocabulary.Level)) == 0 {
		return badArg("prompt", "is empty: give at least one %s", t.Vocabulary.Level)
	}
	q.strange(t.Vocabulary, "prompt", data.Split(q.Prompt, t.Level), true)
	fmt.Fprint(q.Out, q.Prompt)
	for s, err := range t.Write(ctx, m, q) {
		if err != nil {
			return err
		}
		if _, err := io.WriteString(q.Out, s); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintln(q.Out)
	return err
}

// Write yields what follows q.Prompt, token by token, q.Length of them or until
// ctx ends, with its error: it reads the prompt, draws a token, and reads that. It is an
// ErrArgument if q's Prompt is empty or its other fields for text cannot be.
func (t *Text) Write(ctx context.Context, m *nn.Model, q Query) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		if err := t.write(ctx, m, q, func(s string) bool { return yield(s, nil) }); err != nil {
			yield("", err)
		}
	}
}

func (t *Text) write(ctx context.Context, m *nn.Model, q Query, yield func(string) bool) error {
	v := t.Vocabulary
	prompt := data.Split(q.Prompt, v.Level)
	if len(prompt) == 0 {
		return badArg("prompt", "is empty: give at least one %s", v.Level)
	}
	if err := q.check(); err != nil {
		return err
	}
	pass := nn.Pass{Model: m, Workers: 1}
	g := rng.New(q.Seed)
	ids := data.Encode(v, prompt)
	y, s, err := pass.Forward(nn.Input{Tokens: ids, T: len(ids), B: 1}, unroll.State{})
	if err != nil {
		return err
	}
	last := prompt[len(prompt)-1]
	for range q.Length {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		tok, err := q.draw(g, y.Data[len(y.Data)-len(v.Tokens):], v.Unknown)
		if err != nil {
			return err
		}
		w := v.Tokens[tok]
		if v.Level == "word" && w != "\n" && last != "\n" {
			w = " " + w
		}
		last = v.Tokens[tok]
		if !yield(w) {
			return nil
		}
		if y, s, err = pass.Forward(nn.Input{Tokens: []int{tok}, T: 1, B: 1}, s.Clone()); err != nil {
			return err
		}
	}
	return nil
}

// draw picks a token, never the unknown one.
func (q *Query) draw(g *rng.Generator, logits []float32, never int) (int, error) {
	w := softmax(logits, q.Temperature)
	if never >= 0 && never < len(w) && len(w) > 1 {
		w[never] = 0
	}
	if q.Top > 0 && q.Top < len(w) {
		sorted := slices.Clone(w)
		slices.Sort(sorted)
		for i, v := range w {
			if v < sorted[len(w)-q.Top] {
				w[i] = 0
			}
		}
	}
	k, err := rng.Multinomial(g, w, 1, true)
	if err != nil {
		return 0, fmt.Errorf("the model's output cannot be drawn from: %w", err)
	}
	return k[0], nil
}

// Sequence implements Task: the text of a .txt file, or of one without ending.
func (t *Text) Sequence(path string, _ int) (Reading, bool, error) {
	return textFile(t.Vocabulary, path)
}

func textFile(v *data.Vocabulary, path string) (Reading, bool, error) {
	if ext := ending(path); v == nil || ext != ".txt" && ext != "" {
		return Reading{}, false, nil
	}
	s, err := data.ReadText(data.File{Path: path})
	if err != nil {
		return Reading{}, true, err
	}
	r, err := readText(v, strings.TrimRight(s, "\n"))
	return r, true, err
}

func readText(v *data.Vocabulary, text string) (Reading, error) {
	tokens := data.Split(text, v.Level)
	if len(tokens) == 0 {
		return Reading{}, badArg("text", "is empty: give at least one %s", v.Level)
	}
	return Reading{Tokens: data.Encode(v, tokens), Steps: tokens, Kind: "text"}, nil
}

// ReadText reads a text as a task's network does. It is an ErrArgument if the
// task has no vocabulary, or the text is empty.
func ReadText(t Task, text string) (Reading, error) {
	v := t.metadata().Vocabulary
	if v == nil {
		return Reading{}, badArg("text", "is for models with a vocabulary")
	}
	return readText(v, text)
}
