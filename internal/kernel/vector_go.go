//go:build !amd64 || purego

package kernel

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

type gateOp int

const (
	opTanhForward gateOp = iota
	opReLUForward
	opTanhBackward
	opReLUBackward
	opTanhTo
	opSigmoidTo
	opFlushTo
)

func mulVector(*Panels[float32], int, int, Block[float32], Block[float32], []float32, Mat[float32], int) bool {
	return false
}

func lstmForward(_, _ int, _ []float32, _ int, _ []float32, _ int, _ []float32, _ int, _ []float32, _ int) bool {
	return false
}

func gruForward(_, _ int, _ []float32, _ int, _ []float32, _ int, _ []float32, _ int, _ []float32, _ int, _ []float32, _ int, _ []float32, _ int) bool {
	return false
}

func lstmBackward(_, _ int, _ []float32, _ int, _ []float32, _ int, _ []float32, _ int, _ []float32, _ int, _ []float32, _ int, _ []float32, _, _ int) bool {
	return false
}

func gruBackward(_, _ int, _ []float32, _ int, _ []float32, _ int, _ []float32, _ int, _ []float32, _ int, _ []float32, _ int, _, _ []float32, _, _ int) bool {
	return false
}

func unary(_ gateOp, _, _ int, _ []float32, _ int, _ []float32, _ int) bool { return false }

func binary(_ gateOp, _, _ int, _ []float32, _ int, _ []float32, _ int, _ []float32, _ int) bool {
	return false
}

func squareBlocks([]float32, *[4]float64) int { return 0 }

func subScaledBlocks(_, _ []float32, _ float32) int { return 0 }

func expBlocks([]float64) int { return 0 }

func canChain(int) bool { return false }

func chain(ChainOp, int, *Panels[float32], []float32, Steps[float32], []float32, []float32, Steps[float32]) {
	panic("kernel: no chain at this level")
}

func transpose(int, []float32, int, []float32, int) int { return 0 }

func elementwise(gateOp, []float32, []float32) bool { return false }

func peakRun(n int) float64 { return peakGo(n) }
