package torchfile

// Limits. Each names the attack it answers; none is reached by what torch.save
// writes for a real model. Together they hold the promise in the package
// comment: opening allocates at most openFixed + openFactor times the file.
const (
	openFixed, openFactor = 1 << 20, 384
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

	// maxInflated bounds what compressed zip entries may become, all together.
	// torch.save never compresses.
	maxInflated = 1 << 20

	// gatherBytes is the most of a storage that is in memory at a time while
	// a view that is not contiguous is read.
	gatherBytes = 4 << 20
)
