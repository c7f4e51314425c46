package parquet

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"io"
	"sync"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go/format"
	"github.com/pierrec/lz4/v4"
)

// zstds decodes without growing what it is given.
var zstds = sync.OnceValues(func() (*zstd.Decoder, error) {
	return zstd.NewReader(nil, zstd.WithDecodeAllCapLimit(true), zstd.WithDecoderLowmem(true))
})

// brotlis are kept, because each takes as much as its data say of a window, up to 16 MiB.
var brotlis = sync.Pool{New: func() any { return brotli.NewReader(nil) }}

// unpack returns what b becomes, full bytes as its page's header says, which is all
// the memory that is taken for it.
func unpack(codec format.CompressionCodec, b []byte, full int64) (out []byte, err error) {
	if codec == format.Uncompressed {
		if int64(len(b)) != full {
			return nil, fmt.Errorf("%d bytes are said to become %d without compression", len(b), full)
		}
		return b, nil
	}
	if codec == format.Snappy { // a block begins with the length it becomes
		if n, ok := binary.Uvarint(b); ok <= 0 || n != uint64(full) {
			return nil, fmt.Errorf("the snappy block becomes %d bytes, its page has %d", n, full)
		}
	}
	out = make([]byte, full)
	n := 0
	switch codec {
	case format.Snappy:
		out, err = snappy.Decode(out, b)
		n = len(out)
	case format.Gzip:
		z, e := gzip.NewReader(bytes.NewReader(b))
		if e != nil {
			return nil, e
		}
		n, err = io.ReadFull(z, out)
	case format.Zstd:
		z, e := zstds()
		if e != nil {
			return nil, e
		}
		out, err = z.DecodeAll(b, out[:0])
		n = len(out)
	case format.Brotli:
		z := brotlis.Get().(*brotli.Reader)
		_ = z.Reset(bytes.NewReader(b)) // has no error
		if n, err = io.ReadFull(z, out); err == nil {
			brotlis.Put(z)
		}
	case format.Lz4Raw:
		n, err = lz4.UncompressBlock(b, out)
	case format.Lz4:
		n, err = framed(b, out)
	default:
		return nil, fmt.Errorf("compression %v is not read; write it with zstd, snappy, gzip, lz4_raw, brotli or none", codec)
	}
	if err == nil && int64(n) != full {
		err = fmt.Errorf("a page becomes %d bytes, its header says %d", n, full)
	}
	return out, err
}

// framed decodes what writers mean by LZ4, which the format never said: blocks as
// Hadoop frames them, behind the lengths they become and have, or a block alone.
func framed(b, out []byte) (int, error) {
	at, rest := 0, b
	for len(rest) >= 8 {
		full, packed := binary.BigEndian.Uint32(rest), binary.BigEndian.Uint32(rest[4:])
		if uint64(full) > uint64(len(out)-at) || uint64(packed) > uint64(len(rest)-8) {
			break
		}
		n, err := lz4.UncompressBlock(rest[8:8+packed], out[at:at+int(full)])
		if err != nil || n != int(full) {
			break
		}
		at, rest = at+n, rest[8+packed:]
	}
	if len(rest) == 0 && at == len(out) {
		return at, nil
	}
	return lz4.UncompressBlock(b, out)
}
