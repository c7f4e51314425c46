package nn

import (
	"fmt"

	unroll "github.com/unroll-ml/unroll"
)

// Config says what a model is: an embedding or raw features, a recurrent
// layer, dropout, and a linear head. It is plain data and what config.json of
// a model folder holds; names are PyTorch's arguments.
type Config struct {
	// Task is what the model is for, "text" or "forecast" say; the model itself
	// does not look at it.
	Task string `json:"task,omitempty"`
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

	// What the numbers mean; the model does not look at it.
	Vocabulary *Vocabulary `json:"vocabulary,omitempty"`
	Classes    []string    `json:"classes,omitempty"`
	Scaling    *Scaling    `json:"scaling,omitempty"`
	Forecast   *Forecast   `json:"forecast,omitempty"`
	Source     *Source     `json:"source,omitempty"`
}

// Source says how the file a model was trained on was read and cut, so that the
// part held out for the test can be found again.
type Source struct {
	Valid float64 `json:"valid"` // shares; 1 or more: rows
	Test  float64 `json:"test"`
	Seed  uint64  `json:"seed"`           // of the draw, where items are drawn
	Rows  int     `json:"rows,omitempty"` // used of the file; 0: all
	Text  string  `json:"text,omitempty"` // names of the columns
	Label string  `json:"label,omitempty"`
	Loss  string  `json:"loss,omitempty"` // that was made small
}

// Vocabulary are the tokens of a model that reads text.
type Vocabulary struct {
	Level   string   `json:"level"` // "char", "word" or "label"
	Tokens  []string `json:"tokens"`
	Unknown int      `json:"unknown"` // the token for everything else; -1: none
	Pad     int      `json:"pad"`     // the token that fills batches; -1: none
}

// Scaling standardises feature columns: (x - Mean)/Std.
type Scaling struct {
	Columns []string  `json:"columns"`
	Mean    []float64 `json:"mean"`
	Std     []float64 `json:"std"`
}

// Forecast says which steps a forecaster sees and which it names.
type Forecast struct {
	Time    string   `json:"time"`    // the time column
	Targets []string `json:"targets"` // columns that are forecast
	Lags    int      `json:"lags"`    // steps seen
	Horizon int      `json:"horizon"` // steps named
	Season  int      `json:"season"`  // of the seasonal-naive forecast, and of the change below
	// Base is what the output is a change of: "none", "last" (the last value
	// seen) or "season" (the value a season before).
	Base string `json:"base"`
	// Calendar adds the hour of the day and the day of the week as features.
	Calendar bool `json:"calendar,omitempty"`
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
	g := map[unroll.Mode]float64{unroll.LSTM: 4, unroll.GRU: 3}[r.Mode]
	if g == 0 {
		g = 1
	}
	h, d := float64(r.HiddenSize), float64(r.Directions())
	in, n := float64(r.InputSize), 0.0
	// All layers but the first are alike, so a large number of them costs nothing.
	for l := range min(r.Layers(), 2) {
		one := g * h * (in + float64(r.StateSize()))
		if !r.NoBias {
			one += 2 * g * h
		}
		if r.ProjSize > 0 {
			one += h * float64(r.ProjSize)
		}
		if l == 1 {
			one *= float64(r.Layers() - 1)
		}
		n += d * one
		in = float64(r.OutputSize())
	}
	n += float64(c.NumEmbeddings) * float64(c.EmbeddingDim)
	if !c.TieWeights {
		n += float64(r.OutputSize()) * float64(c.OutFeatures)
	}
	if !c.NoHeadBias {
		n += float64(c.OutFeatures)
	}
	return n, nil
}
