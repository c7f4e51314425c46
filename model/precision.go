package model

import (
	"slices"
	"strings"

	"github.com/unroll-ml/unroll"
)

// precision is what the program's parts compute in. A model folder's recurrent layer
// and head are rounded before, by themselves.
func (m *Model) precision(o Options) func(part string) unroll.Precision {
	if m.trained != nil {
		head := m.trained.Config().Precision["fc"]
		return func(part string) unroll.Precision {
			if strings.HasPrefix(part, "Gemm") {
				return head
			}
			return unroll.Full
		}
	}
	if o.Precision == unroll.Full {
		return nil
	}
	return func(part string) unroll.Precision {
		node := part
		if i := strings.LastIndex(part, ".l"); i >= 0 {
			node = part[:i]
		}
		if slices.Contains(o.Keep, part) || slices.Contains(o.Keep, node) {
			return unroll.Full
		}
		return o.Precision
	}
}

// Parts returns the names of what has a precision: of a model folder those of
// nn.Config.Parts, of another model, once it has run, its recurrent layers and its
// products and convolutions with constants, by their nodes (NAME.l0 and so on for the
// layers of a node of several).
func (m *Model) Parts() []string {
	if m.trained != nil {
		return m.trained.Config().Parts()
	}
	return m.program.Parts()
}
