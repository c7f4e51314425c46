package task

import (
	"fmt"

	"github.com/unroll-ml/unroll/nn"
	"github.com/unroll-ml/unroll/train/data"
)

// misfits gathers what of a config.json a task cannot work with; the first that is
// found is told.
type misfits struct{ first string }

// want notes a member that is not as it has to be.
func (m *misfits) want(ok bool, format string, a ...any) {
	if !ok && m.first == "" {
		m.first = fmt.Sprintf(format, a...)
	}
}

// number wants a member to be one number.
func (m *misfits) number(name string, got, want int, because string) {
	m.want(got == want, "%s is %d, expected %d, %s", name, got, want, because)
}

// output wants the head to see all steps or the last.
func (m *misfits) output(c nn.Config, want string) {
	m.want(c.Output == want, "output is %q, expected %q", c.Output, want)
}

// tokens wants a vocabulary of the model's tokens.
func (m *misfits) tokens(v *data.Vocabulary, c nn.Config) {
	m.want(v != nil, "vocabulary is missing")
	if v != nil {
		m.number("num_embeddings", c.NumEmbeddings, len(v.Tokens), "the tokens of vocabulary")
	}
}

// scaled wants a mean and a deviation that can be divided by for each of n columns,
// or of as many as there are where n is 0.
func (m *misfits) scaled(s *data.Scaling, n int) {
	m.want(s != nil, "scaling is missing")
	if s == nil {
		return
	}
	if n == 0 {
		n = max(1, len(s.Columns))
	}
	m.want(len(s.Mean) == n && len(s.Std) == n, "scaling has %d means and %d deviations, expected %d, one for each column", len(s.Mean), len(s.Std), n)
	m.want(s.Usable(), "scaling holds what cannot be divided by")
}
