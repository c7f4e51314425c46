package parquet

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"math/bits"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"

	"github.com/unroll-ml/unroll/checkpoint"
	"github.com/unroll-ml/unroll/tensor"
)

// chunk decodes a column's pages in one row group. The library's own decoder
// is not used: it allocates what a run length inside a page says.
type chunk[T any] struct {
	r       io.ReaderAt
	at, end int64 // what is left of the chunk in the file
	codec   format.CompressionCodec
	column  *column
	dst     []T // value i goes to dst[i*stride]
	stride  int
	n, done int // values in all, and so far
	dict    []T // nil: no dictionary was read
	// plain decodes values one after another, bit a boolean of a run.
	plain func(dst []T, stride, n int, b []byte) error
	bit   func(uint32) T
	most  int64 // bytes that its pages may become, together
}

func (p *chunk[T]) read() error {
	var protocol thrift.CompactProtocol
	window := make([]byte, min(1<<16, p.end-p.at)) // a page header is far smaller
	for p.at < p.end {
		head := window[:min(int64(len(window)), p.end-p.at)]
		if n, err := p.r.ReadAt(head, p.at); n < len(head) {
			return err
		}
		if err := bounded(head); err != nil {
			return fmt.Errorf("page header: %w", err)
		}
		in := protocol.NewReaderFromBytes(head)
		var h format.PageHeader
		if err := thrift.NewDecoder(in).Decode(&h); err != nil {
			return fmt.Errorf("page header: %w", err)
		}
		body := p.at + int64(in.BytesRead())
		packed, full := int64(h.CompressedPageSize), int64(h.UncompressedPageSize)
		if packed < 0 || packed > p.end-body || full < 0 {
			return fmt.Errorf("a page of %d bytes is said to become %d, %d bytes are left", packed, full, p.end-body)
		}
		if full > p.most {
			return fmt.Errorf("a page of %d bytes is said to become %d, its column's pages of %d rows may become %d more", packed, full, p.n, p.most)
		}
		p.most -= full
		b := make([]byte, packed)
		if n, err := p.r.ReadAt(b, body); int64(n) < packed {
			return err
		}
		if err := p.page(h, b, full); err != nil {
			return err
		}
		p.at = body + packed
	}
	if p.done != p.n {
		return fmt.Errorf("the column has %d values, its group %d rows", p.done, p.n)
	}
	return nil
}

var errShort = errors.New("the page ends inside its values")

func (p *chunk[T]) page(h format.PageHeader, b []byte, full int64) (err error) {
	var levels []byte
	var encoding format.Encoding
	count := 0
	switch {
	case h.DictionaryPageHeader.Valid:
		if b, err = unpack(p.codec, b, full); err != nil {
			return err
		}
		n, width := int(h.DictionaryPageHeader.V.NumValues), p.column.width
		if width == 0 {
			width = 4 // a length; booleans have no dictionary
		}
		if n < 0 || n > len(b)/width || p.dict != nil {
			return errors.New("its dictionary is damaged, or there are two")
		}
		p.dict = make([]T, n)
		return p.plain(p.dict, 1, n, b)
	case h.DataPageHeader.Valid:
		v := h.DataPageHeader.V
		count, encoding = int(v.NumValues), v.Encoding
		if b, err = unpack(p.codec, b, full); err != nil {
			return err
		}
		if p.column.Optional() { // levels behind their length
			if len(b) < 4 || uint64(binary.LittleEndian.Uint32(b)) > uint64(len(b)-4) {
				return errShort
			}
			n := 4 + int(binary.LittleEndian.Uint32(b))
			levels, b = b[4:n], b[n:]
		}
	case h.DataPageHeaderV2.Valid:
		v := h.DataPageHeaderV2.V
		count, encoding = int(v.NumValues), v.Encoding
		n := int64(v.DefinitionLevelsByteLength)
		if n < 0 || n > int64(len(b)) || v.RepetitionLevelsByteLength != 0 {
			return errShort
		}
		levels, b = b[:n], b[n:]
		if !v.IsCompressed.Valid || v.IsCompressed.V {
			if b, err = unpack(p.codec, b, full-n); err != nil {
				return err
			}
		}
	default:
		return fmt.Errorf("a page of type %v is not known", h.Type)
	}
	if count < 0 || count > p.n-p.done {
		return fmt.Errorf("its pages have more than %d values, its group's rows", p.n)
	}
	if p.column.Optional() {
		row := p.done
		err := hybrid(levels, 1, count, func(present uint32) error {
			if row++; present == 0 {
				return fmt.Errorf("row %d of its group is null, expected a value", row)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	dst := p.dst[p.done*p.stride:]
	p.done += count
	return p.values(dst, count, encoding, b)
}

// values reads a page's values.
func (p *chunk[T]) values(dst []T, count int, encoding format.Encoding, b []byte) error {
	switch encoding {
	case format.PlainDictionary, format.RLEDictionary: //nolint:staticcheck // old writers still use the deprecated name
		if len(b) == 0 || b[0] > 32 {
			return errShort
		}
		i := 0
		return hybrid(b[1:], uint(b[0]), count, func(at uint32) error {
			if uint64(at) >= uint64(len(p.dict)) {
				return fmt.Errorf("entry %d of a dictionary of %d is asked for", at, len(p.dict))
			}
			dst[i*p.stride] = p.dict[at]
			i++
			return nil
		})
	case format.RLE:
		if p.column.class == boolean && len(b) >= 4 {
			i := 0
			return hybrid(b[4:], 1, count, func(v uint32) error {
				dst[i*p.stride] = p.bit(v)
				i++
				return nil
			})
		}
	}
	b, err := p.column.plainly(encoding, count, b, p.most)
	if err != nil {
		return err
	}
	return p.plain(dst, p.stride, count, b)
}

// numbers makes a chunk read numbers as F; lost is told of those it does not hold.
func numbers[F tensor.Float](p *chunk[F], lost *rounded) *chunk[F] {
	p.bit = func(v uint32) F { return F(v) }
	le := binary.LittleEndian
	var value func(b []byte) (F, error)
	switch c := p.column; {
	case c.class == single:
		value = func(b []byte) (F, error) { return F(math.Float32frombits(le.Uint32(b))), nil }
	case c.class == double:
		value = func(b []byte) (F, error) { return F(math.Float64frombits(le.Uint64(b))), nil }
	case c.class == half:
		value = func(b []byte) (F, error) { return F(checkpoint.Float16(le.Uint16(b))), nil }
	case c.class == decimal && (c.width == 0 || c.Type().Kind() == parquet.FixedLenByteArray):
		value = func(b []byte) (F, error) {
			if v, ok := small(b); ok {
				return exactly[F](v, c.scale, lost)
			}
			return decimalOf[F](digits(b), c.scale, lost)
		}
	case c.class == integer && c.unsigned:
		value = func(b []byte) (F, error) { return natural[F](uint64At(b), lost), nil }
	case c.class == decimal:
		value = func(b []byte) (F, error) { return exactly[F](int64At(b), c.scale, lost) }
	case c.class == julian:
		value = func(b []byte) (F, error) {
			v, err := nanoseconds(b)
			return whole[F](v, lost), err
		}
	default:
		value = func(b []byte) (F, error) { return whole[F](int64At(b), lost), nil }
	}
	p.plain = func(dst []F, stride, n int, b []byte) error {
		return each(p.column, n, b, p.bit, func(i int, v F) { dst[i*stride] = v }, value)
	}
	return p
}

func uint64At(b []byte) uint64 {
	if len(b) == 4 {
		return uint64(binary.LittleEndian.Uint32(b))
	}
	return binary.LittleEndian.Uint64(b)
}

func int64At(b []byte) int64 {
	if len(b) == 4 {
		return int64(int32(binary.LittleEndian.Uint32(b)))
	}
	return int64(binary.LittleEndian.Uint64(b))
}

// each gives n values that stand one after another, as the column's width has them.
func each[T any](c *column, n int, b []byte, bit func(uint32) T, set func(i int, v T), value func(b []byte) (T, error)) error {
	if c.class == boolean {
		if len(b) < (n+7)/8 {
			return errShort
		}
		for i := range n {
			set(i, bit(uint32(b[i/8]>>(i%8)&1)))
		}
		return nil
	}
	if c.width > 0 && len(b)/c.width < n {
		return errShort
	}
	for i := range n {
		size := c.width
		if size == 0 { // its length is before it
			if len(b) < 4 || uint64(binary.LittleEndian.Uint32(b)) > uint64(len(b)-4) {
				return errShort
			}
			size, b = int(binary.LittleEndian.Uint32(b)), b[4:]
			if c.class == decimal && (size == 0 || size > maxDecimal) {
				return fmt.Errorf("a decimal of %d bytes, expected 1 to %d", size, maxDecimal)
			}
		}
		v, err := value(b[:size])
		if err != nil {
			return err
		}
		set(i, v)
		b = b[size:]
	}
	return nil
}

// hybrid decodes n integers of a width in bits, in runs of one value and
// groups of eight packed ones, as the format's page on encodings has it.
func hybrid(b []byte, width uint, n int, f func(v uint32) error) error {
	for n > 0 {
		head, used := binary.Uvarint(b)
		if used <= 0 || head < 2 {
			return errShort
		}
		b = b[used:]
		if head&1 == 0 {
			size := int(width+7) / 8
			if len(b) < size {
				return errShort
			}
			var word [4]byte
			copy(word[:], b[:size])
			v := binary.LittleEndian.Uint32(word[:])
			b = b[size:]
			for range min(uint64(n), head>>1) {
				if err := f(v); err != nil {
					return err
				}
				n--
			}
			continue
		}
		hi, bytes := bits.Mul64(head>>1, uint64(width))
		if hi != 0 || bytes > uint64(len(b)) {
			return errShort
		}
		count := uint64(n)
		if groups := head >> 1; groups < (count+7)/8 {
			count = 8 * groups
		}
		for i := range count {
			v, from := uint32(0), uint(i)*width
			for k := range width {
				at := from + k
				v |= uint32(b[at/8]>>(at%8)&1) << k
			}
			if err := f(v); err != nil {
				return err
			}
			n--
		}
		b = b[bytes:]
	}
	return nil
}
