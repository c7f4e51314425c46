package main

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/unroll-ml/unroll/checkpoint"
	"github.com/unroll-ml/unroll/checkpoint/safetensors"
	"github.com/unroll-ml/unroll/internal/score"
	"github.com/unroll-ml/unroll/model"
)

// seriesFormat is what the metadata of a file of states of series says it is. It
// holds a tensor for each state, under the name of the model's input, whose row i is
// the state of series i; their names and steps are JSON in the metadata, with the
// model's signature and digest.
const seriesFormat = "unroll.series.1"

// writeSeries writes the final states of series.
func writeSeries(file string, rows *model.Rows, list []score.Series) error {
	if file == "" {
		return nil
	}
	var names []string
	var steps []int64
	parts := map[string][]model.Value{}
	for _, s := range list {
		names, steps = append(names, s.Key), append(steps, s.Steps)
		for name, v := range rows.Values(s.State) {
			parts[name] = append(parts[name], v)
		}
	}
	var set checkpoint.Set
	for _, p := range rows.States() {
		shape := append([]int{len(list)}, numbers(p)...)
		info, err := checkpoint.NewInfo(p.Name, storedType(p.Type), shape)
		if err != nil {
			return err
		}
		t := checkpoint.Tensor{Info: info, Data: make([]byte, 0, info.Bytes)}
		for _, v := range parts[p.Name] {
			one, err := storedValue(named{p.Name, v})
			if err != nil {
				return err
			}
			t.Data = append(t.Data, one.Data...)
		}
		set = append(set, t)
	}
	meta := map[string]string{"format": seriesFormat, "signature": rows.Signature(), "digest": rows.Digest()}
	for name, v := range map[string]any{"series": names, "steps": steps} {
		b, err := json.Marshal(v)
		if err != nil {
			return err
		}
		meta[name] = string(b)
	}
	return safetensors.WriteFile(file, set, meta)
}

func storedType(name string) checkpoint.DType {
	if t, ok := storedTypes[name]; ok {
		return t
	}
	return checkpoint.F32
}

// readSeries reads the states that another run left.
func readSeries(file string, rows *model.Rows) (list []score.Series, err error) {
	if file == "" {
		return nil, nil
	}
	f, err := safetensors.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	meta := f.Metadata()
	if meta["format"] != seriesFormat {
		return nil, fmt.Errorf("%s: it holds no states of series, as --group-by with --states-out writes them; without --group-by, --states-in takes the states of one run", file)
	}
	if meta["digest"] != rows.Digest() {
		return nil, fmt.Errorf("%s: its states are of another model, or of another step of it: %s", file, visible(meta["signature"]))
	}
	var names []string
	var steps []int64
	for name, v := range map[string]any{"series": &names, "steps": &steps} {
		if err := json.Unmarshal([]byte(meta[name]), v); err != nil {
			return nil, fmt.Errorf("%s: its metadata %q is no list: %w", file, name, err)
		}
	}
	if len(names) != len(steps) {
		return nil, fmt.Errorf("%s: %d series with %d numbers of steps", file, len(names), len(steps))
	}
	values := map[string]model.Value{}
	for _, p := range rows.States() {
		v, err := valueOf(f, p.Name, p.Type)
		if err == nil && !slices.Equal(v.Shape(), append([]int{len(names)}, numbers(p)...)) {
			err = fmt.Errorf("%q is %v, expected a row of %s for each of %d series", p.Name, v.Shape(), p, len(names))
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		values[p.Name] = v
	}
	begin := make([]float32, rows.StateLen())
	rows.Begin(begin)
	shapes := rows.Values(begin)
	for i, key := range names {
		s := score.Series{Key: key, Steps: steps[i], State: make([]float32, rows.StateLen())}
		one := map[string]model.Value{}
		for name, v := range values {
			if one[name], err = rowOf(v, i, len(names), shapes[name].Shape()); err != nil {
				return nil, fmt.Errorf("%s: %w", file, err)
			}
		}
		if err := rows.SetValues(s.State, one); err != nil {
			return nil, fmt.Errorf("%s: series %q: %w", file, key, err)
		}
		list = append(list, s)
	}
	return list, nil
}

// rowOf is row i of n of a value, under a shape.
func rowOf(v model.Value, i, n int, shape []int) (model.Value, error) {
	switch v.Type() {
	case "float32":
		return part(model.Data[float32](v), i, n, shape)
	case "int64":
		return part(model.Data[int64](v), i, n, shape)
	case "int32":
		return part(model.Data[int32](v), i, n, shape)
	case "int8":
		return part(model.Data[int8](v), i, n, shape)
	case "uint8":
		return part(model.Data[uint8](v), i, n, shape)
	}
	return part(model.Data[bool](v), i, n, shape)
}

func part[T model.Element](data []T, i, n int, shape []int) (model.Value, error) {
	k := len(data) / max(1, n)
	return model.Of(data[i*k:(i+1)*k], shape...)
}
