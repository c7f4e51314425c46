package safetensors

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/unroll-ml/unroll/checkpoint"
)

const metadataKey = "__metadata__"

// parse reads the header; data is the number of bytes that follow it.
func (f *File) parse(header []byte, data int64) error {
	p := &parser{dec: json.NewDecoder(bytes.NewReader(header)), file: f.name}
	p.dec.UseNumber()
	switch {
	case !utf8.Valid(header):
		return p.fail("the header is not valid UTF-8")
	case len(header) == 0 || header[0] != '{':
		return p.fail("the header does not begin with {; this is no safetensors file")
	}
	f.infos = map[string]checkpoint.Info{}
	begin := int64(8 + len(header))
	err := p.object(func(key string) error {
		p.tensor = key
		defer func() { p.tensor = "" }()
		if key == metadataKey {
			f.meta = map[string]string{}
			return p.object(func(k string) error {
				v, err := p.str("the value of " + strconv.Quote(k))
				f.meta[k] = v
				return err
			})
		}
		info, err := p.entry(key, data)
		if err != nil {
			return err
		}
		info.Offset += begin
		f.names = append(f.names, key)
		f.infos[key] = info
		return nil
	})
	if err != nil {
		return err
	}
	if rest := bytes.TrimLeft(header[p.dec.InputOffset():], " \t\r\n"); len(rest) > 0 {
		return p.fail("more follows after the closing }")
	}
	return f.contiguous(begin, begin+data)
}

// contiguous checks that the tensors, taken by offset, follow each other from
// begin to end without hole or overlap.
func (f *File) contiguous(begin, end int64) error {
	order := slices.Clone(f.names)
	slices.SortStableFunc(order, func(a, b string) int {
		x, y := f.infos[a], f.infos[b]
		return cmp.Or(cmp.Compare(x.Offset, y.Offset), cmp.Compare(x.Bytes, y.Bytes))
	})
	at := begin
	for _, name := range order {
		i := f.infos[name]
		if i.Offset != at {
			what := "overlaps the tensor before it, which ends"
			if i.Offset > at {
				what = "leaves a hole after the data before it, which ends"
			}
			return &checkpoint.Error{
				File: f.name, Tensor: name, Place: "data_offsets",
				Reason: fmt.Sprintf("it begins at byte %d of the data and %s at %d", i.Offset-begin, what, at-begin),
			}
		}
		at += i.Bytes
	}
	if at != end {
		return &checkpoint.Error{File: f.name, Place: "end of file", Reason: fmt.Sprintf("the tensors end at byte %d of the data, the file has %d", at-begin, end-begin)}
	}
	return nil
}

// parser walks the header token by token, so that duplicate keys are seen and
// nothing nested is ever built.
type parser struct {
	dec    *json.Decoder
	file   string
	tensor string
}

func (p *parser) fail(format string, a ...any) error {
	return &checkpoint.Error{File: p.file, Tensor: p.tensor, Place: fmt.Sprintf("header byte %d", p.dec.InputOffset()), Reason: fmt.Sprintf(format, a...)}
}

func (p *parser) token() (json.Token, error) {
	t, err := p.dec.Token()
	if err != nil {
		return nil, p.fail("the JSON is broken: %v", err)
	}
	return t, nil
}

func (p *parser) open(d json.Delim) error {
	t, err := p.token()
	if err == nil && t != d {
		err = p.fail("found %s, expected %v", show(t), d)
	}
	return err
}

// object calls f for each key of an object, f consuming the value.
func (p *parser) object(f func(key string) error) error {
	if err := p.open('{'); err != nil {
		return err
	}
	seen := map[string]struct{}{}
	for p.dec.More() {
		t, err := p.token()
		if err != nil {
			return err
		}
		key, ok := t.(string)
		if !ok {
			return p.fail("found %s, expected a key", show(t))
		}
		if _, ok := seen[key]; ok {
			return p.fail("key %s stands there twice", short(key))
		}
		seen[key] = struct{}{}
		if err := f(key); err != nil {
			return err
		}
	}
	_, err := p.token()
	return err
}

// numbers reads an array of at most limit integers from 0 to MaxInt64.
func (p *parser) numbers(what string, limit int) ([]int64, error) {
	if err := p.open('['); err != nil {
		return nil, err
	}
	v := []int64{}
	for p.dec.More() {
		t, err := p.token()
		if err != nil {
			return nil, err
		}
		if len(v) == limit {
			return nil, p.fail("%s has more than %d numbers", what, limit)
		}
		n, ok := t.(json.Number)
		i, err := strconv.ParseUint(string(n), 10, 63)
		if !ok || err != nil {
			return nil, p.fail("%s holds %s, expected an integer from 0 to %d", what, show(t), int64(math.MaxInt64))
		}
		v = append(v, int64(i))
	}
	_, err := p.token()
	return v, err
}

func (p *parser) str(what string) (string, error) {
	t, err := p.token()
	if err != nil {
		return "", err
	}
	s, ok := t.(string)
	if !ok {
		return "", p.fail("%s is %s, expected a string", what, show(t))
	}
	return s, nil
}

// entry reads one tensor's description; data is the length of the data part.
// The offset in the result counts from the data's beginning.
func (p *parser) entry(name string, data int64) (info checkpoint.Info, err error) {
	var dtype string
	var dims, span []int64
	err = p.object(func(key string) error {
		var err error
		switch key {
		case "dtype":
			dtype, err = p.str(key)
		case "shape":
			dims, err = p.numbers(key, checkpoint.MaxRank)
		case "data_offsets":
			span, err = p.numbers(key, 2)
		default:
			err = p.fail("unknown key %s, expected dtype, shape and data_offsets", short(key))
		}
		return err
	})
	switch {
	case err != nil:
		return info, err
	case dtype == "" || dims == nil || len(span) != 2:
		return info, p.fail("dtype, shape and two data_offsets are needed")
	case span[0] > span[1]:
		return info, p.fail("data_offsets end at %d, before they begin at %d", span[1], span[0])
	case span[1] > data:
		return info, p.fail("data_offsets end at byte %d, the file has %d bytes of data", span[1], data)
	}
	shape := make([]int, len(dims))
	for i, d := range dims {
		if d > math.MaxInt {
			return info, p.fail("dimension %d of the shape is %d, more than this machine can address", i, d)
		}
		shape[i] = int(d)
	}
	t := checkpoint.ParseDType(dtype)
	if t == checkpoint.Unknown {
		return checkpoint.Info{Name: name, TypeName: dtype, Shape: shape, Bytes: span[1] - span[0], Offset: span[0]}, nil
	}
	info, err = checkpoint.NewInfo(name, t, shape)
	if err != nil {
		return info, p.fail("shape %v: %v", shape, err)
	}
	if info.Bytes != span[1]-span[0] {
		return info, p.fail("shape %v of %s needs %d bytes, data_offsets give %d", shape, t, info.Bytes, span[1]-span[0])
	}
	info.Offset = span[0]
	return info, nil
}

// show describes a token for a message.
func show(t json.Token) string {
	switch t := t.(type) {
	case string:
		return "the string " + short(t)
	case json.Number:
		return "the number " + string(t[:min(len(t), 40)])
	case nil:
		return "null"
	}
	return fmt.Sprint(t)
}

// short quotes a string from the file, cut to a length fit for a message.
func short(s string) string {
	if len(s) > 80 {
		return strconv.Quote(s[:80]) + "…"
	}
	return strconv.Quote(s)
}
