package data

import (
	"fmt"

	"github.com/unroll-ml/unroll/rng"
	"github.com/unroll-ml/unroll/tensor"
	"github.com/unroll-ml/unroll/train"
)

// ordered is the order of an epoch.
type ordered struct {
	n     int
	order []int
}

func (o *ordered) Start(g *rng.Generator) {
	if g != nil {
		o.order = rng.LoaderOrder(g, o.n)
		return
	}
	o.order = o.order[:0]
	for i := range o.n {
		o.order = append(o.order, i)
	}
}

func (o *ordered) Order() []int { return o.order }

func (o *ordered) SetOrder(order []int) error {
	seen := make([]bool, o.n)
	for _, i := range order {
		if i < 0 || i >= o.n || seen[i] {
			return fmt.Errorf("%w: the order of another data set", train.ErrState)
		}
		seen[i] = true
	}
	if len(order) != o.n {
		return fmt.Errorf("%w: the order of %d items, there are %d", train.ErrState, len(order), o.n)
	}
	o.order = order
	return nil
}

// sequences are items of their own lengths, batched and padded.
type sequences struct {
	ordered
	batch  int
	pad    int
	tokens [][]int // of an item
	labels [][]int // one for each step, or a single one
	rolls  [][][]int
	rows   [][]float32 // numbers of an item, step after step
	keys   int         // features of a step
	last   bool        // one label an item
}

// BatchTokens returns items of tokens with one class each, batch at a time,
// shuffled each epoch; pad fills what is shorter.
func BatchTokens(tokens [][]int, classes []int, pad, batch int) train.Data {
	s := &sequences{ordered: ordered{n: len(tokens)}, batch: batch, pad: pad, tokens: tokens, last: true}
	s.labels = single(classes)
	return s
}

// BatchSteps is BatchTokens with one label a token.
func BatchSteps(tokens, labels [][]int, pad, batch int) train.Data {
	return &sequences{ordered: ordered{n: len(tokens)}, batch: batch, pad: pad, tokens: tokens, labels: labels}
}

// BatchRows is BatchTokens for items of numbers: width a step, step after step;
// zeros fill what is shorter.
func BatchRows(rows [][]float32, width int, classes []int, batch int) train.Data {
	return &sequences{ordered: ordered{n: len(rows)}, batch: batch, rows: rows, keys: width, labels: single(classes), last: true}
}

// BatchRolls returns piano rolls of that many keys: the keys of a step are the
// input, those of the next the target.
func BatchRolls(rolls [][][]int, keys, batch int) train.Data {
	return &sequences{ordered: ordered{n: len(rolls)}, batch: batch, rolls: rolls, keys: keys}
}

func single(classes []int) (labels [][]int) {
	for _, c := range classes {
		labels = append(labels, []int{c})
	}
	return labels
}

// The most a padded batch may hold: what a network keeps of a step is some
// thousand bytes, what it reads 4 a number.
const (
	maxSteps   = 1 << 22
	maxNumbers = 1 << 26
)

// CheckPadding reports an ErrData if a batch of one of the parts could be larger
// than memory should be taken for: one long item among short ones makes all of
// its batch as long. Data of other kinds is not looked at.
func CheckPadding(path string, parts ...train.Data) error {
	for _, p := range parts {
		s, ok := p.(*sequences)
		if !ok {
			continue
		}
		longest := 0
		for i := range s.n {
			longest = max(longest, s.length(i))
		}
		steps := int64(longest) * int64(min(s.batch, s.n))
		if numbers := steps * int64(max(s.keys, 1)); steps > maxSteps || numbers > maxNumbers {
			return Fault(path, 0, "the longest item has %d steps, and with %d in a batch all are padded to that: %d numbers, expected at most %d steps and %d numbers", longest, min(s.batch, s.n), numbers, maxSteps, maxNumbers).
				Try("cut it, or take a smaller %s", "batch")
		}
	}
	return nil
}

// Len implements train.DataOf.
func (s *sequences) Len() int { return (s.n + s.batch - 1) / s.batch }

func (s *sequences) length(i int) int {
	switch {
	case s.rolls != nil:
		return len(s.rolls[i]) - 1
	case s.rows != nil:
		return len(s.rows[i]) / s.keys
	}
	return len(s.tokens[i])
}

// Batch implements train.DataOf.
func (s *sequences) Batch(i int, b *train.Batch) {
	items := s.order[i*s.batch : min((i+1)*s.batch, s.n)]
	n, t := len(items), 0
	b.Lengths = b.Lengths[:0]
	for _, it := range items {
		b.Lengths = append(b.Lengths, s.length(it))
		t = max(t, s.length(it))
	}
	b.Carry = false
	if s.rolls != nil {
		s.roll(items, t, b)
		return
	}
	if s.rows != nil {
		s.features(items, t, b)
		return
	}
	b.In.T, b.In.B = t, n
	b.In.Tokens, b.Classes = resize(b.In.Tokens, t*n), resize(b.Classes, t*n)
	if s.last {
		b.Classes = b.Classes[:n]
	}
	for c, it := range items {
		for k := range t {
			tok, lab := s.pad, -100
			if k < len(s.tokens[it]) {
				tok = s.tokens[it][k]
				if !s.last {
					lab = s.labels[it][k]
				}
			}
			b.In.Tokens[k*n+c] = tok
			if !s.last {
				b.Classes[k*n+c] = lab
			}
		}
		if s.last {
			b.Classes[c] = s.labels[it][0]
		}
	}
}

// features lays numbers of items side by side, with one class an item.
func (s *sequences) features(items []int, t int, b *train.Batch) {
	n := len(items)
	b.In.Features = tensor.Dense{Shape: append(b.In.Features.Shape[:0], t, n, s.keys), Data: resize(b.In.Features.Data, t*n*s.keys)}
	clear(b.In.Features.Data)
	b.Classes = resize(b.Classes, n)
	for c, it := range items {
		for k := range s.length(it) {
			copy(b.In.Features.Data[(k*n+c)*s.keys:][:s.keys], s.rows[it][k*s.keys:])
		}
		b.Classes[c] = s.labels[it][0]
	}
}

// roll makes the keys of a step the input and those of the next the target.
func (s *sequences) roll(items []int, t int, b *train.Batch) {
	n := len(items)
	b.In.Features = tensor.Dense{Shape: append(b.In.Features.Shape[:0], t, n, s.keys), Data: resize(b.In.Features.Data, t*n*s.keys)}
	b.Values = tensor.Dense{Shape: append(b.Values.Shape[:0], t, n, s.keys), Data: resize(b.Values.Data, t*n*s.keys)}
	clear(b.In.Features.Data)
	clear(b.Values.Data)
	for c, it := range items {
		for k, step := range s.rolls[it] {
			for _, key := range step {
				if k < len(s.rolls[it])-1 {
					b.In.Features.Data[(k*n+c)*s.keys+key] = 1
				}
				if k > 0 {
					b.Values.Data[((k-1)*n+c)*s.keys+key] = 1
				}
			}
		}
	}
}

func resize[E any](s []E, n int) []E {
	if cap(s) < n {
		return make([]E, n)
	}
	return s[:n]
}

// stream is one long text cut into batch parallel parts, read window by
// window with the state carried.
type stream struct {
	tokens        []int
	batch, window int
	part          int // length of a part, without its last token
}

// BatchText returns a text as batch texts of equal length, or as many as have a
// window each, that are read side by side, window steps at a time; the target
// is the next token. It is not shuffled. tokens are at least 2.
func BatchText(tokens []int, batch, window int) train.Data {
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
