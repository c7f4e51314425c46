package chain

import (
	"github.com/unroll-ml/unroll/checkpoint/torchfile"
)

// classes are torch's modules without tensors, by the functions that they are.
var classes = map[string]string{
	"ReLU": "relu", "ReLU6": "relu6", "Tanh": "tanh", "Sigmoid": "sigmoid", "SiLU": "silu", "Mish": "mish", "Hardswish": "hardswish",
	"Hardsigmoid": "hardsigmoid", "Softsign": "softsign", "SELU": "selu", "ELU": "elu", "CELU": "celu", "LeakyReLU": "leaky_relu", "GELU": "gelu",
	"Softplus": "softplus", "LogSigmoid": "logsigmoid", "Hardtanh": "hardtanh", "Softmax": "softmax", "LogSoftmax": "log_softmax", "GLU": "glu",
	"Dropout": "dropout", "Dropout1d": "dropout", "Dropout2d": "dropout", "Dropout3d": "dropout", "AlphaDropout": "dropout", "FeatureAlphaDropout": "dropout",
	"Identity": "identity", "Flatten": "flatten", "Unflatten": "unflatten",
	"MaxPool1d": "max_pool1d", "MaxPool2d": "max_pool2d", "MaxPool3d": "max_pool3d", "AvgPool1d": "avg_pool1d", "AvgPool2d": "avg_pool2d", "AvgPool3d": "avg_pool3d",
	"AdaptiveAvgPool1d": "adaptive_avg_pool1d", "AdaptiveAvgPool2d": "adaptive_avg_pool2d", "AdaptiveAvgPool3d": "adaptive_avg_pool3d",
	"AdaptiveMaxPool1d": "adaptive_max_pool1d", "AdaptiveMaxPool2d": "adaptive_max_pool2d", "AdaptiveMaxPool3d": "adaptive_max_pool3d",
}

// renamed are attributes that a module has under another name than the function.
var renamed = map[string]map[string]string{"unflatten": {"unflattened_size": "sizes"}}

// Sequential writes the line of a torch.nn.Sequential that was saved whole: its
// modules in order. It reports false where the file's only module is another,
// whose forward() it cannot know.
func Sequential(modules []*torchfile.Module) (*Chain, bool) {
	if len(modules) != 1 || className(modules[0].Class) != "Sequential" {
		return nil, false
	}
	c := &Chain{results: []pipe{{}}}
	p := &c.results[0]
	for _, m := range modules[0].Modules {
		p.steps = append(p.steps, step{name: m.Name, quoted: !isWordName(m.Name)})
	}
	if len(p.steps) == 0 || len(p.steps) > maxSteps {
		return nil, false
	}
	again, err := Parse(c.String())
	return again, err == nil
}

// isWordName reports whether the parser reads a name as one without quotes, and
// as a module's.
func isWordName(name string) bool {
	p := parser{text: name}
	return name != "" && p.word() == name && !special[name] && inputNumber(name) < 0 && functionOf(name) == nil
}

// stateless applies a module that has no tensors of its own: a function with the
// settings that the file has, or modules one after another.
func (b *builder) stateless(s *step, m *module, v *value) (*value, error) {
	class := className(m.tree.Class)
	if class == "Sequential" {
		return b.sequence(s, m, v)
	}
	name, ok := classes[class]
	if !ok {
		what := "which is not one of the modules that run"
		if len(m.tree.Modules) > 0 {
			what = "whose forward() the file does not hold; name the modules in it in the order in which they run"
		}
		return nil, b.fail("%s is a %s, %s", shownName(s), m.tree.Class, what)
	}
	f := *functionOf(name)
	full := step{name: f.name}
	with := *m.tree
	with.Attrs = nil
	for _, a := range m.tree.Attrs {
		if to := renamed[f.name][a.Name]; to != "" {
			a.Name = to
		}
		if a.Name == "training" || f.name == "dropout" && a.Name != "p" {
			continue // what a module does in evaluation
		}
		with.Attrs = append(with.Attrs, a)
	}
	of := *m
	of.tree = &with
	c, err := b.bind(f.name, f.params, s.args, &of)
	if err != nil {
		return nil, err
	}
	for _, p := range f.params {
		if c.said[p.name] && p.name != "inplace" && f.name != "dropout" && !agree(c.args[p.name], p.def) {
			full.args = append(full.args, arg{name: p.name, value: c.args[p.name]})
		}
	}
	full.called = len(full.args) > 0
	b.steps = append(b.steps, full)
	c.in = []*value{v}
	return f.build(c)
}

// sequence applies the modules inside a Sequential in order.
func (b *builder) sequence(s *step, m *module, v *value) (*value, error) {
	if len(s.args) > 0 {
		return nil, b.fail("%s is a Sequential and takes no arguments", shownName(s))
	}
	for i, t := range m.tree.Modules {
		if b.depth++; b.depth > maxSteps {
			return nil, b.fail("there are more than %d steps", maxSteps)
		}
		inner := b.names.all[t.Path]
		name, ok := b.shortName(t.Path)
		if inner == nil || !ok {
			return nil, b.fail("%s is not under the prefix %q", t.Path, b.names.prefix)
		}
		if v.rec != nil && i > 0 && b.part(b.names.all[m.tree.Modules[i-1].Path]) != nil {
			return nil, b.fail("%s is a recurrent layer inside a Sequential, which gives the tuple (output, states) to the module behind it; that fails in torch too", m.tree.Modules[i-1].Path)
		}
		var err error
		if v, err = b.module(&step{pos: s.pos, name: name, quoted: !isWordName(name)}, inner, v); err != nil {
			return nil, err
		}
	}
	return v, nil
}

// shortName is a path as the line has it.
func (b *builder) shortName(path string) (string, bool) {
	p := b.names.prefix
	if len(path) < len(p) || path[:len(p)] != p {
		return "", false
	}
	return path[len(p):], true
}
