package hdf5

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/unroll-ml/unroll/checkpoint"
)

// patched is a golden file without the checksums being compared, in which
// change may change bytes.
func patched(t *testing.T, name string, change func(b []byte)) (*File, error) {
	t.Helper()
	b, err := os.ReadFile("testdata/" + name + ".h5")
	if err != nil {
		t.Fatal(err)
	}
	change(b)
	f := &File{name: "bad.h5", r: bytes.NewReader(b), size: int64(len(b)), unchecked: true}
	if err := f.open(); err != nil {
		return nil, err
	}
	for _, n := range f.Names() {
		if _, err := f.Tensor(n); err != nil && !errors.Is(err, checkpoint.ErrDType) {
			return f, err
		}
	}
	return f, nil
}

// where finds bytes in a file.
func where(t *testing.T, b []byte, what string) int {
	t.Helper()
	i := bytes.Index(b, []byte(what))
	if i < 0 {
		t.Fatalf("there is no %q", what)
	}
	return i
}

func put64(b []byte, at int, v uint64) { binary.LittleEndian.PutUint64(b[at:], v) }

// entry is where the address of a member's header stands, in the nodes of a
// group of the old kind that has one node.
func entry(t *testing.T, b []byte, i int) int {
	return where(t, b, "SNOD") + 8 + 40*i + 8
}

func TestHostileFilesAreRefused(t *testing.T) {
	root := func(b []byte) uint64 { return binary.LittleEndian.Uint64(b[64:]) }
	// message finds a message of a type and size in headers of version 1.
	message := func(b []byte, kind, size byte) int {
		return where(t, b, string([]byte{kind, 0, size, 0})) + 8
	}
	tests := map[string]struct {
		file   string
		change func(b []byte)
		want   string
	}{
		"a group in itself":        {"many.earliest", func(b []byte) { put64(b, entry(t, b, 0), root(b)) }, "once more"},
		"a member far away":        {"many.earliest", func(b []byte) { put64(b, entry(t, b, 1), 1<<40) }, "reaches beyond the file"},
		"a name far away":          {"many.earliest", func(b []byte) { put64(b, entry(t, b, 1)-8, 1<<40) }, "a name is at byte"},
		"a tree in itself":         {"many.earliest", func(b []byte) { i := where(t, b, "TREE"); b[i+5] = 9; put64(b, i+24+8, uint64(i)) }, "below one of level 9"},
		"a deep tree":              {"many.earliest", func(b []byte) { b[where(t, b, "TREE")+5] = 200 }, "at most 16"},
		"elements without number":  {"many.earliest", func(b []byte) { put64(b, message(b, 1, 24)+8, 1<<62); put64(b, message(b, 1, 24)+16, 1<<62) }, "more bytes"},
		"elements of nothing":      {"many.earliest", func(b []byte) { put64(b, message(b, 1, 24)+8, 1<<32); put64(b, message(b, 1, 24)+16, 1<<32) }, "times the file's size and 1 MiB"},
		"a header that goes on":    {"groups.earliest", func(b []byte) { put64(b, message(b, 16, 16)+8, 1<<60) }, "reaches beyond the file"},
		"a header in itself":       {"groups.latest", loop, "structures repeat each other"},
		"a heap with blocks of 0":  {"groups.latest", func(b []byte) { i := where(t, b, "FRHP"); put64(b, i+14+14*8-8*2+2, 0) }, "which no heap has"},
		"a tree of another kind":   {"groups.latest", func(b []byte) { b[where(t, b, "BTHD")+5] = 9 }, "of type 9"},
		"records beyond a node":    {"groups.latest", func(b []byte) { i := where(t, b, "BTHD"); b[i+16+8], b[i+16+9] = 0xff, 0xff }, "more than fit into"},
		"entries without number":   {"many.latest", func(b []byte) { put64(b, where(t, b, "FAHD")+8, 1<<50) }, "its array of chunks has"},
		"blocks without number":    {"many.latest", func(b []byte) { b[where(t, b, "EAHD")+10] = 3 }, "its array of chunks has"},
		"a string far away":        {"types.earliest", func(b []byte) { put64(b, where(t, b, "GCOL")+24, 1<<50) }, "global heap"},
		"a heap in itself":         {"types.earliest", func(b []byte) { put64(b, where(t, b, "GCOL")+8, 1<<60) }, "global heap of 1152921504606846976 bytes"},
		"addresses of no size":     {"types.latest", func(b []byte) { b[9] = 3 }, "addresses have 3 bytes"},
		"a version of later":       {"types.latest", func(b []byte) { b[8] = 9 }, "version 9, expected 0 to 3"},
		"another end than it says": {"types.latest", func(b []byte) { b[28] = 0xff; b[30] = 1 }, "cut off"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := patched(t, tt.file, tt.change)
			if !errors.Is(err, checkpoint.ErrFormat) || !strings.Contains(err.Error(), tt.want) || !strings.HasPrefix(err.Error(), "bad.h5: ") {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

// loop makes the second part of a header continue at itself.
func loop(b []byte) {
	i := bytes.Index(b, []byte("OCHK"))
	const root = 48 // where the root's header begins, behind the superblock
	from := binary.LittleEndian.Uint64(b[root+bytes.Index(b[root+8:], []byte("\x10\x10\x00\x00"))+8+12:])
	b[i+4] = 0x10 // the first message there becomes a continuation
	put64(b, i+8, uint64(i))
	put64(b, i+16, from)
}

func TestDamagedChunksAreNoticed(t *testing.T) {
	b, err := os.ReadFile("testdata/chunks.earliest.h5")
	if err != nil {
		t.Fatal(err)
	}
	for i := range len(b) - 2 {
		if b[i] == 0x78 && b[i+1] == 0x5e { // where zlib begins
			b[i+1] = 0xff
		}
	}
	f, err := New(bytes.NewReader(b), int64(len(b)), "bad.h5")
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"deflate": "chunk [0 0]: filter deflate: zlib: invalid header", "all": "chunk [0 0]: filter fletcher32: its checksum is"} {
		if _, err := f.Tensor(name); !errors.Is(err, checkpoint.ErrFormat) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
	}
}

func TestUnknownFiltersAreNamed(t *testing.T) {
	_, err := patched(t, "chunks.latest", func(b []byte) {
		// The list of one filter, deflate, with one value.
		b[where(t, b, "\x02\x01\x01\x00\x01\x00\x01\x00")+2] = 4
	})
	if err == nil || !strings.Contains(err.Error(), `filter 4 ("szip"), which is not read`) {
		t.Error(err)
	}
}

func TestDamagedStructuresAreNoticed(t *testing.T) {
	b, err := os.ReadFile("testdata/groups.latest.h5")
	if err != nil {
		t.Fatal(err)
	}
	for _, what := range []string{"OHDR", "OCHK", "BTHD", "BTLF", "FRHP"} {
		c := bytes.Clone(b)
		c[where(t, c, what)+9] ^= 4
		if _, err := New(bytes.NewReader(c), int64(len(c)), "bad.h5"); !errors.Is(err, checkpoint.ErrFormat) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestWhatIsNoHDF5IsNamed(t *testing.T) {
	for _, s := range []string{"", "PK\x03\x04", strings.Repeat("x", 5000)} {
		_, err := New(strings.NewReader(s), int64(len(s)), "bad.h5")
		if !errors.Is(err, checkpoint.ErrFormat) {
			t.Errorf("%.10q: %v", s, err)
		}
	}
}

func TestLinksThatAreNotFollowedAreNamed(t *testing.T) {
	f, err := Open("testdata/groups.earliest.h5")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if got := strings.Join(f.Skipped(), " "); got != "outside soft" {
		t.Errorf("skipped %q", got)
	}
	if c, _ := f.Children("ordered"); strings.Join(c, "") != "zam" && strings.Join(c, "") != "amz" {
		t.Errorf("children %v", c)
	}
}
