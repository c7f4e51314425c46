package torchfile

import (
	"archive/zip"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/unroll-ml/unroll/checkpoint"
	"github.com/unroll-ml/unroll/internal/atomicfile"
)

// storages are the classes of storages by element type.
var storages = func() map[checkpoint.DType]string {
	classes := map[checkpoint.DType]string{}
	for name, d := range dtypes {
		if d.dtype != checkpoint.Unknown && strings.HasSuffix(name, "Storage") {
			classes[d.dtype] = name
		}
	}
	return classes
}()

// Write writes all tensors of src as torch.save writes a state_dict: an
// OrderedDict in the zip format, which torch.load reads with weights_only too.
// Each tensor has a storage of its own. It is an ErrDType for an element type
// whose storage PyTorch 1.6 does not have; equal input gives equal bytes.
func Write(w io.Writer, src checkpoint.Source) error {
	out := &counter{w: w}
	z := zip.NewWriter(out)
	put := func(name string, data []byte) error {
		if err := z.Flush(); err != nil {
			return err
		}
		h := &zip.FileHeader{
			Name: "archive/" + name, Method: zip.Store, CRC32: crc32.ChecksumIEEE(data),
			CompressedSize64: uint64(len(data)), UncompressedSize64: uint64(len(data)),
		}
		// Data begins at a multiple of 64, as PyTorch's does, so that it can be
		// mapped: an extra field fills up.
		const header, field = 30, 4
		pad := int(-(out.n + header + int64(len(h.Name)) + field) & 63)
		h.Extra = binary.LittleEndian.AppendUint16([]byte("FB"), uint16(pad))
		h.Extra = append(h.Extra, make([]byte, pad)...)
		e, err := z.CreateRaw(h)
		if err == nil {
			_, err = e.Write(data)
		}
		return err
	}
	src = checkpoint.Indexed(src)
	names := src.Names()
	pickle, err := stateDict(src, names)
	if err != nil {
		return err
	}
	if err := put("data.pkl", pickle); err != nil {
		return err
	}
	if err := put("byteorder", []byte("little")); err != nil {
		return err
	}
	for i, name := range names {
		t, err := src.Tensor(name)
		if err == nil {
			err = t.Check()
		}
		if err == nil {
			err = put("data/"+strconv.Itoa(i), t.Data)
		}
		if err != nil {
			return err
		}
	}
	if err := put("version", []byte("3\n")); err != nil {
		return err
	}
	return z.Close()
}

// WriteFile is Write for a path, which it replaces as a whole or not at all.
func WriteFile(path string, src checkpoint.Source) error {
	return atomicfile.Write(path, func(w io.Writer) error { return Write(w, src) })
}

// stateDict is the pickle of an OrderedDict of tensors, protocol 2. Objects are
// written out wherever they are used; nothing is memoized.
func stateDict(src checkpoint.Source, names []string) ([]byte, error) {
	const empty = "ccollections\nOrderedDict\n)R"
	p := []byte("\x80\x02" + empty + "(")
	seen := map[string]bool{}
	for i, name := range names {
		info, ok := src.Info(name)
		if !ok {
			return nil, checkpoint.Missing("", name)
		}
		class, ok := storages[info.DType]
		switch {
		case seen[name]:
			return nil, &checkpoint.Error{Tensor: name, Reason: "there are two of this name"}
		case !utf8.ValidString(name):
			return nil, &checkpoint.Error{Tensor: name, Reason: "its name is not UTF-8"}
		case !ok:
			return nil, &checkpoint.Error{Tensor: name, Reason: fmt.Sprintf("element type %s is not written", info.Type()), Err: checkpoint.ErrDType}
		}
		seen[name] = true
		p = appendText(p, name)
		p = append(p, "ctorch._utils\n_rebuild_tensor_v2\n(("...)
		p = appendText(p, "storage")
		p = append(p, "ctorch\n"+class+"\n"...)
		p = appendText(appendText(p, strconv.Itoa(i)), "cpu")
		p = append(appendInt(p, info.Len()), "tQ"...)
		p = append(appendInt(p, 0), '(') // the offset
		for _, n := range info.Shape {
			p = appendInt(p, n)
		}
		p = append(p, "t("...)
		for d := range info.Shape {
			stride := 1
			for _, n := range info.Shape[d+1:] {
				stride *= max(1, n)
			}
			p = appendInt(p, stride)
		}
		p = append(p, "t\x89"+empty+"tR"...) // requires no gradient, no hooks
	}
	return append(p, "u."...), nil
}

// appendText writes BINUNICODE.
func appendText(p []byte, s string) []byte {
	return append(binary.LittleEndian.AppendUint32(append(p, 'X'), uint32(len(s))), s...)
}

// appendInt writes BININT1, BININT or LONG1; n is not negative.
func appendInt(p []byte, n int) []byte {
	switch {
	case n < 1<<8:
		return append(p, 'K', byte(n))
	case n <= math.MaxInt32:
		return binary.LittleEndian.AppendUint32(append(p, 'J'), uint32(n))
	}
	return binary.LittleEndian.AppendUint64(append(p, 0x8a, 8), uint64(n))
}

// counter knows where in the file it is.
type counter struct {
	w io.Writer
	n int64
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}
