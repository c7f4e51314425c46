package live

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"maps"
	"slices"
	"strconv"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/checkpoint"
	"github.com/unroll-ml/unroll/model"
)

// OfModel returns a model that carries a state as a target; see model.NewRows for
// the order of x and y, the options and the errors. Its state has the names of the
// model's inputs. The options belong to its signature and digest. The model must
// not be closed while a pool uses it.
func OfModel(m *model.Model, opt model.RowsOptions) (Target, error) {
	r, err := m.NewRows(1, opt)
	if err != nil {
		return nil, err
	}
	t := &modelTarget{m: m, opt: opt, in: r.In(), out: r.Out(), signature: m.Signature(), digest: m.Digest()}
	if t.digest == "" {
		return nil, &unroll.ArgError{Kind: unroll.ErrUsage, Arg: "model " + m.Path(), Got: "parameters that cannot be read", Want: "a model that is open"}
	}
	for _, p := range r.States() {
		shape := []int{}
		for _, d := range p.Shape {
			n, err := strconv.Atoi(d)
			if err != nil {
				return nil, fmt.Errorf("live: the state %q has a dimension %q: %w", p.Name, d, err)
			}
			shape = append(shape, n)
		}
		t.state = append(t.state, float32s(p.Name, shape...))
	}
	t.first = make([]float32, r.StateLen())
	r.Begin(t.first)
	if len(opt.Set)+len(opt.Sizes) > 0 {
		h := sha256.New()
		fmt.Fprintln(h, t.digest)
		identify(h, opt)
		t.digest = hex.EncodeToString(h.Sum(nil))
		for _, name := range slices.Sorted(maps.Keys(opt.Sizes)) {
			t.signature += fmt.Sprintf(", %s = %d", name, opt.Sizes[name])
		}
		for _, name := range slices.Sorted(maps.Keys(opt.Set)) {
			t.signature += fmt.Sprintf(", %s set to %v", name, opt.Set[name])
		}
	}
	return t, nil
}

type modelTarget struct {
	m                 *model.Model
	opt               model.RowsOptions
	in, out           int
	state             []checkpoint.Info
	first             []float32
	signature, digest string
}

// identify writes what options say.
func identify(h hash.Hash, opt model.RowsOptions) {
	for _, name := range slices.Sorted(maps.Keys(opt.Sizes)) {
		fmt.Fprintln(h, "size", name, opt.Sizes[name])
	}
	for _, name := range slices.Sorted(maps.Keys(opt.Set)) {
		v := opt.Set[name]
		fmt.Fprintln(h, "set", name, v)
		elements[float32](h, v)
		elements[float64](h, v)
		elements[int64](h, v)
		elements[int32](h, v)
		elements[int8](h, v)
		elements[uint8](h, v)
		elements[bool](h, v)
	}
}

// elements writes those of a value of type T.
func elements[T model.Element](w io.Writer, v model.Value) {
	for _, x := range model.Data[T](v) {
		fmt.Fprintf(w, "%v ", x)
	}
}

func (t *modelTarget) Signature() string        { return t.signature }
func (t *modelTarget) Digest() string           { return t.digest }
func (t *modelTarget) Sizes() (in, out int)     { return t.in, t.out }
func (t *modelTarget) State() []checkpoint.Info { return t.state }
func (t *modelTarget) Begin(state []float32)    { copy(state, t.first) }
func (t *modelTarget) Last(_, _ []float32) bool { return false }
func (t *modelTarget) Stepper(rows int) (func(y, x []float32, states [][]float32) error, error) {
	r, err := t.m.NewRows(rows, t.opt)
	if err != nil {
		return nil, err
	}
	r.SetFinite(unroll.RefuseNonFinite)
	return r.Step, r.Prepare()
}
