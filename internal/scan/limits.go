package scan

// Limits are the sizes at which a run goes another way. They change how the
// work is cut, and no bit of its result.
type Limits struct {
	// RowTile is how many rows of a step are worked on together.
	RowTile int
	// GroupSums is how many sums a group of panels has: what stays in the first
	// cache.
	GroupSums int
	// ChunkRows is how many rows a chunk of time has, unless one step has more.
	ChunkRows int
	// OwnInputs is the most inputs of a chunk that each worker gathers by
	// itself.
	OwnInputs int
	// ManyRows is ChunkRows where the weights of all layers are more than
	// ManyWeights, a share of the last cache: each chunk reads them from memory,
	// so there are fewer, longer ones.
	ManyRows, ManyWeights int
	// AloneWeights is the most recurrent weights of a layer or direction that a
	// worker has to itself: they stay in its own second-level cache, and steps
	// need no barrier.
	AloneWeights int
	// AloneRows is how many sequences of a step make it worth that a worker has all
	// of its layer or direction, whatever weights there are: it reads all of them,
	// and waits for nobody.
	AloneRows int
	// WaveRows is ChunkRows of a wavefront over layers, which needs at least
	// WaveChunks chunks: fewer would keep the last layers waiting.
	WaveRows, WaveChunks int
}

var limits = Limits{
	RowTile: 64, GroupSums: 4096,
	ChunkRows: 128, OwnInputs: 4096,
	ManyRows: 1024, ManyWeights: 2 << 20,
	AloneWeights: 128 << 10, AloneRows: 16, WaveRows: 64, WaveChunks: 8,
}

// limitsVersion counts the changes of limits.
var limitsVersion int

// SetLimits replaces the limits and returns those before. It is for tests, which
// lower them so that small shapes take every way; nothing may run meanwhile.
func SetLimits(l Limits) Limits {
	before := limits
	limits = l
	limitsVersion++
	return before
}

// LimitsInUse returns the limits in use.
func LimitsInUse() Limits { return limits }
