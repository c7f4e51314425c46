package kernel

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// TestPackLevelsAgree: a packed weight stands where the type's comment says, for
// both orientations of w, at every level.
func TestPackLevelsAgree(t *testing.T) {
	r := rand.New(rand.NewPCG(31, 32))
	for trial := range 400 {
		k, units, gates := r.IntN(90), 1+r.IntN(150), []int{1, 3, 4}[trial%3]
		gate, unit, row := units*k, k, 1
		if trial%2 == 0 {
			gate, unit, row = units, 1, gates*units+r.IntN(5)
		}
		w := make([]float32, gates*units*k+5*k)
		source{r, 9}.fill(w)
		for _, level := range Levels() {
			atLevel(t, level, func() {
				p := NewPanels[float32](k, units, gates)
				for i := range p.Data {
					p.Data[i] = 7
				}
				p.Pack(w, gate, unit, row)
				for i := range p.Len() {
					got, cols := p.Panel(i), p.Cols(i)
					want := make([]float32, len(got))
					for j := range want {
						kk, c := j/cols, j%cols
						u, g := i*p.UnitsPer()+c/(gates*Lane)*Lane+c%Lane, c/Lane%gates
						if p.folds(i) {
							u, g = i*Lane+c%p.Fold, c/p.Fold
						}
						if u < units && g < gates {
							want[j] = Flush(w[g*gate+u*unit+kk*row])
						}
					}
					sameBits(t, fmt.Sprint(level, " k ", k, " units ", units, " gates ", gates, " unit ", unit, " panel ", i), got, want)
				}
			})
		}
	}
}
