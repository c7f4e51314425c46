package server

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"math"
	"strconv"

	"github.com/unroll-ml/unroll/model"
)

// jsonRequest is a request of REST.
type jsonRequest struct {
	ID         string       `json:"id"`
	Parameters jsonParams   `json:"parameters"`
	Inputs     []jsonTensor `json:"inputs"`
	Outputs    []struct {
		Name       string     `json:"name"`
		Parameters jsonParams `json:"parameters"`
	} `json:"outputs"`
}

type jsonTensor struct {
	Name       string          `json:"name"`
	Datatype   string          `json:"datatype"`
	Shape      []int64         `json:"shape"`
	Parameters jsonParams      `json:"parameters"`
	Data       json.RawMessage `json:"data"`
}

type jsonParams map[string]json.RawMessage

// get returns a parameter; numbers keep all their 64 bits.
func (p jsonParams) get(name string) (param, bool) {
	raw, ok := p[name]
	if !ok {
		return nil, false
	}
	if n, err := strconv.ParseInt(string(raw), 10, 64); err == nil {
		return n, true
	}
	if n, err := strconv.ParseUint(string(raw), 10, 64); err == nil {
		return n, true
	}
	var v any
	_ = json.Unmarshal(raw, &v) // it was valid as a part of the whole
	return v, true
}

// wanted is an output as a client asks for it.
type wanted struct {
	all    bool            // outputs that are not named: as bytes
	binary map[string]bool // by name
}

func (w wanted) bytes(name string) bool {
	if b, ok := w.binary[name]; ok {
		return b
	}
	return w.all
}

// readREST reads a body: JSON, or header bytes of JSON and the tensors' bytes after.
func (r *request) readREST(body []byte, header int, l *Limits) (w wanted, f *failure) {
	if header < 0 || header > len(body) {
		return w, failf(badRequest, "Inference-Header-Content-Length is %d, and the body has %d bytes", header, len(body))
	}
	text, rest := body[:header], body[header:]
	var in jsonRequest
	if err := json.Unmarshal(text, &in); err != nil {
		return w, failf(badRequest, "the request is no JSON of the protocol: %v", err)
	}
	r.id = in.ID
	if f := r.readSequence(in.Parameters.get, l.ID); f != nil {
		return w, f
	}
	if w.all, f = flag(in.Parameters.get, "binary_data_output"); f != nil {
		return w, f
	}
	for _, o := range in.Outputs {
		r.outputs = append(r.outputs, o.Name)
		if _, ok := o.Parameters["binary_data"]; ok {
			b, f := flag(o.Parameters.get, "binary_data")
			if f != nil {
				return w, f
			}
			if w.binary == nil {
				w.binary = map[string]bool{}
			}
			w.binary[o.Name] = b
		}
	}
	for _, t := range in.Inputs {
		if rest, f = r.readTensor(&t, rest, l); f != nil {
			return w, f
		}
	}
	if len(rest) > 0 {
		return w, failf(badRequest, "%d bytes follow the tensors", len(rest))
	}
	return w, r.check()
}

// readTensor reads one input, whose bytes, if it has any, begin rest.
func (r *request) readTensor(t *jsonTensor, rest []byte, l *Limits) ([]byte, *failure) {
	var raw []byte
	size, isRaw := t.Parameters.get("binary_data_size")
	if isRaw {
		n, ok := whole(size)
		if !ok || n > uint64(len(rest)) {
			return rest, failf(badRequest, "input %.80q has the binary_data_size %v, and %d bytes are left", t.Name, size, len(rest))
		}
		if t.Data != nil {
			return rest, failf(badRequest, "input %.80q has both data and binary_data_size", t.Name)
		}
		raw, rest = rest[:n], rest[n:]
	} else if t.Data == nil {
		return rest, failf(badRequest, "input %.80q has neither data nor the parameter binary_data_size", t.Name)
	}
	if t.Name == sequenceInput {
		ids, f := readIDs(t, raw, isRaw)
		if f == nil {
			f = r.setMany(ids, l.ID)
		}
		return rest, f
	}
	var v model.Value
	var f *failure
	if isRaw {
		v, f = fromBytes(t.Name, t.Datatype, t.Shape, raw)
	} else {
		v, f = fromJSON(t)
	}
	r.inputs = append(r.inputs, tensor{t.Name, v})
	return rest, f
}

// readIDs reads the input sequence_id.
func readIDs(t *jsonTensor, raw []byte, isRaw bool) ([]string, *failure) {
	n, _, f := elements(t.Name, t.Shape, math.MaxInt32)
	if f != nil {
		return nil, f
	}
	switch {
	case len(t.Shape) != 1:
		return nil, failf(badRequest, "input sequence_id has the shape %v, expected [B]", t.Shape)
	case t.Datatype == "BYTES" && isRaw:
		return byteStrings(t.Name, raw, n)
	case t.Datatype == "BYTES":
		var ids []string
		if err := json.Unmarshal(t.Data, &ids); err != nil || len(ids) != n {
			return nil, failf(badRequest, "input sequence_id of BYTES is no list of %d strings", n)
		}
		return ids, nil
	case t.Datatype == "UINT64" && isRaw:
		if len(raw) != 8*n {
			return nil, failf(badRequest, "input sequence_id has %d bytes, expected %d", len(raw), 8*n)
		}
		ids := make([]string, n)
		for i := range ids {
			ids[i] = strconv.FormatUint(binary.LittleEndian.Uint64(raw[8*i:]), 10)
		}
		return ids, nil
	case t.Datatype == "UINT64":
		return numbers(t, n, func(s string) (string, error) { _, err := strconv.ParseUint(s, 10, 64); return s, err })
	case t.Datatype == "INT64" || t.Datatype == "INT32":
		var v model.Value
		if isRaw {
			v, f = fromBytes(t.Name, t.Datatype, t.Shape, raw)
		} else {
			v, f = fromJSON(t)
		}
		return idTexts(v), f
	}
	return nil, failf(badRequest, "input sequence_id has the datatype %.40q, expected INT64, UINT64 or BYTES", t.Datatype)
}

// fromJSON reads a tensor's data, nested as its shape or flat.
func fromJSON(t *jsonTensor) (model.Value, *failure) {
	n, dims, f := elements(t.Name, t.Shape, math.MaxInt32)
	if f != nil {
		return model.Value{}, f
	}
	switch t.Datatype {
	case "FP32":
		return parsed(t, n, dims, func(s string) (float32, error) { v, err := strconv.ParseFloat(s, 32); return float32(v), err })
	case "FP64":
		return parsed(t, n, dims, func(s string) (float64, error) { return strconv.ParseFloat(s, 64) })
	case "INT64":
		return parsed(t, n, dims, func(s string) (int64, error) { return strconv.ParseInt(s, 10, 64) })
	case "INT32":
		return parsed(t, n, dims, func(s string) (int32, error) { v, err := strconv.ParseInt(s, 10, 32); return int32(v), err })
	case "INT8":
		return parsed(t, n, dims, func(s string) (int8, error) { v, err := strconv.ParseInt(s, 10, 8); return int8(v), err })
	case "UINT8":
		return parsed(t, n, dims, func(s string) (uint8, error) { v, err := strconv.ParseUint(s, 10, 8); return uint8(v), err })
	case "BOOL":
		return parsed(t, n, dims, func(s string) (bool, error) {
			if s == "true" || s == "1" {
				return true, nil
			}
			if s == "false" || s == "0" {
				return false, nil
			}
			return false, strconv.ErrSyntax
		})
	}
	return model.Value{}, failf(badRequest, "input %.80q has the datatype %.40q, expected FP32, FP64, INT64, INT32, INT8, UINT8 or BOOL", t.Name, t.Datatype)
}

func parsed[T model.Element](t *jsonTensor, n int, dims []int, parse func(string) (T, error)) (model.Value, *failure) {
	data, f := numbers(t, n, parse)
	if f != nil {
		return model.Value{}, f
	}
	return valueOf(data, dims)
}

// numbers parses valid JSON: arrays of numbers, nested as the shape or one flat
// array. Nothing is allocated beyond what the text can hold.
func numbers[T any](t *jsonTensor, n int, parse func(string) (T, error)) ([]T, *failure) {
	raw := bytes.TrimSpace(t.Data)
	out := make([]T, 0, min(n, len(raw)/2+1))
	var count [maxDims + 1]int64 // of what the open array of each depth has
	depth, deepest := 0, 0
	for i := 0; i < len(raw); {
		switch c := raw[i]; c {
		case ' ', '\t', '\n', '\r', ',':
			i++
		case '[':
			if depth++; depth > max(len(t.Shape), 1) {
				return nil, failf(badRequest, "input %.80q is nested deeper than its shape %v", t.Name, t.Shape)
			}
			deepest = max(deepest, depth)
			count[depth] = 0
			i++
		case ']':
			if deepest > 1 && count[depth] != t.Shape[depth-1] {
				return nil, failf(badRequest, "input %.80q has an array of %d at depth %d, and its shape is %v", t.Name, count[depth], depth, t.Shape)
			}
			depth--
			count[depth]++
			i++
		default:
			end := i
			for end < len(raw) && !bytes.ContainsRune([]byte(" \t\n\r,]"), rune(raw[end])) {
				end++
			}
			v, err := parse(string(raw[i:end]))
			if err != nil || deepest > 1 && depth != len(t.Shape) {
				return nil, failf(badRequest, "input %.80q has %.40q at place %d, expected %s in the shape %v", t.Name, raw[i:end], len(out), t.Datatype, t.Shape)
			}
			if len(out) == n {
				return nil, failf(badRequest, "input %.80q has more than %d elements, the product of its shape %v", t.Name, n, t.Shape)
			}
			out, i = append(out, v), end
			count[depth]++
		}
	}
	if len(out) != n {
		return nil, failf(badRequest, "input %.80q has %d elements, expected %d, the product of its shape %v", t.Name, len(out), n, t.Shape)
	}
	return out, nil
}
