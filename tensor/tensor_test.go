package tensor

import (
	"errors"
	"math"
	"testing"
)

func TestSize(t *testing.T) {
	for _, c := range []struct {
		shape []int
		n     int
		bad   bool
	}{
		{shape: []int{}, n: 1},
		{shape: []int{2, 3}, n: 6},
		{shape: []int{0, 3}, n: 0},
		{shape: []int{math.MaxInt, 0, math.MaxInt}, n: 0},
		{shape: []int{-1, 3}, bad: true},
		{shape: []int{0, -1}, bad: true},
		{shape: []int{math.MaxInt, 2}, bad: true},
	} {
		n, err := Size(c.shape)
		if errors.Is(err, ErrShape) != c.bad || n != c.n {
			t.Errorf("Size(%v) = %d, %v; want %d, error %v", c.shape, n, err, c.n, c.bad)
		}
		if d := New(c.shape...); (d.Check("x") != nil) != c.bad {
			t.Errorf("New(%v).Check() = %v", c.shape, d.Check("x"))
		}
	}
}

func TestOfAndReshape(t *testing.T) {
	if _, err := Of([]float32{1, 2, 3}, 2, 2); !errors.Is(err, ErrShape) {
		t.Errorf("Of with 3 elements for [2 2]: %v", err)
	}
	d, err := Of([]float64{1, 2, 3, 4}, 2, 2)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.Reshape(3); !errors.Is(err, ErrShape) {
		t.Errorf("Reshape to 3: %v", err)
	}
	r, err := d.Reshape(4, 1)
	if err != nil || r.Rank() != 2 || r.Data[3] != 4 {
		t.Errorf("Reshape = %v, %v", r, err)
	}
	c := d.Clone()
	c.Data[0] = 9
	if d.Data[0] != 1 {
		t.Error("Clone shares its data")
	}
	if !(DenseOf[float32]{}).IsZero() || New().IsZero() {
		t.Error("only the zero value is absent")
	}
}
