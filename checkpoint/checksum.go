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
	sum, err := checksum(src, meta)
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
	want, found := meta[ChecksumKey]
	if !found {
		for k, v := range meta {
			if strings.HasPrefix(v, checksumPrefix) {
				return false, &Error{Place: "metadata", Reason: fmt.Sprintf("%.40q holds a checksum, expected it under %q; the file is damaged", k, ChecksumKey)}
			}
		}
		return false, nil
	}
	got, err := checksum(src, meta)
	if err != nil {
		return true, err
	}
	if got != want {
		return true, &Error{Place: "metadata", Reason: fmt.Sprintf("the checksum of the file is %s, but it says %.80q; it is damaged, or was changed by a program that kept the old entry %q", got, want, ChecksumKey)}
	}
	return true, nil
}

// checksum hashes every part with its length before it, so that no two files
// give the same bytes. Tensors and entries come in the order of their names.
func checksum(src Source, meta map[string]string) (string, error) {
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
		if _, err := io.Copy(h, r); err != nil {
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
