package modelfile

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/unroll-ml/unroll/checkpoint"
	"github.com/unroll-ml/unroll/checkpoint/safetensors"
	"github.com/unroll-ml/unroll/internal/atomicfile"
	"github.com/unroll-ml/unroll/nn"
)

// A model folder that holds a program has a config.json that names its file,
//
//	{"program": "model.onnx", "sha256": "..."}
//
// and that file: ONNX, or the tensors of a chain in safetensors, whose metadata then
// hold the line.

// Entries of a safetensors file's metadata: the line of a chain, and what stands
// before its names.
const (
	MetaChain  = "unroll.chain"
	MetaPrefix = "unroll.prefix"
)

// programFolder is such a config.json.
type programFolder struct {
	Program string `json:"program"`
	SHA256  string `json:"sha256"`
}

// maxProgramConfig bounds its bytes.
const maxProgramConfig = 1 << 16

// maxForeignConfig bounds one of another program, which may hold names of classes.
const maxForeignConfig = 4 << 20

// programIn returns the file that a folder's config.json names; empty for any other
// folder. A file outside of the folder, or one that is not what was saved, is refused.
func programIn(dir string) (string, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return "", err
	}
	defer root.Close()
	c, err := programOf(root)
	if err != nil || c.Program == "" {
		return "", err
	}
	fail := func(format string, a ...any) (string, error) {
		return "", &checkpoint.Error{File: filepath.Join(dir, nn.ConfigFile), Reason: fmt.Sprintf(format, a...)}
	}
	if c.Program != filepath.Base(c.Program) {
		return fail("program is %q, expected the name of a file in the folder", c.Program)
	}
	// A save that was killed between the two files has left the other one at Next.
	var why error
	for _, name := range []string{c.Program, filepath.Base(atomicfile.Next(c.Program)), c.Program} {
		sum, err := sumIn(root, name)
		if err == nil && sum == c.SHA256 {
			return filepath.Join(dir, name), nil
		}
		if err == nil {
			err = fmt.Errorf("has the SHA-256 %s, the folder says %.80q; it is damaged, or was changed", sum, c.SHA256)
		}
		if name == c.Program {
			why = err
		}
	}
	return fail("program %q: %v", c.Program, why)
}

// programOf reads the config.json of such a folder; Program is empty for any other.
func programOf(root *os.Root) (c programFolder, err error) {
	info, err := root.Stat(nn.ConfigFile)
	if err != nil || !info.Mode().IsRegular() || info.Size() > maxProgramConfig {
		return programFolder{}, nil // nn says what it lacks
	}
	data, err := root.ReadFile(nn.ConfigFile)
	if err != nil || json.Unmarshal(data, &c) != nil {
		return programFolder{}, err
	}
	return c, nil
}

// weightsNames are what Hugging Face's libraries call the weights in a folder, in the
// order in which they look.
var weightsNames = []string{nn.WeightsFile, "pytorch_model.bin"}

// weightsIn returns the weights of a folder whose config.json is another program's, as
// Hugging Face's libraries save one: it says nothing of a program or of a layer. Empty
// for any other folder.
func weightsIn(dir string) string {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return ""
	}
	defer root.Close()
	regular := func(name string, most int64) bool {
		info, err := root.Stat(name)
		return err == nil && info.Mode().IsRegular() && info.Size() <= most
	}
	if !regular(nn.ConfigFile, maxForeignConfig) {
		return ""
	}
	data, err := root.ReadFile(nn.ConfigFile)
	var keys map[string]json.RawMessage
	if err != nil || json.Unmarshal(data, &keys) != nil {
		return ""
	}
	for key := range keys {
		if slices.Contains([]string{"rnn", "program", "checksum"}, strings.ToLower(key)) { // as encoding/json reads keys
			return ""
		}
	}
	for _, name := range weightsNames {
		if regular(name, math.MaxInt64) {
			return filepath.Join(dir, name)
		}
	}
	return ""
}

// sumIn is the SHA-256 of a file of a folder.
func sumIn(root *os.Root, name string) (string, error) {
	info, err := root.Stat(name) // first, for opening a pipe waits
	if err != nil {
		return "", err
	}
	if !info.Mode().IsRegular() {
		return "", errors.New("it is not a regular file")
	}
	f, err := root.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// SaveProgram writes a folder around a program in a format, which write writes. A
// folder that holds other files than such a folder has is refused. Whatever ends the
// process, the folder holds the old program or the new.
func SaveProgram(dir string, format Format, write func(w io.Writer) error) error {
	name := "model" + row(format).Endings[0]
	path, next := filepath.Join(dir, name), filepath.Base(atomicfile.Next(name))
	list, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	for _, e := range list {
		mine := e.Name() == name || e.Name() == nn.ConfigFile || e.Name() == next || atomicfile.IsNew(e.Name())
		if !mine || !e.Type().IsRegular() {
			return fmt.Errorf("%s: it holds %q, which is no part of a model folder; name another folder", dir, e.Name())
		}
	}
	old, err := programIn(dir)
	if len(list) > 0 && (err != nil || old == "") {
		return fmt.Errorf("%s: it holds another model; name another folder", dir)
	}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	if err := atomicfile.Settle(path, func(path string) bool { return path == old }); err != nil {
		return err
	}
	h := sha256.New()
	err = atomicfile.Pair(
		atomicfile.File{Path: path, Write: func(w io.Writer) error { return write(io.MultiWriter(w, h)) }},
		atomicfile.File{Path: filepath.Join(dir, nn.ConfigFile), Write: func(w io.Writer) error {
			e := json.NewEncoder(w)
			e.SetIndent("", "  ")
			return e.Encode(programFolder{name, hex.EncodeToString(h.Sum(nil))})
		}},
	)
	if err != nil && len(list) == 0 {
		_ = os.Remove(dir) // which is empty, or somebody else's by now
	}
	return err
}

// WriteTensors writes a safetensors file with metadata and a checksum of all of it.
func WriteTensors(path string, set checkpoint.Set, meta map[string]string) error {
	meta, err := checkpoint.WithChecksum(set, meta)
	if err != nil {
		return err
	}
	return safetensors.WriteFile(path, set, meta)
}
