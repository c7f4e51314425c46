package unroll

import (
	"fmt"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/unroll-ml/unroll/internal/kernel"
	"github.com/unroll-ml/unroll/internal/scan"
	"github.com/unroll-ml/unroll/tensor"
)

// Precision is the form in which a layer's weights take part in products. Biases,
// peepholes, states, gates and results are float32 in all of them.
type Precision int

// The precisions.
const (
	// Full is the layer's own element type.
	Full = Precision(scan.Full)
	// Int8 is 8-bit integers: those of an output (a row of a weight) times a scale
	// of its own, max|w|/127. What they multiply, the input and the hidden state, becomes
	// bytes at run time, from its least number to its largest, each step of each sequence
	// by itself, and the sums of products are exact. docs/numerics.md has the roundings.
	Int8 = Precision(scan.Int8)
	// BFloat16 is weights of 8 binary digits, rounded once; products and sums are
	// those of float32 with these weights, bit for bit. It halves the bytes that a
	// step of a stream reads, and nothing else becomes faster.
	BFloat16 = Precision(scan.BFloat16)
)

var precisionNames = []string{Full: "float32", Int8: "int8", BFloat16: "bfloat16"}

// String returns float32, int8 or bfloat16.
func (p Precision) String() string {
	if p < 0 || int(p) >= len(precisionNames) {
		return fmt.Sprintf("Precision(%d)", int(p))
	}
	return precisionNames[p]
}

// MarshalText writes the name, as String does.
func (p Precision) MarshalText() ([]byte, error) {
	_, err := ParsePrecision(p.String())
	return []byte(p.String()), err
}

// UnmarshalText reads what MarshalText writes; another text is an ErrUsage.
func (p *Precision) UnmarshalText(text []byte) (err error) {
	*p, err = ParsePrecision(string(text))
	return err
}

// ParsePrecision returns the precision of a name, as String writes it. It is an
// ErrUsage for another.
func ParsePrecision(name string) (Precision, error) {
	i := slices.Index(precisionNames, name)
	if i < 0 {
		return Full, &ArgError{Kind: ErrUsage, Arg: "precision", Got: fmt.Sprintf("%q", name), Want: strings.Join(precisionNames, ", ")}
	}
	return Precision(i), nil
}

// Quantize returns a new layer that computes as this one does but for its weights,
// which have the precision p, except in the layers of the stack that keep names:
// they stay as they are. Its parameters are the numbers that the rounded weights
// stand for; it shares nothing with l. Rounding them again changes nothing, so a
// layer that loads them and is quantised has the same bits.
//
// Everything that runs a layer forward runs it, with the same promises: the bits
// of a sequence depend on nothing but the sequence. It does not train: a Pass with
// Train and Backward answer with ErrUsage. Parameters that Load or Update set are
// rounded where they are used.
//
// It is an ErrUsage for a precision that is none, for a layer of float64, which
// has none but its own, and for a layer to keep that the stack does not have; and
// an ErrConfig where an input or a state has more than 65,536 numbers.
func (l *LayerOf[F]) Quantize(p Precision, keep ...int) (*LayerOf[F], error) {
	if err := l.made("layer"); err != nil {
		return nil, err
	}
	if err := l.quantizable(p, keep); err != nil {
		return nil, err
	}
	each := make([]Precision, l.cfg.Layers())
	for n := range each {
		if !slices.Contains(keep, n) {
			each[n] = p
		}
	}
	return l.QuantizeEach(each)
}

// QuantizeEach is Quantize with a precision for each layer of the stack. A layer
// whose precision is Full stays as it is, also where that is rounded. It is an
// ErrUsage for another number of them than the stack has layers.
func (l *LayerOf[F]) QuantizeEach(each []Precision) (*LayerOf[F], error) {
	if err := l.made("layer"); err != nil {
		return nil, err
	}
	if len(each) != l.cfg.Layers() {
		return nil, &ArgError{Kind: ErrUsage, Arg: "precisions", Got: fmt.Sprintf("%d of them", len(each)), Want: fmt.Sprintf("one for each of the %d layers of %s", l.cfg.Layers(), l.describe())}
	}
	q := &LayerOf[F]{cfg: l.cfg, part: l.part, upper: l.upper, precisions: slices.Clone(each)}
	for n, p := range each {
		if err := l.quantizable(p, nil); err != nil {
			return nil, err
		}
		if p == Full {
			q.precisions[n] = l.precision(n)
		}
	}
	per := len(l.params) / l.cfg.Layers()
	for i, w := range l.params {
		v := w.Value.Clone()
		if isWeight(w.Name) {
			RoundWeights(q.precisions[i/per], v)
		}
		q.params = append(q.params, ParamOf[F]{w.Name, v})
	}
	q.build(new(atomic.Uint64))
	return q, nil
}

// RoundWeights rounds a matrix of weights [outputs, inputs] in place to the numbers
// that it stands for in the precision: with Int8 each row has a scale of its own.
// What is rounded stays when it is rounded again. F is float32.
func RoundWeights[F tensor.Float](p Precision, w tensor.DenseOf[F]) {
	if len(w.Shape) != 2 {
		return
	}
	k := w.Shape[1]
	switch p {
	case Int8:
		for at := 0; at+k <= len(w.Data) && k > 0; at += k {
			kernel.RoundWeights(w.Data[at : at+k])
		}
	case BFloat16:
		for i, x := range w.Data {
			w.Data[i] = F(kernel.FromHalf(kernel.ToHalf(float32(x))))
		}
	}
}

// isWeight reports whether a parameter is a matrix of a product.
func isWeight(name string) bool {
	return strings.HasPrefix(name, "weight_") && !strings.HasPrefix(name, "weight_peephole")
}

func (l *LayerOf[F]) quantizable(p Precision, keep []int) error {
	if _, err := ParsePrecision(p.String()); err != nil {
		return err
	}
	if _, single := any(F(0)).(float32); !single && p != Full {
		return &ArgError{Kind: ErrUsage, Arg: "precision", Got: p.String() + " of a layer of float64", Want: "a layer of float32", Hint: "float64 has no other precision"}
	}
	for _, n := range keep {
		if n < 0 || n >= l.cfg.Layers() {
			return &ArgError{Kind: ErrUsage, Arg: "keep", Got: fmt.Sprintf("layer %d", n), Want: fmt.Sprintf("0 to %d, the layers of %s", l.cfg.Layers()-1, l.describe())}
		}
	}
	if most := max(l.cfg.InputSize, l.cfg.OutputSize(), l.cfg.HiddenSize); p == Int8 && most > kernel.MaxK8 {
		return &ArgError{Kind: ErrConfig, Arg: "precision int8", Got: fmt.Sprintf("%d inputs or units of %s", most, l.describe()), Want: fmt.Sprintf("at most %d, so that sums fit 32 bits", kernel.MaxK8)}
	}
	return nil
}

// Precisions returns the precision of each layer of the stack, L of them.
func (l *LayerOf[F]) Precisions() []Precision {
	if l.made("") != nil {
		return nil
	}
	all := make([]Precision, l.cfg.Layers())
	for n := range all {
		all[n] = l.precision(n)
	}
	return all
}

func (l *LayerOf[F]) precision(n int) Precision {
	if l.precisions == nil {
		return Full
	}
	return l.precisions[n]
}

// trains returns an ErrUsage if the layer is not of full precision, which is what
// can train.
func (l *LayerOf[F]) trains(arg string) error {
	for n, p := range l.precisions {
		if p != Full {
			return &ArgError{Kind: ErrUsage, Arg: arg, Got: fmt.Sprintf("layer %d of %s in %s", n, l.describe(), p), Want: "float32", Hint: "train the layer before Quantize"}
		}
	}
	return nil
}

// precisionText is what a layer's signature says of its precisions; nothing where
// all are full.
func precisionText(all []Precision) string {
	if !slices.ContainsFunc(all, func(p Precision) bool { return p != Full }) {
		return ""
	}
	names := make([]string, len(all))
	for i, p := range all {
		names[i] = p.String()
	}
	return " weights[" + strings.Join(names, ",") + "]"
}

// scanPrecisions are the precisions as the engine takes them.
func scanPrecisions(all []Precision) []scan.Precision {
	var s []scan.Precision
	for _, p := range all {
		s = append(s, scan.Precision(p))
	}
	return s
}
