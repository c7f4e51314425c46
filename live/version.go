package live

import (
	"fmt"
	"slices"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/checkpoint"
)

// lastOutput is the tensor of a capsule that a target without Target.Last needs.
const lastOutput = "last_output"

// version is a target with what a pool asks it once.
type version struct {
	Target
	signature, digest string
	in, out           int
	tensors           []checkpoint.Info // of a sequence: the target's and, if the pool keeps it, the last output
	state             int               // numbers that a step works on
	size              int               // numbers of a sequence; more than state if the last output is kept
}

// newVersion asks a target, and a stepper for each shard.
func newVersion(t Target, opt *Options) (*version, []stepFunc, error) {
	if t == nil {
		return nil, nil, &unroll.ArgError{Kind: unroll.ErrUsage, Arg: "target", Got: "nil", Want: "a Target"}
	}
	var steppers []stepFunc
	for range opt.Shards {
		st, err := t.Stepper(opt.Rows)
		if err != nil {
			return nil, nil, err
		}
		steppers = append(steppers, st)
	}
	v := &version{Target: t, signature: t.Signature(), digest: t.Digest(), tensors: slices.Clone(t.State())}
	v.in, v.out = t.Sizes()
	for i, x := range v.tensors {
		info, err := checkpoint.NewInfo(x.Name, checkpoint.F32, x.Shape)
		if err != nil {
			return nil, nil, err
		}
		v.tensors[i] = info
		v.state += info.Len()
	}
	v.size = v.state
	if !t.Last(make([]float32, v.out), v.begin()) {
		v.tensors = append(v.tensors, float32s(lastOutput, v.out))
		v.size += v.out
	}
	return v, steppers, nil
}

// begin returns the state that a sequence begins with.
func (v *version) begin() []float32 {
	state := make([]float32, v.size)
	v.Begin(state[:v.state])
	return state
}

// last writes the output of a sequence's last step.
func (v *version) last(y, state []float32) {
	if v.size > v.state {
		copy(y, state[v.state:])
		return
	}
	v.Last(y, state)
}

func (v *version) fits(y, x []float32) error {
	if len(x) == v.in && len(y) == v.out {
		return nil
	}
	return &unroll.ArgError{Kind: ErrShape, Arg: "step of " + v.signature, Got: fmt.Sprintf("x of %d and y of %d values", len(x), len(y)), Want: fmt.Sprintf("%d and %d", v.in, v.out)}
}

// accepts reports whether a state of a signature and a digest can go on.
func (v *version) accepts(signature, digest string, f Foreign) bool {
	return digest == v.digest && signature == v.signature || f == KeepForeign && signature == v.signature
}

// foreign is the error of a state that cannot.
func (v *version) foreign(key, signature, digest string) error {
	why := fmt.Sprintf("it is of %.200q, the model is %.200q", signature, v.signature)
	if signature == v.signature {
		why = fmt.Sprintf("the digest of its parameters is %.16q, that of the model %.16q; Options.Foreign says whether states go on", digest, v.digest)
	}
	return &Error{Kind: ErrForeign, Key: key, Reason: why}
}

func (v *version) cost(key string) int64 { return int64(4*v.size + overhead + len(key)) }
