package nn

import (
	"encoding/json"
	"fmt"

	unroll "github.com/unroll-ml/unroll"
)

// Config says what a model is: an embedding or raw features, a recurrent
// layer, dropout, and a linear head. It is plain data and what config.json of
// a model folder holds, Meta's keys beside the model's own; names are PyTorch's
// arguments.
type Config struct {
	// NumEmbeddings is the number of tokens; 0: the input is features, and
	// RNN.InputSize says how many.
	NumEmbeddings int `json:"num_embeddings,omitempty"`
	// EmbeddingDim is the size of a token's row; 0: RNN.InputSize, which is 0
	// or the same where both are given.
	EmbeddingDim int  `json:"embedding_dim,omitempty"`
	PaddingIdx   *int `json:"padding_idx,omitempty"`
	// RNN is the recurrent layer. Its InputSize follows from the embedding
	// where there is one.
	RNN unroll.Config `json:"rnn"`
	// Output is "all" (the default): the head sees every step; or "last": the
	// head sees the top layer's final hidden states, D*H' numbers a sequence.
	Output string `json:"output,omitempty"`
	// HeadDropout is the probability that an element of the head's input is
	// zeroed in training.
	HeadDropout float64 `json:"head_dropout,omitempty"`
	OutFeatures int     `json:"out_features"`
	NoHeadBias  bool    `json:"no_head_bias,omitempty"`
	// TieWeights makes fc.weight and embedding.weight one parameter. It wants
	// OutFeatures = NumEmbeddings and EmbeddingDim = the layer's output size.
	TieWeights bool `json:"tie_weights,omitempty"`
	// Precision is that of the weights of the parts of the model that are not of
	// full precision: embedding, rnn.l0, rnn.l1 and so on, and fc. Model.Quantize
	// sets it. Such a model does not train.
	Precision map[string]unroll.Precision `json:"precision,omitempty"`

	// Meta are all other keys of config.json, as JSON: what the numbers mean to
	// whoever trained the model (package task). The model does not look at
	// them; Save and Open keep them.
	Meta map[string]json.RawMessage `json:"-"`
}

// normal returns the config with its derived fields filled in, or the first
// thing that is wrong.
func (c Config) normal() (Config, error) {
	if c.NumEmbeddings < 0 || c.NumEmbeddings > maxSize {
		return c, badConfig("num_embeddings", c.NumEmbeddings, "0 or above")
	}
	if c.NumEmbeddings > 0 {
		if c.EmbeddingDim == 0 {
			c.EmbeddingDim = c.RNN.InputSize
		}
		if c.RNN.InputSize == 0 {
			c.RNN.InputSize = c.EmbeddingDim
		}
		if c.EmbeddingDim < 1 || c.EmbeddingDim != c.RNN.InputSize {
			return c, badConfig("embedding_dim", c.EmbeddingDim, fmt.Sprintf("at least 1, and rnn.input_size %d", c.RNN.InputSize))
		}
	}
	if err := c.RNN.Validate(); err != nil {
		return c, err
	}
	if c.Output == "" {
		c.Output = "all"
	}
	if err := c.checkPrecision(); err != nil {
		return c, err
	}
	switch {
	case c.Output != "all" && c.Output != "last":
		return c, badConfig("output", fmt.Sprintf("%q", c.Output), `"all" or "last"`)
	case !(c.HeadDropout >= 0 && c.HeadDropout <= 1):
		return c, badConfig("head_dropout", c.HeadDropout, "a probability from 0 to 1")
	case c.OutFeatures < 1:
		return c, badConfig("out_features", c.OutFeatures, "at least 1")
	case c.TieWeights && c.NumEmbeddings != c.OutFeatures:
		return c, badConfig("out_features", c.OutFeatures, fmt.Sprintf("num_embeddings %d, for tie_weights", c.NumEmbeddings))
	case c.TieWeights && c.EmbeddingDim != c.RNN.OutputSize():
		return c, badConfig("embedding_dim", c.EmbeddingDim, fmt.Sprintf("the layer's output size %d, for tie_weights", c.RNN.OutputSize()))
	}
	return c, nil
}

// Parameters returns the number of parameters of a model of this config,
// counting tied weights once. It is an ErrConfig if no model can have it.
func (c Config) Parameters() (float64, error) {
	c, err := c.normal()
	if err != nil {
		return 0, err
	}
	r := c.RNN
	n := r.NumParameters()
	n += float64(c.NumEmbeddings) * float64(c.EmbeddingDim)
	if !c.TieWeights {
		n += float64(r.OutputSize()) * float64(c.OutFeatures)
	}
	if !c.NoHeadBias {
		n += float64(c.OutFeatures)
	}
	return n, nil
}
