package chain

import (
	"fmt"
	"slices"
	"strings"

	"github.com/unroll-ml/unroll/internal/graph"
)

// kind is what a module with tensors can be: its arguments, and what it makes of
// a value.
type kind struct {
	name   string
	params []param
	build  func(c *call, v *value) (*value, error)
}

var eps = opt("eps", 1e-5)

var convParams = []param{opt("stride", int64(1)), opt("padding", int64(0)), opt("dilation", int64(1)), opt("groups", nil), opt("padding_mode", "zeros")}

var transposeParams = []param{opt("stride", int64(1)), opt("padding", int64(0)), opt("output_padding", int64(0)), opt("groups", int64(1)), opt("dilation", int64(1)), opt("padding_mode", "zeros")}

// kinds are the modules by their name for the argument kind.
var kinds map[string]*kind

func init() { // kinds refer to functions that look up kinds
	kinds = map[string]*kind{}
	for _, k := range []*kind{
		{"linear", nil, linear},
		{"embedding", []param{silent("padding_idx"), opt("max_norm", nil)}, embedding},
		{"conv", convParams, conv},
		{"conv_transpose", transposeParams, convTranspose},
		{"batch_norm", []param{eps, silent("momentum"), silent("track_running_stats")}, batchNorm},
		{"layer_norm", []param{eps}, layerNorm},
		{"group_norm", []param{need("num_groups"), eps}, groupNorm},
		{"instance_norm", []param{eps, silent("momentum"), silent("track_running_stats")}, instanceNorm},
		{"rms_norm", []param{opt("eps", nil)}, rmsNorm},
		{"prelu", nil, prelu},
	} {
		kinds[k.name] = k
	}
}

// kindNames lists what the argument kind may be.
func kindNames() string { return strings.Join(sortedKeys(kinds), ", ") }

// module applies a module to a value.
func (b *builder) module(s *step, m *module, v *value) (*value, error) {
	if b.used[m] = true; v == nil {
		return nil, b.fail("%s is a module and takes what stands before it", s.name)
	}
	if m.tree != nil && len(m.leaves) == 0 {
		return b.stateless(s, m, v)
	}
	if p := b.part(m); p != nil {
		if i := slices.IndexFunc(s.args, func(a arg) bool { return a.name == "" }); i >= 0 {
			return nil, b.failAt(s.args[i].pos, ErrArgument, "%s is a module, whose arguments have names, such as batch_first=True", shownName(s))
		}
		c, err := b.bind(shownName(s), recurrentParams, s.args, m)
		if err != nil {
			return nil, err
		}
		c.in = []*value{v}
		out, err := c.recurrent(p)
		if err != nil {
			return nil, err
		}
		b.steps = append(b.steps, c.layerStep(s, out))
		return out, nil
	}
	said, args, err := b.kindArgument(s)
	if err != nil {
		return nil, err
	}
	k, sure, err := b.kindOf(s, m, v, said)
	if err != nil {
		return nil, err
	}
	c, err := b.bind(shownName(s), k.params, args, m)
	if err != nil {
		return nil, err
	}
	c.in = []*value{v}
	full := step{name: s.name, quoted: s.quoted}
	if !sure {
		full.args = append(full.args, arg{name: "kind", value: k.name})
	}
	for _, p := range k.params {
		if c.said[p.name] && !p.silent && !agree(c.args[p.name], p.def) && (p.name != "groups" || !agree(c.args[p.name], int64(1))) {
			full.args = append(full.args, arg{name: p.name, value: c.args[p.name]})
		}
	}
	b.steps = append(b.steps, full)
	return k.build(c, v)
}

// shownName is a step's name as an error and a state's name have it.
func shownName(s *step) string {
	if s.name == "" {
		return "''"
	}
	return s.name
}

// layerStep is a recurrent layer's step with what is not its default.
func (c *call) layerStep(s *step, out *value) step {
	full := step{name: s.name, quoted: s.quoted}
	cfg := out.rec.cfg
	if !out.rec.unbatched {
		full.args = append(full.args, arg{name: "batch_first", value: cfg.BatchFirst})
	}
	if v := c.args["nonlinearity"]; v == "relu" {
		full.args = append(full.args, arg{name: "nonlinearity", value: v})
	}
	for _, name := range []string{"h_0", "c_0"} {
		if v := c.args[name]; v != nil {
			full.args = append(full.args, arg{name: name, value: v})
		}
	}
	return full
}

// kindArgument takes the argument kind from a step's.
func (b *builder) kindArgument(s *step) (said string, rest []arg, err error) {
	for _, a := range s.args {
		if a.name == "" {
			return "", nil, b.failAt(a.pos, ErrArgument, "%s is a module, whose arguments have names, such as padding=1", shownName(s))
		}
		if a.name != "kind" {
			rest = append(rest, a)
			continue
		}
		name, ok := a.value.(string)
		if r, isRef := a.value.(ref); isRef {
			name, ok = string(r), true
		}
		if !ok || kinds[name] == nil {
			return "", nil, b.failAt(a.pos, ErrArgument, "%s: kind is %s, expected one of %s", shownName(s), literal(a.value), kindNames())
		}
		said = name
	}
	return said, rest, nil
}

// kindOf tells what a module is: what the file's class says, what the line says,
// or what names and shapes do. sure says that without either it would be the same.
func (b *builder) kindOf(s *step, m *module, v *value, said string) (k *kind, sure bool, err error) {
	if m.tree != nil {
		name := className(m.tree.Class)
		class, ok := classKinds[name]
		if !ok && said == "" {
			return nil, false, b.fail("%s is a %s, which is not one of the modules that run: %s", shownName(s), m.tree.Class, kindNames())
		}
		if ok && said != "" && said != class {
			return nil, false, b.fail("%s: kind is '%s', and in the file it is a %s", shownName(s), said, m.tree.Class)
		}
		if ok {
			said = class
		}
	}
	names, reason := b.fits(m, v)
	if said != "" {
		return kinds[said], len(names) == 1 && names[0] == said && !unsure(m, said), nil
	}
	switch len(names) {
	case 0:
		return nil, false, b.fail("%s has the tensors %s, which no module that runs has%s", shownName(s), tensorList(m), reason)
	case 1:
		if unsure(m, names[0]) {
			b.readings = append(b.readings, fmt.Sprintf("%s is kind='%s' and x is %s", shownName(s), names[0], v.typ))
		}
		return kinds[names[0]], true, nil
	}
	return nil, false, b.failAt(s.pos, ErrAmbiguous, "%s has the tensors %s, which could be %s; write which: %s(kind='%s')", shownName(s), tensorList(m), either(names), shownName(s), names[0])
}

// unsure reports whether a kind follows from the type of the input.
func unsure(m *module, name string) bool {
	return (name == "linear" || name == "embedding") && !m.has("bias") && len(m.shape("weight")) == 2
}

func either(names []string) string {
	var list []string
	for _, n := range names {
		list = append(list, map[string]string{
			"batch_norm": "a BatchNorm without statistics", "layer_norm": "a LayerNorm", "group_norm": "a GroupNorm (kind='group_norm', num_groups=...)",
			"rms_norm": "an RMSNorm", "prelu": "a PReLU", "instance_norm": "an InstanceNorm",
		}[n])
	}
	return strings.Join(list, " or ")
}

func tensorList(m *module) string {
	var list []string
	for _, leaf := range sortedKeys(m.leaves) {
		list = append(list, fmt.Sprintf("%s %v", leaf, m.leaves[leaf].Shape))
	}
	return listed(list)
}

// fits lists the kinds whose tensors a module has, applied to v.
func (b *builder) fits(m *module, v *value) (list []string, reason string) {
	w, bias := m.shape("weight"), m.shape("bias")
	for leaf := range m.leaves {
		switch leaf {
		case "weight", "bias", "running_mean", "running_var", "num_batches_tracked":
		case "in_proj_weight", "in_proj_bias":
			return nil, ": it is a MultiheadAttention"
		default:
			return nil, ""
		}
	}
	switch {
	case m.has("running_mean") && m.has("running_var"):
		return []string{"batch_norm"}, ""
	case !m.has("weight"):
		return nil, ""
	case len(w) >= 2 && slices.Equal(w, bias):
		return []string{"layer_norm"}, ""
	case len(w) == 2 && m.has("bias"):
		return []string{"linear"}, ""
	case len(w) == 2 && v.typ == graph.I64:
		return []string{"embedding"}, ""
	case len(w) == 2:
		return []string{"linear"}, ""
	case len(w) >= 3 && len(w) <= 5:
		return []string{"conv"}, ""
	case len(w) == 1 && !m.has("bias"):
		if w[0] == 1 {
			return []string{"prelu"}, ""
		}
		return []string{"prelu", "layer_norm", "rms_norm"}, ""
	case len(w) == 1 && slices.Equal(w, bias):
		// With more than two dimensions it may be of channels, if there are as many.
		if v.rank() > 2 && v.dims[1] == w[0] {
			return []string{"layer_norm", "group_norm", "batch_norm", "instance_norm"}, ""
		}
		return []string{"layer_norm"}, ""
	}
	return nil, ""
}

// className is the last part of a class's name.
func className(class string) string { return class[strings.LastIndexByte(class, '.')+1:] }

// classKinds are torch's classes of modules with tensors.
var classKinds = map[string]string{
	"Linear": "linear", "NonDynamicallyQuantizableLinear": "linear", "Embedding": "embedding",
	"Conv1d": "conv", "Conv2d": "conv", "Conv3d": "conv",
	"ConvTranspose1d": "conv_transpose", "ConvTranspose2d": "conv_transpose", "ConvTranspose3d": "conv_transpose",
	"BatchNorm1d": "batch_norm", "BatchNorm2d": "batch_norm", "BatchNorm3d": "batch_norm", "SyncBatchNorm": "batch_norm",
	"LayerNorm": "layer_norm", "GroupNorm": "group_norm", "RMSNorm": "rms_norm", "PReLU": "prelu",
	"InstanceNorm1d": "instance_norm", "InstanceNorm2d": "instance_norm", "InstanceNorm3d": "instance_norm",
}

// numbers refuses indices where weights need numbers.
func (c *call) numbers(v *value) (*value, error) {
	if !isFloat(v.typ) {
		return nil, c.fail("%s takes numbers, and its input is %s", c.what, v.typ)
	}
	return v, nil
}

// features checks the last dimension of an input.
func (c *call) features(v *value, n int) error {
	if v.rank() == 0 {
		return c.fail("%s takes %d features, its input is a single number", c.what, n)
	}
	if d := v.dims[v.rank()-1]; d >= 0 && d != n {
		return c.fail("%s takes %d features, its input has %d: %s", c.what, n, d, dims(v.dims))
	}
	c.learn(v, v.rank()-1, n)
	return nil
}

// linear: x [...,I] times weight [O,I], plus bias [O].
func linear(c *call, v *value) (*value, error) {
	w := c.m.shape("weight")
	if len(w) != 2 {
		return nil, c.fail("%s: weight has shape %v, expected two dimensions", c.what, w)
	}
	if _, err := c.numbers(v); err != nil {
		return nil, err
	}
	if err := c.features(v, w[1]); err != nil {
		return nil, err
	}
	t := c.g.Op("Transpose", graph.Attrs{"perm": []int64{1, 0}}, c.weight(c.m, "weight"))
	out := c.op(v, "MatMul", nil, v.id, t)
	c.g.Name(c.what)
	out.dims = slices.Clone(v.dims)
	out.dims[v.rank()-1] = w[0]
	if v.rank() == 1 {
		out.time = -1
	}
	if bias := c.weight(c.m, "bias"); bias != "" {
		out.id = c.g.Op("Add", nil, out.id, bias)
	}
	return out, nil
}

// embedding: rows of weight [V,I] by indices.
func embedding(c *call, v *value) (*value, error) {
	w := c.m.shape("weight")
	if c.args["max_norm"] != nil {
		return nil, c.fail("%s has max_norm=%s, which changes its weights while it runs; that is not run", c.what, literal(c.args["max_norm"]))
	}
	if v.typ != graph.I64 || len(w) != 2 {
		return nil, c.fail("%s is an Embedding of weight %v and takes indices (int64), its input is %s", c.what, w, v.typ)
	}
	return &value{id: c.g.Op("Gather", graph.Attrs{"axis": int64(0)}, c.weight(c.m, "weight"), v.id), typ: c.opt.Type, dims: append(slices.Clone(v.dims), w[1]), time: v.time}, nil
}

// prelu: weight [1] or one for each channel.
func prelu(c *call, v *value) (*value, error) {
	if _, err := c.numbers(v); err != nil {
		return nil, err
	}
	w := c.m.shape("weight")
	if len(w) != 1 {
		return nil, c.fail("%s: weight has shape %v, expected one dimension", c.what, w)
	}
	slope := c.weight(c.m, "weight")
	if w[0] > 1 && v.rank() > 2 {
		axes := make([]int64, v.rank()-2)
		for i := range axes {
			axes[i] = int64(i + 1)
		}
		slope = c.g.Op("Unsqueeze", nil, slope, c.vector(axes...))
	}
	if w[0] > 1 && v.rank() > 1 && v.dims[1] >= 0 && v.dims[1] != w[0] {
		return nil, c.fail("%s has a slope for each of %d channels, its input is %s", c.what, w[0], dims(v.dims))
	}
	return c.op(v, "PRelu", nil, v.id, slope), nil
}
