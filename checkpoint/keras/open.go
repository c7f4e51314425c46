package keras

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/unroll-ml/unroll/checkpoint"
	"github.com/unroll-ml/unroll/checkpoint/hdf5"
)

// Limits on a .keras archive, which Keras writes without compression.
const (
	// maxEntries bounds the files in it, as each takes memory.
	maxEntries = 1 << 12
	// inflateFixed and inflateFactor bound what compressed entries become
	// together.
	inflateFixed, inflateFactor = 1 << 20, 64
)

// Open opens a file of Keras by its contents: a .keras archive, a whole model in
// HDF5, or weights alone in HDF5, of Keras 2 or 3. Close releases it. What is
// wrong with the bytes is a checkpoint.ErrFormat.
func Open(path string) (*Model, error) {
	in, err := os.Open(path)
	if err != nil {
		return nil, &checkpoint.Error{File: path, Reason: "it cannot be opened: " + err.Error(), Err: err}
	}
	info, err := in.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = &checkpoint.Error{File: path, Reason: "it is not a regular file"}
	}
	var m *Model
	if err == nil {
		m, err = Read(in, info.Size(), path)
	}
	if err != nil {
		_ = in.Close() // it was only read
		return nil, err
	}
	m.close = in.Close
	return m, nil
}

// Read reads a file of size bytes from r, which must stay readable and
// unchanged as long as the Model is used. name stands for the file in errors.
func Read(r io.ReaderAt, size int64, name string) (*Model, error) {
	m := &Model{file: name}
	var head [4]byte
	n, err := r.ReadAt(head[:], 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, m.fail("reading failed: %v", err)
	}
	if string(head[:n]) == "PK\x03\x04" {
		err = m.archive(r, size)
	} else {
		err = m.whole(r, size)
	}
	if err != nil {
		return nil, err
	}
	return m, nil
}

// Assemble puts settings (what Keras's to_json gives, or config.json of a
// .keras archive) and a file of weights alone together. name stands for the
// settings in errors.
func Assemble(settings []byte, name string, weights *hdf5.File) (*Model, error) {
	m := &Model{file: name, weights: weights}
	if err := m.config(settings); err != nil {
		return nil, err
	}
	m.file = weights.Name()
	if err := m.attach(); err != nil {
		return nil, err
	}
	return m, nil
}

// whole reads an HDF5 file: its attribute model_config has the settings.
func (m *Model) whole(r io.ReaderAt, size int64) error {
	var err error
	if m.weights, err = hdf5.New(r, size, m.file); err != nil {
		return err
	}
	for _, group := range []string{"", "model_weights"} {
		if a, ok := m.weights.Attribute(group, "keras_version"); ok && m.Version == "" {
			m.Version, _ = a.Text()
		}
	}
	if a, ok := m.weights.Attribute("", "model_config"); ok {
		m.place = "attribute model_config"
		text, ok := a.Text()
		if !ok {
			return m.fail("it is %s of shape %v, expected one string", a.Type, a.Shape)
		}
		if err := m.config([]byte(text)); err != nil {
			return err
		}
	}
	return m.attach()
}

// archive reads a .keras file: config.json, metadata.json, model.weights.h5.
func (m *Model) archive(r io.ReaderAt, size int64) error {
	z, err := zip.NewReader(r, size)
	if err != nil {
		return m.fail("its zip directory cannot be read, the file is cut off or damaged: %v", err)
	}
	if len(z.File) > maxEntries {
		return m.fail("it has %d entries, at most %d are read", len(z.File), maxEntries)
	}
	u := unzip{m: m, r: r, size: size, left: inflateFixed + inflateFactor*size, entries: map[string]*zip.File{}}
	for _, e := range z.File {
		if u.entries[e.Name] != nil {
			return m.fail("entry %s is there twice", short(e.Name))
		}
		u.entries[e.Name] = e
	}
	if u.entries["config.json"] == nil {
		return m.fail("there is no entry config.json among its %d entries: this is not a file of Keras", len(z.File))
	}
	if err := u.metadata(); err != nil {
		return err
	}
	settings, err := u.bytes("config.json")
	if err != nil {
		return err
	}
	m.place = "entry config.json"
	if err := m.config(settings); err != nil {
		return err
	}
	m.place = ""
	if u.entries["model.weights.h5"] == nil {
		for name := range u.entries {
			if strings.HasPrefix(name, "model.weights") || strings.HasPrefix(name, "model_") && strings.HasSuffix(name, ".h5") {
				return m.fail("its weights are in %s; only those in one model.weights.h5 are read", short(name))
			}
		}
		return m.fail("there is no entry model.weights.h5")
	}
	w, n, err := u.open("model.weights.h5")
	if err != nil {
		return err
	}
	if m.weights, err = hdf5.New(w, n, m.file+": model.weights.h5"); err != nil {
		return err
	}
	return m.attach()
}

// unzip reads entries within a budget.
type unzip struct {
	m       *Model
	r       io.ReaderAt
	size    int64
	left    int64
	entries map[string]*zip.File
}

// open returns an entry's bytes: a part of the file, or in memory if it is
// compressed.
func (u *unzip) open(name string) (io.ReaderAt, int64, error) {
	e := u.entries[name]
	at, err := e.DataOffset()
	switch {
	case err != nil:
		return nil, 0, u.m.fail("the header of entry %s cannot be read: %v", name, err)
	case e.Flags&1 != 0:
		return nil, 0, u.m.fail("entry %s is encrypted", name)
	case e.CompressedSize64 > uint64(u.size) || at > u.size-int64(e.CompressedSize64):
		return nil, 0, u.m.fail("the %d bytes of entry %s at byte %d reach beyond the file's %d", e.CompressedSize64, name, at, u.size)
	case e.Method == zip.Store && e.CompressedSize64 == e.UncompressedSize64:
		n := int64(e.CompressedSize64)
		return io.NewSectionReader(u.r, at, n), n, nil
	case e.Method != zip.Deflate:
		return nil, 0, u.m.fail("entry %s is compressed by method %d, expected none or deflate", name, e.Method)
	case e.UncompressedSize64 > uint64(u.left):
		return nil, 0, u.m.fail("entry %s becomes %d bytes; at most %d are unpacked, %d times the file's size and 1 MiB", name, e.UncompressedSize64, inflateFixed+inflateFactor*u.size, inflateFactor)
	}
	u.left -= int64(e.UncompressedSize64)
	b := make([]byte, e.UncompressedSize64)
	r, err := e.Open()
	if err == nil {
		_, err = io.ReadFull(r, b)
		_ = r.Close() // it only gives the decompressor back
	}
	if err != nil {
		return nil, 0, u.m.fail("entry %s cannot be unpacked: %v", name, err)
	}
	return bytes.NewReader(b), int64(len(b)), nil
}

// bytes reads an entry into memory.
func (u *unzip) bytes(name string) ([]byte, error) {
	r, n, err := u.open(name)
	if err != nil {
		return nil, err
	}
	b := make([]byte, n)
	if _, err := r.ReadAt(b, 0); err != nil && !errors.Is(err, io.EOF) {
		return nil, u.m.fail("entry %s: reading failed: %v", name, err)
	}
	return b, nil
}

// metadata reads which Keras wrote the file.
func (u *unzip) metadata() error {
	if u.entries["metadata.json"] == nil {
		return nil
	}
	b, err := u.bytes("metadata.json")
	if err != nil {
		return err
	}
	var data struct {
		Version string `json:"keras_version"`
	}
	if err := json.Unmarshal(b, &data); err != nil {
		return u.m.fail("entry metadata.json: %s", fmt.Sprint(err))
	}
	u.m.Version = data.Version
	return nil
}
