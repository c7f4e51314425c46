package npy

import (
	"archive/zip"
	"bytes"
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/unroll-ml/unroll/checkpoint"
)

// maxRatio is how much larger an entry may become than it is in the archive.
// Deflate cannot exceed 1032.
const maxRatio = 1040

// maxUnpacked is how many bytes the arrays of an archive of a size may have in
// all. Numbers that are weights or measurements shrink to a half by deflate,
// and zeros to a thousandth.
func maxUnpacked(size int64) int64 { return 64<<20 + 20*size }

// Archive is an opened .npz file, a checkpoint.Opener. Its methods may be
// called from several goroutines at once, Close only after them.
type Archive struct {
	name    string
	closer  io.Closer
	names   []string
	entries map[string]entry
}

type entry struct {
	header
	file *zip.File
}

// OpenArchive opens a .npz file and reads the headers in it. Errors name the
// path.
func OpenArchive(path string) (*Archive, error) {
	in, err := checkpoint.OpenInput(path)
	if err != nil {
		return nil, err
	}
	a, err := newArchive(path, in, in.Size)
	if err != nil {
		_ = in.Close() // it was only read
		return nil, err
	}
	a.closer = in
	return a, nil
}

// NewArchive reads the headers of a .npz file of size bytes held by r, which
// must stay valid as long as the Archive is used.
func NewArchive(r io.ReaderAt, size int64) (*Archive, error) { return newArchive("npz", r, size) }

// NewNamedArchive is NewArchive with a name for errors.
func NewNamedArchive(r io.ReaderAt, size int64, name string) (*Archive, error) {
	return newArchive(name, r, size)
}

func newArchive(name string, r io.ReaderAt, size int64) (*Archive, error) {
	z, err := zip.NewReader(r, size)
	if err != nil {
		return nil, &checkpoint.Error{File: name, Reason: "this is no .npz file: " + err.Error()}
	}
	a := &Archive{name: name, entries: map[string]entry{}}
	if err := disjoint(z.File, size); err != nil {
		return nil, in(name, "", err)
	}
	left := maxUnpacked(size)
	for _, f := range z.File {
		key, ok := strings.CutSuffix(f.Name, ".npy")
		fail := func(format string, args ...any) (*Archive, error) {
			return nil, &checkpoint.Error{File: name, Place: fmt.Sprintf("entry %.200q", f.Name), Reason: fmt.Sprintf(format, args...)}
		}
		switch _, twice := a.entries[key]; {
		case !ok:
			return fail("a .npz file holds .npy files only")
		case twice:
			return fail("it stands there twice")
		case f.Method != zip.Store && f.Method != zip.Deflate:
			return fail("compression method %d is not known; 0 and 8 are", f.Method)
		case f.Method == zip.Store && f.CompressedSize64 != f.UncompressedSize64:
			return fail("it is stored but says it has two sizes, %d and %d", f.CompressedSize64, f.UncompressedSize64)
		case f.UncompressedSize64/maxRatio > f.CompressedSize64:
			return fail("it says that %d bytes become %d, more than deflate can do", f.CompressedSize64, f.UncompressedSize64)
		case f.UncompressedSize64 > uint64(left):
			return fail("its %d bytes become %d; the arrays of an archive of %d bytes may have %d in all: write it with numpy.savez, which does not compress", f.CompressedSize64, f.UncompressedSize64, size, maxUnpacked(size))
		}
		left -= int64(f.UncompressedSize64)
		e, err := openEntry(f, key)
		if err != nil {
			return nil, in(name, key, err)
		}
		a.names = append(a.names, key)
		a.entries[key] = e
	}
	return a, nil
}

// disjoint checks that no two entries share bytes: an archive in which they
// do can be made to unpack to any size.
func disjoint(files []*zip.File, size int64) error {
	type span struct{ from, to int64 }
	var spans []span
	for _, f := range files {
		at, err := f.DataOffset()
		n := f.CompressedSize64
		if err != nil || n > uint64(size) || at > size-int64(n) {
			return &checkpoint.Error{Place: fmt.Sprintf("entry %.200q", f.Name), Reason: "its data lies outside the file"}
		}
		if n > 0 {
			spans = append(spans, span{at, at + int64(n)})
		}
	}
	slices.SortFunc(spans, func(a, b span) int { return cmp.Compare(a.from, b.from) })
	for i := 1; i < len(spans); i++ {
		if spans[i].from < spans[i-1].to {
			return &checkpoint.Error{Place: fmt.Sprintf("byte %d", spans[i].from), Reason: "two entries of the archive overlap"}
		}
	}
	return nil
}

func openEntry(f *zip.File, key string) (entry, error) {
	r, err := f.Open()
	if err != nil {
		return entry{}, err
	}
	defer r.Close()
	h, at, err := readHeader(r, key)
	if err != nil {
		return entry{}, err
	}
	return entry{h, f}, checkEnd(h, int64(f.UncompressedSize64)-at)
}

// Close closes the file if OpenArchive opened it.
func (a *Archive) Close() error {
	if a.closer == nil {
		return nil
	}
	return a.closer.Close()
}

// Name returns the path, or "npz" after NewArchive.
func (a *Archive) Name() string { return a.name }

// Names returns the arrays' names in the archive's order, without ".npy".
func (a *Archive) Names() []string { return slices.Clone(a.names) }

// Info describes an array. The shape is shared and must not be changed.
func (a *Archive) Info(name string) (checkpoint.Info, bool) {
	e, ok := a.entries[name]
	return e.Info, ok
}

// Tensor reads an array into memory of its own and checks the archive's sum
// over it.
func (a *Archive) Tensor(name string) (checkpoint.Tensor, error) {
	e, ok := a.entries[name]
	if !ok {
		return checkpoint.Tensor{}, checkpoint.Missing(a.name, name)
	}
	t, err := e.tensor()
	if err != nil {
		return checkpoint.Tensor{}, in(a.name, name, err)
	}
	return t, nil
}

// OpenTensor returns a reader over an array's elements, which unpacks as it is
// read; the archive's sum is checked where it ends. An array that is not
// little-endian in C order is unpacked and put in order first.
func (a *Archive) OpenTensor(name string) (checkpoint.Info, io.Reader, error) {
	e, ok := a.entries[name]
	if !ok || e.big || e.fortran {
		t, err := a.Tensor(name)
		return t.Info, bytes.NewReader(t.Data), err
	}
	r, err := e.file.Open()
	if err != nil {
		return e.Info, nil, in(a.name, name, err)
	}
	if _, _, err := readHeader(r, e.Name); err != nil {
		_ = r.Close() // it only gives the decompressor back
		return e.Info, nil, in(a.name, name, err)
	}
	return e.Info, &unpacking{r: r, left: e.Bytes, archive: a.name, name: name}, nil
}

// unpacking reads the elements of an entry, and what follows them, which must be
// nothing, with the last.
type unpacking struct {
	r             io.ReadCloser
	left          int64
	archive, name string
}

// Read reads as io.Reader says.
func (u *unpacking) Read(p []byte) (int, error) {
	if u.left == 0 {
		return 0, io.EOF
	}
	n, err := u.r.Read(p[:min(int64(len(p)), u.left)])
	u.left -= int64(n)
	if u.left > 0 {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			err = in(u.archive, u.name, err)
		}
		return n, err
	}
	rest, err := io.Copy(io.Discard, u.r)
	_ = u.r.Close() // it only gives the decompressor back
	if err == nil && rest > 0 {
		err = &checkpoint.Error{Place: "end of the entry", Reason: fmt.Sprintf("%d bytes follow the array", rest)}
	}
	if err != nil {
		return n, in(u.archive, u.name, err)
	}
	return n, nil
}

func (e entry) tensor() (checkpoint.Tensor, error) {
	r, err := e.file.Open()
	if err != nil {
		return checkpoint.Tensor{}, err
	}
	defer r.Close()
	if _, _, err := readHeader(r, e.Name); err != nil {
		return checkpoint.Tensor{}, err
	}
	t, err := e.read(r)
	if err != nil {
		return t, err
	}
	// The archive's sum is checked where the entry ends.
	if n, err := io.Copy(io.Discard, r); err != nil || n > 0 {
		return t, &checkpoint.Error{Place: "end of the entry", Reason: fmt.Sprintf("%d bytes follow the array: %v", n, err)}
	}
	return t, nil
}

// WriteArchive writes all tensors of src as a .npz file, uncompressed as
// numpy.savez does it, one in memory at a time. The same input gives the same
// bytes.
func WriteArchive(w io.Writer, src checkpoint.Source) error {
	src = checkpoint.Indexed(src)
	z := zip.NewWriter(w)
	seen := map[string]bool{}
	for _, name := range src.Names() {
		if seen[name] {
			return &checkpoint.Error{Tensor: name, Reason: "the name is there twice; rename one of them"}
		}
		seen[name] = true
		t, err := src.Tensor(name)
		if err != nil {
			return err
		}
		var head bytes.Buffer
		if err := writeHeader(&head, t); err != nil {
			return err
		}
		f, err := z.CreateHeader(&zip.FileHeader{Name: name + ".npy", Method: zip.Store})
		if err != nil {
			return err
		}
		if _, err := f.Write(head.Bytes()); err != nil {
			return err
		}
		if _, err := f.Write(t.Data); err != nil {
			return err
		}
	}
	return z.Close()
}
