package checkpoint

import (
	"bytes"
	"errors"
	"io"
	"math"
	"slices"
	"testing"

	"github.com/unroll-ml/unroll/tensor"
)

// TestHalfRoundTrip: each of the 65536 halves and bfloat16s widens and comes
// back as itself; a signalling NaN comes back quiet.
func TestHalfRoundTrip(t *testing.T) {
	for h := range 1 << 16 {
		for _, c := range []struct {
			exp   uint
			widen func(uint16) float32
		}{{5, Float16}, {8, BFloat16}} {
			f := c.widen(uint16(h))
			want := uint16(h)
			if f != f {
				want |= 1 << (14 - c.exp)
			}
			if got := narrow(float64(f), c.exp); got != want {
				t.Fatalf("%d exponent bits: %#04x widens to %g and comes back %#04x", c.exp, h, f, got)
			}
		}
	}
}

// TestNarrowRoundsToNearestEven checks every midpoint between neighbours and
// the values next to it, in float64, where they are exact.
func TestNarrowRoundsToNearestEven(t *testing.T) {
	for _, c := range []struct {
		exp   uint
		widen func(uint16) float32
	}{{5, Float16}, {8, BFloat16}} {
		inf := uint16(1<<c.exp-1) << (15 - c.exp)
		for h := uint16(0); h < inf-1; h++ {
			lo, hi := float64(c.widen(h)), float64(c.widen(h+1))
			mid := (lo + hi) / 2
			even := h + h&1
			for _, x := range []struct {
				v    float64
				want uint16
			}{{mid, even}, {math.Nextafter(mid, 0), h}, {math.Nextafter(mid, math.Inf(1)), h + 1}} {
				if got := narrow(x.v, c.exp); got != x.want {
					t.Fatalf("%d exponent bits: narrow(%g) = %#04x, want %#04x", c.exp, x.v, got, x.want)
				}
				if got := narrow(-x.v, c.exp); got != x.want|0x8000 {
					t.Fatalf("%d exponent bits: narrow(%g) = %#04x, want %#04x", c.exp, -x.v, got, x.want|0x8000)
				}
			}
		}
		top := float64(c.widen(inf - 1))
		step := top - float64(c.widen(inf-2))
		if narrow(top+step/2, c.exp) != inf || narrow(math.Nextafter(top+step/2, 0), c.exp) != inf-1 || narrow(math.MaxFloat64, c.exp) != inf {
			t.Errorf("%d exponent bits: the border to infinity is not half a step above %g", c.exp, top)
		}
	}
}

func TestConvert(t *testing.T) {
	for _, c := range []struct {
		t     DType
		bytes []byte
		want  []float64
		ints  []int64 // nil: refused
	}{
		{F64, []byte{0, 0, 0, 0, 0, 0, 0xf8, 0x3f}, []float64{1.5}, nil},
		{F32, []byte{0, 0, 0xc0, 0xbf, 1, 0, 0, 0}, []float64{-1.5, 0x1p-149}, nil},
		{F16, []byte{0, 0x3e, 1, 0, 0xff, 0x7b}, []float64{1.5, 0x1p-24, 65504}, nil},
		{BF16, []byte{0xc0, 0x3f, 1, 0}, []float64{1.5, 0x1p-133}, nil},
		{I64, []byte{0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, []float64{-2}, []int64{-2}},
		{I32, []byte{0xfe, 0xff, 0xff, 0xff}, []float64{-2}, []int64{-2}},
		{I16, []byte{0xfe, 0xff, 1, 0}, []float64{-2, 1}, []int64{-2, 1}},
		{I8, []byte{0xfe, 3}, []float64{-2, 3}, []int64{-2, 3}},
		{U64, []byte{0xfe, 0, 0, 0, 0, 0, 0, 0}, []float64{254}, []int64{254}},
		{U64, []byte{0, 0, 0, 0, 0, 0, 0, 0x80}, []float64{0x1p63}, nil},
		{U32, []byte{0xfe, 0xff, 0xff, 0xff}, []float64{1<<32 - 2}, []int64{1<<32 - 2}},
		{U16, []byte{0xfe, 0xff}, []float64{65534}, []int64{65534}},
		{U8, []byte{0xfe, 0}, []float64{254, 0}, []int64{254, 0}},
		{Bool, []byte{0, 1, 7}, []float64{0, 1, 1}, []int64{0, 1, 1}},
	} {
		info, err := NewInfo("x", c.t, []int{len(c.want)})
		if err != nil {
			t.Fatal(err)
		}
		s := Set{{info, c.bytes}}
		d, err := Float[float64](s, "x")
		if err != nil || !slices.Equal(d.Data, c.want) || !slices.Equal(d.Shape, info.Shape) {
			t.Errorf("%s as float64: %v, %v; want %v", c.t, d, err, c.want)
		}
		f, err := Float[float32](s, "x")
		for i, v := range c.want {
			if err != nil || f.Data[i] != float32(v) {
				t.Errorf("%s as float32: %v, %v; want %v", c.t, f, err, c.want)
			}
		}
		v, shape, err := Ints(s, "x")
		switch {
		case c.ints == nil:
			if !errors.Is(err, ErrDType) {
				t.Errorf("%s as integers: %v, %v; want an ErrDType", c.t, v, err)
			}
		case err != nil || !slices.Equal(v, c.ints) || !slices.Equal(shape, info.Shape):
			t.Errorf("%s as integers: %v %v, %v; want %v", c.t, v, shape, err, c.ints)
		}
	}
}

// TestFloatKeepsBits: float32 read as float32 is a copy, NaN payloads too,
// and tensors longer than one piece come through whole.
func TestFloatKeepsBits(t *testing.T) {
	d := tensor.New(pieceBytes/4 + 3)
	for i := range d.Data {
		d.Data[i] = math.Float32frombits(0x7f800001 + uint32(i)*2654435761)
	}
	got, err := Float[float32](Set{Of("x", d)}, "x")
	if err != nil {
		t.Fatal(err)
	}
	for i := range d.Data {
		if math.Float32bits(got.Data[i]) != math.Float32bits(d.Data[i]) {
			t.Fatalf("element %d: %08x became %08x", i, math.Float32bits(d.Data[i]), math.Float32bits(got.Data[i]))
		}
	}
	v := make([]int64, pieceBytes/8+5)
	for i := range v {
		v[i] = int64(i) - 7
	}
	x, _, err := Ints(Set{OfInts("v", v)}, "v")
	if err != nil || !slices.Equal(x, v) {
		t.Errorf("integers over several pieces differ: %v", err)
	}
	b := make([]byte, 3000)
	for i := range b {
		b[i] = byte(i)
	}
	info, _ := NewInfo("b", U8, []int{3000})
	u, err := Float[float64](Set{{info, b}}, "b")
	for i := range b {
		if err != nil || u.Data[i] != float64(b[i]) {
			t.Fatalf("byte %d: %v, %v", i, u.Data[i], err)
		}
	}
}

type short struct{ Set }

func (s short) OpenTensor(name string) (Info, io.Reader, error) {
	return s.Set[0].Info, bytes.NewReader(s.Set[0].Data[:3]), nil
}

func TestErrors(t *testing.T) {
	good := Of("x", tensor.DenseOf[float32]{Shape: []int{2}, Data: []float32{1, 2}})
	bad := good
	bad.Shape = []int{3}
	unknown := Tensor{Info: Info{Name: "q", TypeName: "F8_E4M3", Shape: []int{1}, Bytes: 1}, Data: []byte{0}}
	_, missing := Float[float32](Set{good}, "y")
	_, wrong := Float[float32](Set{bad}, "x")
	_, cut := Float[float32](short{Set{good}}, "x")
	_, _, dtype := Ints(Set{good}, "x")
	_, unread := FloatOf[float32](unknown)
	_, rank := NewInfo("x", F32, make([]int, MaxRank+1))
	_, product := NewInfo("x", F32, []int{math.MaxInt / 2, 3})
	_, size := NewInfo("x", F64, []int{math.MaxInt / 2})
	_, negative := NewInfo("x", F64, []int{-1})
	_, as := As("x", I64, tensor.New(1))
	_, asShape := As("x", F16, tensor.DenseOf[float32]{Shape: []int{3}, Data: []float32{1, 2}})
	for name, c := range map[string]struct{ err, kind error }{
		"missing name":          {missing, ErrMissing},
		"data of another shape": {wrong, ErrFormat},
		"source that ends":      {cut, io.ErrUnexpectedEOF},
		"floats as integers":    {dtype, ErrDType},
		"unknown type":          {unread, ErrFormat},
		"too many dimensions":   {rank, ErrFormat},
		"product overflow":      {product, ErrFormat},
		"size overflow":         {size, ErrFormat},
		"negative dimension":    {negative, ErrFormat},
		"integers asked of As":  {as, ErrDType},
		"As of a wrong shape":   {asShape, tensor.ErrShape},
	} {
		if !errors.Is(c.err, c.kind) {
			t.Errorf("%s: %v; want %v", name, c.err, c.kind)
		}
	}
}

func TestAs(t *testing.T) {
	d := tensor.DenseOf[float64]{Shape: []int{1, 2}, Data: []float64{1.5, -0x1p-24}}
	for _, c := range []struct {
		t    DType
		want []byte
	}{
		{F16, []byte{0, 0x3e, 1, 0x80}},
		{BF16, []byte{0xc0, 0x3f, 0x80, 0xb3}},
		{F32, []byte{0, 0, 0xc0, 0x3f, 0, 0, 0x80, 0xb3}},
	} {
		got, err := As("x", c.t, d)
		if err != nil || !bytes.Equal(got.Data, c.want) || got.Check() != nil {
			t.Errorf("%s: %x, %v; want %x", c.t, got.Data, err, c.want)
		}
	}
}

// TestRowsOfNothingAreBounded: a tensor without elements costs its file nothing,
// and what is computed of it may cost everything.
func TestRowsOfNothingAreBounded(t *testing.T) {
	for _, shape := range [][]int{{1 << 28, 0}, {0, 1 << 28}, {1 << 30, 0, 1 << 30}, {math.MaxInt, 0}} {
		if _, err := NewInfo("x", F32, shape); !errors.Is(err, ErrFormat) {
			t.Errorf("%v: %v, expected an ErrFormat", shape, err)
		}
	}
	for _, shape := range [][]int{{1 << 20, 0}, {0}, {3, 0, 4}} {
		if i, err := NewInfo("x", F32, shape); err != nil || i.Len() != 0 {
			t.Errorf("%v: %v", shape, err)
		}
	}
}
