package torchfile

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/unroll-ml/unroll/checkpoint"
)

// Quantized tensors hold integers q, a scale s and a zero point z, for the whole
// tensor or for each index of one axis; the number meant is (q - z) * s, as
// checkpoint.Quantized says. They are handed out as those numbers, in F32, and by
// Quantized as they are stored.

// quant is how a stored tensor's integers become numbers.
type quant struct {
	scale  []float64
	zero   []int64
	scales *stored // instead of scale and zero: one for each index of axis
	zeros  *stored
	axis   int
}

// quantTypes are the integers behind PyTorch's quantized types.
var quantTypes = map[string]dtype{"qint8": dtypes["int8"], "quint8": dtypes["uint8"], "qint32": dtypes["int32"]}

// rebuildQuantized is _rebuild_qtensor(storage, offset, size, stride,
// (scheme, scale, zero point) or (scheme, scales, zero points, axis), ...).
func rebuildQuantized(m *machine, args []any) (any, error) {
	if len(args) < 5 || len(args) > 7 {
		return nil, errArgs
	}
	s, ok := args[0].(*storage)
	if !ok {
		return nil, fmt.Errorf("its first argument is %s, expected a storage", kind(args[0]))
	}
	d, ok := quantTypes[s.dtype.name]
	how, _ := items(args[4])
	if !ok || len(how) < 3 {
		return nil, errArgs
	}
	v, err := m.view(s, d, args)
	if err != nil {
		return nil, err
	}
	t := v.(*stored)
	if t.numel > math.MaxInt/4 {
		return nil, fmt.Errorf("shape %v has more bytes than an int counts", t.shape)
	}
	scheme, _ := how[0].(*global)
	switch {
	case scheme != nil && scheme.String() == "torch.per_tensor_affine":
		scale, ok := how[1].(float64)
		zero, ok2 := asInt(how[2])
		if !ok || !ok2 {
			return nil, errArgs
		}
		t.quant = &quant{scale: []float64{float64(float32(scale))}, zero: []int64{zero}}
	case scheme != nil && len(how) == 4 && (scheme.String() == "torch.per_channel_affine" || scheme.String() == "torch.per_channel_affine_float_qparams"):
		scales, ok := how[1].(*stored)
		zeros, ok2 := how[2].(*stored)
		axis, ok3 := asInt(how[3])
		if !ok || !ok2 || !ok3 || axis < 0 || axis >= int64(len(t.shape)) || scales.quant != nil || zeros.quant != nil {
			return nil, errArgs
		}
		if n := int64(t.shape[axis]); scales.numel != n || zeros.numel != n {
			return nil, fmt.Errorf("%d scales and %d zero points for %d channels", scales.numel, zeros.numel, n)
		}
		t.quant = &quant{scales: scales, zeros: zeros, axis: int(axis)}
	default:
		return nil, fmt.Errorf("the scheme %s is not one of those that are read", kind(how[0]))
	}
	return t, nil
}

// parameters returns scales and zero points, one or one a channel.
func (q *quant) parameters() ([]float64, []int64, error) {
	if q.scales == nil {
		return q.scale, q.zero, nil
	}
	scale, err := q.scales.numbers()
	if err != nil {
		return nil, nil, err
	}
	zeros, err := q.zeros.numbers()
	if err != nil {
		return nil, nil, err
	}
	zero := make([]int64, len(zeros))
	for i, z := range zeros {
		zero[i] = int64(z)
	}
	return scale, zero, nil
}

// numbers reads a small tensor of any type.
func (t *stored) numbers() ([]float64, error) {
	data, err := t.gather(t.rec.big && t.dtype.size > 1)
	if err != nil {
		return nil, err
	}
	d, err := checkpoint.FloatOf[float64](checkpoint.Tensor{Info: t.info(""), Data: data})
	return d.Data, err
}

// dequantize turns the integers of t, gathered in row-major order, into F32.
func (t *stored) dequantize(raw []byte) ([]byte, error) {
	scale, zero, err := t.quant.parameters()
	if err != nil {
		return nil, err
	}
	inner := 1 // elements for one index of the axis
	for _, n := range t.shape[min(len(t.shape), t.quant.axis+1):] {
		inner *= n
	}
	size := int(t.dtype.size)
	out := make([]byte, 4*(len(raw)/size))
	for i := range len(raw) / size {
		q := integer(raw[i*size:], t.dtype.dtype)
		f := float32(q-zero[0]) * float32(scale[0])
		if t.quant.scales != nil {
			c := i / inner % len(scale)
			f = float32(float64(q-zero[c]) * scale[c])
		}
		binary.LittleEndian.PutUint32(out[4*i:], math.Float32bits(f))
	}
	return out, nil
}

func integer(b []byte, t checkpoint.DType) int64 {
	switch t {
	case checkpoint.I8:
		return int64(int8(b[0]))
	case checkpoint.U8:
		return int64(b[0])
	}
	return int64(int32(binary.LittleEndian.Uint32(b)))
}

// Quantized returns a tensor as it is stored; false if it is not quantized.
// It is an ErrMissing if there is none of that name.
func (f *File) Quantized(name string) (checkpoint.Quantized, bool, error) {
	i, ok := f.index[name]
	if !ok {
		return checkpoint.Quantized{}, false, checkpoint.Missing(f.name, name)
	}
	t := f.tensors[i].stored
	if t.quant == nil {
		return checkpoint.Quantized{}, false, nil
	}
	raw, err := t.gather(t.rec.big && t.dtype.size > 1)
	if err != nil {
		return checkpoint.Quantized{}, false, f.tensorError(name, err)
	}
	q := checkpoint.Quantized{Axis: -1}
	if t.quant.scales != nil {
		q.Axis = t.quant.axis
	}
	info, err := checkpoint.NewInfo(name, t.dtype.dtype, append([]int{}, t.shape...))
	if err != nil {
		return checkpoint.Quantized{}, false, err
	}
	q.Tensor = checkpoint.Tensor{Info: info, Data: raw}
	if q.Scale, q.Zero, err = t.quant.parameters(); err != nil {
		return checkpoint.Quantized{}, false, f.tensorError(name, err)
	}
	return q, true, nil
}

// part is one tensor of packed parameters, under a name that is appended.
type part struct {
	name string
	t    *stored
}

// packed returns the tensors of an object that holds packed parameters: of a
// linear layer (weight, bias) or a cell (weight_ih, weight_hh, bias_ih,
// bias_hh); nil for any other value. PyTorch 1.13 to 2.x write
//
//	LinearPackedParamsBase  (weight, bias or None)
//	CellParamsBase          ("quantized_dynamic", [bias_ih, bias_hh], [],
//	                         [reduce_range], [packed weight_ih, packed weight_hh])
//	                        or "quantized_fp16" with empty lists before the last
//
// with the class beside the state of a torch.ScriptObject, or as its own class
// in a TorchScript program.
func packed(v any) []part {
	class, s := scriptObject(v)
	if class != "__torch__.torch.classes.rnn.CellParamsBase" {
		return packedLinear(v)
	}
	if len(s) != 5 {
		return nil
	}
	biases, _ := items(s[1])
	weights, _ := items(s[4])
	if len(weights) != 2 {
		return nil
	}
	ih, hh := packedLinear(weights[0]), packedLinear(weights[1])
	if len(ih) == 0 || len(hh) == 0 {
		return nil
	}
	if len(biases) != 2 { // float16: the packed layers have them
		biases = []any{none{}, none{}}
		if len(ih) == 2 && len(hh) == 2 {
			biases = []any{ih[1].t, hh[1].t}
		}
	}
	return parts([]string{"weight_ih", "weight_hh", "bias_ih", "bias_hh"}, []any{ih[0].t, hh[0].t, biases[0], biases[1]})
}

func packedLinear(v any) []part {
	class, s := scriptObject(v)
	if class != "__torch__.torch.classes.quantized.LinearPackedParamsBase" || len(s) != 2 {
		return nil
	}
	if _, ok := s[0].(*stored); !ok {
		return nil
	}
	return parts([]string{"weight", "bias"}, s)
}

// scriptObject returns the class of an object of C++ and its state.
func scriptObject(v any) (class string, state []any) {
	o, ok := v.(*object)
	if !ok {
		return "", nil
	}
	class = o.class.String()
	if class != "torch.ScriptObject" {
		state, _ = items(o.state)
		return class, state
	}
	pair, ok := o.state.(*tuple)
	if !ok || len(pair.items) != 2 {
		return "", nil
	}
	class, _ = pair.items[1].(string)
	state, _ = items(pair.items[0])
	return class, state
}

func parts(names []string, values []any) []part {
	var out []part
	for i, v := range values {
		if t, ok := v.(*stored); ok {
			out = append(out, part{names[i], t})
		}
	}
	return out
}

// packed adds the tensors of packed parameters below path.
func (w *walk) packed(parts []part, path string) error {
	for _, p := range parts {
		name := path + "." + p.name
		if err := w.count(len(name), name); err != nil {
			return err
		}
		if err := w.tensor(p.t, name); err != nil {
			return err
		}
	}
	return nil
}
