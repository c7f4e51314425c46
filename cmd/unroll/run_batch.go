package main

import (
	"slices"

	"github.com/unroll-ml/unroll/model"
	"github.com/unroll-ml/unroll/tensor"
)

// batched lets a model run one sequence without a batch axis, as PyTorch's layers do:
// the axis is added to every input that lacks it, where the model's batch axis is
// known.
func (in *modelInputs) batched() error {
	ports := in.m.Inputs()
	lacks := func(i int) bool {
		v, ok := in.given[ports[i].Name]
		return ok && ports[i].Shape != nil && len(v.Shape()) == len(ports[i].Shape)-1
	}
	if len(ports) == 0 || !lacks(0) {
		return nil
	}
	axes, out, ok := in.m.BatchAxes()
	if !ok || axes[0] < 0 {
		return nil // the model says what is wrong with it
	}
	in.alone = out
	for i, p := range ports {
		if axes[i] < 0 || !lacks(i) {
			continue
		}
		v := in.given[p.Name]
		v, err := shaped(v, slices.Insert(slices.Clone(v.Shape()), axes[i], 1))
		if err != nil {
			return err
		}
		in.given[p.Name] = v
	}
	return nil
}

// unbatched takes the axis that batched added from an output.
func (in *modelInputs) unbatched(name string, v model.Value) (model.Value, error) {
	for i, p := range in.m.Outputs() {
		if in.alone == nil || p.Name != name || in.alone[i] < 0 {
			continue
		}
		if shape := v.Shape(); in.alone[i] < len(shape) && shape[in.alone[i]] == 1 {
			return shaped(v, slices.Delete(slices.Clone(shape), in.alone[i], in.alone[i]+1))
		}
	}
	return v, nil
}

// shaped is a value of another shape of as many elements.
func shaped(v model.Value, shape []int) (model.Value, error) {
	switch v.Type() {
	case "float32":
		return model.Of(model.Data[float32](v), shape...)
	case "float64":
		return model.Of(model.Data[float64](v), shape...)
	case "int64":
		return model.Of(model.Data[int64](v), shape...)
	case "int32":
		return model.Of(model.Data[int32](v), shape...)
	case "int8":
		return model.Of(model.Data[int8](v), shape...)
	case "uint8":
		return model.Of(model.Data[uint8](v), shape...)
	}
	return model.Of(model.Data[bool](v), shape...)
}

// one is a tensor of one number.
func one(v float64) tensor.DenseOf[float64] {
	return tensor.DenseOf[float64]{Shape: []int{1}, Data: []float64{v}}
}
