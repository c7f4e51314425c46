//go:build !race && (amd64 || arm64) && !purego

package kernel

// Without the race detector nobody is told what assembly reads and writes;
// race.go says what these do.

func raceRange[E any]([]E, access)              {}
func raceRows(Rows[float32], int, int, access)  {}
func raceFused(*operand, *Gates, Rows[float32]) {}
func raceMul(*Layout, packed, int, int, Block[float32], Block[float32], []float32, left[float32], int) {
}

func raceMul8(*Panels8, int, int, Block[float32], Block[float32], []float32, []int32, Rows8, int, bool) {
}

func raceSlide(*Panels[float32], Lines, []float32, Lines, Places, int, int) {}
