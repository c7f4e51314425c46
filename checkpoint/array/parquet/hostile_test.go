package parquet

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"math"
	"strings"
	"testing"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
	pq "github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/encoding/delta"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
	"github.com/pierrec/lz4/v4"
)

// packed are 1 MiB of zeros in every compression.
func packed(t *testing.T) (map[format.CompressionCodec][]byte, []byte) {
	t.Helper()
	zeros := make([]byte, 1<<20)
	var gz, br bytes.Buffer
	g, b := gzip.NewWriter(&gz), brotli.NewWriter(&br)
	_, err1 := g.Write(zeros)
	_, err2 := b.Write(zeros)
	z, err3 := zstd.NewWriter(nil)
	raw := make([]byte, lz4.CompressBlockBound(len(zeros)))
	n, err4 := (&lz4.Compressor{}).CompressBlock(zeros, raw)
	for _, err := range []error{err1, err2, err3, err4, g.Close(), b.Close()} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return map[format.CompressionCodec][]byte{
		format.Snappy: snappy.Encode(nil, zeros), format.Gzip: gz.Bytes(), format.Brotli: br.Bytes(),
		format.Zstd: z.EncodeAll(zeros, nil), format.Lz4Raw: raw[:n],
	}, zeros
}

// A page becomes what its header says, or is refused; nothing more is taken for it.
func TestPagesThatBecomeSomethingElse(t *testing.T) {
	all, zeros := packed(t)
	for codec, b := range all {
		got, err := unpack(codec, b, int64(len(zeros)))
		if err != nil || !bytes.Equal(got, zeros) {
			t.Errorf("%v: %d bytes, %v", codec, len(got), err)
		}
		if _, err := unpack(codec, b, int64(len(zeros))+1); err == nil {
			t.Errorf("%v: a page that is shorter than its header says", codec)
		}
		if _, err := unpack(codec, b[:len(b)/2], int64(len(zeros))); err == nil {
			t.Errorf("%v: half a page", codec)
		}
		if got, err := unpack(codec, b, 100); err == nil && len(got) != 100 {
			t.Errorf("%v: %d bytes of a page of 100", codec, len(got))
		}
		got, err = unpack(codec, b, 100)
		if stream := codec == format.Gzip || codec == format.Brotli; !stream && err == nil {
			t.Errorf("%v: a page of %d bytes that says 100 became %d", codec, len(zeros), len(got))
		}
	}
	if _, err := unpack(format.LZO, zeros, 1); err == nil || !strings.Contains(err.Error(), "compression LZO is not read; write it with zstd") {
		t.Errorf("LZO: %v", err)
	}
}

// What old writers call LZ4: Hadoop's frames, one or several, or a block alone.
func TestHadoopsLZ4(t *testing.T) {
	want := []byte(strings.Repeat("some words, ", 100))
	frame := func(b []byte) (out []byte) {
		block := make([]byte, lz4.CompressBlockBound(len(b)))
		n, err := (&lz4.Compressor{}).CompressBlock(b, block)
		if err != nil {
			t.Fatal(err)
		}
		out = binary.BigEndian.AppendUint32(out, uint32(len(b)))
		out = binary.BigEndian.AppendUint32(out, uint32(n))
		return append(out, block[:n]...)
	}
	one := frame(want)
	for name, b := range map[string][]byte{
		"a frame": one, "two frames": append(frame(want[:500]), frame(want[500:])...), "a block": one[8:],
	} {
		if got, err := unpack(format.Lz4, b, int64(len(want))); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	one[0] = 0x7f
	if _, err := unpack(format.Lz4, one, int64(len(want))); err == nil {
		t.Error("a frame of 2 GB was read")
	}
}

// page is one of a column, behind its header.
func page(t *testing.T, h format.PageHeader, body []byte) []byte {
	t.Helper()
	h.CompressedPageSize = int32(len(body))
	b, err := thrift.Marshal(new(thrift.CompactProtocol), &h)
	if err != nil {
		t.Fatal(err)
	}
	return append(b, body...)
}

// columnOf is a column of a type.
func columnOf(t *testing.T, kind pq.Type) *column {
	t.Helper()
	var b bytes.Buffer
	if err := pq.NewWriter(&b, pq.NewSchema("s", pq.Group{"x": pq.Leaf(kind)})).Close(); err != nil {
		t.Fatal(err)
	}
	f, err := pq.OpenFile(bytes.NewReader(b.Bytes()), int64(b.Len()))
	if err != nil {
		t.Fatal(err)
	}
	return &columnsOf(f)[0]
}

// Pages without values, each of which becomes 1 MiB, are a bomb only together.
func TestPagesTogetherAreBound(t *testing.T) {
	all, zeros := packed(t)
	h := format.PageHeader{Type: format.DataPage, UncompressedPageSize: int32(len(zeros))}
	h.DataPageHeader.Valid = true
	one := page(t, h, all[format.Zstd])
	b := bytes.Repeat(one, 50)
	p := numbers(&chunk[float64]{r: bytes.NewReader(b), end: int64(len(b)), codec: format.Zstd, column: columnOf(t, pq.DoubleType), stride: 1, most: maxPages(0, 8)}, new(rounded))
	if err := p.read(); err == nil || !strings.Contains(err.Error(), "its column's pages of 0 rows may become 0 more") || p.at != int64(len(one)) {
		t.Errorf("at byte %d, %v; a page has %d bytes", p.at, err, len(one))
	}
}

func TestPackedDifferencesAreBound(t *testing.T) {
	ints, texts := columnOf(t, pq.Int64Type), columnOf(t, pq.ByteArrayType)
	var library delta.BinaryPackedEncoding
	list := make([]int64, 1000)
	lens := make([]int32, 1000)
	for i := range list {
		list[i] = int64(i*i*i) * 1_000_003
		lens[i] = 1 << 12
	}
	good, err := library.EncodeInt64(nil, list)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := ints.plainly(format.DeltaBinaryPacked, 1000, good, math.MaxInt64)
	if err != nil || len(plain) != 8000 || binary.LittleEndian.Uint64(plain[7992:]) != uint64(list[999]) {
		t.Fatalf("%d bytes, %v", len(plain), err)
	}
	for cut := range good { // where a part is cut off, at its width or in its bits
		if _, err := ints.plainly(format.DeltaBinaryPacked, 1000, good[:cut], math.MaxInt64); err == nil {
			t.Fatalf("%d of %d bytes were enough", cut, len(good))
		}
	}
	many := binary.AppendUvarint([]byte{0x80, 1, 4}, 1<<31-1) // a block of 128, 4 parts
	wide := append(binary.AppendUvarint([]byte{0x80, 1, 4}, 100), 0, 0, 65, 0, 0, 0)
	wide = append(wide, make([]byte, 4096)...)
	lengths, err := library.EncodeInt32(nil, lens)
	if err != nil {
		t.Fatal(err)
	}
	none, err := library.EncodeInt32(nil, make([]int32, 1000))
	if err != nil {
		t.Fatal(err)
	}
	first, err := library.EncodeInt32(nil, append([]int32{1 << 12}, make([]int32, 999)...))
	if err != nil {
		t.Fatal(err)
	}
	lens[0] = 0
	shared, err := library.EncodeInt32(nil, lens)
	if err != nil {
		t.Fatal(err)
	}
	bomb := append(append(bytes.Clone(shared), first...), make([]byte, 1<<12)...) // 1000 times the first
	for name, got := range map[string]struct {
		c    *column
		e    format.Encoding
		b    []byte
		n    int
		word string
	}{
		"many values":         {ints, format.DeltaBinaryPacked, many, 1000, "2147483647 packed differences for 1000 values"},
		"bits of 65":          {ints, format.DeltaBinaryPacked, wide, 100, "damaged"},
		"blocks of 0":         {ints, format.DeltaBinaryPacked, []byte{0, 4, 1, 0}, 1, "blocks of 0"},
		"parts of 1":          {ints, format.DeltaBinaryPacked, []byte{0x80, 1, 128, 1, 1, 0}, 1, "in 128 parts"},
		"texts behind no end": {texts, format.DeltaLengthByteArray, lengths, 1000, "ends inside"},
		"a bomb of prefixes":  {texts, format.DeltaByteArray, bomb, 1000, "more than 1048576 bytes"},
		"a prefix of nothing": {texts, format.DeltaByteArray, append(bytes.Clone(first), none...), 1000, "ends inside"},
		"of another type":     {texts, format.DeltaBinaryPacked, good, 1000, "is not read of BYTE_ARRAY"},
	} {
		out, err := got.c.plainly(got.e, got.n, got.b, 1<<20)
		if err == nil || !strings.Contains(err.Error(), got.word) {
			t.Errorf("%s: %d bytes, %v", name, len(out), err)
		}
	}
	out, err := texts.plainly(format.DeltaByteArray, 1000, bomb, 8<<20)
	if err != nil || len(out) != 1000*(4+1<<12) {
		t.Errorf("what is no bomb where there is room: %d bytes, %v", len(out), err)
	}
}
