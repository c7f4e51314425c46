package torchfile

import (
	"errors"
	"fmt"
	"io"

	"github.com/unroll-ml/unroll/checkpoint"
)

var errLongLine = fmt.Errorf("text longer than %d bytes", maxLine)

// machine runs one pickle as data: it builds tuples, lists, dictionaries and
// opaque objects, and interprets a fixed table of calls (calls.go). Nothing is
// looked up by a name from the file, and it does not recurse.
//
// The opcodes are those of Python's pickletools, protocols 0 to 5.
type machine struct {
	c     *cursor
	file  string // for messages
	place string // the same: the zip entry, or ""
	base  int64  // where byte 0 of the messages' count is in the file
	start int64  // where this pickle begins
	size  int64  // of the file

	// persistent turns a persistent id into what it stands for.
	persistent func(id any) (any, error)
	// inside reads a file of torch.save whose bytes are in the pickle.
	inside func(r io.ReaderAt, size int64) (any, int64, error)

	stack  []any
	marks  []int // lengths of stack where a MARK was set
	memo   []any
	copied int64
	held   int64 // bytes of what was built, about
	err    error
}

// What values take in memory, about: an interface, a container's head, an entry
// of a dictionary, an opaque object, a tensor with its storage.
const (
	slotBytes   = 16
	headBytes   = 32
	entryBytes  = 80
	objectBytes = 96
	tensorBytes = 320
)

// hold counts n bytes of memory against the file's size.
func (m *machine) hold(n int) bool {
	if m.held += int64(n); m.held > heldFixed+heldFactor*m.size {
		m.fail("what it holds takes more memory than %d times the file's %d bytes and %d", heldFactor, m.size, heldFixed)
	}
	return m.err == nil
}

// run reads one pickle up to and with its STOP and returns its value.
func (m *machine) run() (any, error) {
	m.start = m.c.at()
	for {
		at := m.c.at()
		op := m.byte()
		if m.err == nil && op == opStop {
			if len(m.stack) != 1 || len(m.marks) != 0 {
				m.fail("the pickle ends with %d values on its stack instead of one", len(m.stack))
			} else {
				return m.stack[0], nil
			}
		}
		if m.err == nil {
			m.step(op)
		}
		if m.err != nil {
			return nil, m.explain(at)
		}
	}
}

// explain says where the first error happened.
func (m *machine) explain(at int64) error {
	var known *checkpoint.Error
	if errors.As(m.err, &known) {
		return m.err
	}
	e := &checkpoint.Error{File: m.file, Place: fmt.Sprintf("byte %d", at-m.base), Reason: m.err.Error()}
	if m.place != "" {
		e.Place = m.place + " " + e.Place
	}
	if errors.Is(m.err, io.ErrUnexpectedEOF) {
		e.Reason = "the pickle is cut off: this instruction needs more bytes than there are"
	}
	return e
}

// fail records the first error.
func (m *machine) fail(format string, args ...any) {
	if m.err == nil {
		m.err = fmt.Errorf(format, args...)
	}
}

// read is how many bytes of the pickle have been read.
func (m *machine) read() int64 { return m.c.at() - m.start }

// spend counts n copied elements against the pickle's length so far.
func (m *machine) spend(n int) bool {
	if m.copied += int64(n); m.copied > copyFixed+copyFactor*m.read() {
		m.fail("containers are copied again and again: %d elements in %d bytes", m.copied, m.read())
	}
	return m.err == nil
}

func (m *machine) next(n int64) []byte {
	if m.err != nil {
		return nil
	}
	b, err := m.c.next(n)
	if err != nil {
		m.err = err
	}
	return b
}

func (m *machine) byte() byte {
	if b := m.next(1); len(b) == 1 {
		return b[0]
	}
	return 0
}

// uint reads a little-endian number of n bytes, n at most 8.
func (m *machine) uint(n int64) uint64 {
	var v uint64
	for i, b := range m.next(n) {
		v |= uint64(b) << (8 * i)
	}
	return v
}

// counted reads a length of n bytes and that many bytes after it.
func (m *machine) counted(n int64) []byte {
	size := m.uint(n)
	if m.err == nil && size > uint64(m.c.left()) {
		m.fail("a text or number of %d bytes is announced, %d bytes are left", size, m.c.left())
	}
	return m.next(int64(size))
}

func (m *machine) line() string {
	if m.err != nil {
		return ""
	}
	b, err := m.c.line(maxLine)
	if err != nil {
		m.err = err
	}
	return string(b)
}

func (m *machine) push(v any) {
	if len(m.stack) == cap(m.stack) && !m.hold(slotBytes*(len(m.stack)+8)) {
		return
	}
	m.stack = grow(m.stack, v)
}

// made pushes a new value that takes n bytes besides its place.
func (m *machine) made(v any, n int) {
	if m.hold(n) {
		m.push(v)
	}
}

// ownCopy is a copy of v, counted.
func (m *machine) ownCopy(v []any) []any {
	if !m.hold(headBytes + slotBytes*len(v)) {
		return nil
	}
	return append(make([]any, 0, len(v)), v...)
}

// grow is append that doubles: built-in append grows large slices by a quarter,
// which allocates five times what is kept.
func grow[T any](s []T, v T) []T {
	if len(s) == cap(s) {
		s = append(make([]T, 0, 2*len(s)+8), s...)
	}
	return append(s, v)
}

// floor is the length below which the stack must not be popped.
func (m *machine) floor() int {
	if n := len(m.marks); n > 0 {
		return m.marks[n-1]
	}
	return 0
}

func (m *machine) top() any {
	if len(m.stack) <= m.floor() {
		m.fail("the instruction needs a value, the stack has none")
		return none{}
	}
	return m.stack[len(m.stack)-1]
}

func (m *machine) pop() any {
	v := m.top()
	if m.err == nil {
		m.stack = m.stack[:len(m.stack)-1]
	}
	return v
}

// popMark removes everything above the last mark and returns it, in memory
// that the next push overwrites.
func (m *machine) popMark() []any {
	if len(m.marks) == 0 {
		m.fail("the instruction needs a mark, none was set")
		return nil
	}
	at := m.floor()
	m.marks = m.marks[:len(m.marks)-1]
	top := m.stack[at:]
	m.stack = m.stack[:at]
	return top
}

// tuple makes a tuple of the n topmost values.
func (m *machine) tuple(n int) {
	if len(m.stack)-m.floor() < n {
		m.fail("a tuple of %d needs as many values, the stack has %d", n, len(m.stack)-m.floor())
		return
	}
	at := len(m.stack) - n
	t := &tuple{m.ownCopy(m.stack[at:])}
	m.stack = append(m.stack[:at], t)
}

// put stores the topmost value in the memo. Picklers number places from 0 or 1
// and each took at least one byte, so a number beyond the bytes read is an
// attack on the memo's memory.
func (m *machine) put(i uint64) {
	v := m.top()
	if m.err != nil {
		return
	}
	if i > uint64(m.read()) {
		m.fail("memo place %d is beyond the %d bytes read so far", i, m.read())
		return
	}
	if grown := int64(i) + 1 - int64(cap(m.memo)); grown > 0 && !m.hold(slotBytes*int(max(grown, int64(cap(m.memo))))) {
		return
	}
	for uint64(len(m.memo)) <= i {
		m.memo = grow(m.memo, nil)
	}
	m.memo[i] = v
}

func (m *machine) get(i uint64) {
	if i >= uint64(len(m.memo)) || m.memo[i] == nil {
		m.fail("memo place %d was never filled", i)
		return
	}
	m.push(m.memo[i])
}

// append adds values to the list on top of the stack.
func (m *machine) append(v ...any) {
	if !m.hold(slotBytes * len(v)) {
		return
	}
	switch l := m.top().(type) {
	case *list:
		l.items = append(l.items, v...)
	case *object: // a subclass of list
		l.elems = append(l.elems, v...)
	default:
		m.fail("a value is appended to %s, which is no list", kind(l))
	}
}

// setItems adds keys and values, alternating, to the dictionary on top.
func (m *machine) setItems(kv []any) {
	var d *dict
	switch o := m.top().(type) {
	case *dict:
		d = o
	case *object: // a subclass of dict
		if o.items == nil {
			o.items = new(dict)
		}
		d = o.items
	default:
		m.fail("an item is set in %s, which is no dictionary", kind(o))
		return
	}
	m.fill(d, kv)
}

func (m *machine) fill(d *dict, kv []any) {
	if len(kv)%2 != 0 {
		m.fail("a key has no value")
		return
	}
	for i := 0; i < len(kv) && m.err == nil; i += 2 {
		m.setItem(d, kv[i], kv[i+1])
	}
}

func (m *machine) setItem(d *dict, key, value any) {
	if !hashable(key) {
		m.fail("%s is no key for a dictionary", kind(key))
		return
	}
	if !m.hold(entryBytes) {
		return
	}
	if d.find(key) >= 0 {
		text, _ := keyText(key, 1)
		m.fail("key %.80q is there twice", text)
		return
	}
	d.add(key, value)
}

// build gives the object on top its state.
func (m *machine) build(state any) {
	switch o := m.top().(type) {
	case *object:
		if o.state != nil {
			m.fail("an object of class %s is given its state twice", o.class)
			return
		}
		o.state = state
	case *dict:
		// Attributes of an OrderedDict: torch.nn.Module.state_dict leaves its
		// format version there, which nothing here depends on.
	case *set, *list:
		m.fail("%s is given attributes", kind(o))
	default:
		m.fail("%s is given a state, which only objects have", kind(o))
	}
}
