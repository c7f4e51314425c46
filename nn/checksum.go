package nn

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
)

// Members of config.json that are not the config's: the checksum of the weights that
// it was saved with, and its own.
const (
	weightsMember  = "weights_checksum"
	checksumMember = "checksum"
)

// config.json ends with a member "checksum": the SHA-256 of all bytes before the
// comma in front of it.
var (
	lastMember = regexp.MustCompile(`,\s*"([^"]*)"\s*:\s*"([^"]*)"\s*\}\s*$`)
	checksum   = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)
)

// withChecksum puts the checksum at the end of a JSON object with at least one
// member.
func withChecksum(object []byte) []byte {
	body := bytes.TrimRight(object, " \t\r\n}")
	if i := bytes.LastIndexByte(object, '}'); i >= 0 {
		body = bytes.TrimRight(object[:i], " \t\r\n")
	}
	return fmt.Appendf(bytes.Clone(body), ",\n  \"checksum\": \"%s\"\n}\n", sumOf(body))
}

// verifyChecksum reports whether a JSON object has a checksum, and whether that is
// right. A checksum under another name is a changed bit.
func verifyChecksum(object []byte) (found bool, err error) {
	m := lastMember.FindSubmatchIndex(object)
	if m == nil {
		return false, nil
	}
	name, value := string(object[m[2]:m[3]]), string(object[m[4]:m[5]])
	switch {
	case name != checksumMember && name != weightsMember && checksum.MatchString(value):
		return false, fmt.Errorf("%.40q holds a checksum, expected it under \"checksum\"; the file is damaged", name)
	case name != checksumMember:
		return false, nil
	case value != sumOf(object[:m[0]]):
		return true, errors.New(`it does not have the checksum it says; it is damaged, or was changed: if that was on purpose, take the line "checksum" out`)
	}
	return true, nil
}

func sumOf(b []byte) string {
	s := sha256.Sum256(b)
	return "sha256:" + hex.EncodeToString(s[:])
}
