package checkpoint

import (
	"errors"
	"strconv"
	"testing"
)

// TestIndexedIsTheSet: of equal names the first, of none an ErrMissing; a Source of
// another kind is itself.
func TestIndexedIsTheSet(t *testing.T) {
	s := Set{OfInts("a", []int64{1}, 1), OfInts("b", []int64{2, 3}, 2), OfInts("a", []int64{4}, 1)}
	x := Indexed(s)
	for _, name := range []string{"a", "b", "c"} {
		want, found := s.Info(name)
		got, ok := x.Info(name)
		if ok != found || got.Bytes != want.Bytes {
			t.Errorf("Info(%q): %v, %v; want %v, %v", name, got, ok, want, found)
		}
		a, errA := s.Tensor(name)
		b, errB := x.Tensor(name)
		if errors.Is(errA, ErrMissing) != errors.Is(errB, ErrMissing) || string(a.Data) != string(b.Data) {
			t.Errorf("Tensor(%q): %v, %v; want %v, %v", name, b.Data, errB, a.Data, errA)
		}
	}
	if y := Indexed(x); y.(indexed).at == nil {
		t.Error("an indexed set is not itself")
	}
}

// TestChecksumOfManyTensorsIsLinear: two hundred thousand names looked for one by one
// among all of them would take minutes.
func TestChecksumOfManyTensorsIsLinear(t *testing.T) {
	var s Set
	for i := range 200_000 {
		s = append(s, OfInts(strconv.Itoa(i), nil, 0))
	}
	if _, err := WithChecksum(s, nil); err != nil {
		t.Error(err)
	}
}
