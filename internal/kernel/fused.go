package kernel

// A fused routine does what a cell does, unit by unit, between the product of a
// step and its new state, or on the way back. The cell's own loop is the
// definition; a routine has the same bits and takes less time. An operation
// that has no routine at the level in use is not an error: Fused says so, and
// the cell runs its loop.

// Op names a fused operation.
type Op int

// The fused operations. Their definitions are the loops of the cells, of
// activation.go and of units.go; fusedOps has their operands.
const (
	NoFused Op = iota
	LSTMForward
	GRUForward
	TanhForward
	ReLUForward
	LSTMBackward
	GRUBackward
	TanhBackward
	ReLUBackward
	tanhOf
	sigmoidOf
	reluOf
	flushOf
	lineOf
	leakyOf
	thresholdOf
	softsignOf
	timesOf
	fmaOf
	addOf
	addFlushOf
	productOf
	largerOf
	largest4Of
	columnsOf
	extremesOf
	fromSumsOf
	timesIntsOf
	lstmStateOf
	gruStateOf
	numOps
)

// Gates is the shape of a fused operation: M rows by N units of one panel.
type Gates struct {
	M, N   int
	Gate   int  // distance of the gates of a gradient
	Record bool // write the operands that only a record needs
	// Constants of the operation, where it has some.
	Constants [4]float32
}

// access is what an operation does to an operand.
type access int

const (
	reads  access = 1
	writes access = 2
)

// operand says which elements of a row an operation touches: N units, once or at
// each of several gates that stand gate elements apart, or whole panel memory.
type operand struct {
	name     string
	panel    int // gates in panel memory, Lane apart, all lanes of them; 0: units
	gates    int // gates of a gradient, Gate apart; of panel memory and units 1
	access   access
	recorded bool // touched only with Record
	once     bool // one row for all
	single   bool // one number a row
}

func units(name string, a access) operand { return operand{name: name, gates: 1, access: a} }

func sums(name string, gates int, a access) operand {
	return operand{name: name, panel: gates, gates: 1, access: a}
}

func gradient(name string, gates int) operand {
	return operand{name: name, gates: gates, access: writes}
}

func (o operand) ifRecorded() operand {
	o.recorded = true
	return o
}

func (o operand) onlyOnce() operand {
	o.once = true
	return o
}

func (o operand) onlyOne() operand {
	o.single = true
	return o
}

// rows returns how many rows of the operand an operation touches.
func (o *operand) rows(g *Gates) int {
	if o.once {
		return 1
	}
	return g.M
}

// width returns how many elements of a gate an operation of n units touches.
func (o *operand) width(n int) int {
	if o.single {
		return 1
	}
	if o.panel > 0 {
		return o.panel * Lane
	}
	return n
}

// last returns how many elements the last row of the operand has.
func (o *operand) last(g *Gates) int { return (o.gates-1)*g.Gate + o.width(g.N) }

// mostOperands bounds the operands of an operation.
const mostOperands = 7

// fusedOps are the operands of each operation in the order in which Fused and
// the routines take them.
var fusedOps = [numOps]struct {
	name     string
	operands []operand
}{
	LSTMForward: {"LSTMForward", []operand{
		sums("z", 4, reads), units("c", reads|writes), units("h", writes), sums("record", 4, writes).ifRecorded(),
	}},
	GRUForward: {"GRUForward", []operand{
		sums("z", 3, reads), sums("x", 3, reads), units("h before", reads), units("h", writes),
		sums("record", 3, writes).ifRecorded(), units("recurrent part", writes).ifRecorded(),
	}},
	TanhForward: {"TanhForward", []operand{units("z", reads), units("h", writes)}},
	ReLUForward: {"ReLUForward", []operand{units("z", reads), units("h", writes)}},
	LSTMBackward: {"LSTMBackward", []operand{
		sums("record", 4, reads), units("c", reads), units("c before", reads), units("dh", reads),
		units("dc", reads|writes), gradient("dz", 4),
	}},
	GRUBackward: {"GRUBackward", []operand{
		sums("record", 3, reads), units("recurrent part", reads), units("h before", reads), units("dh", reads),
		units("dh before", writes), gradient("dx", 3), gradient("dz", 3),
	}},
	TanhBackward: {"TanhBackward", []operand{units("h", reads), units("dh", reads), units("dz", writes)}},
	ReLUBackward: {"ReLUBackward", []operand{units("h", reads), units("dh", reads), units("dz", writes)}},
	tanhOf:       {"TanhTo", []operand{units("src", reads), units("dst", writes)}},
	sigmoidOf:    {"SigmoidTo", []operand{units("src", reads), units("dst", writes)}},
	reluOf:       {"ReLUTo", []operand{units("src", reads), units("dst", writes)}},
	flushOf:      {"FlushTo", []operand{units("src", reads), units("dst", writes)}},
	lineOf:       {"LineRows", []operand{units("src", reads), units("dst", writes)}},
	leakyOf:      {"LeakyRows", []operand{units("src", reads), units("dst", writes)}},
	thresholdOf:  {"ThresholdRows", []operand{units("src", reads), units("dst", writes)}},
	softsignOf:   {"SoftsignRows", []operand{units("src", reads), units("dst", writes)}},
	timesOf:      {"TimesRows", []operand{units("a", reads), units("b", reads), units("dst", writes)}},
	fmaOf:        {"FMARows", []operand{units("a", reads), units("b", reads), units("c", reads), units("dst", writes)}},
	addOf:        {"AddRows", []operand{units("a", reads), units("b", reads), units("dst", writes)}},
	addFlushOf:   {"AddFlushRows", []operand{units("a", reads), units("b", reads), units("dst", writes)}},
	largest4Of: {"Largest4Rows", []operand{
		units("a", reads), units("b", reads), units("c", reads), units("d", reads), units("dst", writes),
	}},
	columnsOf: {"AddColumns", []operand{units("src", reads), units("sum", reads|writes).onlyOnce()}},
	extremesOf: {"Extremes", []operand{
		units("src", reads), units("lo", writes).onlyOnce(), units("hi", writes).onlyOnce(),
	}},
	fromSumsOf: {"FromSums", []operand{
		units("sums", reads), units("start", reads).onlyOne(), units("dst", writes),
	}},
	timesIntsOf: {"TimesInts", []operand{units("src", reads), units("dst", writes)}},
	productOf:   {"Product", []operand{units("a", reads), units("b", reads), units("dst", writes)}},
	largerOf:    {"LargerTo", []operand{units("a", reads), units("b", reads), units("dst", writes)}},
	lstmStateOf: {"LSTMStateRows", []operand{sums("z", 3, reads), units("c", reads|writes), units("h", writes)}},
	gruStateOf: {"GRUStateRows", []operand{
		units("u", reads), units("candidate", reads), units("h before", reads), units("h", writes),
	}},
}

// Fused runs an operation if the level in use has a routine for it, and reports
// whether it did. rows are its operands, in the order of the comments of the
// cells that call it. Units beyond N of an operand are neither read nor written,
// but for panel memory, which has all lanes of its gates. Operands may be the
// same memory where the cell's loop allows it.
func Fused[F Float](op Op, g Gates, rows ...Rows[F]) bool {
	return isFloat32[F]() && fused(op, g, rows32(rows))
}

// elementwise runs an operation of one source over a slice.
func elementwise[F Float](op Op, dst, src []F) bool {
	return Fused(op, Gates{M: 1, N: len(src)}, Rows[F]{Data: src}, Rows[F]{Data: dst})
}
