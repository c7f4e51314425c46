package task

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	unroll "github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/nn"
	"github.com/unroll-ml/unroll/tensor"
	"github.com/unroll-ml/unroll/train"
	"github.com/unroll-ml/unroll/train/data"
)

// Classify tells an item's class from its characters, words or numbers.
type Classify struct {
	Cut
	Level       string // "char", "word" or "number"; argument "level"
	MaxTokens   int    // keep the most frequent words only, 0: all; argument "max-tokens"
	TextColumn  string // with the text or sequence; argument "text-column"
	LabelColumn string // with the class; argument "label-column"
	Separated

	plain bool // the parts are drawn as the first trees did, whatever the classes

	Classes    []string         // learnt, in sorted order
	Vocabulary *data.Vocabulary // learnt at the levels "char" and "word"
	Scaling    *data.Scaling    // learnt at level "number"
}

// NewClassify returns the task with default options.
func NewClassify() *Classify {
	return &Classify{Cut: newCut(), Level: "char", TextColumn: "text", LabelColumn: "label"}
}

var classifyKind = Kind{
	Name: "classify", Title: "A classifier",
	Reads: `a folder with a file (a text a line) or a folder (a text a file) for
each class; a .csv or JSON Lines with a text and a label; with
--level number the texts are sequences of numbers`,
	New: func() Task { return NewClassify() },
}

// Kind implements Task.
func (t *Classify) Kind() Kind { return classifyKind }

// Arguments implements Task.
func (t *Classify) Arguments() []Argument {
	return append(append(t.arguments(),
		Argument{Name: "level", Usage: levelUsage, Value: &t.Level, Learnt: true},
		Argument{Name: "max-tokens", Usage: tokensUsage, Value: &t.MaxTokens},
		Argument{Name: "text-column", Usage: "classify: column with the text or sequence", Value: &t.TextColumn},
		Argument{Name: "label-column", Usage: "classify: column with the class; tag: number of the column with the label (default: the last)", Value: &t.LabelColumn},
	), t.Separated.Arguments()...)
}

// Load implements Task. Validation and test are shares drawn with Seed.
func (t *Classify) Load(path string) (*Set, error) {
	if err := t.check(false); err != nil {
		return nil, err
	}
	if err := oneOf("level", t.Level, "char", "word", "number"); err != nil {
		return nil, err
	}
	dialect, err := t.Dialect()
	if err != nil {
		return nil, err
	}
	all, notes, err := data.ReadLabelled(t.file(path), data.LabelledOptions{Text: t.TextColumn, Label: t.LabelColumn, Level: t.Level, Dialect: dialect})
	if err != nil {
		return nil, err
	}
	labels, keys := make([]string, len(all)), make([]string, len(all))
	for i, l := range all {
		labels[i], keys[i] = l.Label, key("%q %q %v %q", l.Text, l.Tokens, l.Rows, l.Label)
	}
	a, v, e := data.SharesByClass(labels, t.Valid, t.Test, t.Seed)
	if t.plain {
		a, v, e = data.Shares(len(all), t.Valid, t.Test, t.Seed)
	}
	if len(a) == 0 || len(v) == 0 {
		return nil, data.Fault(path, 0, "%d of them are too few for training and validation", len(all)).Try("give more, or another %s and %s", "valid", "test")
	}
	if err := t.learn(path, all, a); err != nil {
		return nil, err
	}
	name := "text"
	if t.Level == "number" {
		name = "sequence"
	}
	s := &Set{
		Notes:     append(append(notes, unmeasured(name, labels, e)...), repeated(name, keys, a, v, e)...),
		Objective: &train.Classes{}, Loss: "cross_entropy", Unit: "nats a " + name, Items: name + "s",
		About: fmt.Sprintf("%d %ss of %d classes: %d for training, %d for validation, %d for test", len(all), name, len(t.Classes), len(a), len(v), len(e)),
	}
	if s.Train, err = t.items(all, a); err != nil {
		return nil, err
	}
	if s.Valid, err = t.items(all, v); err != nil {
		return nil, err
	}
	if len(e) > 0 {
		if s.Test, err = t.items(all, e); err != nil {
			return nil, err
		}
	}
	return s, data.CheckPadding(path, s.Train, s.Valid, s.Test)
}

// unmeasured says which classes the test part has nothing of, a sentence each.
func unmeasured(name string, labels []string, test []int) (notes []string) {
	if len(test) == 0 {
		return nil
	}
	total, there := map[string]int{}, map[string]bool{}
	for _, l := range labels {
		total[l]++
	}
	for _, i := range test {
		there[labels[i]] = true
	}
	const most = 10
	for _, l := range slices.Sorted(maps.Keys(total)) {
		switch {
		case there[l]:
		case len(notes) == most:
			return append(notes, "and more classes of which the test part has nothing")
		case total[l] == 1:
			notes = append(notes, fmt.Sprintf("class %q: its only %s is not in the test part, so the accuracy says nothing about it", l, name))
		default:
			notes = append(notes, fmt.Sprintf("class %q: none of its %d %ss is in the test part, so the accuracy says nothing about it", l, total[l], name))
		}
	}
	return notes
}

// learn sets what is not known yet: the classes of all items, the vocabulary or
// the scaling of those for training.
func (t *Classify) learn(path string, all []data.Labelled, training []int) error {
	if t.Classes == nil {
		var classes []string
		for _, l := range all {
			classes = append(classes, l.Label)
		}
		slices.Sort(classes)
		if classes = slices.Compact(classes); len(classes) < 2 {
			return data.Fault(path, 0, "there is one class, %q; at least 2 are needed", classes[0])
		}
		t.Classes = classes
	}
	if t.Level == "number" {
		return t.scale(all, training)
	}
	if t.Vocabulary == nil {
		var tokens []string
		for _, i := range training {
			tokens = append(tokens, all[i].Split(t.Level)...)
		}
		t.Vocabulary = data.BuildVocabulary(tokens, t.Level, t.MaxTokens, data.Pad)
		t.Vocabulary.Pad = 0
	}
	return nil
}

// scale checks that all steps have equally many numbers and, unless it is known
// already, learns their mean and deviation.
func (t *Classify) scale(all []data.Labelled, training []int) error {
	w := len(all[0].Rows[0])
	if t.Scaling != nil {
		w = len(t.Scaling.Mean)
	}
	for _, l := range all {
		if n := len(l.Rows[0]); n != w || n > data.MaxFeatures {
			return data.Fault(l.File, l.Line, "%d numbers a step, expected %d as in the first item, at most %d", n, w, data.MaxFeatures)
		}
	}
	if t.Scaling != nil {
		return nil
	}
	var columns []string
	for c := range w {
		columns = append(columns, strconv.Itoa(c+1))
	}
	var rows [][]float64
	for _, i := range training {
		rows = append(rows, all[i].Rows...)
	}
	scaling := data.NewScaling(columns, rows)
	if c := scaling.Beyond(); c >= 0 {
		return data.Fault(all[0].File, 0, "the numbers at place %s of the steps are too large to be standardised; divide them, by 1e100 for instance", columns[c])
	}
	t.Scaling = scaling
	return nil
}

// items are the batches of some of all items.
func (t *Classify) items(all []data.Labelled, idx []int) (train.Data, error) {
	var tokens [][]int
	var rows [][]float32
	var classes []int
	for _, i := range idx {
		l := &all[i]
		c, ok := slices.BinarySearch(t.Classes, l.Label)
		if !ok {
			return nil, data.Fault(l.File, l.Line, "class %q, which the model does not know", l.Label)
		}
		classes = append(classes, c)
		if t.Level == "number" {
			rows = append(rows, t.Scaling.Apply(l.Rows))
			continue
		}
		ids := data.Encode(t.Vocabulary, l.Split(t.Level))
		if len(ids) == 0 {
			return nil, data.Fault(l.File, l.Line, "an empty text; take it out")
		}
		tokens = append(tokens, ids)
	}
	if t.Level == "number" {
		return data.BatchRows(rows, len(t.Scaling.Mean), classes, t.Batch), nil
	}
	return data.BatchTokens(tokens, classes, t.Vocabulary.Pad, t.Batch), nil
}

// Network implements Task.
func (t *Classify) Network() nn.Config {
	c := nn.Config{Output: "last", OutFeatures: len(t.Classes)}
	switch {
	case t.Vocabulary != nil:
		c.NumEmbeddings, c.PaddingIdx = len(t.Vocabulary.Tokens), &t.Vocabulary.Pad
	case t.Scaling != nil:
		c.RNN.InputSize = len(t.Scaling.Mean)
	}
	return c
}

func (t *Classify) metadata() metadata {
	s := t.source()
	s.Text, s.Label, s.ByClass = t.TextColumn, t.LabelColumn, !t.plain
	t.saveIn(s)
	return metadata{Vocabulary: t.Vocabulary, Classes: t.Classes, Scaling: t.Scaling, Source: s}
}

func (t *Classify) restore(m metadata) {
	t.Vocabulary, t.Classes, t.Scaling = m.Vocabulary, m.Classes, m.Scaling
	t.Level = "number"
	if t.Vocabulary != nil {
		t.Level = t.Vocabulary.Level
	}
	t.Cut.restore(m.Source)
	if s := m.Source; s != nil && s.Text != "" {
		t.TextColumn, t.LabelColumn, t.plain = s.Text, s.Label, !s.ByClass
		t.restoreFrom(s)
	}
}

func (t *Classify) misfit(c nn.Config) string {
	var m misfits
	m.output(c, "last")
	m.number("out_features", c.OutFeatures, len(t.Classes), "the number of classes")
	if t.Vocabulary == nil {
		m.number("num_embeddings", c.NumEmbeddings, 0, "for there is no vocabulary")
		m.scaled(t.Scaling, c.RNN.InputSize)
		return m.first
	}
	m.tokens(t.Vocabulary, c)
	m.want(c.PaddingIdx != nil, "padding_idx is missing")
	return m.first
}

func (t *Classify) watch(_ *Set, e *Measurement) func(*train.Batch, tensor.Dense) error {
	return e.confusion(t.Classes)
}

// Class is an answer with its probability.
type Class struct {
	Class       string  `json:"class"`
	Probability float64 `json:"probability"`
}

// Classify returns all classes for a text, the likeliest first. At level
// "number" the text is read by data.ParseNumbers. The errors are data's for a
// text that cannot be read, and the pass's.
func (t *Classify) Classify(p *nn.Pass, text string) (all []Class, err error) {
	in, err := t.Input(text)
	if err != nil {
		return nil, err
	}
	return t.classify(p, in)
}

func (t *Classify) classify(p *nn.Pass, in nn.Input) (all []Class, err error) {
	y, _, err := p.Forward(in, unroll.State{})
	if err != nil {
		return nil, err
	}
	for i, q := range softmax(y.Data, 1) {
		all = append(all, Class{t.Classes[i], q})
	}
	slices.SortStableFunc(all, func(a, b Class) int {
		switch {
		case a.Probability > b.Probability:
			return -1
		case a.Probability < b.Probability:
			return 1
		}
		return 0
	})
	return all, nil
}

// Input is what the network reads of a text, a batch of one. At level "number"
// it is an error if the text is not numbers, the model's width a step.
func (t *Classify) Input(text string) (in nn.Input, err error) {
	if t.Vocabulary != nil {
		return t.tokens(data.Split(text, t.Vocabulary.Level)), nil
	}
	rows, err := data.ParseNumbers(text)
	if err != nil {
		return in, err
	}
	return t.steps(rows)
}

func (t *Classify) tokens(tokens []string) nn.Input {
	return nn.Input{Tokens: data.Encode(t.Vocabulary, tokens), T: len(tokens), B: 1}
}

// steps makes steps of the model's width of rows.
func (t *Classify) steps(rows [][]float64) (in nn.Input, err error) {
	if w := len(t.Scaling.Mean); len(rows[0]) != w {
		if len(rows[0]) != 1 || len(rows)%w != 0 {
			return in, fmt.Errorf("%d numbers, the model reads %d a step", len(rows)*len(rows[0]), w)
		}
		flat := rows
		rows = nil
		for i := 0; i < len(flat); i += w { // one line: step after step
			var r []float64
			for _, v := range flat[i : i+w] {
				r = append(r, v[0])
			}
			rows = append(rows, r)
		}
	}
	in.Features, err = tensor.Of(t.Scaling.Apply(rows), len(rows), 1, len(rows[0]))
	return in, err
}

// Answer implements Task: a line for each text with its three likeliest classes
// or, as JSON, with all. Of a .csv, .tsv or .jsonl file the texts are those of
// TextColumn.
func (t *Classify) Answer(ctx context.Context, m *nn.Model, q Query) error {
	pass := nn.Pass{Model: m, Workers: 1}
	if q.table() {
		return t.answerTable(ctx, &pass, q)
	}
	return q.lines(ctx, func(text string) error {
		in, err := t.Input(text)
		if err != nil {
			return err
		}
		if t.Vocabulary != nil {
			q.strange(t.Vocabulary, fmt.Sprintf("%.40q", text), data.Split(text, t.Level), false)
		}
		return t.answer(&pass, q, text, in)
	})
}

func (t *Classify) answer(p *nn.Pass, q Query, text string, in nn.Input) error {
	all, err := t.classify(p, in)
	if err != nil {
		return err
	}
	if q.JSON {
		return q.object(map[string]any{"text": text, "classes": all})
	}
	fmt.Fprint(q.Out, text)
	for _, a := range all[:min(3, len(all))] {
		fmt.Fprintf(q.Out, "\t%s %.1f%%", a.Class, 100*a.Probability)
	}
	_, err = fmt.Fprintln(q.Out)
	return err
}

// answerTable answers a file's items, labelled or not.
func (t *Classify) answerTable(ctx context.Context, p *nn.Pass, q Query) error {
	d, err := t.Dialect()
	if err != nil {
		return err
	}
	all, notes, err := data.ReadLabelled(data.File{Path: q.Input}, data.LabelledOptions{Text: t.TextColumn, Label: t.LabelColumn, Level: t.Level, Dialect: d, Unlabelled: true})
	if err != nil {
		return err
	}
	q.log("%s is read as a file, its texts from %q", q.Input, t.TextColumn)
	for _, n := range notes {
		q.log("unroll: %s", n)
	}
	for i := range all {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		l := &all[i]
		text := l.Text
		var in nn.Input
		if t.Vocabulary != nil {
			in = t.tokens(l.Split(t.Level))
			if l.Tokens != nil {
				text = strings.Join(l.Tokens, " ")
			}
		} else {
			if in, err = t.steps(l.Rows); err != nil {
				return data.Fault(l.File, l.Line, "%v", err)
			}
			text = fmt.Sprint(l.Rows)
		}
		if err := t.answer(p, q, text, in); err != nil {
			return data.Fault(l.File, l.Line, "%v", err)
		}
	}
	return nil
}

// Sequence implements Task: the text of a .txt file, or of one without ending.
func (t *Classify) Sequence(path string, _ int) (Reading, bool, error) {
	return textFile(t.Vocabulary, path)
}
