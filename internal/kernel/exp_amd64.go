//go:build amd64 && !purego

package kernel

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
	n := min(len(x)/lanes, limits.Blocks)
	if n == 0 {
		return 0
	}
	raceRange(x[:n*lanes], reads|writes)
	if lv == levelAVX512 {
		return lanes * exp512(&x[0], n)
	}
	return lanes * exp256(&x[0], n)
}
