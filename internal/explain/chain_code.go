package explain

import (
	"fmt"
	"strings"

	"github.com/unroll-ml/unroll"
)

// ChainCode returns a program in Python that makes the stack's layers one by one,
// with the stack's parameters, and compares the last output with the stack's. It
// runs as it stands, on drawn numbers; nil if torch.nn has no such layer.
func (t *Trace) ChainCode() []string {
	cfg := t.cfg
	cfg.Dropout = 0
	if !cfg.Variant.IsZero() || !strings.HasPrefix(cfg.Mode.String(), "RNN_") && cfg.Mode != unroll.LSTM && cfg.Mode != unroll.GRU {
		return nil
	}
	one := cfg
	one.NumLayers = 1
	// The arguments behind the first stay; the first depends on the layer.
	quoted := strings.NewReplacer("=relu", "='relu'")
	_, rest, _ := strings.Cut(quoted.Replace(one.String()), ", ")
	class, _, _ := strings.Cut(cfg.String(), "(")
	return []string{
		"import torch",
		"",
		fmt.Sprintf("stack = torch.nn.%s", quoted.Replace(cfg.String())),
		fmt.Sprintf("y = x = torch.randn(%d, %d)", t.Steps(), cfg.InputSize),
		fmt.Sprintf("for l in range(%d):", cfg.NumLayers),
		fmt.Sprintf("    layer = torch.nn.%s(y.shape[-1], %s", class, rest),
		`    tail = "_l" + str(l)`,
		"    for name, p in stack.named_parameters():",
		`        if name.replace("_reverse", "").endswith(tail):`,
		`            getattr(layer, name.replace(tail, "_l0")).data.copy_(p)`,
		"    y, h_n = layer(y)",
		"",
		"print((y - stack(x)[0]).abs().max())",
	}
}

// chainText says that the stack is a set of single layers, and how to try it.
func (t *Trace) chainText(p *printer) {
	if t.cfg.NumLayers == 1 {
		return
	}
	n, wrong, err := t.Chain()
	if err != nil {
		p.err = err
		return
	}
	p.f("A set of single layers")
	p.f("")
	p.f("  A single layer for each of the %d, with the stack's parameters: the first gets x,", t.cfg.NumLayers)
	p.f("  every other one the output of the one below. Of the last output %d of %d numbers", n-wrong, n)
	p.f("  are the stack's, bit for bit.")
	if code := t.ChainCode(); code != nil {
		p.f("  In PyTorch, as it stands:")
		p.f("")
		for _, line := range code {
			p.f("%s", strings.TrimRight("    "+line, " "))
		}
	}
	p.f("")
}
