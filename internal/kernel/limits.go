package kernel

// Limits are the sizes at which work is cut into parts or goes another way.
// They change no bit of a result. Each is at least 1.
type Limits struct {
	// Rows bounds the rows of one call of a fused routine, and Rows*Lane its
	// units. A call of assembly cannot be preempted; a row of one vector takes
	// some 30 ns.
	Rows int
	// Work bounds the multiply-adds of one call of a product likewise: 4 million
	// take 40 to 300 µs.
	Work int
	// Steps bounds the steps of one call of a chain; one takes 25 to 100 ns.
	Steps int
	// Blocks bounds the blocks of one call over a slice (Exp, SumSquares,
	// SubScaled); one takes 3 to 10 ns.
	Blocks int
	// Left bounds the elements of a left side that the panels of a call share, so
	// that they stay in the second-level cache from panel to panel.
	Left int
	// Slice bounds the elements of a panel that several blocks of rows share, so
	// that they stay in the first-level cache from block to block.
	Slice int
	// OuterSteps bounds the steps of a sum over rows of both sides (AddOuter) that
	// are walked together.
	OuterSteps int
	// Moves is how many multiply-adds of a vector moving one counts for, where AddOuter
	// chooses a way: packing, transposing.
	Moves int
	// LastRows is how many rows of a last panel that is not full are computed at
	// a time.
	LastRows int
}

var limits = Limits{
	Rows: 4096, Work: 4 << 20, Steps: 2048, Blocks: 1 << 14,
	Left: 128 << 10, Slice: 6 << 10,
	OuterSteps: 384, Moves: 8,
	LastRows: 64,
}

// SetLimits replaces the limits and returns those before. It is for tests, which
// lower them so that small shapes take every way; nothing may run meanwhile.
func SetLimits(l Limits) Limits {
	before := limits
	limits = l
	return before
}

// LimitsInUse returns the limits in use.
func LimitsInUse() Limits { return limits }

// LowLimits draws limits, many of them so low that small shapes are cut; intN
// draws a number below n.
func LowLimits(intN func(n int) int) Limits {
	low := limits
	for _, l := range []struct {
		limit   *int
		choices []int
	}{
		{&low.Rows, []int{1, 2, 5}},
		{&low.Work, []int{1, 500, 20000}},
		{&low.Steps, []int{1, 2, 3}},
		{&low.Blocks, []int{1, 3}},
		{&low.Left, []int{1, 200}},
		{&low.Slice, []int{1, 100, 700}},
		{&low.OuterSteps, []int{1, 7, 50}},
		{&low.Moves, []int{1, 1 << 20}},
		{&low.LastRows, []int{1, 3}},
	} {
		if i := intN(len(l.choices) + 1); i < len(l.choices) {
			*l.limit = l.choices[i]
		}
	}
	return low
}
