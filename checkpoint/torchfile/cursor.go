package torchfile

import (
	"bytes"
	"errors"
	"io"
	"math"
)

// cursor reads a range of a file forward, keeping a bounded piece of it in
// memory. It allocates beyond that piece only after the range is known to be
// long enough.
type cursor struct {
	r   io.ReaderAt
	off int64  // in the file: where buf begins
	end int64  // in the file: end of the range
	buf []byte // what has been read
	pos int    // in buf: next byte
}

const cursorBytes = 1 << 15

func newCursor(r io.ReaderAt, off, size int64) *cursor {
	return &cursor{r: r, off: off, end: off + size}
}

// at is the place of the next byte in the file.
func (c *cursor) at() int64 { return c.off + int64(c.pos) }

// left is how many bytes the range still has.
func (c *cursor) left() int64 { return c.end - c.at() }

// next returns the next n bytes, which are valid until the next call, or
// io.ErrUnexpectedEOF if the range has fewer.
func (c *cursor) next(n int64) ([]byte, error) {
	if n > c.left() || n > math.MaxInt {
		return nil, io.ErrUnexpectedEOF
	}
	if have := int64(len(c.buf) - c.pos); n > have {
		if err := c.fill(int(n)); err != nil {
			return nil, err
		}
	}
	b := c.buf[c.pos : c.pos+int(n)]
	c.pos += int(n)
	return b, nil
}

// fill makes at least n bytes, which the range has, available in buf.
func (c *cursor) fill(n int) error {
	want := max(n, int(min(cursorBytes, c.left())))
	kept := c.buf[c.pos:]
	c.off += int64(c.pos)
	c.pos = 0
	if cap(c.buf) < want {
		c.buf = append(make([]byte, 0, want), kept...)
	} else {
		c.buf = append(c.buf[:0], kept...)
	}
	have := len(c.buf)
	c.buf = c.buf[:want]
	m, err := c.r.ReadAt(c.buf[have:], c.off+int64(have))
	if m < want-have {
		c.buf = c.buf[:have]
		if err == nil || errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return err
	}
	return nil
}

// line returns the bytes up to the next line feed, without it, at most limit.
func (c *cursor) line(limit int64) ([]byte, error) {
	for want := int64(64); ; want *= 4 {
		want = min(want, c.left(), limit+1)
		b, err := c.next(want)
		if err != nil {
			return nil, err
		}
		if i := bytes.IndexByte(b, '\n'); i >= 0 {
			c.pos -= len(b) - i - 1
			return b[:i], nil
		}
		if want > limit {
			return nil, errLongLine
		}
		if want == c.left()+int64(len(b)) {
			return nil, io.ErrUnexpectedEOF
		}
		c.pos -= len(b)
	}
}
