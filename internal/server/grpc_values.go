package server

import (
	"encoding/binary"
	"math"
	"strconv"

	"github.com/unroll-ml/unroll/internal/server/oip"
	"github.com/unroll-ml/unroll/model"
)

// readGRPC reads a message, whose tensors are contents or raw bytes.
func readGRPC(in *oip.ModelInferRequest, l *Limits) (*request, *failure) {
	r := &request{model: in.ModelName, version: in.ModelVersion, id: in.Id}
	r.inputs = r.few[:0]
	params := in.Parameters
	if f := r.readSequence(func(name string) (param, bool) { return grpcParam(params, name) }, l.ID); f != nil {
		return nil, f
	}
	for _, o := range in.Outputs {
		r.outputs = append(r.outputs, o.Name)
	}
	raw := len(in.RawInputContents) > 0
	if raw && len(in.RawInputContents) != len(in.Inputs) {
		return nil, failf(badRequest, "%d inputs have %d raw_input_contents", len(in.Inputs), len(in.RawInputContents))
	}
	for i, t := range in.Inputs {
		var bytes []byte
		if raw {
			if bytes = in.RawInputContents[i]; t.Contents != nil {
				return nil, failf(badRequest, "input %.80q has both contents and raw_input_contents", t.Name)
			}
		} else if t.Contents == nil {
			t.Contents = &oip.InferTensorContents{} // a tensor without elements
		}
		if t.Name == sequenceInput {
			ids, f := grpcIDs(t, bytes, raw)
			if f == nil {
				f = r.setMany(ids, l.ID)
			}
			if f != nil {
				return nil, f
			}
			continue
		}
		var v model.Value
		var f *failure
		if raw {
			v, f = fromBytes(t.Name, t.Datatype, t.Shape, bytes)
		} else {
			v, f = fromContents(t)
		}
		if f != nil {
			return nil, f
		}
		r.inputs = append(r.inputs, tensor{t.Name, v})
	}
	return r, r.check()
}

func grpcParam(m map[string]*oip.InferParameter, name string) (param, bool) {
	p, ok := m[name]
	if !ok {
		return nil, false
	}
	switch v := p.GetParameterChoice().(type) {
	case *oip.InferParameter_BoolParam:
		return v.BoolParam, true
	case *oip.InferParameter_Int64Param:
		return v.Int64Param, true
	case *oip.InferParameter_Uint64Param:
		return v.Uint64Param, true
	case *oip.InferParameter_StringParam:
		return v.StringParam, true
	case *oip.InferParameter_DoubleParam:
		return v.DoubleParam, true
	}
	return nil, true
}

// fromContents reads a tensor of typed contents.
func fromContents(t *oip.ModelInferRequest_InferInputTensor) (model.Value, *failure) {
	n, dims, f := elements(t.Name, t.Shape, math.MaxInt32)
	if f != nil {
		return model.Value{}, f
	}
	c := t.Contents
	switch t.Datatype {
	case "FP32":
		return contents(t, n, dims, c.Fp32Contents, func(v float32) (float32, bool) { return v, true })
	case "FP64":
		return contents(t, n, dims, c.Fp64Contents, func(v float64) (float64, bool) { return v, true })
	case "INT64":
		return contents(t, n, dims, c.Int64Contents, func(v int64) (int64, bool) { return v, true })
	case "INT32":
		return contents(t, n, dims, c.IntContents, func(v int32) (int32, bool) { return v, true })
	case "INT8":
		return contents(t, n, dims, c.IntContents, func(v int32) (int8, bool) { return int8(v), int32(int8(v)) == v })
	case "UINT8":
		return contents(t, n, dims, c.UintContents, func(v uint32) (uint8, bool) { return uint8(v), v < 256 })
	case "BOOL":
		return contents(t, n, dims, c.BoolContents, func(v bool) (bool, bool) { return v, true })
	}
	return model.Value{}, failf(badRequest, "input %.80q has the datatype %.40q, expected FP32, FP64, INT64, INT32, INT8, UINT8 or BOOL", t.Name, t.Datatype)
}

func contents[From any, To model.Element](t *oip.ModelInferRequest_InferInputTensor, n int, dims []int, from []From, convert func(From) (To, bool)) (model.Value, *failure) {
	if len(from) != n {
		return model.Value{}, failf(badRequest, "input %.80q has %d elements in the contents of %s, expected %d, the product of its shape %v", t.Name, len(from), t.Datatype, n, t.Shape)
	}
	data := make([]To, n)
	for i, v := range from {
		var ok bool
		if data[i], ok = convert(v); !ok {
			return model.Value{}, failf(badRequest, "input %.80q has %v at place %d, which is no %s", t.Name, v, i, t.Datatype)
		}
	}
	return valueOf(data, dims)
}

// grpcIDs reads the input sequence_id.
func grpcIDs(t *oip.ModelInferRequest_InferInputTensor, b []byte, raw bool) ([]string, *failure) {
	n, _, f := elements(t.Name, t.Shape, math.MaxInt32)
	if f != nil {
		return nil, f
	}
	if len(t.Shape) != 1 {
		return nil, failf(badRequest, "input sequence_id has the shape %v, expected [B]", t.Shape)
	}
	var ids []string
	switch {
	case t.Datatype == "BYTES" && raw:
		return byteStrings(t.Name, b, n)
	case t.Datatype == "BYTES":
		for _, s := range t.Contents.BytesContents {
			ids = append(ids, string(s))
		}
	case t.Datatype == "UINT64" && raw:
		ids = texts(make([]struct{}, len(b)/8), func(text []byte, _ struct{}) []byte {
			text = strconv.AppendUint(text, binary.LittleEndian.Uint64(b), 10)
			b = b[8:]
			return text
		})
	case t.Datatype == "UINT64":
		ids = texts(t.Contents.Uint64Contents, func(b []byte, n uint64) []byte { return strconv.AppendUint(b, n, 10) })
	case t.Datatype == "INT64" || t.Datatype == "INT32":
		var v model.Value
		if raw {
			v, f = fromBytes(t.Name, t.Datatype, t.Shape, b)
		} else {
			v, f = fromContents(t)
		}
		if f != nil {
			return nil, f
		}
		ids = idTexts(v)
	default:
		return nil, failf(badRequest, "input sequence_id has the datatype %.40q, expected INT64, UINT64 or BYTES", t.Datatype)
	}
	if len(ids) != n {
		return nil, failf(badRequest, "input sequence_id has %d elements, expected %d, its shape", len(ids), n)
	}
	return ids, nil
}

// message is the memory of an answer, of which most have few outputs.
type message struct {
	stream  oip.ModelStreamInferResponse
	answer  oip.ModelInferResponse
	outputs [2]oip.ModelInferResponse_InferOutputTensor
	list    [2]*oip.ModelInferResponse_InferOutputTensor
	raw     [2][]byte
	shapes  [8]int64
	steps   oip.InferParameter
	count   oip.InferParameter_Int64Param
}

// message writes an answer; values are contents where the request's were.
func (a *answer) message(typed bool) *oip.ModelStreamInferResponse {
	m := &message{}
	out := &m.answer
	m.stream.InferResponse = out
	out.ModelName, out.ModelVersion, out.Id = a.model, a.version, a.id
	out.Outputs, out.RawOutputContents = m.list[:0], m.raw[:0]
	shapes := m.shapes[:0]
	for i, t := range a.outputs {
		o := &oip.ModelInferResponse_InferOutputTensor{}
		if i < len(m.outputs) {
			o = &m.outputs[i]
		}
		o.Name, o.Datatype = t.name, datatypeOf(t.value.Type())
		first := len(shapes)
		for _, d := range t.value.Shape() {
			shapes = append(shapes, int64(d))
		}
		o.Shape = shapes[first:len(shapes):len(shapes)]
		if typed {
			o.Contents = typedContents(t.value)
		} else {
			out.RawOutputContents = append(out.RawOutputContents, rawBytes(t.value, a.own))
		}
		out.Outputs = append(out.Outputs, o)
	}
	if a.steps >= 0 {
		m.count.Int64Param = a.steps
		m.steps.ParameterChoice = &m.count
		out.Parameters = map[string]*oip.InferParameter{"sequence_steps": &m.steps}
	}
	return &m.stream
}

// typedContents copies a value's elements into a message.
func typedContents(v model.Value) *oip.InferTensorContents {
	c := &oip.InferTensorContents{}
	switch v.Type() {
	case "float32":
		c.Fp32Contents = append(c.Fp32Contents, model.Data[float32](v)...)
	case "float64":
		c.Fp64Contents = append(c.Fp64Contents, model.Data[float64](v)...)
	case "int64":
		c.Int64Contents = append(c.Int64Contents, model.Data[int64](v)...)
	case "int32":
		c.IntContents = append(c.IntContents, model.Data[int32](v)...)
	case "int8":
		for _, x := range model.Data[int8](v) {
			c.IntContents = append(c.IntContents, int32(x))
		}
	case "uint8":
		for _, x := range model.Data[uint8](v) {
			c.UintContents = append(c.UintContents, uint32(x))
		}
	case "bool":
		c.BoolContents = append(c.BoolContents, model.Data[bool](v)...)
	}
	return c
}
