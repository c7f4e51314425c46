package text

import "strings"

// Foreign says what a file is that people take for one of text, by how it begins, and
// what to do; "" for all others.
func Foreign(begin []byte) string {
	for _, k := range []struct{ magic, name string }{
		{"PAR1", "a Parquet file; write its columns as CSV"},
		{"\x93NUMPY", "a NumPy array; write it as CSV, with a line of names"},
		{"PK\x03\x04", "a zip archive (.xlsx, .npz or .zip); write what is in it as CSV or text"},
		{"\x1f\x8b", "compressed with gzip; unpack it"},
		{"\xff\xfe", "UTF-16; save it as UTF-8"},
		{"\xfe\xff", "UTF-16; save it as UTF-8"},
		{"\x89HDF\r\n", "an HDF5 file; write its columns as CSV"},
	} {
		if strings.HasPrefix(string(begin), k.magic) {
			return k.name
		}
	}
	return ""
}
