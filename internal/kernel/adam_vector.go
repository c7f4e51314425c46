//go:build (amd64 || arm64) && !purego

package kernel

// adamBlocks does the loop of AdamStep.Step for whole blocks and returns how many
// elements it did.
func adamBlocks(p, d, m, v []float32, by *AdamStep) int {
	lv := level.Load()
	if lv == levelGo {
		return 0
	}
	whole := len(p) / Lane * Lane
	raceRange(d[:whole], reads)
	for _, x := range [][]float32{p, m, v} {
		raceRange(x[:whole], reads|writes)
	}
	for done := 0; done < whole; {
		now := min((whole-done)/Lane, limits.Blocks)
		adamRoutine(lv, &p[done], &d[done], &m[done], &v[done], now, by)
		done += now * Lane
	}
	return whole
}
