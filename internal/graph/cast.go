package graph

import (
	"math"
	"unsafe"
)

// onnxTypes are the numbers ONNX gives to element types.
var onnxTypes = map[int64]Type{1: F32, 2: U8, 3: I8, 4: U16, 5: I16, 6: I32, 7: I64, 9: Bool, 10: F16, 11: F64, 12: U32, 13: U64, 16: BF16}

// planCast converts. Floating-point numbers become integers by leaving out what
// is behind the point, beyond int64 the nearest int64, NaN 0; longer integers
// become shorter ones by leaving out their upper bits, as C's casts do.
func planCast(c *call) (kernel, error) {
	to := c.intAttr("to", 0)
	t, ok := onnxTypes[to]
	if !ok {
		return nil, c.unsupported("to element type %d of ONNX", to)
	}
	return planCastTo(c, t)
}

func planCastLike(c *call) (kernel, error) { return planCastTo(c, c.in[1].stands()) }

func planCastTo(c *call, t Type) (kernel, error) {
	if t == c.typ(0) {
		return nil, c.view(0, 0, c.shape(0)...)
	}
	if err := c.narrowResult(0, t, c.shape(0)...); err != nil {
		return nil, err
	}
	return func(a *args) error {
		convert(a.out[0], a.in[0])
		switch t {
		case F16:
			roundAll(data[float32](a.out[0]), roundHalf)
		case BF16:
			roundAll(data[float32](a.out[0]), roundBFloat)
		case I16:
			roundAll(data[int32](a.out[0]), func(x int32) int32 { return int32(int16(x)) })
		case U16:
			roundAll(data[int32](a.out[0]), func(x int32) int32 { return int32(uint16(x)) })
		case U32:
			roundAll(data[int64](a.out[0]), func(x int64) int64 { return int64(uint32(x)) })
		}
		return nil
	}, nil
}

// roundAll brings elements to the numbers of the type that they are held for.
func roundAll[T float32 | int32 | int64](x []T, f func(T) T) {
	for i, v := range x {
		x[i] = f(v)
	}
}

// roundHalf rounds to a float16, to nearest, ties to even.
func roundHalf(x float32) float32 {
	a := math.Abs(float64(x))
	switch {
	case x != x || math.IsInf(float64(x), 0) || x == 0:
		return x
	case a >= 65520:
		return float32(math.Inf(1 - 2*int(math.Float32bits(x)>>31)))
	case a < 0x1p-14:
		return float32(math.Copysign(math.RoundToEven(a*0x1p24)*0x1p-24, float64(x)))
	}
	return roundBits(x, 13)
}

func roundBFloat(x float32) float32 {
	if x != x {
		return x
	}
	return roundBits(x, 16)
}

// roundBits rounds away the lowest bits of a float32.
func roundBits(x float32, bits uint) float32 {
	b := math.Float32bits(x)
	b += 1<<(bits-1) - 1 + b>>bits&1
	return math.Float32frombits(b &^ (1<<bits - 1))
}

// rawData returns the elements as a type of their size.
func rawData[T Element | uint32](v *Value) []T { return unsafe.Slice((*T)(v.p), v.n) }

// convert writes src's elements to dst, as its type; both have as many.
func convert(dst, src *Value) {
	switch src.Type {
	case F32:
		convertFloat(dst, data[float32](src))
	case F64:
		convertFloat(dst, data[float64](src))
	case I64:
		convertInt(dst, data[int64](src))
	case I32:
		convertInt(dst, data[int32](src))
	case I8:
		convertInt(dst, data[int8](src))
	case U8, Bool:
		convertInt(dst, rawData[uint8](src))
	}
}

func convertFloat[T float](dst *Value, x []T) {
	switch dst.Type {
	case F32:
		to := data[float32](dst)
		for i, v := range x {
			to[i] = float32(v)
		}
	case F64:
		to := data[float64](dst)
		for i, v := range x {
			to[i] = float64(v)
		}
	case I64:
		truncated(data[int64](dst), x)
	case I32:
		truncated(data[int32](dst), x)
	case I8:
		truncated(data[int8](dst), x)
	case U8:
		truncated(data[uint8](dst), x)
	case Bool:
		to := data[bool](dst)
		for i, v := range x {
			to[i] = v != 0
		}
	}
}

func truncated[R int64 | int32 | int8 | uint8, T float](dst []R, x []T) {
	for i, v := range x {
		dst[i] = R(toInt64(float64(v)))
	}
}

// toInt64 is a conversion with one result on every platform.
func toInt64(v float64) int64 {
	switch {
	case v != v:
		return 0
	case v >= 0x1p63:
		return math.MaxInt64
	case v < -0x1p63:
		return math.MinInt64
	}
	return int64(v)
}

func convertInt[T int64 | int32 | int8 | uint8](dst *Value, x []T) {
	switch dst.Type {
	case F32:
		integersTo(data[float32](dst), x)
	case F64:
		integersTo(data[float64](dst), x)
	case I64:
		integersTo(data[int64](dst), x)
	case I32:
		integersTo(data[int32](dst), x)
	case I8:
		integersTo(data[int8](dst), x)
	case U8:
		integersTo(data[uint8](dst), x)
	case Bool:
		to := data[bool](dst)
		for i, v := range x {
			to[i] = v != 0
		}
	}
}

func integersTo[R number, T int64 | int32 | int8 | uint8](dst []R, x []T) {
	for i, v := range x {
		dst[i] = R(v)
	}
}
