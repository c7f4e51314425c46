package torchfile

import (
	"archive/zip"
	"cmp"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/unroll-ml/unroll/checkpoint"
)

// archive is the zip file of PyTorch 1.6 and later: NAME/data.pkl, the pickle;
// NAME/data/KEY, one entry for each storage; NAME/byteorder and NAME/version.
type archive struct {
	f        *File
	prefix   string // "NAME/"
	export2  string // the entry of a .pt2 file's weights; "": data.pkl
	entries  map[string]*span
	records  map[string]*record
	inflated int64 // bytes made of compressed entries so far
	big      bool  // storages are big-endian
}

// span is an entry and where its bytes begin in the file.
type span struct {
	*zip.File
	off int64
}

// maxVersion is the newest record "version" whose meaning is known, the limit
// PyTorch itself has.
const maxVersion = 10

func (f *File) readZip() (any, int64, error) {
	a := &archive{f: f, records: make(map[string]*record)}
	if err := a.directory(); err != nil {
		return nil, 0, err
	}
	if err := a.versions(); err != nil {
		return nil, 0, err
	}
	if a.export2 != "" {
		return a.export(a.export2)
	}
	r, err := a.open("data.pkl")
	if err != nil {
		return nil, 0, err
	}
	m := &machine{
		c: newCursor(r.r, r.off, r.size), file: f.name, place: a.prefix + "data.pkl", base: r.off, size: f.size,
		persistent: func(id any) (any, error) { return parseStorage(id, a.storage) },
		inside:     f.inside,
	}
	root, err := m.run()
	f.held += m.held
	return root, m.read(), err
}

// directory reads the list of entries and checks that they lie apart from each
// other inside the file, each name once, under one prefix.
func (a *archive) directory() error {
	z, err := zip.NewReader(a.f.r, a.f.size)
	if err != nil {
		return a.f.fail("zip directory", "it cannot be read, the file is cut off or damaged: %v", err)
	}
	a.entries = make(map[string]*span, len(z.File))
	spans := make([]span, 0, len(z.File))
	for _, e := range z.File {
		off, err := e.DataOffset()
		if err != nil {
			return a.f.fail("zip entry "+short(e.Name), "its header cannot be read: %v", err)
		}
		switch {
		case e.Flags&1 != 0:
			return a.f.fail("zip entry "+short(e.Name), "it is encrypted")
		case e.Method != zip.Store && e.Method != zip.Deflate:
			return a.f.fail("zip entry "+short(e.Name), "it is compressed by method %d; PyTorch stores without compression", e.Method)
		case e.CompressedSize64 > uint64(a.f.size) || off > a.f.size-int64(e.CompressedSize64):
			return a.f.fail("zip entry "+short(e.Name), "its %d bytes at %d reach beyond the file's %d", e.CompressedSize64, off, a.f.size)
		case e.Method == zip.Store && e.CompressedSize64 != e.UncompressedSize64:
			return a.f.fail("zip entry "+short(e.Name), "it is stored but says it has two sizes, %d and %d", e.CompressedSize64, e.UncompressedSize64)
		}
		spans = append(spans, span{e, off})
		s := &spans[len(spans)-1] // spans never grows beyond its capacity
		if a.entries[e.Name] != nil {
			return a.f.fail("zip entry "+short(e.Name), "it is there twice")
		}
		a.entries[e.Name] = s
		if p, ok := strings.CutSuffix(e.Name, "/data.pkl"); ok && !strings.Contains(p, "/") {
			if a.prefix != "" {
				return a.f.fail("zip entry "+short(e.Name), "it is the second data.pkl beside %s", short(a.prefix+"data.pkl"))
			}
			a.prefix = p + "/"
		}
	}
	if p, entry, ok := a.exported(); a.prefix == "" && ok {
		a.prefix, a.export2 = p, entry
		return a.f.apart(spans)
	}
	if a.prefix == "" {
		return a.f.fail("zip directory", "there is no NAME/data.pkl among its %d entries: this is not a file of torch.save", len(z.File))
	}
	a.f.program = a.entries[a.prefix+"constants.pkl"] != nil
	return a.f.apart(spans)
}

// apart refuses entries whose bytes overlap: one stored byte would count many
// times. It reorders spans.
func (f *File) apart(spans []span) error {
	order := make([]*span, len(spans))
	for i := range spans {
		order[i] = &spans[i]
	}
	slices.SortFunc(order, func(x, y *span) int { return cmp.Compare(x.off, y.off) })
	for i, s := range order[min(1, len(order)):] {
		before := order[i]
		if end := before.off + int64(before.CompressedSize64); end > s.off {
			return f.fail("zip entry "+short(s.Name), "its bytes begin at %d, inside those of entry %s, which end at %d", s.off, short(before.Name), end)
		}
	}
	return nil
}

// versions checks the small records that say how the others are written.
func (a *archive) versions() error {
	if s, ok, err := a.text("version"); err != nil {
		return err
	} else if v, e := strconv.Atoi(strings.TrimSpace(s)); ok && (e != nil || v < 1 || v > maxVersion) {
		return a.f.fail("zip entry "+short(a.prefix+"version"), "version %.20q, expected 1 to %d", s, maxVersion)
	}
	s, ok, err := a.text("byteorder")
	if err != nil {
		return err
	}
	if ok && s != "little" && s != "big" {
		return a.f.fail("zip entry "+short(a.prefix+"byteorder"), "byte order %.20q, expected little or big", s)
	}
	a.big = s == "big"
	return nil
}

// text returns a record of at most 32 bytes; false if there is none.
func (a *archive) text(name string) (string, bool, error) {
	if a.entries[a.prefix+name] == nil {
		return "", false, nil
	}
	r, err := a.open(name)
	if err != nil {
		return "", false, err
	}
	b := make([]byte, min(r.size, 32))
	if _, err := r.r.ReadAt(b, r.off); err != nil && !errors.Is(err, io.EOF) {
		return "", false, a.f.fail("zip entry "+short(a.prefix+name), "reading failed: %v", err)
	}
	return string(b), true, nil
}

// storage finds the record of a storage and checks that it is large enough.
func (a *archive) storage(key string, numel int64, d dtype) (*record, error) {
	r, err := a.record("data/" + key)
	if err != nil {
		return nil, err
	}
	if size := numel * d.size; r.size < size {
		return nil, a.f.fail("zip entry "+short(a.prefix+"data/"+key), "it has %d bytes, its storage needs %d", r.size, size)
	}
	return r, nil
}

// record returns an entry that holds a storage.
func (a *archive) record(name string) (*record, error) {
	if r := a.records[name]; r != nil {
		return r, nil
	}
	r, err := a.open(name)
	if err != nil {
		return nil, err
	}
	r.key, r.big = name[strings.LastIndexByte(name, '/')+1:], a.big
	a.records[name] = r
	return r, nil
}

// open returns the bytes of an entry: a part of the file, or in memory if the
// entry is compressed.
func (a *archive) open(name string) (*record, error) {
	name = a.prefix + name
	e := a.entries[name]
	if e == nil {
		return nil, a.f.fail("zip directory", "there is no entry %s", short(name))
	}
	if e.Method == zip.Store {
		return &record{r: a.f.r, off: e.off, size: int64(e.UncompressedSize64), file: !a.f.inner}, nil
	}
	if most := uint64(inflatedFixed + inflatedFactor*e.CompressedSize64); e.UncompressedSize64 > most {
		return nil, a.f.fail("zip entry "+short(name), "its %d bytes are compressed and become %d; PyTorch stores without compression, and at most %d are unpacked of them", e.CompressedSize64, e.UncompressedSize64, most)
	}
	if e.UncompressedSize64 > uint64(maxInflated-a.inflated) {
		return nil, a.f.fail("zip entry "+short(name), "it is compressed and becomes %d bytes; PyTorch stores without compression, and at most %d bytes are unpacked", e.UncompressedSize64, maxInflated)
	}
	b := make([]byte, e.UncompressedSize64)
	r, err := e.Open()
	if err == nil {
		_, err = io.ReadFull(r, b)
		_ = r.Close() // it only gives the decompressor back
	}
	if err != nil {
		return nil, a.f.fail("zip entry "+short(name), "it cannot be unpacked: %v", err)
	}
	a.inflated += int64(len(b))
	return &record{r: bytesAt(b), size: int64(len(b))}, nil
}

// short is a name from a file, safe to print.
func short(s string) string {
	if len(s) > 80 {
		s = s[:80] + "…"
	}
	if q := strconv.Quote(s); len(q) != len(s)+2 {
		return q
	}
	return s
}

// fail is an error about this file.
func (f *File) fail(place, format string, args ...any) error {
	return &checkpoint.Error{File: f.name, Place: place, Reason: fmt.Sprintf(format, args...)}
}

type bytesAt []byte

// ReadAt reads as io.ReaderAt says.
func (b bytesAt) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 || off > math.MaxInt || int(off) > len(b) {
		return 0, io.EOF
	}
	n := copy(p, b[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}
