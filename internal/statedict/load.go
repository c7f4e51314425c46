package statedict

import (
	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/checkpoint"
	"github.com/unroll-ml/unroll/tensor"
)

// Load makes a layer of a part's tensors, converted to F as checkpoint.Float
// does. The layer owns its memory.
func Load[F tensor.Float](src checkpoint.Source, part Part) (*unroll.LayerOf[F], error) {
	if part.Err != nil {
		return nil, part.Err
	}
	layer, err := unroll.NewOf[F](part.Config)
	if err != nil {
		return nil, err
	}
	values := make(map[string]tensor.DenseOf[F], len(part.Params))
	for name, stored := range part.Params {
		if values[name], err = checkpoint.Float[F](src, stored); err != nil {
			return nil, err
		}
	}
	if err := layer.Load(values); err != nil {
		return nil, err
	}
	return layer, nil
}
