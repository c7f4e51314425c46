package live

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"math"
	"os"
	"slices"
)

// readSnapshot begins with the sequences of Options.Snapshot, if it is there.
func (p *Pool) readSnapshot() error {
	path := p.opt.Snapshot
	if path == "" {
		return nil
	}
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	r := &snapshotReader{r: bufio.NewReaderSize(f, 1<<16), left: info.Size(), v: p.version.Load()}
	if err := r.read(p); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	p.written.Store(info.ModTime().UnixNano())
	return nil
}

// snapshotReader reads a file of a known size.
type snapshotReader struct {
	r    io.Reader
	left int64 // bytes that may still come
	v    *version
	b    []byte // a block
}

func broken(format string, a ...any) error {
	return &Error{Kind: ErrCapsule, Reason: fmt.Sprintf(format, a...)}
}

func (r *snapshotReader) read(p *Pool) error {
	magic, err := r.bytes(int64(len(snapshotMagic)))
	if err != nil {
		return err
	}
	if string(magic) != snapshotMagic {
		return broken("it does not begin with %q", snapshotMagic)
	}
	end, err := r.header(p.opt.Foreign)
	if err != nil {
		return err
	}
	var n uint64
	for {
		b, err := r.block()
		if err != nil {
			return err
		}
		if len(b) == 0 {
			break
		}
		for len(b) > 0 {
			var key string
			var from saved
			if key, from, b, err = r.record(b); err != nil {
				return err
			}
			n++
			if err := p.restart(key, from, end); err != nil {
				return err
			}
		}
	}
	b, err := r.bytes(8)
	if err != nil {
		return err
	}
	if want := binary.LittleEndian.Uint64(b); want != n || r.left != 0 {
		return broken("it has %d sequences and %d bytes more, and says %d sequences", n, r.left, want)
	}
	return nil
}

// restart begins with one sequence, or ends it.
func (p *Pool) restart(key string, from saved, end bool) error {
	s := p.shard(key)
	if !end {
		return s.open(key, from, true)
	}
	s.mu.Lock()
	s.ends.add(key, ModelChanged)
	s.mu.Unlock()
	p.ended(key, ModelChanged)
	return nil
}

// header checks whose the states are. end says that they are to be ended.
func (r *snapshotReader) header(f Foreign) (end bool, err error) {
	b, err := r.block()
	if err != nil {
		return false, err
	}
	var h snapshotHeader
	if err := json.Unmarshal(b, &h); err != nil {
		return false, broken("the header is not JSON: %v", err)
	}
	same := slices.EqualFunc(h.State, tensorsJSON(r.v.tensors), func(a, b snapshotTensor) bool {
		return a.Name == b.Name && slices.Equal(a.Shape, b.Shape)
	})
	if r.v.accepts(h.Signature, h.Digest, f) {
		if !same {
			return false, broken("the state is %.500v, that of %.200q is %v", h.State, r.v.signature, tensorsJSON(r.v.tensors))
		}
		return false, nil
	}
	if f != EndForeign {
		return false, r.v.foreign("", h.Signature, h.Digest)
	}
	// The records are as long as the file's own header says.
	size := int64(0)
	for _, t := range h.State {
		n := int64(1)
		for _, d := range t.Shape {
			if d < 0 || d > 1<<30 || n*int64(d) > 1<<30 {
				return false, broken("the shape of %.80q is %.200v", t.Name, t.Shape)
			}
			n *= int64(d)
		}
		if size += n; size > 1<<30 {
			return false, broken("the state has more than 2^30 numbers")
		}
	}
	old := *r.v
	old.size = int(size)
	r.v = &old
	return true, nil
}

// record splits the first record from a block.
func (r *snapshotReader) record(b []byte) (key string, from saved, rest []byte, err error) {
	short := broken("a record is cut off")
	k, b, ok := counted(b, maxKey)
	if !ok || len(b) < 9 {
		return "", saved{}, nil, short
	}
	key, from.steps = string(k), binary.LittleEndian.Uint64(b)
	flags := b[8]
	b = b[9:]
	switch flags {
	case flagMarked:
		mark, b, ok := counted(b, maxKey)
		if !ok || len(mark) == 0 {
			return "", saved{}, nil, short
		}
		from.mark = string(mark)
		return key, from, b, nil
	case 0:
		if len(b)/4 < r.v.size {
			return "", saved{}, nil, short
		}
		from.state = make([]float32, r.v.size)
		for i := range from.state {
			from.state[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
		}
		if i := notFinite(from.state); i >= 0 {
			return "", saved{}, nil, broken("number %d of the state of %.80q is %v", i, key, from.state[i])
		}
		return key, from, b[4*r.v.size:], nil
	}
	return "", saved{}, nil, broken("a record has the flags %d, expected 0 or %d", flags, flagMarked)
}

// counted splits bytes with their length before them.
func counted(b []byte, most uint32) (s, rest []byte, ok bool) {
	if len(b) < 4 {
		return nil, nil, false
	}
	n := binary.LittleEndian.Uint32(b)
	if b = b[4:]; n > most || int64(n) > int64(len(b)) {
		return nil, nil, false
	}
	return b[:n], b[n:], true
}

// block reads the next block, which holds until the next call.
func (r *snapshotReader) block() ([]byte, error) {
	b, err := r.bytes(4)
	if err != nil {
		return nil, err
	}
	size := int64(binary.LittleEndian.Uint32(b))
	if size > 1<<30 {
		return nil, broken("a block says it has %d bytes, at most 2^30 are read", size)
	}
	if b, err = r.bytes(size + 4); err != nil {
		return nil, err
	}
	n := len(b) - 4
	if sum := binary.LittleEndian.Uint32(b[n:]); sum != crc32.Checksum(b[:n], castagnoli) {
		return nil, broken("the checksum of a block of %d bytes is wrong", n)
	}
	return b[:n], nil
}

// bytes reads n bytes, if the file can have them.
func (r *snapshotReader) bytes(n int64) ([]byte, error) {
	if n > r.left {
		return nil, broken("it is cut off: %d bytes are left, %d are needed", r.left, n)
	}
	r.left -= n
	r.b = slices.Grow(r.b[:0], int(n))[:n]
	if _, err := io.ReadFull(r.r, r.b); err != nil {
		if err == io.ErrUnexpectedEOF || err == io.EOF {
			return nil, broken("it ended while it was read")
		}
		return nil, err
	}
	return r.b, nil
}
