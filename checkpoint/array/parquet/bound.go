package parquet

import (
	"encoding/binary"
	"io"

	"github.com/parquet-go/parquet-go/format"
)

// maxNumbers is how many numbers of elem bytes may come out of a file of a size:
// 64 MiB of them, and 20 times its bytes. Runs of one value know no limit.
func maxNumbers(size, elem int64) int64 { return (64<<20 + 20*size) / elem }

// maxPages is how many bytes the pages of n values of a width may become together:
// each value in a dictionary and in a page, with levels, and some room for few of them.
func maxPages(n, width int) int64 { return 1<<20 + (2*int64(max(8, width))+2)*int64(n) }

// checkFooter checks the end of the file, whose length the library would
// allocate unread.
func checkFooter(r io.ReaderAt, size int64) error {
	var b [8]byte
	if size < 12 {
		return refuse("", "the file has %d bytes, a Parquet file has at least 12", size)
	}
	if n, err := r.ReadAt(b[:], size-8); n < 8 {
		return err
	}
	if string(b[4:]) != "PAR1" {
		return refuse("last bytes", "this is no Parquet file, or it is encrypted or cut off")
	}
	n := int64(binary.LittleEndian.Uint32(b[:]))
	if n > size-12 {
		return refuse("last bytes", "the footer is said to have %d bytes, the file has %d before it", n, size-12)
	}
	footer := make([]byte, n)
	if got, err := r.ReadAt(footer, size-8-n); int64(got) < n {
		return err
	}
	if err := bounded(footer); err != nil {
		return refuse("footer", "%v", err)
	}
	return nil
}

// span returns where a column's chunk lies in the file.
func span(m format.ColumnMetaData, name string, rows, size int64) (at, end int64, err error) {
	if m.NumValues != rows {
		return 0, 0, refuse("footer", "column %q has %d values in a group of %d rows", name, m.NumValues, rows)
	}
	at = m.DataPageOffset
	if m.DictionaryPageOffset > 0 && m.DictionaryPageOffset < at {
		at = m.DictionaryPageOffset
	}
	if at < 4 || m.TotalCompressedSize < 0 || at > size || m.TotalCompressedSize > size-at {
		return 0, 0, refuse("footer", "column %q lies outside the file", name)
	}
	return at, at + m.TotalCompressedSize, nil
}
