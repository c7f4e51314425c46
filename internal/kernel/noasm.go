//go:build !(amd64 || arm64) || purego

package kernel

const bestLevel = levelGo

var levelNames = [...]string{"go"}

// No vector level: these report that nothing was done.

// pause passes a moment in a loop that waits.
func pause(n int) {
	for range 10 * n {
		idle()
	}
}

// idle does nothing; the call keeps the loop.
//
//go:noinline
func idle() {}

func mulVector(*Panels[float32], int, int, *factors) bool {
	return false
}

func mul16Vector(*Panels16, int, int, *factors) bool {
	return false
}

func slideVector(*Panels[float32], Lines, []float32, Lines, Places, float32, int, int) bool {
	return false
}

func mul8Vector(*Panels8, int, int, Block[float32], Block[float32], []float32, []int32, Rows8, int, bool) bool {
	return false
}

func boundsBlocks([]float32) (uint32, int32, int) { return 0, 0, 0 }

func quantiseBlocks([]uint8, []float32, float32, int32) int { return 0 }

func bytesBlocks([]uint8, []float32, float32, int32) int { return 0 }

func fused(Op, Gates, []Rows[float32]) bool { return false }

func squareBlocks([]float32, *[4]float64) int { return 0 }

func subScaledBlocks(_, _ []float32, _ float32) int { return 0 }

func expBlocks([]float64) int { return 0 }

func canChain(ChainOp, int) bool { return false }

func chain(ChainOp, *Walk[float32]) { panic("kernel: no chain at this level") }

func transposeFrom(float32, int, []float32, int, []float32, int) int { return 0 }

func peakRun(n int) float64 { return peakGo(n) }
