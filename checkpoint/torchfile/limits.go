package torchfile

// Limits. Each names the attack it answers; none is reached by what torch.save
// writes for a real model. Together they hold the promise in the package
// comment: opening allocates at most openFixed + openFactor times the file.
const (
	openFixed, openFactor = 8 << 20, 40
	readFixed, readFactor = gatherBytes, 128
)

const (
	// maxDepth bounds how deep containers nest in each other, as the walk over
	// them is recursive. Python's own pickler gives up at a few hundred.
	maxDepth = 256
	// maxLine bounds the arguments of pickle instructions that end with a line
	// feed: names, decimal numbers, and the strings of protocol 0, which
	// torch.save cannot use.
	maxLine = 4096
	// maxLong bounds the bytes of one big integer, as arithmetic on it and its
	// decimal form cost more than linear time.
	maxLong = 1024
	// maxPath bounds the length of one tensor's or value's path.
	maxPath = 4096
	// maxKeyText bounds the text of a dictionary key that is a tuple.
	maxKeyText = 256

	// heldFixed and heldFactor bound what an open file keeps in memory, by its
	// size: values, names, modules. A None, one byte in the file, takes sixteen, so
	// a list of nothing else is refused beyond a quarter of a million; tensors take
	// less than their entries in the zip file.
	heldFixed, heldFactor = 4 << 20, 12

	// Shared objects are written once and may be met on many paths, 2^n of
	// them in a file of n lines. So what the walk meets is bounded by the
	// pickle's length: visits, and the bytes of all paths.
	visitsFixed, visitsFactor       = 4096, 2
	pathBytesFixed, pathBytesFactor = 1 << 16, 64
	// copyFactor bounds the elements copied by calls that copy a container,
	// which a few bytes can repeat, per byte of pickle.
	copyFixed, copyFactor = 4096, 2

	// A view can repeat its elements (stride 0) and many views can share one
	// storage: the bytes of all tensors, as they will be handed out, are
	// bounded by the file's size.
	dataFixed, dataFactor = 1 << 20, 64

	// maxInflated and inflatedFactor bound what compressed zip entries may
	// become, all together and each by its length in the file. torch.save never
	// compresses; a pickle that was compressed by other tools shrinks to a tenth.
	maxInflated, inflatedFixed, inflatedFactor = 1 << 20, 1 << 16, 32

	// gatherBytes is the most of a storage that is in memory at a time while
	// a view that is not contiguous is read.
	gatherBytes = 4 << 20
)
