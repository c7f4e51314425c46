package live

import (
	"fmt"
	"math"
	"strings"
)

// hex is the bits of numbers, a space before each.
func hex(v []float32) string {
	var b strings.Builder
	for _, x := range v {
		fmt.Fprintf(&b, " %08x", math.Float32bits(x))
	}
	return b.String()
}
