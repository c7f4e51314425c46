package explain

import "strconv"

// Num is a float32 that prints as the fewest digits from which the same
// float32 is read back, in text and in JSON, where what is no number is a
// string ("NaN", "+Inf", "-Inf").
type Num float32

// String returns the fewest digits that mean this float32 and no other.
func (n Num) String() string { return strconv.FormatFloat(float64(n), 'g', -1, 32) }

// MarshalJSON writes String, quoted where JSON has no number for it.
func (n Num) MarshalJSON() ([]byte, error) {
	s := n.String()
	if n-n != 0 {
		return []byte(`"` + s + `"`), nil
	}
	return []byte(s), nil
}

// Short returns four digits after the point, as PyTorch prints tensors.
func (n Num) Short() string {
	a := float64(n)
	if a < 0 {
		a = -a
	}
	if a != 0 && (a < 1e-4 || a >= 1e5) {
		return strconv.FormatFloat(float64(n), 'e', 2, 32)
	}
	return strconv.FormatFloat(float64(n), 'f', 4, 32)
}
