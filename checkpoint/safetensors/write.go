package safetensors

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"unicode/utf8"

	"github.com/unroll-ml/unroll/checkpoint"
	"github.com/unroll-ml/unroll/internal/atomicfile"
)

// WriteFile writes a file as Write does, and replaces path only when all of
// it is on the disk. src may be read from the very file that is replaced.
func WriteFile(path string, src checkpoint.Source, meta map[string]string) error {
	return atomicfile.Write(path, func(w io.Writer) error { return Write(w, src, meta) })
}

// Write writes all tensors of src, one in memory at a time, and meta as
// __metadata__ where it is not empty. The same input gives the same bytes:
// tensors stand in the order of src, but those with larger elements first, so
// that each is aligned to its element size (the header is padded to 8 bytes).
// Names must be unique, valid UTF-8 and not "__metadata__".
func Write(w io.Writer, src checkpoint.Source, meta map[string]string) error {
	src = checkpoint.Indexed(src)
	infos, err := plan(src)
	if err != nil {
		return err
	}
	header, err := encode(infos, meta)
	if err != nil {
		return err
	}
	if _, err := w.Write(header); err != nil {
		return err
	}
	for _, i := range infos {
		t, err := src.Tensor(i.Name)
		if err != nil {
			return err
		}
		if err := t.Check(); err != nil {
			return err
		}
		if t.Bytes != i.Bytes {
			return &checkpoint.Error{Tensor: i.Name, Reason: fmt.Sprintf("the source said %d bytes and gave %d", i.Bytes, t.Bytes)}
		}
		if _, err := w.Write(t.Data); err != nil {
			return err
		}
	}
	return nil
}

// plan returns the tensors in the order they are written.
func plan(src checkpoint.Source) ([]checkpoint.Info, error) {
	seen := map[string]struct{}{}
	var infos []checkpoint.Info
	for _, name := range src.Names() {
		bad := func(format string, a ...any) ([]checkpoint.Info, error) {
			return nil, &checkpoint.Error{Tensor: name, Reason: fmt.Sprintf(format, a...)}
		}
		if _, ok := seen[name]; ok {
			return bad("the name is there twice; rename one of them")
		}
		seen[name] = struct{}{}
		if name == metadataKey || !utf8.ValidString(name) {
			return bad("the format has no place for this name; rename it")
		}
		i, ok := src.Info(name)
		if !ok {
			return bad("the source lists it and does not have it")
		}
		if i.DType == checkpoint.Unknown {
			return nil, &checkpoint.Error{Tensor: name, Reason: fmt.Sprintf("element type %s cannot be written", i.Type()), Err: checkpoint.ErrDType}
		}
		want, err := checkpoint.NewInfo(name, i.DType, i.Shape)
		if err != nil {
			return nil, err
		}
		infos = append(infos, want)
	}
	slices.SortStableFunc(infos, func(a, b checkpoint.Info) int { return b.DType.Size() - a.DType.Size() })
	return infos, nil
}

// encode returns the length and the header, padded with spaces.
func encode(infos []checkpoint.Info, meta map[string]string) ([]byte, error) {
	type entry struct {
		DType   string   `json:"dtype"`
		Shape   []int    `json:"shape"`
		Offsets [2]int64 `json:"data_offsets"`
	}
	b := bytes.NewBuffer(make([]byte, 8, 256))
	enc := json.NewEncoder(b)
	enc.SetEscapeHTML(false)
	value := func(v any, after byte) error {
		err := enc.Encode(v)
		b.Bytes()[b.Len()-1] = after // where the encoder put a line feed
		return err
	}
	b.WriteByte('{')
	if len(meta) > 0 {
		for k, v := range meta {
			if !utf8.ValidString(k) || !utf8.ValidString(v) {
				return nil, &checkpoint.Error{Place: metadataKey, Reason: fmt.Sprintf("%q is not valid UTF-8", short(k))}
			}
		}
		if err := value(metadataKey, ':'); err != nil {
			return nil, err
		}
		if err := value(meta, ','); err != nil {
			return nil, err
		}
	}
	var at int64
	for _, i := range infos {
		if err := value(i.Name, ':'); err != nil {
			return nil, err
		}
		if err := value(entry{i.DType.String(), i.Shape, [2]int64{at, at + i.Bytes}}, ','); err != nil {
			return nil, err
		}
		at += i.Bytes
	}
	if last := b.Bytes(); last[len(last)-1] == ',' {
		last[len(last)-1] = '}'
	} else {
		b.WriteByte('}')
	}
	for b.Len()%8 != 0 {
		b.WriteByte(' ')
	}
	n := b.Len() - 8
	if n > MaxHeader {
		return nil, &checkpoint.Error{Place: "header", Reason: fmt.Sprintf("it would have %d bytes, at most %d are read back", n, MaxHeader)}
	}
	binary.LittleEndian.PutUint64(b.Bytes(), uint64(n))
	return b.Bytes(), nil
}
