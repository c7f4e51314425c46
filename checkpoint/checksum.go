package checkpoint

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"maps"
	"slices"
	"strings"
)

// ChecksumKey names the entry of a file's metadata that holds a checksum of all
// the rest: every tensor's name, type, shape and bytes, and the other entries.
const ChecksumKey = "checksum"

const checksumPrefix = "sha256:"

// WithChecksum returns a copy of meta with the entry ChecksumKey: the SHA-256 of
// the tensors of src and of meta. Errors are those of src.
func WithChecksum(src Source, meta map[string]string) (map[string]string, error) {
	sum, err := checksum(src, meta, nil)
	if err != nil {
		return nil, err
	}
	meta = maps.Clone(meta)
	if meta == nil {
		meta = map[string]string{}
	}
	meta[ChecksumKey] = sum
	return meta, nil
}

// VerifyChecksum compares src and meta with the checksum in meta and reports
// whether there is one. It is an ErrFormat if they differ, or if a checksum stands
// under another name, as it does after a changed bit; other errors are those of
// src. Every tensor is read once.
func VerifyChecksum(src Source, meta map[string]string) (found bool, err error) {
	return ReadVerified(src, meta, nil)
}

// ReadVerified is VerifyChecksum of what is read: read is called for each tensor, in the
// order of their names, with a source that has its bytes once, so that the file is read
// once for its numbers and for its checksum. What was read is worth nothing after an
// error; that of a wrong checksum goes before those of read, which come as they are.
func ReadVerified(src Source, meta map[string]string, read func(src Source, name string) error) (found bool, err error) {
	want, found := meta[ChecksumKey]
	if !found {
		for k, v := range meta {
			if strings.HasPrefix(v, checksumPrefix) {
				return false, &Error{Place: "metadata", Reason: fmt.Sprintf("%.40q holds a checksum, expected it under %q; the file is damaged", k, ChecksumKey)}
			}
		}
		return false, readEach(src, read)
	}
	var refused error
	if read != nil {
		whole := read
		read = func(src Source, name string) error { // the rest is hashed all the same
			if refused == nil {
				refused = whole(src, name)
			}
			return nil
		}
	}
	got, err := checksum(src, meta, read)
	if err != nil {
		return true, err
	}
	if got != want {
		return true, &Error{Place: "metadata", Reason: fmt.Sprintf("the checksum of the file is %s, but it says %.80q; it is damaged, or was changed by a program that kept the old entry %q", got, want, ChecksumKey)}
	}
	return true, refused
}

func readEach(src Source, read func(Source, string) error) error {
	if read == nil {
		return nil
	}
	for _, n := range slices.Sorted(slices.Values(src.Names())) {
		if err := read(src, n); err != nil {
			return err
		}
	}
	return nil
}

// passing is a source of one tensor whose bytes pass by once.
type passing struct {
	Source
	info Info
	r    io.Reader
}

func (p passing) OpenTensor(string) (Info, io.Reader, error) { return p.info, p.r, nil }

// checksum hashes every part with its length before it, so that no two files
// give the same bytes. Tensors and entries come in the order of their names, and read,
// if not nil, may read each before.
func checksum(src Source, meta map[string]string, read func(Source, string) error) (string, error) {
	h := sha256.New()
	for _, k := range slices.Sorted(maps.Keys(meta)) {
		if k != ChecksumKey {
			parts(h, "metadata", k, meta[k])
		}
	}
	src = Indexed(src)
	names := src.Names()
	slices.Sort(names)
	for _, n := range names {
		info, r, err := open(src, n)
		if err != nil {
			return "", located(src, err)
		}
		parts(h, "tensor", n, info.Type(), fmt.Sprint(info.Shape))
		to := io.Writer(h)
		if read != nil {
			to, r = io.Discard, io.TeeReader(r, h)
			if err := read(passing{src, info, r}, n); err != nil {
				return "", err
			}
		}
		if _, err := io.Copy(to, r); err != nil {
			return "", located(src, &Error{Tensor: n, Reason: "reading failed: " + err.Error(), Err: err})
		}
	}
	return checksumPrefix + hex.EncodeToString(h.Sum(nil)), nil
}

func parts(h hash.Hash, all ...string) {
	for _, s := range all {
		fmt.Fprintf(h, "%d:%s", len(s), s) // a hash takes everything
	}
}
