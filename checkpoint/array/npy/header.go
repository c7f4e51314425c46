package npy

import (
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/unroll-ml/unroll/checkpoint"
)

// magic begins every .npy file.
const magic = "\x93NUMPY"

// maxHeader bounds the header's length: numpy writes 118 bytes, and itself
// reads no more than 10000 unless told to.
const maxHeader = 1 << 16

// header is what stands before the data.
type header struct {
	checkpoint.Info
	big     bool // elements are big-endian
	fortran bool // the first index runs fastest
}

// types are numpy's letters and sizes.
var types = map[string]checkpoint.DType{
	"f8": checkpoint.F64, "f4": checkpoint.F32, "f2": checkpoint.F16,
	"i8": checkpoint.I64, "i4": checkpoint.I32, "i2": checkpoint.I16, "i1": checkpoint.I8,
	"u8": checkpoint.U64, "u4": checkpoint.U32, "u2": checkpoint.U16, "u1": checkpoint.U8,
	"b1": checkpoint.Bool,
}

// prefix decodes the bytes before the header's text: up to 12 are needed. It
// returns the text's offset and length.
func prefix(b []byte) (at, n int, err error) {
	fail := func(format string, a ...any) (int, int, error) {
		return 0, 0, &checkpoint.Error{Place: "first bytes", Reason: fmt.Sprintf(format, a...)}
	}
	if len(b) < 10 || string(b[:6]) != magic {
		return fail("this is no .npy file: it begins with [% x], expected [% x]", b[:min(len(b), len(magic))], magic)
	}
	switch b[6] {
	case 1:
		at, n = 10, int(binary.LittleEndian.Uint16(b[8:]))
	case 2, 3:
		if len(b) < 12 {
			return fail("the file is cut off")
		}
		if l := binary.LittleEndian.Uint32(b[8:]); l > maxHeader {
			return fail("the header's length is %d, at most %d is read", l, maxHeader)
		} else {
			at, n = 12, int(l)
		}
	default:
		return fail("format version %d.%d is not known; 1, 2 and 3 are", b[6], b[7])
	}
	return at, n, nil
}

// parse reads the header's text, a Python dictionary with the keys descr,
// fortran_order and shape, as numpy.lib.format describes it.
func parse(name, text string) (header, error) {
	p := &parser{s: text}
	var h header
	var descr string
	var shape []int
	seen := map[string]bool{}
	if !utf8.ValidString(text) {
		return h, p.fail("the header is not valid UTF-8")
	}
	if err := p.expect("{"); err != nil {
		return h, err
	}
	for !p.accept("}") {
		key, err := p.str()
		if err == nil {
			err = p.expect(":")
		}
		if err != nil {
			return h, err
		}
		if seen[key] {
			return h, p.fail("key %.80q stands there twice", key)
		}
		seen[key] = true
		switch key {
		case "descr":
			if p.accept("[") {
				return h, &checkpoint.Error{Place: p.place(), Reason: "structured types are not read; save each field as an array of its own", Err: checkpoint.ErrDType}
			}
			descr, err = p.str()
		case "fortran_order":
			if h.fortran = p.accept("True"); !h.fortran && !p.accept("False") {
				err = p.fail("fortran_order is neither True nor False")
			}
		case "shape":
			shape, err = p.tuple()
		default:
			err = p.fail("unknown key %.80q, expected descr, fortran_order and shape", key)
		}
		if err != nil {
			return h, err
		}
		if !p.accept(",") {
			if err := p.expect("}"); err != nil {
				return h, err
			}
			break
		}
	}
	if p.skip(); p.at < len(p.s) {
		return h, p.fail("more follows after the closing }")
	}
	if len(seen) != 3 {
		return h, p.fail("descr, fortran_order and shape are needed")
	}
	order, letters := descr[:min(1, len(descr))], descr[min(1, len(descr)):]
	t := types[letters]
	if t == checkpoint.Unknown || !strings.Contains("<>|", order) || order == "|" && t.Size() > 1 {
		return h, &checkpoint.Error{Place: "header", Reason: fmt.Sprintf("element type %.80q is not one that can be read (f2 f4 f8 i1 i2 i4 i8 u1 u2 u4 u8 b1)", descr), Err: checkpoint.ErrDType}
	}
	info, err := checkpoint.NewInfo(name, t, shape)
	h.Info, h.big = info, order == ">"
	return h, err
}

// parser walks a Python literal.
type parser struct {
	s  string
	at int
}

func (p *parser) place() string { return fmt.Sprintf("header byte %d", p.at) }

func (p *parser) fail(format string, a ...any) error {
	return &checkpoint.Error{Place: p.place(), Reason: fmt.Sprintf(format, a...)}
}

func (p *parser) skip() {
	for p.at < len(p.s) && strings.IndexByte(" \t\r\n", p.s[p.at]) >= 0 {
		p.at++
	}
}

func (p *parser) accept(word string) bool {
	p.skip()
	if !strings.HasPrefix(p.s[p.at:], word) {
		return false
	}
	p.at += len(word)
	return true
}

func (p *parser) expect(word string) error {
	if !p.accept(word) {
		return p.fail("found %.20q, expected %s", p.s[p.at:], word)
	}
	return nil
}

// str reads a quoted string without escapes, of which the keys and types have
// no need.
func (p *parser) str() (string, error) {
	p.skip()
	rest := p.s[p.at:]
	if rest == "" || rest[0] != '\'' && rest[0] != '"' {
		return "", p.fail("found %.20q, expected a quoted string", rest)
	}
	end := strings.IndexByte(rest[1:], rest[0])
	if end < 0 || strings.Contains(rest[1:1+end], `\`) {
		return "", p.fail("a quoted string does not end, or has an escape")
	}
	p.at += end + 2
	return rest[1 : 1+end], nil
}

// tuple reads (), (3,), (3, 4), with Python 2's L after a number allowed.
func (p *parser) tuple() ([]int, error) {
	if err := p.expect("("); err != nil {
		return nil, err
	}
	v := []int{}
	for !p.accept(")") {
		p.skip()
		end := p.at
		for end < len(p.s) && p.s[end] >= '0' && p.s[end] <= '9' {
			end++
		}
		n, err := strconv.Atoi(p.s[p.at:end])
		if err != nil {
			return nil, p.fail("found %.40q in the shape, expected an integer that fits this machine", p.s[p.at:])
		}
		if len(v) == checkpoint.MaxRank {
			return nil, p.fail("the shape has more than %d dimensions", checkpoint.MaxRank)
		}
		p.at = end
		p.accept("L")
		v = append(v, n)
		if !p.accept(",") {
			return v, p.expect(")")
		}
	}
	return v, nil
}
