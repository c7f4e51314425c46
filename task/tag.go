package task

import (
	"context"
	"fmt"
	"slices"

	unroll "github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/nn"
	"github.com/unroll-ml/unroll/tensor"
	"github.com/unroll-ml/unroll/train"
	"github.com/unroll-ml/unroll/train/data"
)

// Tag gives each word of a sentence its label.
type Tag struct {
	Cut
	MaxTokens   int // keep the most frequent words only, 0: all; argument "max-tokens"
	WordColumn  int // from 1, 0: the first that is no index; argument "word-column"
	LabelColumn int // from 1, 0: the last; argument "label-column"

	Classes    []string         // learnt: the labels in sorted order
	Vocabulary *data.Vocabulary // learnt
}

// NewTag returns the task with default options.
func NewTag() *Tag { return &Tag{Cut: newCut()} }

var tagKind = Kind{
	Name: "tag", Title: "A tagger",
	Reads: "CoNLL columns: word and label, an empty line between sentences",
	New:   func() Task { return NewTag() },
}

// Kind implements Task.
func (t *Tag) Kind() Kind { return tagKind }

// Arguments implements Task.
func (t *Tag) Arguments() []Argument {
	return append(t.arguments(),
		Argument{Name: "max-tokens", Usage: tokensUsage, Value: &t.MaxTokens},
		Argument{Name: "word-column", Usage: "tag: number of the column with the word (default: the first that is no index)", Value: &t.WordColumn},
		Argument{Name: "label-column", Usage: "tag: number of the column with the label (default: the last)", Value: &t.LabelColumn},
	)
}

// Load implements Task. Validation and test are shares drawn with Seed.
func (t *Tag) Load(path string) (*Set, error) {
	if err := t.check(false); err != nil {
		return nil, err
	}
	all, notes, err := data.ReadTagged(t.file(path), data.TaggedOptions{Word: t.WordColumn, Label: t.LabelColumn})
	if err != nil {
		return nil, err
	}
	a, v, e := data.Shares(len(all), t.Valid, t.Test, t.Seed)
	if len(a) == 0 || len(v) == 0 {
		return nil, data.Fault(path, 0, "%d sentences are too few for training and validation", len(all))
	}
	if t.Vocabulary == nil {
		var words []string
		for _, i := range a {
			words = append(words, all[i].Words...)
		}
		t.Vocabulary = data.BuildVocabulary(words, "word", t.MaxTokens, data.Pad)
		t.Vocabulary.Pad = 0
		t.Classes = nil
		for _, s := range all {
			t.Classes = append(t.Classes, s.Labels...)
		}
		slices.Sort(t.Classes)
		if t.Classes = slices.Compact(t.Classes); len(t.Classes) < 2 {
			one := t.Classes[0]
			t.Vocabulary, t.Classes = nil, nil
			return nil, data.Fault(path, 0, "there is one label, %q; at least 2 are needed", one).Try("choose the columns with %s and %s", "word-column", "label-column")
		}
	}
	keys := make([]string, len(all))
	for i, s := range all {
		keys[i] = key("%q %q", s.Words, s.Labels)
	}
	s := &Set{
		Notes:     append(append(notes, t.unmeasured(all, e)...), repeated("sentence", keys, a, v, e)...),
		Objective: &train.Classes{}, Loss: "cross_entropy", Unit: "nats a word", Items: "words",
		About: fmt.Sprintf("%d tagged sentences with %d labels: %d for training, %d for validation, %d for test", len(all), len(t.Classes), len(a), len(v), len(e)),
	}
	if s.Train, err = t.items(path, all, a); err != nil {
		return nil, err
	}
	if s.Valid, err = t.items(path, all, v); err != nil {
		return nil, err
	}
	if len(e) > 0 {
		if s.Test, err = t.items(path, all, e); err != nil {
			return nil, err
		}
	}
	return s, data.CheckPadding(path, s.Train, s.Valid, s.Test)
}

// unmeasured says which labels the test part has nothing of.
func (t *Tag) unmeasured(all []data.Tagged, test []int) []string {
	var labels []string
	var held []int
	in := map[int]bool{}
	for _, i := range test {
		in[i] = true
	}
	for i, s := range all {
		if in[i] {
			for k := range s.Labels {
				held = append(held, len(labels)+k)
			}
		}
		labels = append(labels, s.Labels...)
	}
	return unmeasured("word", labels, held)
}

// items are the batches of some of all sentences.
func (t *Tag) items(path string, all []data.Tagged, idx []int) (train.Data, error) {
	var tokens, labels [][]int
	for _, i := range idx {
		var of []int
		for _, l := range all[i].Labels {
			c, ok := slices.BinarySearch(t.Classes, l)
			if !ok {
				return nil, data.Fault(path, 0, "sentence %d has label %q, which the model does not know", i+1, l)
			}
			of = append(of, c)
		}
		tokens, labels = append(tokens, data.Encode(t.Vocabulary, all[i].Words)), append(labels, of)
	}
	return data.BatchSteps(tokens, labels, t.Vocabulary.Pad, t.Batch), nil
}

// Network implements Task.
func (t *Tag) Network() (c nn.Config) {
	if t.Vocabulary != nil {
		c.NumEmbeddings, c.PaddingIdx, c.OutFeatures = len(t.Vocabulary.Tokens), &t.Vocabulary.Pad, len(t.Classes)
	}
	return c
}

func (t *Tag) metadata() metadata {
	s := t.source()
	s.WordColumn, s.TagColumn = t.WordColumn, t.LabelColumn
	return metadata{Vocabulary: t.Vocabulary, Classes: t.Classes, Source: s}
}

func (t *Tag) restore(m metadata) {
	if m.Source != nil {
		t.WordColumn, t.LabelColumn = m.Source.WordColumn, m.Source.TagColumn
	}
	t.Vocabulary, t.Classes = m.Vocabulary, m.Classes
	t.Cut.restore(m.Source)
}

func (t *Tag) misfit(c nn.Config) string {
	var m misfits
	m.output(c, "all")
	m.number("out_features", c.OutFeatures, len(t.Classes), "the number of classes")
	m.tokens(t.Vocabulary, c)
	m.want(c.PaddingIdx != nil, "padding_idx is missing")
	return m.first
}

func (t *Tag) watch(_ *Set, e *Measurement) func(*train.Batch, tensor.Dense) error {
	return e.confusion(t.Classes)
}

// Label is a word with its label.
type Label struct {
	Label       string  `json:"label"`
	Probability float64 `json:"probability"`
	Word        string  `json:"word"`
}

// Tag returns a sentence's words with their labels. Words are what stands
// between white space.
func (t *Tag) Tag(p *nn.Pass, sentence string) (all []Label, err error) {
	words := data.Split(sentence, t.Vocabulary.Level)
	y, _, err := p.Forward(nn.Input{Tokens: data.Encode(t.Vocabulary, words), T: len(words), B: 1}, unroll.State{})
	if err != nil {
		return nil, err
	}
	for i, w := range words {
		row := y.Data[i*len(t.Classes) : (i+1)*len(t.Classes)]
		k := argmax(row)
		all = append(all, Label{t.Classes[k], softmax(row, 1)[k], w})
	}
	return all, nil
}

// Answer implements Task: a line for each word, and an empty one after each
// sentence.
func (t *Tag) Answer(ctx context.Context, m *nn.Model, q Query) error {
	pass := nn.Pass{Model: m, Workers: 1}
	return q.lines(ctx, func(text string) error {
		all, err := t.Tag(&pass, text)
		if err != nil {
			return err
		}
		q.strange(t.Vocabulary, fmt.Sprintf("%.40q", text), data.Split(text, t.Vocabulary.Level), false)
		for _, l := range all {
			if q.JSON {
				err = q.object(l)
			} else {
				_, err = fmt.Fprintf(q.Out, "%s\t%s\n", l.Word, l.Label)
			}
			if err != nil {
				return err
			}
		}
		_, err = fmt.Fprintln(q.Out)
		return err
	})
}

// Sequence implements Task: the text of a .txt file, or of one without ending.
func (t *Tag) Sequence(path string, _ int) (Reading, bool, error) {
	return textFile(t.Vocabulary, path)
}
