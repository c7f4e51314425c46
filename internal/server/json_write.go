package server

import (
	"encoding/json"
	"math"
	"strconv"

	"github.com/unroll-ml/unroll/model"
)

// appendREST writes an answer: JSON, and after it the bytes of the tensors that are
// wanted so. header is the length of the JSON, or -1 if there are none.
func (a *answer) appendREST(b []byte, w wanted) (out []byte, header int, f *failure) {
	b = append(b, `{"model_name":`...)
	b = appendString(b, a.model)
	b = append(b, `,"model_version":`...)
	b = appendString(b, a.version)
	if a.id != "" {
		b = append(b, `,"id":`...)
		b = appendString(b, a.id)
	}
	if a.steps >= 0 {
		b = append(b, `,"parameters":{"sequence_steps":`...)
		b = append(strconv.AppendInt(b, a.steps, 10), '}')
	}
	b = append(b, `,"outputs":[`...)
	header = -1
	for i, t := range a.outputs {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, `{"name":`...)
		b = appendString(b, t.name)
		b = append(b, `,"datatype":"`...)
		b = append(b, datatypeOf(t.value.Type())...)
		b = append(b, `","shape":[`...)
		for k, d := range t.value.Shape() {
			if k > 0 {
				b = append(b, ',')
			}
			b = strconv.AppendInt(b, int64(d), 10)
		}
		b = append(b, ']')
		if w.bytes(t.name) {
			header = 0
			b = append(b, `,"parameters":{"binary_data_size":`...)
			b = append(strconv.AppendInt(b, int64(byteLen(t.value)), 10), '}')
		} else {
			b = append(b, `,"data":[`...)
			if b, f = appendNumbers(b, t); f != nil {
				return nil, 0, f
			}
			b = append(b, ']')
		}
		b = append(b, '}')
	}
	b = append(b, "]}"...)
	if header == 0 {
		header = len(b)
		for _, t := range a.outputs {
			if w.bytes(t.name) {
				b = appendBytes(b, t.value)
			}
		}
	}
	return b, header, nil
}

func appendString(b []byte, s string) []byte {
	text, _ := json.Marshal(s) // a string always has one
	return append(b, text...)
}

// appendNumbers writes the elements with commas between. What is no number has no
// JSON: a failure, and never half an answer.
func appendNumbers(b []byte, t tensor) ([]byte, *failure) {
	switch t.value.Type() {
	case "float32":
		return appendFloats(b, t.name, model.Data[float32](t.value), 32)
	case "float64":
		return appendFloats(b, t.name, model.Data[float64](t.value), 64)
	case "int64":
		b = appendInts(b, model.Data[int64](t.value))
	case "int32":
		b = appendInts(b, model.Data[int32](t.value))
	case "int8":
		b = appendInts(b, model.Data[int8](t.value))
	case "uint8":
		b = appendInts(b, model.Data[uint8](t.value))
	case "bool":
		for i, v := range model.Data[bool](t.value) {
			if i > 0 {
				b = append(b, ',')
			}
			b = strconv.AppendBool(b, v)
		}
	}
	return b, nil
}

func appendFloats[F float32 | float64](b []byte, name string, list []F, bits int) ([]byte, *failure) {
	for i, v := range list {
		x := float64(v)
		if math.IsNaN(x) || math.IsInf(x, 0) {
			return nil, failf(nonFinite, "output %q has %v at place %d, which JSON cannot say; ask for binary_data", name, x, i)
		}
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendFloat(b, x, 'g', -1, bits)
	}
	return b, nil
}

func appendInts[I int64 | int32 | int8 | uint8](b []byte, list []I) []byte {
	for i, v := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendInt(b, int64(v), 10)
	}
	return b
}
