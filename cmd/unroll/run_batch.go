package main

import (
	"slices"

	"github.com/unroll-ml/unroll/model"
	"github.com/unroll-ml/unroll/tensor"
)

// batched lets a model folder run one sequence without a batch axis, as PyTorch's
// layers do: the axis is added to every input that lacks it.
func (in *modelInputs) batched() error {
	if in.m.Trained() == nil {
		return nil
	}
	first := in.m.Inputs()[0]
	in.alone = len(in.given[first.Name].Shape()) == len(first.Shape)-1
	if !in.alone {
		return nil
	}
	for _, p := range in.m.Inputs() {
		v, ok := in.given[p.Name]
		axis := slices.Index(p.Shape, "B")
		if !ok || axis < 0 || len(v.Shape()) != len(p.Shape)-1 {
			continue // the model says what is wrong with it
		}
		v, err := shaped(v, slices.Insert(slices.Clone(v.Shape()), axis, 1))
		if err != nil {
			return err
		}
		in.given[p.Name] = v
	}
	return nil
}

// unbatched takes the axis that batched added from an output.
func (in *modelInputs) unbatched(name string, v model.Value) (model.Value, error) {
	if !in.alone {
		return v, nil
	}
	axis := 1
	if c := in.m.Trained().Config(); name == "output" && (c.RNN.BatchFirst || c.Output == "last") {
		axis = 0
	}
	return shaped(v, slices.Delete(slices.Clone(v.Shape()), axis, axis+1))
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
