//go:build !amd64 || purego

package kernel

// No vectors of 8-bit integers: these report that nothing was done.

func mul8Vector(*Panels8, int, int, Block[float32], Block[float32], []float32, []int32, Rows8, int, bool) bool {
	return false
}

func absMaxBlocks([]float32) (uint32, int) { return 0, 0 }

func quantiseBlocks([]uint8, []float32, float32) int { return 0 }
