package statedict

import (
	"slices"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/checkpoint"
	"github.com/unroll-ml/unroll/tensor"
)

// Load makes a layer of a part's tensors, read into its parameters as
// checkpoint.Float converts them: nothing else takes memory.
func Load[F tensor.Float](src checkpoint.Source, part Part) (*unroll.LayerOf[F], error) {
	if part.Err != nil {
		return nil, part.Err
	}
	layer, err := unroll.NewOf[F](part.Config)
	if err != nil {
		return nil, err
	}
	if err := Into(layer, src, part); err != nil {
		return nil, err
	}
	return layer, nil
}

// Into is Load into the parameters of a layer, which hold anything after an error.
func Into[F tensor.Float](layer *unroll.LayerOf[F], src checkpoint.Source, part Part) (err error) {
	if part.Err != nil {
		return part.Err
	}
	if err := fits(layer, src, part); err != nil {
		return err
	}
	layer.Update(func(params []unroll.ParamOf[F]) {
		for _, p := range params {
			if err == nil {
				err = checkpoint.FloatInto(src, part.Params[p.Name], p.Value.Data)
			}
		}
	})
	return err
}

// fits refuses tensors that are not the layer's parameters, each with its shape.
func fits[F tensor.Float](layer *unroll.LayerOf[F], src checkpoint.Source, part Part) error {
	shapes := make(map[string]tensor.DenseOf[F], len(part.Params))
	for name, stored := range part.Params {
		info, ok := src.Info(stored)
		if !ok {
			return checkpoint.Missing("", stored)
		}
		shapes[name] = tensor.DenseOf[F]{Shape: info.Shape}
	}
	params := layer.Params()
	same := len(shapes) == len(params)
	for _, p := range params {
		same = same && slices.Equal(shapes[p.Name].Shape, p.Value.Shape)
	}
	if same {
		return nil
	}
	return layer.Load(shapes) // without numbers, for its error
}
