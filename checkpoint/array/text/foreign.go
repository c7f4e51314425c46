package text

import "strings"

// Begin is how many bytes of a file Foreign looks at.
const Begin = 16

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
		{"ARROW1\x00", "an Arrow file; write its columns as CSV"},
		{"SQLite format 3\x00", "an SQLite database; write a table of it as CSV"},
		{"\xd0\xcf\x11\xe0", "a document of Office (.xls, .doc); save it as CSV or text"},
		{"%PDF-", "a PDF document; save its text"},
		{"\x28\xb5\x2f\xfd", "compressed with Zstandard; unpack it"},
		{"\xfd7zXZ\x00", "compressed with xz; unpack it"},
		{"BZh91AY&SY", "compressed with bzip2; unpack it"},
		{"7z\xbc\xaf", "a 7z archive; unpack it"},
		{"\x89PNG\r\n", "a PNG picture; a file of text is expected"},
		{"\xff\xd8\xff", "a JPEG picture; a file of text is expected"},
		{"GIF8", "a GIF picture; a file of text is expected"},
		{"II*\x00", "a TIFF picture; a file of text is expected"},
		{"MM\x00*", "a TIFF picture; a file of text is expected"},
		{"OggS\x00", "Ogg sound or film; a file of text is expected"},
		{"ID3\x03", "MP3 sound; a file of text is expected"},
		{"ID3\x04", "MP3 sound; a file of text is expected"},
		{"\x7fELF", "a program; a file of text is expected"},
	} {
		if strings.HasPrefix(string(begin), k.magic) {
			return k.name
		}
	}
	if len(begin) >= Begin && string(begin[:4]) == "RIFF" {
		switch string(begin[8:12]) {
		case "WAVE":
			return "WAV sound; a file of text is expected"
		case "WEBP":
			return "a WebP picture; a file of text is expected"
		}
	}
	if len(begin) > 8 && begin[7] == 0 && begin[8] == '{' {
		return "a file of safetensors; a file of text is expected"
	}
	return ""
}
