package torchfile

import (
	"encoding/binary"
	"math"
	"math/big"
	"strconv"
	"strings"
	"unicode/utf8"
)

const (
	opStop     = '.'
	maxProto   = 5
	textSigns  = "\uFFFD" // stands for bytes that are not UTF-8
	bitsOfByte = 8
)

// step carries out one opcode.
func (m *machine) step(op byte) {
	switch op {
	case '(': // MARK
		m.marks = append(m.marks, len(m.stack))
	case '0': // POP
		if n := len(m.marks); n > 0 && len(m.stack) == m.marks[n-1] {
			m.marks = m.marks[:n-1] // as Python does: it takes the mark away
			return
		}
		m.pop()
	case '1': // POP_MARK
		m.popMark()
	case '2': // DUP
		m.push(m.top())

	case 'N': // NONE
		m.push(none{})
	case 0x88: // NEWTRUE
		m.push(true)
	case 0x89: // NEWFALSE
		m.push(false)
	case 'J': // BININT
		m.push(int64(int32(m.uint(4))))
	case 'K': // BININT1
		m.push(int64(m.uint(1)))
	case 'M': // BININT2
		m.push(int64(m.uint(2)))
	case 'G': // BINFLOAT
		if b := m.next(8); m.err == nil {
			m.push(math.Float64frombits(binary.BigEndian.Uint64(b)))
		}
	case 0x8a: // LONG1
		m.long(m.counted(1))
	case 0x8b: // LONG4
		m.long(m.counted(4))
	case 'I': // INT
		switch s := m.line(); s {
		case "00", "01":
			m.push(s == "01")
		default:
			m.decimal(s)
		}
	case 'L': // LONG
		m.decimal(strings.TrimSuffix(m.line(), "L"))
	case 'F': // FLOAT
		s := m.line()
		f, err := strconv.ParseFloat(s, 64)
		if err != nil && !math.IsInf(f, 0) {
			m.fail("%.40q is no number", s)
		}
		m.push(f)

	case 'X': // BINUNICODE
		m.text(m.counted(4))
	case 0x8c: // SHORT_BINUNICODE
		m.text(m.counted(1))
	case 0x8d: // BINUNICODE8
		m.text(m.counted(8))
	case 'U': // SHORT_BINSTRING
		m.string2(m.counted(1))
	case 'T': // BINSTRING
		m.string2(m.counted(4))
	case 'S': // STRING
		m.quoted(m.line())
	case 'V': // UNICODE
		m.push(rawUnicode(m.line()))
	case 'B': // BINBYTES
		m.push(pyBytes(m.counted(4)))
	case 'C': // SHORT_BINBYTES
		m.push(pyBytes(m.counted(1)))
	case 0x8e, 0x96: // BINBYTES8, BYTEARRAY8
		m.push(pyBytes(m.counted(8)))

	case ')': // EMPTY_TUPLE
		m.push(emptyTuple)
	case 0x85, 0x86, 0x87: // TUPLE1, TUPLE2, TUPLE3
		m.tuple(int(op) - 0x84)
	case 't': // TUPLE
		v := m.popMark()
		m.push(&tuple{append(make([]any, 0, len(v)), v...)})
	case ']': // EMPTY_LIST
		m.push(new(list))
	case 'l': // LIST
		v := m.popMark()
		m.push(&list{append(make([]any, 0, len(v)), v...)})
	case 'a': // APPEND
		m.append(m.pop())
	case 'e': // APPENDS
		m.append(m.popMark()...)
	case '}': // EMPTY_DICT
		m.push(new(dict))
	case 'd': // DICT
		d := new(dict)
		m.fill(d, m.popMark())
		m.push(d)
	case 's': // SETITEM
		v := m.pop()
		k := m.pop()
		m.setItems([]any{k, v})
	case 'u': // SETITEMS
		m.setItems(m.popMark())
	case 0x8f: // EMPTY_SET
		m.push(new(set))
	case 0x91: // FROZENSET
		v := m.popMark()
		m.push(&set{append(make([]any, 0, len(v)), v...)})
	case 0x90: // ADDITEMS
		v := m.popMark()
		if s, ok := m.top().(*set); ok {
			s.items = append(s.items, v...)
		} else {
			m.fail("items are added to %s, which is no set", kind(m.top()))
		}

	case 'q': // BINPUT
		m.put(m.uint(1))
	case 'r': // LONG_BINPUT
		m.put(m.uint(4))
	case 'p': // PUT
		m.put(m.index())
	case 0x94: // MEMOIZE
		m.put(uint64(len(m.memo)))
	case 'h': // BINGET
		m.get(m.uint(1))
	case 'j': // LONG_BINGET
		m.get(m.uint(4))
	case 'g': // GET
		m.get(m.index())

	case 'c': // GLOBAL
		module := m.line()
		m.global(module, m.line())
	case 0x93: // STACK_GLOBAL
		name, ok := m.pop().(string)
		module, ok2 := m.pop().(string)
		if !ok || !ok2 {
			m.fail("a name is not made of two strings")
			return
		}
		m.global(module, name)
	case 'R': // REDUCE
		args := m.args()
		m.push(m.call(m.pop(), args))
	case 0x81: // NEWOBJ
		args := m.args()
		m.push(m.newObject(m.pop(), args))
	case 0x92: // NEWOBJ_EX
		kw, ok := m.pop().(*dict)
		args := m.args()
		if ok && len(kw.entries) > 0 {
			args = append(append(make([]any, 0, len(args)+1), args...), kw)
			m.spend(len(args))
		}
		m.push(m.newObject(m.pop(), args))
	case 'i': // INST
		module := m.line()
		m.global(module, m.line())
		class := m.pop()
		v := m.popMark()
		m.push(m.call(class, append(make([]any, 0, len(v)), v...)))
	case 'o': // OBJ
		v := m.popMark()
		if len(v) == 0 {
			m.fail("an object without a class")
			return
		}
		m.push(m.call(v[0], append(make([]any, 0, len(v)), v[1:]...)))
	case 'b': // BUILD
		m.build(m.pop())

	case 'Q': // BINPERSID
		id := m.pop()
		if m.err == nil {
			v, err := m.persistent(id)
			m.err = err
			m.push(v)
		}
	case 0x80: // PROTO
		if v := m.byte(); v > maxProto {
			m.fail("pickle protocol %d, expected at most %d", v, maxProto)
		}
	case 0x95: // FRAME
		if n := m.uint(8); m.err == nil && n > uint64(m.c.left()) {
			m.fail("a frame of %d bytes is announced, %d bytes are left", n, m.c.left())
		}
	case 'P', 0x82, 0x83, 0x84, 0x97, 0x98:
		// PERSID, EXT1, EXT2, EXT4, NEXT_BUFFER, READONLY_BUFFER
		m.fail("pickle instruction 0x%02x has no meaning in a checkpoint", op)
	default:
		m.fail("0x%02x is no pickle instruction", op)
	}
}

// args pops the tuple of arguments of a call.
func (m *machine) args() []any {
	v := m.pop()
	t, ok := v.(*tuple)
	if !ok {
		m.fail("the arguments of a call are %s, expected a tuple", kind(v))
		return nil
	}
	return t.items
}

// index is the decimal argument of PUT and GET.
func (m *machine) index() uint64 {
	s := m.line()
	i, err := strconv.ParseUint(s, 10, 32)
	if err != nil {
		m.fail("%.40q is no memo place", s)
	}
	return i
}

// long pushes a little-endian two's complement number.
func (m *machine) long(b []byte) {
	if len(b) > maxLong {
		m.fail("an integer of %d bytes, at most %d are read", len(b), maxLong)
		return
	}
	if len(b) <= 8 {
		var v uint64
		for i, x := range b {
			v |= uint64(x) << (bitsOfByte * i)
		}
		if n := len(b); n > 0 && n < 8 && b[n-1]&0x80 != 0 {
			v |= ^uint64(0) << (bitsOfByte * n)
		}
		m.push(int64(v))
		return
	}
	be := make([]byte, len(b))
	for i, x := range b {
		be[len(b)-1-i] = x
	}
	v := new(big.Int).SetBytes(be)
	if be[0]&0x80 != 0 {
		v.Sub(v, new(big.Int).Lsh(big.NewInt(1), uint(bitsOfByte*len(b))))
	}
	m.push(smallest(v))
}

func (m *machine) decimal(s string) {
	if i, err := strconv.ParseInt(s, 10, 64); err == nil {
		m.push(i)
		return
	}
	v, ok := new(big.Int).SetString(s, 10)
	if !ok || len(s) > 2*maxLong {
		m.fail("%.40q is no integer of at most %d digits", s, 2*maxLong)
		return
	}
	m.push(smallest(v))
}

// smallest is v as an int64 where it fits.
func smallest(v *big.Int) any {
	if v.IsInt64() {
		return v.Int64()
	}
	return v
}

// text pushes UTF-8. Python can write lone surrogates; they and any other
// bytes that are not UTF-8 become U+FFFD.
func (m *machine) text(b []byte) {
	m.push(strings.ToValidUTF8(string(b), textSigns))
}

// string2 pushes a str of Python 2: text if it is UTF-8, bytes otherwise.
func (m *machine) string2(b []byte) {
	if utf8.Valid(b) {
		m.push(string(b))
	} else {
		m.push(pyBytes(b))
	}
}

// quoted pushes a str of Python 2 written as its repr.
func (m *machine) quoted(s string) {
	n := len(s)
	if n < 2 || s[0] != s[n-1] || s[0] != '\'' && s[0] != '"' {
		m.fail("%.40q is no quoted string", s)
		return
	}
	quote, in := s[0], s[1:n-1]
	out := make([]byte, 0, len(in))
	for len(in) > 0 {
		if in[0] != '\\' {
			out, in = append(out, in[0]), in[1:]
			continue
		}
		// \' and \" may stand in either quotes, which Go does not take.
		if len(in) > 1 && (in[1] == '\'' || in[1] == '"') {
			out, in = append(out, in[1]), in[2:]
			continue
		}
		r, multi, rest, err := strconv.UnquoteChar(in, quote)
		if err != nil || multi {
			m.fail("%.40q is no quoted string", s)
			return
		}
		out, in = append(out, byte(r)), rest
	}
	m.string2(out)
}

// rawUnicode decodes Python's raw-unicode-escape: Latin-1 with \uXXXX and
// \UXXXXXXXX.
func rawUnicode(s string) string {
	var out strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			n := map[byte]int{'u': 4, 'U': 8}[s[i+1]]
			if n > 0 && i+2+n <= len(s) {
				if r, err := strconv.ParseUint(s[i+2:i+2+n], 16, 32); err == nil {
					out.WriteRune(rune(min(r, utf8.MaxRune+1)))
					i += 1 + n
					continue
				}
			}
		}
		out.WriteRune(rune(s[i]))
	}
	return out.String()
}
