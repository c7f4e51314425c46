package score

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"slices"

	"github.com/unroll-ml/unroll/checkpoint"
	"github.com/unroll-ml/unroll/checkpoint/safetensors"
	"github.com/unroll-ml/unroll/model"
)

// Format is what the metadata of a file of states of series says it is. It holds a
// tensor for each state, under the name of the model's input, whose row i is the
// state of series i; their names and steps are JSON in the metadata, with the
// model's signature and digest.
const Format = "unroll.series.1"

// integers are the types of states that are no floating-point numbers.
var integers = map[string]checkpoint.DType{
	"int64": checkpoint.I64, "int32": checkpoint.I32, "int8": checkpoint.I8, "uint8": checkpoint.U8, "bool": checkpoint.Bool,
}

func stored(name string) checkpoint.DType {
	if t, ok := integers[name]; ok {
		return t
	}
	return checkpoint.F32
}

// Tensors are the states of series and the metadata of their file.
func Tensors(rows *model.Rows, list []Series) (set checkpoint.Set, meta map[string]string, err error) {
	names, steps := make([]string, 0, len(list)), make([]int64, 0, len(list))
	for _, s := range list {
		names, steps = append(names, s.Key), append(steps, s.Steps)
	}
	first := 0
	for _, p := range rows.States() {
		info, err := checkpoint.NewInfo(p.Name, stored(p.Type), append([]int{len(list)}, numbers(p)...))
		if err != nil {
			return nil, nil, err
		}
		t, n := checkpoint.Tensor{Info: info, Data: make([]byte, 0, info.Bytes)}, elements(p)
		for _, s := range list {
			t.Data = appendNumbers(t.Data, stored(p.Type), s.State[first:first+n])
		}
		set = append(set, t)
		first += n
	}
	meta = map[string]string{"format": Format, "signature": rows.Signature(), "digest": rows.Digest()}
	for name, v := range map[string]any{"series": names, "steps": steps} {
		b, err := json.Marshal(v)
		if err != nil {
			return nil, nil, err
		}
		meta[name] = string(b)
	}
	return set, meta, nil
}

// appendNumbers appends numbers as a type's bytes; those of integers are whole.
func appendNumbers(b []byte, t checkpoint.DType, list []float32) []byte {
	for _, v := range list {
		switch t {
		case checkpoint.I64:
			b = binary.LittleEndian.AppendUint64(b, uint64(int64(v)))
		case checkpoint.I32:
			b = binary.LittleEndian.AppendUint32(b, uint32(int32(v)))
		case checkpoint.I8, checkpoint.U8, checkpoint.Bool:
			b = append(b, byte(int16(v)))
		default:
			b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
		}
	}
	return b
}

// ReadSeries reads the states that another run left, of the same model and step.
func ReadSeries(f *safetensors.File, rows *model.Rows) (list []Series, err error) {
	meta := f.Metadata()
	if meta["format"] != Format {
		return nil, fmt.Errorf("%s: it holds no states of series, as --group-by with --states-out writes them; without --group-by, --states-in takes the states of one run", f.Name())
	}
	if meta["digest"] != rows.Digest() {
		return nil, fmt.Errorf("%s: its states are of another model, or of another step of it: %s", f.Name(), checkpoint.Printable(meta["signature"]))
	}
	var names []string
	var steps []int64
	for name, v := range map[string]any{"series": &names, "steps": &steps} {
		if err := json.Unmarshal([]byte(meta[name]), v); err != nil {
			return nil, fmt.Errorf("%s: its metadata %q is no list: %w", f.Name(), name, err)
		}
	}
	if len(names) != len(steps) {
		return nil, fmt.Errorf("%s: %d series with %d numbers of steps", f.Name(), len(names), len(steps))
	}
	for i, key := range names {
		list = append(list, Series{Key: key, Steps: steps[i]})
	}
	for _, p := range rows.States() {
		values, err := readState(f, p, len(list))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f.Name(), err)
		}
		n := elements(p)
		for i := range list {
			list[i].State = append(list[i].State, values[i*n:(i+1)*n]...)
		}
	}
	return list, nil
}

// readState reads a state of n series.
func readState(f *safetensors.File, p model.Port, n int) ([]float32, error) {
	info, ok := f.Info(p.Name)
	switch want := append([]int{n}, numbers(p)...); {
	case !ok:
		return nil, fmt.Errorf("there is no %q, expected a row of %s for each of %d series", p.Name, p, n)
	case !slices.Equal(info.Shape, want):
		return nil, fmt.Errorf("%q is %v, expected a row of %s for each of %d series", p.Name, info.Shape, p, n)
	}
	want := stored(p.Type)
	if want == checkpoint.F32 {
		d, err := checkpoint.Float[float32](f, p.Name)
		return d.Data, err
	}
	if info.DType != want {
		return nil, fmt.Errorf("%q holds %v, expected %v", p.Name, info.DType, want)
	}
	ints, _, err := checkpoint.Ints(f, p.Name)
	if err != nil {
		return nil, err
	}
	out := make([]float32, len(ints))
	for i, v := range ints {
		if out[i] = float32(v); float64(out[i]) != float64(v) {
			return nil, fmt.Errorf("%q holds %d, beyond the whole numbers of float32 that states are kept in", p.Name, v)
		}
	}
	return out, nil
}
