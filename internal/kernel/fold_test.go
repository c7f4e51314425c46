package kernel

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// TestFoldedSumsAreThoseOfWholePanels: a folded panel gives the bits of one that is not,
// at every level. That it touches nothing else TestMulLevelsAgree sees.
func TestFoldedSumsAreThoseOfWholePanels(t *testing.T) {
	r := rand.New(rand.NewPCG(61, 62))
	folded := 0
	for range 600 {
		c, seed := randomMulCase(r), r.Uint64()
		p := NewPanels[float32](c.k, c.units, c.gates)
		if p.Fold == 0 || c.p1 != p.Len() {
			continue
		}
		folded++
		// A panel that is not folded writes whole blocks: one row apart, so that
		// nothing it pads is another row's.
		c.row, c.inPlace = p.MaxCols(), false
		whole := c
		whole.plain = true
		want := whole.run(t, seed, "go")
		for _, level := range Levels() {
			got := c.run(t, seed, level)
			at := len(want) - (c.m-1)*c.row - p.MaxCols() // the last panel
			sameBits(t, fmt.Sprintf("%s %+v, whole panels", level, c), got[:at], want[:at])
			for i := at; i < len(got); i++ {
				if col := (i - at) % c.row; col%Lane < p.Units%Lane {
					sameBits(t, fmt.Sprintf("%s %+v, row %d column %d", level, c, (i-at)/c.row, col), got[i:i+1], want[i:i+1])
				}
			}
		}
	}
	if folded < 20 {
		t.Errorf("%d of the cases have a folded panel, want 20 at least", folded)
	}
}

// TestFoldedLayout: which layers are folded, and how many columns their last panel has.
func TestFoldedLayout(t *testing.T) {
	for _, c := range []struct{ units, gates, fold, cols int }{
		{50, 4, 4, 16},
		{100, 4, 4, 16},
		{52, 3, 4, 16},
		{53, 4, 8, 32},
		{200, 4, 8, 32},
		{200, 3, 8, 32},
		{57, 4, 0, 64},
		{64, 4, 0, 64},
		{17, 4, 0, 64},
		{32, 4, 0, 64},
		{33, 4, 4, 16},
		{50, 1, 0, 64},
		{50, 2, 0, 32},
	} {
		l := NewLayout(5, c.units, c.gates).folded()
		if l.Fold != c.fold || l.Cols(l.Len()-1) != c.cols {
			t.Errorf("%d units of %d gates: room for %d units in %d columns, want %d in %d", c.units, c.gates, l.Fold, l.Cols(l.Len()-1), c.fold, c.cols)
		}
	}
}
