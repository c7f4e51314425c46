//go:build amd64 && !purego

package kernel

// expLimit bounds the blocks of one call of assembly, which cannot be
// preempted; a block takes some 10 ns.
const expLimit = 1 << 14

// expBlocks does Exp for whole blocks from the first element on and returns how
// many elements it did.
func expBlocks(x []float64) int {
	lv, lanes := level.Load(), 8
	switch lv {
	case levelGo:
		return 0
	case levelAVX2:
		lanes = 4
	}
	n := min(len(x)/lanes, expLimit)
	if n == 0 {
		return 0
	}
	raceRange(x[:n*lanes], reads|writes)
	if lv == levelAVX512 {
		return lanes * exp512(&x[0], n)
	}
	return lanes * exp256(&x[0], n)
}
