package kerasgraph

import (
	"fmt"
	"slices"

	"github.com/unroll-ml/unroll/checkpoint/keras"
	"github.com/unroll-ml/unroll/internal/graph"
)

// cell is one recurrent cell and its settings in ONNX's words.
type cell struct {
	layer       *keras.Layer
	op          string // LSTM, GRU, RNN
	inputs      int
	units       int
	bias        bool
	after       bool // GRU: reset_after
	cudnn       bool // weights are in the layout of CuDNNLSTM and CuDNNGRU
	activations []string
	alpha, beta []float32
}

// states is how many states the cell has.
func (c *cell) states() int {
	if c.op == "LSTM" {
		return 2
	}
	return 1
}

// onnxActivation is an activation as cells have it.
func (b *builder) onnxActivation(l *keras.Layer, key, missing string) (name string, alpha, beta float32, err error) {
	f, layer, err := activationOf{l}.function(key, missing)
	if err != nil {
		return "", 0, 0, err
	}
	if layer != nil {
		return layerFunction(l, key, layer)
	}
	switch f {
	case "tanh":
		return "Tanh", 0, 0, nil
	case "sigmoid":
		return "Sigmoid", 0, 0, nil
	case "relu":
		return "Relu", 0, 0, nil
	case "linear", "":
		return "Affine", 1, 0, nil
	case "elu":
		return "Elu", 1, 0, nil
	case "softsign":
		return "Softsign", 0, 0, nil
	case "softplus":
		return "Softplus", 0, 0, nil
	case "leaky_relu":
		return "LeakyRelu", 0.2, 0, nil
	case "selu":
		return "Selu", 0, 0, nil
	case "exponential":
		return "Exp", 0, 0, nil
	case "celu":
		return "Celu", 1, 0, nil
	case "relu6":
		return "Clip", 0, 6, nil
	case "hard_tanh":
		return "Clip", -1, 1, nil
	case "log_sigmoid":
		return "LogSigmoid", 0, 0, nil
	case "squareplus":
		return "Squareplus", 4, 0, nil
	case "swish", "silu":
		return "Swish", 1, 0, nil
	case "gelu":
		return "Gelu", 0, 0, nil
	case "mish":
		return "Mish", 0, 0, nil
	case "tanh_shrink":
		return "TanhShrink", 0, 0, nil
	case "hard_shrink":
		return "Shrink", 0.5, 0, nil
	case "soft_shrink":
		return "Shrink", 0.5, 0.5, nil
	case "sparse_sigmoid":
		return "HardSigmoid", 0.5, 0.5, nil
	case "hard_silu", "hard_swish":
		return "HardSwish", 0, 0, nil
	case "hard_sigmoid":
		a := b.hardSigmoid()
		return "HardSigmoid", a["alpha"].(float32), a["beta"].(float32), nil
	}
	return "", 0, 0, refuse(l, "%s %q", key, f)
}

// layerFunction is a layer in the place of an activation's name.
func layerFunction(l *keras.Layer, key string, layer *keras.Layer) (name string, alpha, beta float32, err error) {
	number := func(missing float64, keys ...string) float32 {
		v, e := setting(layer, missing, keys...)
		if err == nil {
			err = e
		}
		return float32(v)
	}
	switch layer.Class {
	case "LeakyReLU":
		return "LeakyRelu", number(0.3, "negative_slope", "alpha"), 0, err
	case "ELU":
		return "Elu", number(1, "alpha"), 0, err
	case "ReLU":
		if slope := number(0, "negative_slope"); number(0, "threshold") == 0 && err == nil {
			switch {
			case layer.Config["max_value"] != nil && slope == 0:
				return "Clip", 0, number(0, "max_value"), err
			case layer.Config["max_value"] == nil && slope != 0:
				return "LeakyRelu", slope, 0, nil
			case layer.Config["max_value"] == nil:
				return "Relu", 0, 0, nil
			}
		}
	}
	if err != nil {
		return "", 0, 0, err
	}
	return "", 0, 0, refuse(l, "%s of class %q with these settings", key, layer.Class)
}

// readCell reads a cell's settings and the shapes of its weights.
func (b *builder) readCell(l *keras.Layer) (*cell, error) {
	c := &cell{layer: l, op: cellKinds[l.Class]}
	if c.op == "" {
		return nil, refuse(l, "it as a cell")
	}
	k, err := shaped(l, "kernel", 2)
	if err != nil {
		return nil, err
	}
	r, err := shaped(l, "recurrent_kernel", 2)
	if err != nil {
		return nil, err
	}
	gates := map[string]int{"LSTM": 4, "GRU": 3, "RNN": 1}[c.op]
	c.inputs, c.units = k[0], r[0]
	if k[1] != gates*c.units || r[1] != gates*c.units {
		return nil, wrong(l, "its kernel has shape %v and its recurrent_kernel %v, expected [I,%d*H] and [H,%d*H]", k, r, gates, gates)
	}
	if c.bias, err = l.Config.Bool("use_bias", true); err != nil {
		return nil, err
	}
	if c.op == "GRU" {
		// Where the setting is absent, before Keras 2.1.6, it was false.
		if c.after, err = l.Config.Bool("reset_after", isCuDNN(l.Class)); err != nil {
			return nil, err
		}
	}
	if err := c.readCuDNN(gates); err != nil {
		return nil, err
	}
	keys := []string{"recurrent_activation", "activation", "activation"}
	switch c.op {
	case "GRU":
		keys = keys[:2]
	case "RNN":
		keys = keys[1:2]
	}
	for _, key := range keys {
		missing := "tanh"
		if key == "recurrent_activation" {
			missing = "sigmoid"
		}
		name, alpha, beta, err := b.onnxActivation(l, key, missing)
		if err != nil {
			return nil, err
		}
		c.activations = append(c.activations, name)
		c.alpha, c.beta = append(c.alpha, alpha), append(c.beta, beta)
	}
	return c, nil
}

// same reports whether two cells can be the directions of one node.
func (c *cell) same(d *cell) bool {
	return c.op == d.op && c.inputs == d.inputs && c.units == d.units && c.bias == d.bias && c.after == d.after
}

// activations sets the functions, unless they are the operator's own. It reports
// whether ONNX's operators lack one, and the node has to be unroll's.
func (b *builder) activations(attrs graph.Attrs, cells []*cell, domain string) (own bool) {
	usual := map[string][]string{"LSTM": {"Sigmoid", "Tanh", "Tanh"}, "GRU": {"Sigmoid", "Tanh"}, "RNN": {"Tanh"}}[cells[0].op]
	var names []string
	var alpha, beta, all, every []float32
	plain := true
	for _, c := range cells {
		plain = plain && slices.Equal(c.activations, usual)
		names = append(names, c.activations...)
		all, every = append(all, c.alpha...), append(every, c.beta...)
		// ONNX's lists have an entry for each function that has the constant, in order.
		for i, f := range c.activations {
			own = own || !graph.HasFunction(f)
			switch f {
			case "Affine", "HardSigmoid":
				alpha, beta = append(alpha, c.alpha[i]), append(beta, c.beta[i])
			case "Elu", "LeakyRelu":
				alpha = append(alpha, c.alpha[i])
			}
		}
	}
	if own = own || domain != ""; own {
		attrs["activations"], attrs["activation_alpha"], attrs["activation_beta"] = names, all, every
		return own
	}
	if plain {
		return own
	}
	attrs["activations"] = names
	if alpha != nil {
		attrs["activation_alpha"] = alpha
	}
	if beta != nil {
		attrs["activation_beta"] = beta
	}
	return own
}

// packed adds a weight of all directions in ONNX's layout: gates i o f c of an
// LSTM (Keras: i f c o) and z r h of a GRU, rows of [D, G*H, I] and [D, 2*G*H].
func (b *builder) packed(cells []*cell, role string) (string, error) {
	c := cells[0]
	order := map[string][]int{"LSTM": {0, 3, 1, 2}, "GRU": {0, 1, 2}, "RNN": {0}}[c.op]
	H, rows := c.units, len(order)*c.units
	shape := []int{len(cells), rows, H}
	switch role {
	case "kernel":
		shape[2] = c.inputs
	case "bias":
		shape = []int{len(cells), 2 * rows}
	}
	for _, c := range cells {
		w, ok := c.layer.Weight(role)
		two := role == "bias" && c.op == "GRU" && c.after
		if role == "bias" && !c.cudnn && (!ok || two != slices.Equal(w.Shape, []int{2, rows}) || !two && !slices.Equal(w.Shape, []int{rows})) {
			return "", wrong(c.layer, "its bias has shape %v, expected [%d], or [2 %d] of a GRU with reset_after", w.Shape, rows, rows)
		}
	}
	name := fmt.Sprintf("%s/%s", c.layer.Path, role)
	return b.computed(name, shape, func() ([]float32, error) {
		var out []float32
		for _, c := range cells {
			d, err := b.numbers(c.layer, role)
			if err != nil {
				return nil, err
			}
			if c.cudnn {
				d.Data = c.fromCuDNN(role, d.Data)
			}
			if role == "bias" {
				for row := range len(d.Data) / rows {
					for _, g := range order {
						out = append(out, d.Data[row*rows+g*H:][:H]...)
					}
				}
				if len(d.Data) == rows {
					out = append(out, make([]float32, rows)...)
				}
				continue
			}
			width := len(d.Data) / rows // [I, G*H] to rows of I
			for _, g := range order {
				for u := range H {
					for i := range width {
						out = append(out, d.Data[i*rows+g*H+u])
					}
				}
			}
		}
		return out, nil
	}), nil
}
