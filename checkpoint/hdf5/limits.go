package hdf5

// Limits. Each names the attack it answers; none is reached by what Keras or
// h5py write for a model.
const (
	// metaFixed and metaFactor bound the bytes of structure, attributes and
	// strings read while opening (and again while a dataset's chunks are
	// found): structures may share and contain each other, so that a small file
	// describes a large or endless tree.
	metaFixed, metaFactor = 1 << 20, 16
	// dataFixed and dataFactor bound what all datasets become together: chunks
	// that are compressed or not there at all, and datasets that share bytes.
	dataFixed, dataFactor = 1 << 20, 256

	// maxNesting bounds how deep groups nest, as the walk is recursive.
	maxNesting = 64
	// maxPath bounds the length of one path.
	maxPath = 4096
	// maxDepth bounds the levels of a B-tree; each multiplies its children.
	maxDepth = 16
	// maxTypes bounds how deep element types nest in each other.
	maxTypes = 8
	// maxRank is the format's own limit on dimensions.
	maxRank = 32
	// maxFilters is the format's own limit on filters of a dataset.
	maxFilters = 32
	// objectCost is what an object is counted as: its place in memory.
	objectCost = 256
)
