package parquet

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/encoding/delta"
	"github.com/parquet-go/parquet-go/format"
)

// plainly turns a page's values of any encoding without a dictionary into the plain
// one, of at most most bytes: what reads values then knows only that.
func (c *column) plainly(encoding format.Encoding, n int, b []byte, most int64) ([]byte, error) {
	switch kind := c.Type().Kind(); {
	case encoding == format.Plain:
		return b, nil
	case encoding == format.ByteStreamSplit && c.width > 0:
		return joined(b, c.width, n)
	case encoding == format.DeltaBinaryPacked && (kind == parquet.Int32 || kind == parquet.Int64):
		return summed(b, c.width, n)
	case encoding == format.DeltaLengthByteArray && kind == parquet.ByteArray:
		return behindLengths(b, n, most)
	case encoding == format.DeltaByteArray && (kind == parquet.ByteArray || kind == parquet.FixedLenByteArray):
		return c.behindPrefixes(b, n, most)
	}
	return nil, fmt.Errorf("encoding %v is not read of %s", encoding, c.Type())
}

// joined puts values together whose first bytes stand before all second ones, and so on.
func joined(b []byte, width, n int) ([]byte, error) {
	if len(b)/width < n {
		return nil, errShort
	}
	out := make([]byte, n*width)
	for k := range width {
		for i := range n {
			out[i*width+k] = b[k*n+i]
		}
	}
	return out, nil
}

var errPacked = errors.New("the packed differences are damaged")

// packedEnd returns where n packed differences of integers of a width end. The
// library, which unpacks them, trusts how many there are and how wide.
func packedEnd(b []byte, width, n int) (int, error) {
	at := 0
	read := func() uint64 {
		v, used := binary.Uvarint(b[at:])
		if used <= 0 {
			at = len(b) + 1
			return 0
		}
		at += used
		return v
	}
	// A block's size, its parts and the number of values; past the end, at says so.
	var head [3]uint64
	for i := range head {
		if head[i] = read(); at > len(b) {
			return 0, errPacked
		}
	}
	block, parts, total := head[0], head[1], head[2]
	if block == 0 || block%128 != 0 || block > 1<<16 || parts == 0 || parts > block/32 || block/parts%32 != 0 {
		return 0, fmt.Errorf("packed differences in blocks of %d in %d parts", block, parts)
	}
	if total != uint64(n) {
		return 0, fmt.Errorf("%d packed differences for %d values", total, n)
	}
	if read(); at > len(b) { // the first value
		return 0, errPacked
	}
	part := int(block / parts)
	for left := n - 1; left > 0; {
		if read(); at > len(b) || len(b)-at < int(parts) { // the least difference, and widths
			return 0, errPacked
		}
		widths := b[at : at+int(parts)]
		at += int(parts)
		for _, w := range widths {
			if left <= 0 { // parts that are not needed take no bytes
				break
			}
			if int(w) > 8*width || len(b)-at < part*int(w)/8 {
				return 0, errPacked
			}
			at += part * int(w) / 8
			left -= part
		}
	}
	return at, nil
}

// summed unpacks differences of integers.
func summed(b []byte, width, n int) ([]byte, error) {
	end, err := packedEnd(b, width, n)
	if err != nil {
		return nil, err
	}
	var packed delta.BinaryPackedEncoding
	out := make([]byte, 0, n*width)
	if width == 4 {
		v, err := packed.DecodeInt32(nil, b[:end:end])
		for _, x := range v {
			out = binary.LittleEndian.AppendUint32(out, uint32(x))
		}
		return out, err
	}
	v, err := packed.DecodeInt64(nil, b[:end:end])
	for _, x := range v {
		out = binary.LittleEndian.AppendUint64(out, uint64(x))
	}
	return out, err
}

// lengths unpacks n lengths and returns what stands behind them.
func lengths(b []byte, n int) (list []int32, rest []byte, err error) {
	end, err := packedEnd(b, 4, n)
	if err != nil {
		return nil, nil, err
	}
	var packed delta.BinaryPackedEncoding
	if list, err = packed.DecodeInt32(nil, b[:end:end]); err != nil {
		return nil, nil, err
	}
	if len(list) != n {
		return nil, nil, errPacked
	}
	return list, b[end:], nil
}

// behindLengths puts the length of each value before it, that stood before all.
func behindLengths(b []byte, n int, most int64) ([]byte, error) {
	list, b, err := lengths(b, n)
	if err != nil {
		return nil, err
	}
	if int64(len(b)+4*n) > most {
		return nil, fmt.Errorf("a page of texts of %d bytes, %d may be left", len(b), most)
	}
	out := make([]byte, 0, len(b)+4*n)
	for _, k := range list {
		if k < 0 || int(k) > len(b) {
			return nil, errShort
		}
		out = append(binary.LittleEndian.AppendUint32(out, uint32(k)), b[:k]...)
		b = b[k:]
	}
	return out, nil
}

// behindPrefixes writes values out that are how many bytes they begin with of the one
// before, and the rest.
func (c *column) behindPrefixes(b []byte, n int, most int64) ([]byte, error) {
	shared, b, err := lengths(b, n)
	if err != nil {
		return nil, err
	}
	own, b, err := lengths(b, n)
	if err != nil {
		return nil, err
	}
	size := int64(0)
	for i := range own {
		if shared[i] < 0 || own[i] < 0 {
			return nil, errShort
		}
		if size += int64(shared[i]) + int64(own[i]) + 4; size > most {
			return nil, fmt.Errorf("a page of values that begin alike becomes more than %d bytes", most)
		}
	}
	out := make([]byte, 0, size)
	last := 0 // where the value before begins in out
	for i := range own {
		k, from := int(shared[i]), len(out)
		if c.width > 0 && k+int(own[i]) != c.width {
			return nil, fmt.Errorf("a value of %d bytes in a column of %d", k+int(own[i]), c.width)
		}
		if int(own[i]) > len(b) || k > from-last {
			return nil, errShort
		}
		if c.width == 0 {
			out = binary.LittleEndian.AppendUint32(out, uint32(k)+uint32(own[i]))
		}
		begin := len(out)
		out = append(append(out, out[last:last+k]...), b[:own[i]]...)
		last, b = begin, b[own[i]:]
	}
	return out, nil
}
