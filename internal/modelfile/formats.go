package modelfile

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/unroll-ml/unroll/checkpoint"
	"github.com/unroll-ml/unroll/checkpoint/array/npy"
	"github.com/unroll-ml/unroll/checkpoint/keras"
	"github.com/unroll-ml/unroll/checkpoint/onnx"
	"github.com/unroll-ml/unroll/checkpoint/safetensors"
	"github.com/unroll-ml/unroll/checkpoint/torchfile"
)

// Format is a kind of file.
type Format string

// The formats, by the names that --to takes.
const (
	Safetensors Format = "safetensors"
	Torch       Format = "pt"
	ONNX        Format = "onnx"
	NPZ         Format = "npz"
	Folder      Format = "folder"
	// Sharded is an index of shards, HDF5 what Keras writes; neither is written.
	Sharded Format = "sharded"
	HDF5    Format = "h5"
)

// ErrUnknown is a file that no format claims.
var ErrUnknown = errors.New("unknown format")

// Row is one line of the table of formats.
type Row struct {
	Format  Format
	Endings []string // the first is the usual one
	What    string   // for people

	sniff func(p *probe) bool
	open  func(f *File, in *checkpoint.Input) error
	save  func(l *Loaded, path string, opset int64) error
}

// Writes reports whether Save takes the format.
func (r Row) Writes() bool { return r.save != nil }

// formats is the table of the formats that hold models. What a file is, its bytes
// say: the first row whose mark they bear. Where they bear none, as a pickle of
// protocol 0 and some ONNX files, its ending says it.
var formats []Row

func init() { // open and save refer back to the table
	formats = []Row{
		{Safetensors, []string{".safetensors", ".sft"}, "safetensors", sniffSafetensors, openSafetensors, saveSafetensors},
		{HDF5, []string{".h5", ".hdf5", ".keras"}, "Keras, HDF5", sniffKeras, openKeras, nil},
		{NPZ, []string{".npz"}, "arrays of numpy", sniffNPZ, openNPZ, saveNPZ},
		{Torch, []string{".pt", ".pth", ".pt2", ".ckpt", ".bin", ".tar", ".pkl", ".pickle", ".jit"}, "PyTorch", sniffTorch, openTorch, saveTorch},
		{Sharded, []string{".index.json", ".json"}, "an index of shards", sniffIndex, openIndex, nil},
		{ONNX, []string{".onnx"}, "ONNX", sniffONNX, openONNX, saveONNX},
	}
}

// probe is what the sniffing functions see.
type probe struct {
	in   *checkpoint.Input
	head []byte // the first bytes, 512 at most
	zip  []string
	read bool
}

// entries are the names in a zip file; nil if it is none.
func (p *probe) entries() []string {
	if !p.read && bytes.HasPrefix(p.head, []byte("PK")) {
		p.read = true
		if z, err := zip.NewReader(p.in, p.in.Size); err == nil {
			for _, e := range z.File {
				p.zip = append(p.zip, e.Name)
			}
		}
	}
	return p.zip
}

func sniffSafetensors(p *probe) bool {
	return len(p.head) > 8 && p.head[8] == '{' && binary.LittleEndian.Uint64(p.head) <= uint64(p.in.Size-8)
}

func sniffKeras(p *probe) bool {
	return bytes.HasPrefix(p.head, []byte("\x89HDF\r\n\x1a\n")) || slices.Contains(p.entries(), "model.weights.h5")
}

func sniffNPZ(p *probe) bool {
	all := p.entries()
	return len(all) > 0 && strings.HasSuffix(all[0], ".npy")
}

// sniffTorch: any other zip file has a message of its own there.
func sniffTorch(p *probe) bool {
	return bytes.HasPrefix(p.head, []byte("PK\x03\x04")) || len(p.head) > 1 && p.head[0] == 0x80 && p.head[1] <= 5
}

func sniffIndex(p *probe) bool {
	return len(p.head) > 0 && bytes.TrimLeft(p.head, " \t\r\n") != nil && bytes.HasPrefix(bytes.TrimLeft(p.head, " \t\r\n"), []byte("{"))
}

// sniffONNX: a protocol buffer whose first field is the IR's version, followed
// by one of the other fields of a model.
func sniffONNX(p *probe) bool {
	return len(p.head) > 2 && p.head[0] == 0x08 && p.head[1] > 0 && p.head[1] < 64 && slices.Contains([]byte{0x12, 0x1a, 0x22, 0x28, 0x32, 0x3a, 0x42}, p.head[2])
}

// row returns the table's line of a format.
func row(format Format) *Row {
	for i := range formats {
		if formats[i].Format == format {
			return &formats[i]
		}
	}
	return nil
}

// byEnding returns the line whose ending a name has.
func byEnding(path string) *Row {
	name := strings.ToLower(filepath.Base(path))
	for i := range formats {
		for _, e := range formats[i].Endings {
			if strings.HasSuffix(name, e) && len(name) > len(e) {
				return &formats[i]
			}
		}
	}
	return nil
}

// knownEndings lists what byEnding knows, or what Save writes.
func knownEndings(written bool) string {
	var all []string
	for _, r := range formats {
		if r.Writes() || !written {
			all = append(all, r.Endings[:min(3, len(r.Endings))]...)
		}
	}
	return strings.Join(all, ", ")
}

// FormatOf tells the format by a name's ending, for a file that is to be
// written; a name without one, or that of a folder that is there, is a model
// folder.
func FormatOf(path string) (Format, error) {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return Folder, nil
	}
	if r := byEnding(path); r != nil {
		return r.Format, nil
	}
	if filepath.Ext(path) == "" {
		return Folder, nil
	}
	return "", fmt.Errorf("%w: %q: the ending is none of %s, and it is no folder", ErrUnknown, path, knownEndings(true))
}

// detect returns the line of the table for an open file: what its bytes say, or
// else its ending.
func detect(path string, in *checkpoint.Input) (*Row, error) {
	head := make([]byte, min(512, in.Size))
	if _, err := in.ReadAt(head, 0); err != nil && !errors.Is(err, io.EOF) {
		return nil, &checkpoint.Error{File: path, Reason: "reading failed: " + err.Error(), Err: err}
	}
	p := &probe{in: in, head: head}
	for i := range formats {
		if formats[i].sniff(p) {
			return &formats[i], nil
		}
	}
	if r := byEnding(path); r != nil {
		return r, nil
	}
	return nil, fmt.Errorf("%w: %s: neither its first bytes (% x) nor its ending %q are those of a file of weights: %s", ErrUnknown, path, head[:min(8, len(head))], filepath.Ext(path), knownEndings(false))
}

func openSafetensors(f *File, in *checkpoint.Input) error {
	s, err := safetensors.NewNamed(in, in.Size, f.Path)
	if err == nil {
		f.Source, f.Meta = s, s.Metadata()
	}
	return err
}

func openTorch(f *File, in *checkpoint.Input) error {
	t, err := torchfile.New(in, in.Size, f.Path)
	if err == nil {
		f.Source, f.Torch = t, t
	}
	return err
}

func openNPZ(f *File, in *checkpoint.Input) error {
	a, err := npy.NewNamedArchive(in, in.Size, f.Path)
	if err == nil {
		f.Source = a
	}
	return err
}

func openONNX(f *File, in *checkpoint.Input) (err error) {
	if info, e := os.Stat(f.Path); e == nil && info.Mode().IsRegular() {
		f.ONNX, err = onnx.Open(f.Path) // with the files beside it
	} else {
		b := make([]byte, in.Size)
		if _, err := in.ReadAt(b, 0); err != nil && !errors.Is(err, io.EOF) {
			return &checkpoint.Error{File: f.Path, Reason: "reading failed: " + err.Error(), Err: err}
		}
		f.ONNX, err = onnx.Parse(b, f.Path)
	}
	if err == nil {
		f.Source, f.Meta, f.closer = f.ONNX, f.ONNX.Metadata(), f.ONNX
	}
	return err
}

func openKeras(f *File, in *checkpoint.Input) error {
	m, err := keras.Read(in, in.Size, f.Path)
	if err == nil {
		f.Source, f.Keras = m, m
	}
	return err
}
