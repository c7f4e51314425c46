package graph

import (
	"archive/zip"
	"io"
	"iter"
	"testing"
)

// zipped gives the names and contents of an archive's files.
func zipped(t testing.TB, path string) iter.Seq2[string, []byte] {
	return func(yield func(string, []byte) bool) {
		t.Helper()
		z, err := zip.OpenReader(path)
		if err != nil {
			t.Fatal(err)
		}
		defer z.Close()
		for _, entry := range z.File {
			r, err := entry.Open()
			if err != nil {
				t.Fatal(err)
			}
			b, err := io.ReadAll(r)
			if err != nil {
				t.Fatal(err)
			}
			if !yield(entry.Name, b) {
				return
			}
		}
	}
}
