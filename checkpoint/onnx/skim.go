package onnx

import (
	"bufio"
	"bytes"
	"fmt"
	"io"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/unroll-ml/unroll/checkpoint"
	"github.com/unroll-ml/unroll/internal/kernel"
)

// minHeld is from how many bytes on the numbers of a constant stay in the file until
// they are asked for. A file of less than minSkimmed is read whole. Tests lower them.
var (
	minHeld    = 1 << 12
	minSkimmed = int64(1 << 20)
)

// held says where the numbers of a constant lie in the file.
type held struct {
	field          protowire.Number // raw_data or float_data
	offset, length int64
}

// Fields of the messages that a file's constants lie in.
const (
	modelGraph       = 7
	graphInitializer = 5
	tensorFloats     = 4
	tensorRaw        = 9
)

// skimmed is a file without the numbers of its large constants.
type skimmed struct {
	bytes []byte
	held  map[int]held // by the place of the constant in the graph
}

// skim reads a file without its large constants. It returns false for what is no such
// file, or has a form that only a whole look at the file can tell: reading all of it
// then says what is wrong.
func skim(r io.ReaderAt, size int64) (skimmed, bool) {
	s := &skimmer{file: r, size: size, b: bufio.NewReaderSize(nil, 1<<15), held: map[int]held{}}
	s.seek(0)
	var out bytes.Buffer
	ok := s.message(&out, 0, size)
	return skimmed{out.Bytes(), s.held}, ok && len(s.held) > 0
}

type skimmer struct {
	file     io.ReaderAt
	size, at int64
	b        *bufio.Reader
	tensors  int // constants that began
	graphs   int
	held     map[int]held
}

func (s *skimmer) seek(at int64) {
	s.at = at
	s.b.Reset(io.NewSectionReader(s.file, at, s.size-at))
}

// varint reads one and appends its bytes.
func (s *skimmer) varint(out *bytes.Buffer) (uint64, bool) {
	var v [10]byte
	for n := range v {
		c, err := s.b.ReadByte()
		if err != nil {
			return 0, false
		}
		s.at++
		v[n] = c
		if c < 0x80 {
			x, used := protowire.ConsumeVarint(v[:n+1])
			if used < 0 {
				return 0, false
			}
			if out != nil {
				out.Write(v[:n+1])
			}
			return x, true
		}
	}
	return 0, false
}

// copy appends n bytes.
func (s *skimmer) copy(out *bytes.Buffer, n int64) bool {
	got, err := io.CopyN(out, s.b, n)
	s.at += got
	return err == nil
}

// message copies a message that ends at end: depth 0 is the model, 1 its graph, 2 a
// constant.
func (s *skimmer) message(out *bytes.Buffer, depth int, end int64) bool {
	numbers := 0 // fields of numbers of a constant
	for s.at < end {
		tag, ok := s.varint(out)
		if !ok {
			return false
		}
		num, typ := protowire.DecodeTag(tag)
		switch typ {
		case protowire.VarintType:
			_, ok = s.varint(out)
		case protowire.Fixed32Type:
			ok = s.copy(out, 4)
		case protowire.Fixed64Type:
			ok = s.copy(out, 8)
		case protowire.BytesType:
			if depth == 2 && (num == tensorRaw || num == tensorFloats) {
				numbers++
			}
			ok = s.field(out, depth, num, end)
		default:
			ok = false
		}
		if _, is := s.held[s.tensors-1]; !ok || is && depth == 2 && numbers > 1 {
			return false
		}
	}
	return s.at == end
}

// field copies a field of bytes after its tag, or holds it.
func (s *skimmer) field(out *bytes.Buffer, depth int, num protowire.Number, end int64) bool {
	n, ok := s.varint(nil)
	if !ok || n > uint64(end-s.at) {
		return false
	}
	length := int64(n)
	switch {
	case depth == 0 && num == modelGraph, depth == 1 && num == graphInitializer:
		if depth == 0 {
			s.graphs++
		} else {
			s.tensors++
		}
		if s.graphs > 1 || s.tensors > maxNodes {
			return false
		}
		var inner bytes.Buffer
		if !s.message(&inner, depth+1, s.at+length) {
			return false
		}
		out.Write(protowire.AppendVarint(nil, uint64(inner.Len())))
		_, _ = inner.WriteTo(out) // into memory
		return true
	case depth == 2 && (num == tensorRaw || num == tensorFloats) && length >= int64(minHeld):
		s.held[s.tensors-1] = held{num, s.at, length}
		out.Write(protowire.AppendVarint(nil, 0))
		s.seek(s.at + length)
		return true
	}
	out.Write(protowire.AppendVarint(nil, n))
	return s.copy(out, length)
}

// hold gives a constant that was skimmed the place of its numbers.
func (h held) hold(t *stored) error {
	if t.DType == checkpoint.Unknown {
		return nil
	}
	if h.field == tensorFloats && t.DType != checkpoint.F32 {
		return fmt.Errorf("tensor: float_data holds numbers of %s", t.DType)
	}
	if h.length != t.Bytes {
		return &checkpoint.Error{Tensor: t.Name, Reason: fmt.Sprintf("shape %v of %s needs %d bytes, %d are there", t.Shape, t.DType, t.Bytes, h.length)}
	}
	t.held = &h
	return nil
}

// readHeld reads the numbers of a constant from the file.
func (f *File) readHeld(t *stored) ([]byte, error) {
	b := kernel.Large[byte](nil, int(t.Bytes))
	_, err := io.ReadFull(io.NewSectionReader(f.own, t.held.offset, t.held.length), b)
	return b, err
}
