package nn

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	unroll "github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/checkpoint"
	"github.com/unroll-ml/unroll/internal/kernel"
	"github.com/unroll-ml/unroll/tensor"
)

// The parts of a model that have a precision: these, and rnn.l0, rnn.l1, ... of its
// recurrent layer.
const (
	embeddingPart = "embedding"
	layerPart     = "rnn"
	headPart      = "fc"
)

// Integers of a folder's weights stand under a parameter's name with the first
// suffix, and what each row of them is multiplied with under that with the second.
const (
	int8Suffix  = ".int8"
	scaleSuffix = ".scale"
)

// Parts returns the names of the parts of the model whose weights have a precision
// each, in the order in which they run: embedding, rnn.l0 and so on, fc.
func (c Config) Parts() []string {
	var all []string
	if c.NumEmbeddings > 0 {
		all = append(all, embeddingPart)
	}
	for n := range c.RNN.Layers() {
		all = append(all, fmt.Sprintf("%s.l%d", layerPart, n))
	}
	return append(all, headPart)
}

// checkPrecision refuses parts that the model does not have.
func (c Config) checkPrecision() error {
	parts := c.Parts()
	for _, part := range slices.Sorted(maps.Keys(c.Precision)) {
		if !slices.Contains(parts, part) {
			return badConfig("precision", fmt.Sprintf("%q", part), strings.Join(parts, ", "))
		}
		if _, err := c.Precision[part].MarshalText(); err != nil {
			return badConfig("precision of "+part, c.Precision[part], "float32, int8 or bfloat16")
		}
	}
	if c.TieWeights && c.Precision[embeddingPart] != c.Precision[headPart] {
		return badConfig("precision", fmt.Sprintf("%v of embedding, %v of fc", c.Precision[embeddingPart], c.Precision[headPart]), "one, for tie_weights")
	}
	return nil
}

// precisionOf returns that of a parameter.
func (c Config) precisionOf(param string) unroll.Precision {
	part, name, _ := strings.Cut(param, ".")
	if !strings.HasPrefix(name, "weight") || strings.HasPrefix(name, "weight_peephole") {
		return unroll.Full
	}
	if part == layerPart {
		_, layer, _ := strings.Cut(name, "_l")
		layer, _, _ = strings.Cut(layer, "_")
		part += ".l" + layer
	}
	return c.Precision[part]
}

// lowered returns a layer with the config's precisions.
func lowered[F tensor.Float](c Config, l *unroll.LayerOf[F]) (*unroll.LayerOf[F], error) {
	if len(c.Precision) == 0 {
		return l, nil
	}
	each := make([]unroll.Precision, c.RNN.Layers())
	for n := range each {
		each[n] = c.Precision[fmt.Sprintf("%s.l%d", layerPart, n)]
	}
	return l.QuantizeEach(each)
}

// Quantize returns a new model whose weights have the precision p, but for the
// parts that keep names (see Config.Parts; rnn stands for all of its layers), which
// stay as they are. Its parameters are the numbers that the rounded weights stand
// for; it shares nothing with m. A row of an embedding is rounded as a row of
// weights, and stays float32 when it is looked up. docs/numerics.md has the
// arithmetic of the others.
//
// The model does not train. Save writes rounded weights in their own form. It is an
// ErrUsage if New or Open did not make m or keep names no part, and what
// unroll.Layer.Quantize says.
func (m *ModelOf[F]) Quantize(p unroll.Precision, keep ...string) (*ModelOf[F], error) {
	if m == nil || m.fc == nil {
		return nil, badUse("model", "none", "the result of New or Open")
	}
	parts := m.cfg.Parts()
	for _, k := range keep {
		if k != layerPart && !slices.Contains(parts, k) {
			return nil, badUse("keep", fmt.Sprintf("%q", k), strings.Join(append(parts, layerPart), ", "))
		}
	}
	cfg := m.cfg
	cfg.Precision = map[string]unroll.Precision{}
	for _, part := range parts {
		own := p
		if slices.Contains(keep, part) || strings.HasPrefix(part, layerPart+".") && slices.Contains(keep, layerPart) {
			own = m.cfg.Precision[part]
		}
		if own != unroll.Full {
			cfg.Precision[part] = own
		}
	}
	if len(cfg.Precision) == 0 {
		cfg.Precision = nil
	}
	q, err := NewOf[F](cfg)
	if err != nil {
		return nil, err
	}
	return q, q.Load(m.StateDict())
}

// stored is a parameter as a folder holds it: in float numbers, or integers and
// their scales.
func stored[F tensor.Float](name string, p unroll.Precision, v tensor.DenseOf[F]) checkpoint.Set {
	switch p {
	case unroll.BFloat16:
		if t, err := checkpoint.As(name, checkpoint.BF16, v); err == nil {
			return checkpoint.Set{t}
		}
	case unroll.Int8:
		rows, k := v.Shape[0], v.Shape[1]
		ints, scale := make([]byte, rows*k), tensor.New(rows)
		q := make([]int8, k)
		w := tensor.Convert[float32](v)
		for r := range rows {
			scale.Data[r] = kernel.QuantiseWeights(q, w.Data[r*k:(r+1)*k])
			for i, x := range q {
				ints[r*k+i] = byte(x)
			}
		}
		info := checkpoint.Info{Name: name + int8Suffix, DType: checkpoint.I8, Shape: slices.Clone(v.Shape), Bytes: int64(len(ints))}
		return checkpoint.Set{{Info: info, Data: ints}, checkpoint.Of(name+scaleSuffix, scale)}
	}
	return checkpoint.Set{checkpoint.Of(name, v)}
}

// numbers reads a parameter that stored wrote, under the name that it has in the
// file, and returns its own name.
func numbers[F tensor.Float](src checkpoint.Source, name string) (string, tensor.DenseOf[F], error) {
	v, err := checkpoint.Float[F](src, name)
	own, integers := strings.CutSuffix(name, int8Suffix)
	if err != nil || !integers {
		return name, v, err
	}
	scale, err := checkpoint.Float[F](src, own+scaleSuffix)
	if err != nil {
		return own, v, err
	}
	if len(v.Shape) != 2 || len(scale.Data) != v.Shape[0] {
		return own, v, &FolderError{Path: own + scaleSuffix, Reason: fmt.Sprintf("it has shape %v for integers of shape %v, expected one number a row", scale.Shape, v.Shape)}
	}
	k := v.Shape[1]
	for i := range v.Data {
		v.Data[i] *= scale.Data[i/k]
	}
	return own, v, nil
}
