package data

import (
	"fmt"
	"slices"
	"strings"

	"github.com/unroll-ml/unroll/nn"
	"github.com/unroll-ml/unroll/train"
)

// Tagged is a sentence with a label for each word.
type Tagged struct{ Words, Labels []string }

// ReadTagged reads CoNLL columns: a word and, in the last column, its label;
// an empty line ends a sentence; lines that begin with -DOCSTART- are skipped.
func ReadTagged(path string) (all []Tagged, err error) {
	b, err := readText(path)
	if err != nil {
		return nil, err
	}
	var cur Tagged
	line := 0
	for l := range strings.Lines(string(b)) {
		line++
		f := strings.Fields(l)
		switch {
		case len(f) == 0:
			if len(cur.Words) > 0 {
				all, cur = append(all, cur), Tagged{}
			}
		case f[0] == "-DOCSTART-":
		case len(f) < 2:
			return nil, fault(path, line, "one column, expected a word and its label, separated by white space")
		default:
			cur.Words, cur.Labels = append(cur.Words, f[0]), append(cur.Labels, f[len(f)-1])
		}
	}
	if len(cur.Words) > 0 {
		all = append(all, cur)
	}
	if len(all) == 0 {
		return nil, fault(path, 0, "it holds no sentence")
	}
	return all, nil
}

// Tag makes the task of giving each word its label.
func Tag(path string, known *nn.Config, limit, batch int, valid, test float64, seed uint64) (*Task, error) {
	all, err := ReadTagged(path)
	if err != nil {
		return nil, err
	}
	a, v, e := split(len(all), valid, test, seed)
	if len(a) == 0 || len(v) == 0 {
		return nil, fault(path, 0, "%d sentences are too few for training and validation", len(all))
	}
	var vocab *nn.Vocabulary
	var classes []string
	if known != nil {
		vocab, classes = known.Vocabulary, known.Classes
	} else {
		var words []string
		for _, i := range a {
			words = append(words, all[i].Words...)
		}
		vocab = BuildVocabulary(words, "word", limit, Pad)
		vocab.Pad = 0
		for _, s := range all {
			classes = append(classes, s.Labels...)
		}
		slices.Sort(classes)
		classes = slices.Compact(classes)
	}
	items := func(idx []int) (train.Data, error) {
		s := &sequences{ordered: ordered{n: len(idx)}, batch: batch}
		for _, i := range idx {
			var labels []int
			for _, l := range all[i].Labels {
				c, ok := slices.BinarySearch(classes, l)
				if !ok {
					return nil, fault(path, 0, "sentence %d has label %q, which the model does not know", i+1, l)
				}
				labels = append(labels, c)
			}
			s.tokens, s.labels = append(s.tokens, Encode(vocab, all[i].Words)), append(s.labels, labels)
		}
		return s, nil
	}
	t := &Task{
		Config: nn.Config{
			Task: "tag", NumEmbeddings: len(vocab.Tokens), PaddingIdx: &vocab.Pad, OutFeatures: len(classes), Vocabulary: vocab, Classes: classes,
		},
		Objective: &train.Classes{}, Unit: "nats a word", Items: "words",
		About: fmt.Sprintf("%d tagged sentences with %d labels: %d for training, %d for validation, %d for test", len(all), len(classes), len(a), len(v), len(e)),
	}
	if t.Train, err = items(a); err != nil {
		return nil, err
	}
	if t.Valid, err = items(v); err != nil {
		return nil, err
	}
	if len(e) > 0 {
		t.Test, err = items(e)
	}
	return t, err
}
