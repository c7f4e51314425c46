package data

import (
	"fmt"
	"slices"
	"strings"

	"github.com/unroll-ml/unroll/nn"
	"github.com/unroll-ml/unroll/rng"
	"github.com/unroll-ml/unroll/train"
)

// Unknown is the word for all words that the vocabulary does not hold.
const Unknown = "<unk>"

// Split cuts text into the tokens of a level: "char" or "word". Words are what
// stands between white space; an end of line is a word of its own.
func Split(text, level string) []string {
	if level == "char" {
		out := make([]string, 0, len(text))
		for _, r := range text {
			out = append(out, string(r))
		}
		return out
	}
	var out []string
	for line := range strings.Lines(text) {
		out = append(out, strings.Fields(line)...)
		if strings.HasSuffix(line, "\n") {
			out = append(out, "\n")
		}
	}
	return out
}

// Join is Split the other way.
func Join(tokens []string, level string) string {
	if level == "char" {
		return strings.Join(tokens, "")
	}
	return strings.ReplaceAll(strings.ReplaceAll(strings.Join(tokens, " "), " \n ", "\n"), " \n", "\n")
}

// BuildVocabulary collects the tokens of a training part: all characters, or
// the most frequent words (limit 0: all), with a place for unknown ones. extra
// tokens come first.
func BuildVocabulary(tokens []string, level string, limit int, extra ...string) *nn.Vocabulary {
	count := map[string]int{}
	for _, t := range tokens {
		count[t]++
	}
	all := make([]string, 0, len(count))
	for t := range count {
		all = append(all, t)
	}
	slices.SortFunc(all, func(a, b string) int {
		if level == "word" && count[a] != count[b] {
			return count[b] - count[a]
		}
		return strings.Compare(a, b)
	})
	if limit > 0 && len(all) > limit {
		all = all[:limit]
	}
	v := &nn.Vocabulary{Level: level, Unknown: len(extra), Pad: -1}
	v.Tokens = append(append(slices.Clone(extra), Unknown), all...)
	return v
}

// Encode turns tokens into their numbers.
func Encode(v *nn.Vocabulary, tokens []string) []int {
	index := make(map[string]int, len(v.Tokens))
	for i, t := range v.Tokens {
		index[t] = i
	}
	out := make([]int, len(tokens))
	for i, t := range tokens {
		n, ok := index[t]
		if !ok {
			n = max(v.Unknown, 0)
		}
		out[i] = n
	}
	return out
}

// stream is one long text cut into batch parallel parts, read window by
// window with the state carried.
type stream struct {
	tokens        []int
	batch, window int
	part          int // length of a part, without its last token
}

func newStream(tokens []int, batch, window int) *stream {
	s := &stream{tokens: tokens, batch: batch, window: window}
	for s.batch > 1 && (len(tokens)-1)/s.batch < window {
		s.batch--
	}
	s.part = (len(tokens) - 1) / s.batch
	return s
}

func (s *stream) Start(*rng.Generator)   {}
func (s *stream) Order() []int           { return nil }
func (s *stream) SetOrder(o []int) error { return nil }
func (s *stream) Len() int               { return (s.part + s.window - 1) / s.window }

func (s *stream) Batch(i int, b *train.Batch) {
	t := min(s.window, s.part-i*s.window)
	b.In.T, b.In.B, b.Lengths, b.Carry = t, s.batch, nil, i > 0
	b.In.Tokens, b.Classes = resize(b.In.Tokens, t*s.batch), resize(b.Classes, t*s.batch)
	for c := range s.batch {
		at := c*s.part + i*s.window
		for k := range t {
			b.In.Tokens[k*s.batch+c] = s.tokens[at+k]
			b.Classes[k*s.batch+c] = s.tokens[at+k+1]
		}
	}
}

// Text makes the task of foretelling the next token of a text file: the last
// test part and, before it, the valid part are held out. The test part is read
// as one text from its first token to its last, so that its loss depends on
// neither batch nor window; training and validation are cut into batch texts
// that are read side by side.
func Text(path, level string, vocab *nn.Vocabulary, limit, batch, window int, valid, test float64) (*Task, error) {
	b, err := readText(path)
	if err != nil {
		return nil, err
	}
	tokens := Split(string(b), level)
	n := len(tokens)
	nt, nv := int(float64(n)*test), int(float64(n)*valid)
	nTrain := n - nt - nv
	if nTrain < window+1 || nv < 2 || nt < 2 {
		return nil, fault(path, 0, "%d %ss are too few: training needs more than the window of %d, validation and test at least 2", n, level, window)
	}
	if vocab == nil {
		vocab = BuildVocabulary(tokens[:nTrain], level, limit)
	}
	ids, name := Encode(vocab, tokens), "word"
	if level == "char" {
		name = "character"
	}
	t := &Task{
		Config:    nn.Config{Task: "text", NumEmbeddings: len(vocab.Tokens), OutFeatures: len(vocab.Tokens), Vocabulary: vocab},
		Objective: &train.Classes{}, Unit: "nats a " + name, Items: name + "s",
		Train: newStream(ids[:nTrain], batch, window), Valid: newStream(ids[nTrain:nTrain+nv], batch, window), Test: newStream(ids[nTrain+nv:], 1, window),
		About: fmt.Sprintf("a text of %d %ss, %d different tokens: the first %d for training, the next %d for validation, the last %d for test", n, name, len(vocab.Tokens), nTrain, nv, nt),
	}
	return t, nil
}
