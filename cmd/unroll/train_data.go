package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/unroll-ml/unroll/train"
)

// fingerprint is the SHA-256 of a data file, or of the names and contents of a
// data folder's files in their order; "" for what cannot be read twice, a pipe say.
func fingerprint(path string) (string, error) {
	if path == std {
		return "", nil
	}
	st, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	h := sha256.New()
	switch {
	case st.Mode().IsRegular():
		err = hashFile(h, path)
	case st.IsDir():
		err = filepath.WalkDir(path, func(file string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			st, err := os.Stat(file)
			if err != nil || !st.Mode().IsRegular() {
				return nil // what the data reader makes of it is its to say
			}
			name, err := filepath.Rel(path, file)
			if err != nil {
				return err
			}
			fmt.Fprintf(h, "%d:%s%d:", len(name), filepath.ToSlash(name), st.Size())
			return hashFile(h, file)
		})
	default:
		return "", nil
	}
	return "sha256:" + hex.EncodeToString(h.Sum(nil)), err
}

func hashFile(h io.Writer, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.Copy(h, f)
	return err
}

// sameData compares the data with that of the run that goes on, and says so where
// it cannot.
func (u *training) sameData() error {
	sum, err := fingerprint(u.Data)
	if err != nil {
		return err
	}
	if u.resume {
		switch was := u.Fingerprint; {
		case was == "" || sum == "":
			u.report.line("unroll: whether %s is the data this run began with cannot be checked: there is no fingerprint of it", u.Data)
		case was != sum && u.more:
			old, err := train.Extra(u.point)
			if err != nil {
				return err
			}
			if err := u.grown(old); err != nil {
				return err
			}
		case was != sum:
			return fmt.Errorf("%s is not the data the run in %s began with (%.15s..., was %.15s...); go on with that, with --more-rows if it is that and more after it, or train anew without --resume", u.Data, u.point, sum, was)
		}
	}
	u.Fingerprint = sum
	if st, err := os.Stat(u.Data); err == nil && st.Mode().IsRegular() {
		u.Bytes = st.Size()
	}
	return nil
}
