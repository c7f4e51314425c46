package rng

import "math"

// The functions here draw parameters as torch.nn.init does. fanIn and fanOut
// of a matrix [out,in] are in and out.

// XavierUniform fills dst with uniform values on ±gain·√(6/(fanIn+fanOut)). It
// is an ErrArgument if fanIn+fanOut is not positive or gain not a finite
// number of at least 0. PyTorch: torch.nn.init.xavier_uniform_ (Glorot and
// Bengio 2010).
func XavierUniform[F Float](g *Generator, dst []F, fanIn, fanOut int, gain float64) error {
	std, err := xavier("XavierUniform", fanIn, fanOut, gain)
	if err != nil {
		return err
	}
	a := math.Sqrt(3) * std
	return Uniform(g, dst, -a, a)
}

// XavierNormal fills dst with normal values of mean 0 and standard deviation
// gain·√(2/(fanIn+fanOut)). Errors are those of XavierUniform. PyTorch:
// torch.nn.init.xavier_normal_.
func XavierNormal[F Float](g *Generator, dst []F, fanIn, fanOut int, gain float64) error {
	std, err := xavier("XavierNormal", fanIn, fanOut, gain)
	if err != nil {
		return err
	}
	return Normal(g, dst, 0, std)
}

func xavier(name string, fanIn, fanOut int, gain float64) (std float64, err error) {
	if fanIn < 0 || fanOut < 0 || fanIn+fanOut <= 0 {
		return 0, &ArgumentError{Func: name, Arg: "fanIn, fanOut", Got: [2]int{fanIn, fanOut}, Want: "a positive sum"}
	}
	if !(gain >= 0) || math.IsInf(gain, 0) {
		return 0, &ArgumentError{Func: name, Arg: "gain", Got: gain, Want: "a finite number of at least 0"}
	}
	return gain * math.Sqrt(2/float64(fanIn+fanOut)), nil
}

// KaimingUniform fills dst with uniform values on ±√(6/((1+slope²)·fan)). slope
// is that of the leaky ReLU behind the layer: 0 for ReLU, √5 in PyTorch's
// Linear. It is an ErrArgument if fan is not positive or slope not finite.
// PyTorch: torch.nn.init.kaiming_uniform_(w, a=slope) (He et al. 2015).
func KaimingUniform[F Float](g *Generator, dst []F, fan int, slope float64) error {
	std, err := kaiming("KaimingUniform", fan, slope)
	if err != nil {
		return err
	}
	a := math.Sqrt(3) * std
	return Uniform(g, dst, -a, a)
}

// KaimingNormal fills dst with normal values of mean 0 and standard deviation
// √(2/((1+slope²)·fan)). Errors are those of KaimingUniform. PyTorch:
// torch.nn.init.kaiming_normal_(w, a=slope).
func KaimingNormal[F Float](g *Generator, dst []F, fan int, slope float64) error {
	std, err := kaiming("KaimingNormal", fan, slope)
	if err != nil {
		return err
	}
	return Normal(g, dst, 0, std)
}

func kaiming(name string, fan int, slope float64) (std float64, err error) {
	if fan <= 0 {
		return 0, &ArgumentError{Func: name, Arg: "fan", Got: fan, Want: "at least 1"}
	}
	if math.IsNaN(slope) || math.IsInf(slope, 0) {
		return 0, &ArgumentError{Func: name, Arg: "slope", Got: slope, Want: "a finite number"}
	}
	return math.Sqrt(2/(1+float64(slope*slope))) / math.Sqrt(float64(fan)), nil
}
