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

// ops says what each opcode does; a nil entry is no instruction. The groups
// follow pickletools.
var ops = func() (t [256]func(m *machine)) {
	for _, group := range []map[byte]func(m *machine){opStack, opNumbers, opText, opContainers, opMemo, opObjects} {
		for op, f := range group {
			t[op] = f
		}
	}
	for _, op := range []byte{'P', 0x82, 0x83, 0x84, 0x97, 0x98} {
		// PERSID, EXT1, EXT2, EXT4, NEXT_BUFFER, READONLY_BUFFER
		t[op] = func(m *machine) { m.fail("pickle instruction 0x%02x has no meaning in a checkpoint", op) }
	}
	return t
}()

// step carries out one opcode.
func (m *machine) step(op byte) {
	if f := ops[op]; f != nil {
		f(m)
		return
	}
	m.fail("0x%02x is no pickle instruction", op)
}

var opStack = map[byte]func(m *machine){
	'(': func(m *machine) { m.marks = grow(m.marks, len(m.stack)) }, // MARK
	'0': func(m *machine) { // POP
		if n := len(m.marks); n > 0 && len(m.stack) == m.marks[n-1] {
			m.marks = m.marks[:n-1] // as Python does: it takes the mark away
			return
		}
		m.pop()
	},
	'1': func(m *machine) { m.popMark() },     // POP_MARK
	'2': func(m *machine) { m.push(m.top()) }, // DUP
	0x80: func(m *machine) { // PROTO
		if v := m.byte(); v > maxProto {
			m.fail("pickle protocol %d, expected at most %d", v, maxProto)
		}
	},
	0x95: func(m *machine) { // FRAME
		if n := m.uint(8); m.err == nil && n > uint64(m.c.left()) {
			m.fail("a frame of %d bytes is announced, %d bytes are left", n, m.c.left())
		}
	},
}

var opNumbers = map[byte]func(m *machine){
	'N':  func(m *machine) { m.push(none{}) },                     // NONE
	0x88: func(m *machine) { m.push(true) },                       // NEWTRUE
	0x89: func(m *machine) { m.push(false) },                      // NEWFALSE
	'J':  func(m *machine) { m.made(int64(int32(m.uint(4))), 8) }, // BININT
	'K':  func(m *machine) { m.push(int64(m.uint(1))) },           // BININT1
	'M':  func(m *machine) { m.made(int64(m.uint(2)), 8) },        // BININT2
	'G': func(m *machine) { // BINFLOAT
		if b := m.next(8); m.err == nil {
			m.made(math.Float64frombits(binary.BigEndian.Uint64(b)), 8)
		}
	},
	0x8a: func(m *machine) { m.long(m.counted(1)) }, // LONG1
	0x8b: func(m *machine) { m.long(m.counted(4)) }, // LONG4
	'I': func(m *machine) { // INT
		if s := m.line(); s == "00" || s == "01" {
			m.push(s == "01")
		} else {
			m.decimal(s)
		}
	},
	'L': func(m *machine) { m.decimal(strings.TrimSuffix(m.line(), "L")) }, // LONG
	'F': func(m *machine) { // FLOAT
		s := m.line()
		f, err := strconv.ParseFloat(s, 64)
		if err != nil && !math.IsInf(f, 0) {
			m.fail("%.40q is no number", s)
		}
		m.made(f, 8)
	},
}

var opText = map[byte]func(m *machine){
	'X':  func(m *machine) { m.text(m.counted(4)) },        // BINUNICODE
	0x8c: func(m *machine) { m.text(m.counted(1)) },        // SHORT_BINUNICODE
	0x8d: func(m *machine) { m.text(m.counted(8)) },        // BINUNICODE8
	'U':  func(m *machine) { m.string2(m.counted(1)) },     // SHORT_BINSTRING
	'T':  func(m *machine) { m.string2(m.counted(4)) },     // BINSTRING
	'S':  func(m *machine) { m.quoted(m.line()) },          // STRING
	'V':  func(m *machine) { m.str(rawUnicode(m.line())) }, // UNICODE
	'B':  func(m *machine) { m.bytes(m.counted(4)) },       // BINBYTES
	'C':  func(m *machine) { m.bytes(m.counted(1)) },       // SHORT_BINBYTES
	0x8e: func(m *machine) { m.bytes(m.counted(8)) },       // BINBYTES8
	0x96: func(m *machine) { m.bytes(m.counted(8)) },       // BYTEARRAY8
}

var opContainers = map[byte]func(m *machine){
	')':  func(m *machine) { m.push(emptyTuple) },                     // EMPTY_TUPLE
	0x85: func(m *machine) { m.tuple(1) },                             // TUPLE1
	0x86: func(m *machine) { m.tuple(2) },                             // TUPLE2
	0x87: func(m *machine) { m.tuple(3) },                             // TUPLE3
	't':  func(m *machine) { m.push(&tuple{m.ownCopy(m.popMark())}) }, // TUPLE
	']':  func(m *machine) { m.made(new(list), headBytes) },           // EMPTY_LIST
	'l':  func(m *machine) { m.push(&list{m.ownCopy(m.popMark())}) },  // LIST
	'a':  func(m *machine) { m.append(m.pop()) },                      // APPEND
	'e':  func(m *machine) { m.append(m.popMark()...) },               // APPENDS
	'}':  func(m *machine) { m.made(new(dict), headBytes) },           // EMPTY_DICT
	'd': func(m *machine) { // DICT
		d := new(dict)
		m.fill(d, m.popMark())
		m.made(d, headBytes)
	},
	's': func(m *machine) { // SETITEM
		v := m.pop()
		k := m.pop()
		m.setItems([]any{k, v})
	},
	'u':  func(m *machine) { m.setItems(m.popMark()) },                    // SETITEMS
	0x8f: func(m *machine) { m.made(new(set), headBytes) },                // EMPTY_SET
	0x91: func(m *machine) { m.push(&set{m.ownCopy(m.popMark()), true}) }, // FROZENSET
	0x90: func(m *machine) { m.addItems(m.popMark()) },                    // ADDITEMS
}

var opMemo = map[byte]func(m *machine){
	'q':  func(m *machine) { m.put(m.uint(1)) },           // BINPUT
	'r':  func(m *machine) { m.put(m.uint(4)) },           // LONG_BINPUT
	'p':  func(m *machine) { m.put(m.index()) },           // PUT
	0x94: func(m *machine) { m.put(uint64(len(m.memo))) }, // MEMOIZE
	'h':  func(m *machine) { m.get(m.uint(1)) },           // BINGET
	'j':  func(m *machine) { m.get(m.uint(4)) },           // LONG_BINGET
	'g':  func(m *machine) { m.get(m.index()) },           // GET
}

var opObjects = map[byte]func(m *machine){
	'c': func(m *machine) { // GLOBAL
		module := m.line()
		m.global(module, m.line())
	},
	0x93: func(m *machine) { // STACK_GLOBAL
		name, ok := m.pop().(string)
		module, ok2 := m.pop().(string)
		if !ok || !ok2 {
			m.fail("a name is not made of two strings")
			return
		}
		m.global(module, name)
	},
	'R': func(m *machine) { // REDUCE
		args := m.args()
		m.push(m.call(m.pop(), args))
	},
	0x81: func(m *machine) { // NEWOBJ
		args := m.args()
		m.push(m.newObject(m.pop(), args))
	},
	0x92: (*machine).newObjectEx, // NEWOBJ_EX
	'i': func(m *machine) { // INST
		module := m.line()
		m.global(module, m.line())
		class := m.pop()
		m.push(m.call(class, m.ownCopy(m.popMark())))
	},
	'o': func(m *machine) { // OBJ
		v := m.popMark()
		if len(v) == 0 {
			m.fail("an object without a class")
			return
		}
		m.push(m.call(v[0], m.ownCopy(v[1:])))
	},
	'b': func(m *machine) { m.build(m.pop()) }, // BUILD
	'Q': func(m *machine) { // BINPERSID
		id := m.pop()
		if m.err == nil {
			v, err := m.persistent(id)
			m.err = err
			m.push(v)
		}
	},
}

// newObjectEx is NEWOBJ_EX: keywords are kept as a last argument.
func (m *machine) newObjectEx() {
	kw, ok := m.pop().(*dict)
	args := m.args()
	if ok && len(kw.entries) > 0 {
		args = append(append(make([]any, 0, len(args)+1), args...), kw)
		m.spend(len(args))
	}
	m.push(m.newObject(m.pop(), args))
}

// addItems adds values to the set on top of the stack.
func (m *machine) addItems(v []any) {
	switch s := m.top().(type) {
	case *set:
		m.hold(slotBytes * len(v))
		s.items = append(s.items, v...)
	case *object: // a subclass of set
		m.hold(slotBytes * len(v))
		s.elems = append(s.elems, v...)
	default:
		m.fail("items are added to %s, which is no set", kind(s))
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
		m.made(int64(v), 8)
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
	m.made(smallest(v), 2*headBytes+maxLong/16)
}

func (m *machine) decimal(s string) {
	if i, err := strconv.ParseInt(s, 10, 64); err == nil {
		m.made(i, 8)
		return
	}
	v, ok := new(big.Int).SetString(s, 10)
	if !ok || len(s) > 2*maxLong {
		m.fail("%.40q is no integer of at most %d digits", s, 2*maxLong)
		return
	}
	m.made(smallest(v), 2*headBytes+maxLong/16)
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
	m.str(strings.ToValidUTF8(string(b), textSigns))
}

func (m *machine) str(s string) { m.made(s, headBytes+len(s)) }

func (m *machine) bytes(b []byte) { m.made(pyBytes(b), headBytes+len(b)) }

// string2 pushes a str of Python 2: text if it is UTF-8, bytes otherwise.
func (m *machine) string2(b []byte) {
	if utf8.Valid(b) {
		m.str(string(b))
	} else {
		m.bytes(b)
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
