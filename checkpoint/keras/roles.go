package keras

// slot is the place of one weight: a layer and the role there.
type slot struct {
	layer *Layer
	role  string
}

// flag reads a setting that decides whether a layer has a weight; one of
// another type is found where the layer is used.
func (l *Layer) flag(key string, missing bool) bool {
	v, err := l.Config.Bool(key, missing)
	return v && err == nil
}

// roles returns the roles of a layer's own weights in Keras's order: those that
// training changes, then the others; false for a class that is not known here.
func (l *Layer) roles() (trained, fixed []string, known bool) {
	biased := func(roles ...string) []string {
		if l.flag("use_bias", true) {
			return append(roles, "bias")
		}
		return roles
	}
	if l.IsOperation() {
		return nil, nil, true
	}
	switch l.Class {
	case "LSTM", "GRU", "SimpleRNN", "LSTMCell", "GRUCell", "SimpleRNNCell":
		return biased("kernel", "recurrent_kernel"), nil, true
	case "CuDNNLSTM", "CuDNNGRU":
		return []string{"kernel", "recurrent_kernel", "bias"}, nil, true
	case "EinsumDense":
		if _, attends := l.Config["use_bias"]; !attends && l.Config["bias_axes"] == nil {
			return []string{"kernel"}, nil, true
		}
		return biased("kernel"), nil, true
	case "ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D":
		return biased("kernel", "recurrent_kernel"), nil, true
	case "SpectralNormalization":
		return nil, []string{"vector_u"}, true
	case "Dense", "Conv1D", "Conv2D", "Conv3D", "DepthwiseConv1D", "DepthwiseConv2D",
		"Conv1DTranspose", "Conv2DTranspose", "Conv3DTranspose", "Convolution1D", "Convolution2D", "Convolution3D":
		return biased("kernel"), nil, true
	case "SeparableConv1D", "SeparableConv2D":
		return biased("depthwise_kernel", "pointwise_kernel"), nil, true
	case "Embedding":
		return []string{"embeddings"}, nil, true
	case "PReLU":
		return []string{"alpha"}, nil, true
	case "BatchNormalization":
		return l.scaled(), []string{"moving_mean", "moving_variance"}, true
	case "LayerNormalization", "GroupNormalization":
		return l.scaled(), nil, true
	case "RMSNormalization":
		return []string{"scale"}, nil, true
	case "Attention", "AdditiveAttention":
		if use, err := l.Config.Bool("use_scale", l.Class == "AdditiveAttention"); err == nil && use {
			trained = append(trained, "scale")
		}
		if l.Config["score_mode"] == "concat" {
			trained = append(trained, "concat_score_weight")
		}
		return trained, nil, true
	case "Normalization":
		if l.Config["mean"] != nil {
			return nil, nil, true
		}
		return nil, []string{"mean", "variance", "count"}, true
	case "InputLayer", "Masking", "Activation", "ReLU", "LeakyReLU", "ELU", "ThresholdedReLU", "Softmax",
		"Dropout", "SpatialDropout1D", "SpatialDropout2D", "AlphaDropout", "GaussianDropout", "GaussianNoise",
		"ActivityRegularization", "Flatten", "Reshape", "Permute", "RepeatVector", "Identity", "UnitNormalization",
		"MaxPooling1D", "MaxPooling2D", "AveragePooling1D", "AveragePooling2D",
		"GlobalMaxPooling1D", "GlobalMaxPooling2D", "GlobalAveragePooling1D", "GlobalAveragePooling2D",
		"UpSampling1D", "UpSampling2D", "ZeroPadding1D", "ZeroPadding2D", "Cropping1D", "Cropping2D",
		"MaxPooling3D", "AveragePooling3D", "GlobalMaxPooling3D", "GlobalAveragePooling3D", "UpSampling3D", "ZeroPadding3D", "Cropping3D", "SpatialDropout3D",
		"TFOpLambda", "SlicingOpLambda", "CategoryEncoding", "Discretization", "Resizing", "CenterCrop",
		"Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum", "Concatenate", "Dot", "Rescaling", "Lambda":
		return nil, nil, true
	}
	return nil, nil, len(l.Inner) > 0
}

func (l *Layer) scaled() []string {
	var roles []string
	if l.flag("scale", true) {
		roles = append(roles, "gamma")
	}
	if l.flag("center", true) {
		roles = append(roles, "beta")
	}
	return roles
}

// slots lists the weights of a layer and all inside it in the order of
// Keras's trainable_weights, then non_trainable_weights. known is false if a
// class is among them whose weights are not known here.
func (l *Layer) slots(frozen bool) (trained, fixed []slot, known bool) {
	frozen = frozen || !l.flag("trainable", true)
	t, f, known := l.roles()
	known = known && l.Custom == ""
	for _, role := range t {
		trained = append(trained, slot{l, role})
	}
	for _, role := range f {
		fixed = append(fixed, slot{l, role})
	}
	if frozen {
		trained, fixed = nil, append(trained, fixed...)
	}
	for _, in := range l.Inner {
		t, f, k := in.slots(frozen)
		trained, fixed, known = append(trained, t...), append(fixed, f...), known && k
	}
	return trained, fixed, known
}
