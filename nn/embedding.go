package nn

import (
	"fmt"

	"github.com/unroll-ml/unroll/internal/kernel"
	"github.com/unroll-ml/unroll/rng"
	"github.com/unroll-ml/unroll/tensor"
)

// EmbeddingOf is torch.nn.Embedding: a table with one row for each token.
//
// Many goroutines may call Forward at once; Weight is written only while none
// does.
type EmbeddingOf[F tensor.Float] struct {
	// Weight is the table [num_embeddings, embedding_dim].
	Weight tensor.DenseOf[F]
	// PaddingIdx is a row that gets no gradient and starts as zeros; -1: none.
	PaddingIdx int
}

// Embedding is an EmbeddingOf of float32.
type Embedding = EmbeddingOf[float32]

// NewEmbedding returns a float32 table of zeros. padding is PyTorch's padding_idx, nil
// for none; a negative one counts from the end. It is an ErrConfig if a size
// is below 1 or padding lies outside the table.
func NewEmbedding(num, dim int, padding *int) (*Embedding, error) {
	return NewEmbeddingOf[float32](num, dim, padding)
}

// NewEmbeddingOf is NewEmbedding for the element type F.
func NewEmbeddingOf[F tensor.Float](num, dim int, padding *int) (*EmbeddingOf[F], error) {
	if num < 1 || num > maxSize {
		return nil, badConfig("num_embeddings", num, fmt.Sprintf("1 to %d", maxSize))
	}
	if dim < 1 || dim > maxSize/num {
		return nil, badConfig("embedding_dim", dim, fmt.Sprintf("1 to %d, so that the table can be counted", maxSize/num))
	}
	e := &EmbeddingOf[F]{PaddingIdx: -1, Weight: tensor.DenseOf[F]{}}
	if padding != nil {
		e.PaddingIdx = *padding
		if e.PaddingIdx < 0 {
			e.PaddingIdx += num
		}
		if e.PaddingIdx < 0 || e.PaddingIdx >= num {
			return nil, badConfig("padding_idx", *padding, fmt.Sprintf("within num_embeddings %d", num))
		}
	}
	e.Weight = tensor.DenseOf[F]{Shape: []int{num, dim}, Data: kernel.Large[F](nil, num*dim)}
	return e, nil
}

// ResetParameters draws the table as PyTorch does: standard normal, then zeros
// in the padding row.
func (e *EmbeddingOf[F]) ResetParameters(g *rng.Generator) {
	rng.Randn(g, e.Weight.Data)
	if e.PaddingIdx >= 0 {
		clear(e.row(e.Weight, e.PaddingIdx))
	}
}

func (e *EmbeddingOf[F]) row(w tensor.DenseOf[F], i int) []F {
	d := w.Shape[1]
	return w.Data[i*d : (i+1)*d]
}

// made refuses a table that NewEmbedding did not make.
func (e *EmbeddingOf[F]) made() error {
	if e.Weight.Rank() != 2 || e.Weight.Check("weight") != nil {
		return badUse("embedding", "one without a table", "the result of NewEmbedding")
	}
	return nil
}

// Forward writes the rows of the tokens to dst, which has len(tokens) rows of
// embedding_dim. A token outside the table is an ErrIndex, a dst of another
// length an ErrShape, a table that NewEmbedding did not make an ErrUsage.
func (e *EmbeddingOf[F]) Forward(dst []F, tokens []int) error {
	if err := e.made(); err != nil {
		return err
	}
	num, dim := e.Weight.Shape[0], e.Weight.Shape[1]
	if len(dst) != len(tokens)*dim {
		return badShape("embedded", []int{len(dst)}, fmt.Sprintf("%d tokens of %d", len(tokens), dim))
	}
	for i, t := range tokens {
		if t < 0 || t >= num {
			return &IndexError{Arg: "token", At: i, Got: t, Limit: num}
		}
		copy(dst[i*dim:(i+1)*dim], e.Weight.Data[t*dim:])
	}
	return nil
}

// Backward adds d, the gradient of what Forward wrote, to the rows of g that
// the tokens name, and marks them. Nothing else of g is touched, so the cost
// is the batch's and not the table's. Errors are those of Forward; a g for
// another table is an ErrUsage. After an ErrIndex g has the gradients of the
// tokens before it.
func (e *EmbeddingOf[F]) Backward(d []F, tokens []int, g *RowGradOf[F]) error {
	if err := e.made(); err != nil {
		return err
	}
	num, dim := e.Weight.Shape[0], e.Weight.Shape[1]
	switch {
	case g == nil || len(g.touched) != num || !sameShape(g.Value.Shape, e.Weight.Shape):
		return badUse("RowGrad", "another", fmt.Sprintf("the result of NewRowGrad(%d, %d)", num, dim))
	case len(d) != len(tokens)*dim:
		return badShape("gradient", []int{len(d)}, fmt.Sprintf("%d tokens of %d", len(tokens), dim))
	}
	for i, t := range tokens {
		if t < 0 || t >= num {
			return &IndexError{Arg: "token", At: i, Got: t, Limit: num}
		}
		if t == e.PaddingIdx {
			continue
		}
		g.touch(t)
		for j, v := range d[i*dim : (i+1)*dim] {
			g.Value.Data[t*dim+j] += v
		}
	}
	return nil
}

// RowGradOf is a gradient [V,E] in which only the rows named in Rows are not
// zero.
type RowGradOf[F tensor.Float] struct {
	Value tensor.DenseOf[F]
	// Rows are the touched rows in the order of their first touch.
	Rows    []int
	touched []bool
}

// RowGrad is a RowGradOf of float32.
type RowGrad = RowGradOf[float32]

// NewRowGrad returns float32 zeros for a table of num rows of dim.
func NewRowGrad(num, dim int) *RowGrad { return NewRowGradOf[float32](num, dim) }

// NewRowGradOf is NewRowGrad for the element type F.
func NewRowGradOf[F tensor.Float](num, dim int) *RowGradOf[F] {
	return &RowGradOf[F]{Value: tensor.NewOf[F](num, dim), touched: make([]bool, num)}
}

func (g *RowGradOf[F]) touch(row int) {
	if !g.touched[row] {
		g.touched[row] = true
		g.Rows = append(g.Rows, row)
	}
}

// Zero clears the touched rows and forgets them.
func (g *RowGradOf[F]) Zero() {
	for _, r := range g.Rows {
		d := g.Value.Shape[1]
		clear(g.Value.Data[r*d : (r+1)*d])
		g.touched[r] = false
	}
	g.Rows = g.Rows[:0]
}
