package kernel

import (
	"math"
	"os"
	"testing"
)

// TestActivationsLevelsAgree compares Tanh and Sigmoid of every level with pure
// Go, and their error with 2.5 units in the last place, over a sample of all
// float32; with UNROLL_ALL_FLOATS set, over every one (minutes).
func TestActivationsLevelsAgree(t *testing.T) {
	step, part := uint64(1021), 1<<16 // a prime: every exponent, every low bit
	switch {
	case os.Getenv("UNROLL_ALL_FLOATS") != "":
		step = 1
	case testing.Short():
		step *= 16
	}
	eachLevel(t, func(t *testing.T, level string) {
		x, th, sg := make([]float32, part), make([]float32, part), make([]float32, part)
		worstT, worstS := 0.0, 0.0
		for i := uint64(0); i < 1<<32; {
			n := 0
			for ; n < part && i < 1<<32; i, n = i+step, n+1 {
				x[n] = math.Float32frombits(uint32(i))
			}
			atLevel(t, level, func() {
				TanhTo(th[:n], x[:n])
				SigmoidTo(sg[:n], x[:n])
			})
			for j, v := range x[:n] {
				if v != v {
					if th[j] == th[j] || sg[j] == sg[j] {
						t.Fatalf("a NaN gave %g, %g", th[j], sg[j])
					}
					continue
				}
				wt, ws := Tanh32(v), Sigmoid32(v)
				if math.Float32bits(th[j]) != math.Float32bits(wt) || math.Float32bits(sg[j]) != math.Float32bits(ws) {
					t.Fatalf("x = %x: tanh %x, sigmoid %x, want %x, %x", v, th[j], sg[j], wt, ws)
				}
				if !(wt >= -1 && wt <= 1 && ws >= 0 && ws <= 1) {
					t.Fatalf("x = %g: tanh %g, sigmoid %g out of range", v, wt, ws)
				}
				worstT = max(worstT, ulp32(wt, math.Tanh(float64(v))))
				worstS = max(worstS, ulp32(ws, sigmoidRef(float64(v))))
			}
		}
		t.Logf("tanh %.3f ulp, sigmoid %.3f ulp", worstT, worstS)
		if worstT > 2.5 || worstS > 2.5 {
			t.Errorf("tanh %.3f ulp, sigmoid %.3f ulp, want at most 2.5", worstT, worstS)
		}
	})
}
