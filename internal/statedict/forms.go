package statedict

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/unroll-ml/unroll/checkpoint"
	"github.com/unroll-ml/unroll/tensor"
)

// parametrized are the pieces of torch.nn.utils.parametrize:
//
//	PREFIXparametrizations.NAME.original0, .original1    weight norm: g and v
//	PREFIXparametrizations.NAME.original, .0._u, .0._v   spectral norm
//	PREFIXparametrizations.NAME.original, .0.base        an orthogonal map
//	PREFIXparametrizations.NAME.original                 an orthogonal map, or anything
func (f *folder) parametrized() {
	const mark = "parametrizations."
	for _, n := range f.names {
		i := strings.LastIndex(n, mark)
		if i < 0 || f.taken[n] || i > 0 && n[i-1] != '.' && n[i-1] != '/' {
			continue
		}
		param, piece, ok := strings.Cut(n[i+len(mark):], ".")
		prefix, base := n[:i], n[:i+len(mark)]+param+"."
		if !ok || piece != "original0" && piece != "original" {
			continue
		}
		name := prefix + param
		chain := f.have[base+"1._u"] || f.have[base+"1.base"]
		switch {
		case piece == "original0" && f.weightNorm(name, base+"original0", base+"original1"):
		case piece == "original" && !chain && f.spectralNorm(name, n, base+"0._u", base+"0._v"):
		default:
			f.taken[n] = true
			f.fault(prefix, "%s is a parametrization whose map the file does not name: an orthogonal one (matrix_exp, cayley and householder have these same names and shapes), or one of the model's own; in Python, torch.nn.utils.parametrize.remove_parametrizations(module, %q) before saving leaves its value", base+"original", param)
		}
	}
}

// normed is the older weight norm: NAME_g and NAME_v without NAME.
func (f *folder) normed() {
	for _, n := range f.names {
		if name, ok := strings.CutSuffix(n, "_g"); ok && !f.have[name] {
			f.weightNorm(name, n, name+"_v")
		}
	}
}

// original is NAME_orig: beside NAME_mask pruning, beside NAME_u and NAME_v the
// older spectral norm.
func (f *folder) original() {
	for _, n := range f.names {
		name, ok := strings.CutSuffix(n, "_orig")
		if !ok || f.have[name] {
			continue
		}
		mask, u := name+"_mask", name+"_u"
		switch {
		case f.shape(mask) != nil && slices.Equal(f.shape(mask), f.shape(n)):
			f.compute(name, n, "pruned: the mask is applied", func(d ...tensor.DenseOf[float64]) []float64 {
				out := make([]float64, len(d[0].Data))
				for i, x := range d[0].Data {
					out[i] = x * d[1].Data[i]
				}
				return out
			}, n, mask)
		case f.shape(u) != nil:
			f.spectralNorm(name, n, u, name+"_v")
		}
	}
}

// compute puts a float32 or float64 tensor of like's shape, made of pieces.
func (f *folder) compute(name, like, what string, make func(...tensor.DenseOf[float64]) []float64, pieces ...string) {
	info, _ := f.src.Info(like)
	t := checkpoint.F32
	for _, p := range pieces {
		if i, _ := f.src.Info(p); i.DType == checkpoint.F64 {
			t = checkpoint.F64
		}
	}
	info, err := checkpoint.NewInfo(name, t, info.Shape)
	if err != nil {
		return
	}
	f.put(name, derived{info: info, make: func(src checkpoint.Source) (checkpoint.Tensor, error) {
		var d []tensor.DenseOf[float64]
		for _, p := range pieces {
			x, err := checkpoint.Float[float64](src, p)
			if err != nil {
				return checkpoint.Tensor{}, err
			}
			d = append(d, x)
		}
		return checkpoint.As(name, t, tensor.DenseOf[float64]{Shape: info.Shape, Data: make(d...)})
	}}, pieces...)
	f.note("%s is computed of %s (%s)", name, strings.Join(pieces, ", "), what)
}

// weightNorm is NAME = g * v / |v|, the norm over the dimensions in which g has
// one element (torch.nn.utils.weight_norm with any dim); false if the shapes are
// not those.
func (f *folder) weightNorm(name, g, v string) bool {
	gs, vs := f.shape(g), f.shape(v)
	if gs == nil || len(vs) == 0 || len(gs) != len(vs) && len(gs) != 0 {
		return false
	}
	kept := -1 // the dimension of g
	for i, n := range gs {
		if n == 1 {
			continue
		}
		if n != vs[i] || kept >= 0 {
			return false
		}
		kept = i
	}
	inner, groups := 1, 1
	if kept >= 0 {
		groups = vs[kept]
		for _, n := range vs[kept+1:] {
			inner *= n
		}
	}
	f.compute(name, v, "weight norm", func(d ...tensor.DenseOf[float64]) []float64 {
		sum := make([]float64, groups)
		for i, x := range d[1].Data {
			sum[i/inner%groups] += x * x
		}
		out := make([]float64, len(d[1].Data))
		for i, x := range d[1].Data {
			c := i / inner % groups
			out[i] = x * (d[0].Data[c] / math.Sqrt(sum[c]))
		}
		return out
	}, g, v)
	return true
}

// spectralNorm is NAME = W / (u . W v), W as a matrix of len(u) rows: what the
// last step of training left in u and v; no power iteration is made in eval mode.
func (f *folder) spectralNorm(name, w, u, v string) bool {
	ws, us, vs := f.shape(w), f.shape(u), f.shape(v)
	if len(ws) < 2 || len(us) != 1 || len(vs) != 1 || us[0] == 0 {
		return false
	}
	total := 1
	for _, n := range ws {
		total *= n
	}
	axis := slices.Index(ws[:2], us[0]) // 1 for transposed convolutions
	if axis < 0 || us[0]*vs[0] != total {
		return false
	}
	inner := 1
	for _, n := range ws[axis+1:] {
		inner *= n
	}
	rows := us[0]
	f.compute(name, w, "spectral norm", func(d ...tensor.DenseOf[float64]) []float64 {
		sigma := 0.0
		for i, x := range d[0].Data {
			row := i / inner % rows
			col := i/(inner*rows)*inner + i%inner
			sigma += d[1].Data[row] * x * d[2].Data[col]
		}
		out := make([]float64, len(d[0].Data))
		for i, x := range d[0].Data {
			out[i] = x / sigma
		}
		return out
	}, w, u, v)
	return true
}

// raw is dropout of weights, as AWD-LSTM wraps a layer: the trained weight is
// NAME_raw beside the layer, or beside the wrapper whose "module" it is, and what
// stands under NAME is the copy that the last training step dropped from.
func (f *folder) raw() {
	layers := map[string]bool{} // prefixes of parameters
	for _, n := range f.names {
		if prefix, last := split(n); parameter(last) != nil {
			layers[prefix] = true
		}
	}
	for _, n := range f.names {
		name, ok := strings.CutSuffix(n, "_raw")
		prefix, param := split(name)
		if !ok || parameter(param) == nil || f.taken[n] {
			continue
		}
		target := name
		if layers[prefix+"module."] {
			target = prefix + "module." + param
		}
		if f.have[target] {
			f.rename(target, n, target)
			f.note("%s is %s: the copy with dropped weights beside it is not used", target, n)
			continue
		}
		f.rename(target, n)
		f.note("%s is %s", target, n)
	}
}

// quantized are the packed parameters of torch.ao.nn.quantized.dynamic.
func (f *folder) quantized() {
	layers := map[string]int{}
	var order []string
	for _, n := range f.names {
		if prefix, i, _, ok := packedLayer(n); ok {
			if _, ok := layers[prefix]; !ok {
				order = append(order, prefix)
			}
			layers[prefix] = max(layers[prefix], i+1)
			continue
		}
		f.packedLinear(n)
	}
	for _, prefix := range order {
		f.packedStack(prefix, layers[prefix])
	}
}

// packedLayer reads PREFIX_all_weight_values.INDEX.param.PIECE.
func packedLayer(n string) (prefix string, index int, piece string, ok bool) {
	const mark, param = "_all_weight_values.", ".param."
	i := strings.Index(n, mark)
	j := strings.LastIndex(n, param)
	if i < 0 || j < i+len(mark) {
		return "", 0, "", false
	}
	index, err := strconv.Atoi(n[i+len(mark) : j])
	return n[:i], index, n[j+len(param):], err == nil && index >= 0 && index < 1e6
}

// packedLinear renames the weights of a quantized linear layer or cell.
func (f *folder) packedLinear(n string) {
	for _, c := range []struct{ from, to string }{
		{"_packed_params._packed_params/0", "weight"},
		{"_packed_params._packed_params/1", "bias"},
		{"_packed_params._packed_params.weight", "weight"},
		{"_packed_params._packed_params.bias", "bias"},
		{"_packed_weight_ih.weight", "weight_ih"},
		{"_packed_weight_ih.bias", "bias_ih"},
		{"_packed_weight_hh.weight", "weight_hh"},
		{"_packed_weight_hh.bias", "bias_hh"},
	} {
		prefix, ok := strings.CutSuffix(n, c.from)
		if !ok || prefix != "" && !strings.HasSuffix(prefix, ".") && !strings.HasSuffix(prefix, "/") {
			continue
		}
		var same []string // a module of quantized cells has its biases twice
		if f.have[prefix+c.to] {
			same = append(same, prefix+c.to)
		}
		f.rename(prefix+c.to, n, same...)
		if c.to == "weight" { // of its output, when that was quantized too
			f.taken[prefix+"scale"], f.taken[prefix+"zero_point"] = true, true
		}
	}
}

// packedStack renames the weights of a quantized layer of n cells, which stand in
// the order of layers and, within one, directions.
func (f *folder) packedStack(prefix string, n int) {
	at := func(i int, piece string) string {
		return prefix + "_all_weight_values." + strconv.Itoa(i) + ".param." + piece
	}
	directions, known := f.directions(prefix, n, at)
	if !known {
		f.fault(prefix, "its two cells have the same shapes: LSTM(num_layers=2) or LSTM(bidirectional=True) have these names; the saved module tells, and so does the float model's state_dict")
	}
	for i := range n {
		for _, piece := range []string{"weight_ih", "weight_hh", "bias_ih", "bias_hh"} {
			from := at(i, piece)
			if !f.have[from] {
				continue
			}
			if !known {
				f.taken[from] = true
				continue
			}
			name := prefix + piece + "_l" + strconv.Itoa(i/directions)
			if i%directions == 1 {
				name += "_reverse"
			}
			f.rename(name, from)
		}
	}
}

// directions tells how many directions a quantized layer of n cells has: by the
// module's own word, or by the columns of its second and third cell.
func (f *folder) directions(prefix string, n int, at func(int, string) string) (int, bool) {
	if v, ok := f.settings(strings.TrimRight(prefix, "./"), "bidirectional"); ok {
		if bi, _ := v.(bool); bi && n%2 == 0 {
			return 2, true
		}
		return 1, true
	}
	if n%2 == 1 {
		return 1, true
	}
	columns := func(i int, piece string) int {
		if s := f.shape(at(i, piece)); len(s) == 2 {
			return s[1]
		}
		return -1
	}
	in, hidden := columns(0, "weight_ih"), columns(0, "weight_hh")
	switch {
	case in != hidden && columns(1, "weight_ih") == in:
		return 2, true
	case in != hidden:
		return 1, true
	case n == 2:
		return 0, false
	case columns(2, "weight_ih") == 2*hidden:
		return 2, true
	}
	return 1, true
}

// list is a file that is nothing but a list of tensors, as
// torch.save(list(model.parameters())) writes it: parameters in the order of the
// layers, without names.
func (f *folder) list() {
	for i, n := range f.names {
		if n != strconv.Itoa(i) {
			return
		}
	}
	names := listNames(f.names, f.shape)
	if names == nil {
		return
	}
	for i, name := range names {
		f.rename(name, f.names[i])
	}
	f.note("the file is a list of %d tensors without names: they are taken as %s", len(f.names), strings.Join(names, ", "))
}

// listNames names the first tensors of a list as a recurrent layer's and, after
// it, matrices and vectors as linear layers'; nil if it does not begin with a
// layer.
func listNames(all []string, shape func(string) []int) []string {
	at := func(i int) []int {
		if i < len(all) {
			return shape(all[i])
		}
		return nil
	}
	hh := at(1)
	if len(at(0)) != 2 || len(hh) != 2 || hh[1] == 0 || at(0)[0] != hh[0] || hh[0]%hh[1] != 0 {
		return nil
	}
	kind, ok := map[int]string{1: "rnn", 3: "gru", 4: "lstm"}[hh[0]/hh[1]]
	if !ok {
		return nil
	}
	per := 2
	if slices.Equal(at(2), hh[:1]) && slices.Equal(at(3), hh[:1]) {
		per = 4
	}
	directions := 1
	if slices.Equal(at(per), at(0)) && slices.Equal(at(per+1), hh) && (at(0)[1] != hh[1] || len(at(2*per)) == 2 && at(2 * per)[1] == 2*hh[1]) {
		directions = 2
	}
	var names []string
	for cell := 0; slices.Equal(at(len(names)+1), hh); cell++ {
		in := at(0)[1]
		if cell >= directions {
			in = directions * hh[1]
		}
		if !slices.Equal(at(len(names)), []int{hh[0], in}) {
			break
		}
		for _, p := range []string{"weight_ih", "weight_hh", "bias_ih", "bias_hh"}[:per] {
			name := fmt.Sprintf("%s.%s_l%d", kind, p, cell/directions)
			if cell%directions == 1 {
				name += "_reverse"
			}
			names = append(names, name)
		}
	}
	for k := 1; len(at(len(names))) == 2; k++ {
		fc := "fc"
		if k > 1 {
			fc += strconv.Itoa(k)
		}
		rows := at(len(names))[0]
		names = append(names, fc+".weight")
		if slices.Equal(at(len(names)), []int{rows}) {
			names = append(names, fc+".bias")
		}
	}
	return names
}
