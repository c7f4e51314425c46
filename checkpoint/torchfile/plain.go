package torchfile

import (
	"bytes"
	"fmt"
	"io"
	"regexp"
)

// Pickles that are no file of torch.save, of numpy arrays or of PyTorch's
// tensors: pickle.dump(state_dict, f). Python writes an array as its bytes, and a
// tensor's storage as the bytes of a small file of torch.save.

// textPickle tells a pickle of protocol 0 or 1, which has no mark of its own: a
// dictionary, list, tuple, or a class by name.
var textPickle = regexp.MustCompile(`^(\((dp|lp|d|l|t)|[\]}](q|r|p|\()|\(c[a-zA-Z_]|c[a-zA-Z_][a-zA-Z_.0-9]*\n[a-zA-Z_]+\n)`)

// plain is a pickle by itself, whose first value was read; anything after it
// makes the file something else.
func (l *legacy) plain(root any) (any, int64, error) {
	if n := l.c.left(); n > 0 {
		return nil, 0, l.fail("first pickle", "it is %s, expected PyTorch's magic number, or the end of the file for a pickle by itself; %d bytes follow", kind(root), n)
	}
	return root, l.size, nil
}

// inside reads a file of torch.save that lies in this one, and returns what its
// pickle held.
func (f *File) inside(r io.ReaderAt, size int64) (any, int64, error) {
	if f.inner {
		return nil, 0, f.fail("", "a checkpoint in a checkpoint in a checkpoint")
	}
	in := &File{name: f.name, r: r, size: size, inner: true}
	if err := in.parse(); err != nil {
		return nil, 0, fmt.Errorf("in the file of torch.save in it: %w", err)
	}
	f.held += in.held
	return in.root, in.pickle, nil
}

// loadFromBytes is torch.storage._load_from_bytes, with which Python pickles a
// storage outside of torch.save.
func loadFromBytes(m *machine, args []any) (any, error) {
	if len(args) != 1 {
		return nil, errArgs
	}
	b, ok := args[0].(pyBytes)
	if !ok || m.inside == nil {
		return nil, errArgs
	}
	if !m.spend(len(b)) {
		return none{}, nil
	}
	root, _, err := m.inside(bytes.NewReader([]byte(b)), int64(len(b)))
	return root, err
}
