// Package data makes training data of files as people have them: text, classes,
// tagged steps, piano rolls and time series. What is wrong with a file is said
// with file, line and what to do.
package data

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"unicode/utf8"

	"github.com/unroll-ml/unroll/nn"
	"github.com/unroll-ml/unroll/rng"
	"github.com/unroll-ml/unroll/tensor"
	"github.com/unroll-ml/unroll/train"
)

// ErrData is the kind of every complaint about a file.
var ErrData = errors.New("data: unusable data")

// Error says which file and line cannot be used, why, and what to do. It is an
// ErrData.
type Error struct {
	File   string
	Line   int // from 1; 0: the file as a whole
	Reason string
}

// Error returns one line.
func (e *Error) Error() string {
	if e.Line > 0 {
		return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Reason)
	}
	return e.File + ": " + e.Reason
}

// Unwrap returns ErrData.
func (e *Error) Unwrap() error { return ErrData }

func fault(file string, line int, format string, a ...any) error {
	return &Error{file, line, fmt.Sprintf(format, a...)}
}

// Task is a data set made ready: batches for training, validation and test,
// what is to be made small, and the parts of a model's config that follow from
// the data.
type Task struct {
	Config             nn.Config
	Train, Valid, Test train.Data // Test may be nil
	Objective          train.Objective
	Unit               string // what the loss is counted in: "nats a character"
	Items              string // what it is a mean over: "characters"
	About              string // a sentence on the data, for the model's README
}

// MaxFile bounds the files that are read into memory, in bytes.
const MaxFile = 1 << 30

// readFile reads a whole file that is not empty and not beyond MaxFile.
func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, MaxFile+1))
	switch {
	case err != nil:
		return nil, err
	case len(b) > MaxFile:
		return nil, fault(path, 0, "it has more than %d bytes; use a part of it", MaxFile)
	case len(b) == 0:
		return nil, fault(path, 0, "it is empty")
	}
	return b, nil
}

// readText is readFile for text: UTF-8, without the mark some editors put in
// front.
func readText(path string) ([]byte, error) {
	b, err := readFile(path)
	if err != nil {
		return nil, err
	}
	b = bytes.TrimPrefix(b, []byte("\ufeff"))
	if len(b) == 0 {
		return nil, fault(path, 0, "it is empty")
	}
	if !utf8.Valid(b) {
		line := 1
		for l := range bytes.Lines(b) {
			if !utf8.Valid(l) {
				break
			}
			line++
		}
		return nil, fault(path, line, "it is not valid UTF-8; convert the file, with iconv for instance")
	}
	return b, nil
}

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

// split cuts n shuffled items into training, validation and test.
func split(n int, valid, test float64, seed uint64) (a, b, c []int) {
	p := rng.Randperm(rng.New(seed), n)
	nt, nv := int(float64(n)*test), int(float64(n)*valid)
	return p[nt+nv:], p[nt : nt+nv], p[:nt]
}
