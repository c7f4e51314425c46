package nn

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/checkpoint"
	"github.com/unroll-ml/unroll/checkpoint/safetensors"
	"github.com/unroll-ml/unroll/internal/atomicfile"
	"github.com/unroll-ml/unroll/tensor"
)

// The files of a model folder.
const (
	ConfigFile  = "config.json"
	WeightsFile = "model.safetensors"
	ReadmeFile  = "README.md"
)

// maxConfig bounds config.json, which may hold a vocabulary.
const maxConfig = 64 << 20

// Save writes the model as a folder: config.json, model.safetensors with the
// names of PyTorch's state_dict (docs/formats/model-folder.md has the form of weights
// in Config.Precision), and README.md with the given text (none if it
// is empty). The first two hold a checksum of themselves, and config.json that of the
// weights: whatever ends the process, Open gives the old model or the new, never a
// mixture. A file of the folder that is a symbolic link to outside is
// refused: an ErrFolder. So is a member "checksum" or "weights_checksum" of Meta.
// Other errors are those of the file system.
func (m *ModelOf[F]) Save(dir, readme string) error {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	if err := inside(dir, ConfigFile, WeightsFile, ReadmeFile, filepath.Base(atomicfile.Next(WeightsFile))); err != nil {
		return err
	}
	for _, name := range []string{checksumMember, weightsMember} {
		if _, ok := m.cfg.Meta[name]; ok {
			return &FolderError{Path: filepath.Join(dir, ConfigFile), Reason: fmt.Sprintf("Config.Meta has a member %q, which stands for the file's own", name)}
		}
	}
	var set checkpoint.Set
	m.named(func(n string, v tensor.DenseOf[F]) { set = append(set, stored(n, m.cfg.precisionOf(n), v)...) })
	meta, err := checkpoint.WithChecksum(set, map[string]string{"format": "pt"})
	if err != nil {
		return err
	}
	config, err := encoded(m.cfg, meta[checkpoint.ChecksumKey])
	if err != nil {
		return err
	}
	if err := settle(dir); err != nil {
		return err
	}
	if err := atomicfile.Pair(
		atomicfile.File{Path: filepath.Join(dir, WeightsFile), Write: func(w io.Writer) error { return safetensors.Write(w, set, meta) }},
		atomicfile.File{Path: filepath.Join(dir, ConfigFile), Write: func(w io.Writer) error { _, err := w.Write(config); return err }},
	); err != nil || readme == "" {
		return err
	}
	return atomicfile.Write(filepath.Join(dir, ReadmeFile), func(w io.Writer) error {
		_, err := io.WriteString(w, readme)
		return err
	})
}

// encoded is config.json of a config and the checksum of its weights.
func encoded(cfg Config, weights string) ([]byte, error) {
	cfg.Meta = maps.Clone(cfg.Meta)
	if cfg.Meta == nil {
		cfg.Meta = map[string]json.RawMessage{}
	}
	cfg.Meta[weightsMember] = json.RawMessage(strconv.Quote(weights))
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(cfg); err != nil {
		return nil, err
	}
	return withChecksum(b.Bytes()), nil
}

// settle ends a Save that was killed, if config.json tells that there was one.
func settle(dir string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	c, err := readConfig(root, dir)
	return atomicfile.Settle(filepath.Join(dir, WeightsFile), func(path string) bool {
		return err == nil && c.weights != "" && weightsSum(path) == c.weights
	})
}

// weightsSum is the checksum that a file of weights says it has; empty: none.
func weightsSum(path string) string {
	f, err := safetensors.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	return f.Metadata()[checkpoint.ChecksumKey]
}

// inside refuses names in dir that lead out of it.
func inside(dir string, names ...string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	for _, n := range names {
		if _, err := root.Stat(n); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return &FolderError{Path: filepath.Join(dir, n), Reason: err.Error(), Hint: "replace it by a regular file"}
		}
	}
	return nil
}

// ReadConfig reads the config.json of a model folder. It is an ErrFolder if the
// file is missing, damaged or more than 64 MB, and an ErrConfig, of this package
// or of unroll, if no model can have the config.
func ReadConfig(dir string) (Config, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return Config{}, err
	}
	defer root.Close()
	c, err := readConfig(root, dir)
	return c.Config, err
}

// savedConfig is what config.json holds.
type savedConfig struct {
	Config
	checked bool   // it has a checksum
	weights string // the checksum of its weights; empty: of earlier versions, or by hand
}

func readConfig(root *os.Root, dir string) (c savedConfig, err error) {
	bad := func(err error) (savedConfig, error) {
		return savedConfig{}, &FolderError{Path: filepath.Join(dir, ConfigFile), Reason: err.Error()}
	}
	f, err := root.Open(ConfigFile)
	if err != nil {
		return bad(opened(err))
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxConfig+1))
	if err != nil {
		return bad(err)
	}
	if len(data) > maxConfig {
		return bad(fmt.Errorf("more than %d bytes", maxConfig))
	}
	if c.checked, err = verifyChecksum(data); err != nil {
		return bad(err)
	}
	if err := json.Unmarshal(data, &c.Config); err != nil {
		return bad(err)
	}
	if sum, ok := c.Meta[weightsMember]; ok && json.Unmarshal(sum, &c.weights) != nil {
		return bad(fmt.Errorf("%s is %.80s, expected a text", weightsMember, sum))
	}
	delete(c.Meta, weightsMember)
	if delete(c.Meta, checksumMember); len(c.Meta) == 0 {
		c.Meta = nil
	}
	if c.Config, err = c.normal(); err != nil {
		return savedConfig{}, fmt.Errorf("%s: %w", filepath.Join(dir, ConfigFile), err)
	}
	return c, nil
}

// opened says what a folder lacks whose file is not there.
func opened(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("there is no such file; a model folder has %s and %s", ConfigFile, WeightsFile)
	}
	return err
}

// Folder is an open model folder: its config, and its weights, which are read when
// they are asked for.
type Folder struct {
	Config  Config
	Weights *safetensors.File

	path    string // of the weights, for errors
	checked bool   // config.json has a checksum
	file    *os.File
}

// OpenFolder opens a model folder that Save wrote, without its weights' numbers.
// Errors are those of ReadConfig, and an ErrFolder for weights that are missing,
// no regular file, or outside the folder.
func OpenFolder(dir string) (*Folder, error) {
	// First, for opening a pipe waits, and "not a directory" tells nobody what to do.
	if info, err := os.Stat(dir); err == nil && !info.IsDir() {
		return nil, &FolderError{Path: dir, Reason: "it is a file, and a model folder is expected, as training writes one"}
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	// Another process may save between the reading of one file and of the other.
	const tries = 3
	for n := 1; ; n++ {
		f, mixed, err := openFolder(root, dir)
		if !mixed || n == tries {
			return f, err
		}
	}
}

// openFolder opens the config and the weights that belong to it; mixed is the error
// that there are none.
func openFolder(root *os.Root, dir string) (f *Folder, mixed bool, err error) {
	c, err := readConfig(root, dir)
	if err != nil {
		return nil, false, err
	}
	f = &Folder{Config: c.Config, checked: c.checked}
	err = f.openWeights(root, dir, WeightsFile)
	sum := ""
	if err == nil {
		sum = f.Weights.Metadata()[checkpoint.ChecksumKey]
	}
	// Weights without a checksum are of another program, which put them there.
	switch {
	case err == nil && (c.weights == "" || sum == c.weights || sum == ""):
		return f, false, nil
	case c.weights == "":
		return nil, false, err
	}
	// A Save was killed between its two files, or goes on.
	next := &Folder{Config: c.Config, checked: c.checked}
	if e := next.openWeights(root, dir, filepath.Base(atomicfile.Next(WeightsFile))); e == nil {
		if next.Weights.Metadata()[checkpoint.ChecksumKey] == c.weights {
			_ = f.Close() // it was only read
			return next, false, nil
		}
		_ = next.Close() // likewise
	}
	if err != nil {
		return nil, false, err
	}
	_ = f.Close() // likewise
	return nil, true, &FolderError{Path: f.path, Reason: "it is not the file that " + ConfigFile + " was saved with", Hint: fmt.Sprintf("save the model anew; if the two do belong together, take the lines %q and %q out of %s", weightsMember, checksumMember, ConfigFile)}
}

// openWeights opens one of the folder's files as the weights.
func (f *Folder) openWeights(root *os.Root, dir, name string) error {
	f.path = filepath.Join(dir, name)
	info, err := root.Stat(name) // first, for opening a pipe waits
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("it is not a regular file; a model folder holds its weights itself")
	}
	if err != nil {
		return &FolderError{Path: f.path, Reason: opened(err).Error()}
	}
	if f.file, err = root.Open(name); err != nil {
		return &FolderError{Path: f.path, Reason: opened(err).Error()}
	}
	if f.Weights, err = safetensors.NewReader(f.file, info.Size()); err != nil {
		_ = f.file.Close() // it was only read
		f.file = nil
		return fmt.Errorf("%s: %w", f.path, err)
	}
	return nil
}

// Close closes the weights' file.
func (f *Folder) Close() error {
	if f.file == nil {
		return nil
	}
	return f.file.Close()
}

// Open loads a float32 model folder that Save wrote. A file that is missing or
// damaged, or a link out of the folder, is an ErrFolder; so is a weights file
// that does not hold the very number of elements config.json asks for, which is
// seen before memory is taken for them. A config no model can have is an
// ErrConfig, of this package or of unroll, and parameters of other names or
// shapes are an unroll.ErrParams. Both files are compared with the checksums Save
// wrote into them; Model.Checked says whether there were any.
func Open(dir string) (*Model, error) { return OpenOf[float32](dir) }

// OpenOf is Open for the element type F; numbers of the file are converted.
func OpenOf[F tensor.Float](dir string) (*ModelOf[F], error) {
	f, err := OpenFolder(dir)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return LoadOf[F](f)
}

// Load loads the float32 model of an open folder. Errors are those of Open.
func Load(f *Folder) (*Model, error) { return LoadOf[float32](f) }

// LoadOf loads the model of an open folder. Errors are those of Open.
func LoadOf[F tensor.Float](f *Folder) (*ModelOf[F], error) {
	cfg, src := f.Config, f.Weights
	want, err := cfg.Parameters()
	if err != nil {
		return nil, err
	}
	have := 0.0
	for _, n := range src.Names() {
		i, _ := src.Info(n)
		if !strings.HasSuffix(n, scaleSuffix) && (!cfg.TieWeights || strings.TrimSuffix(n, int8Suffix) != "fc.weight") {
			have += float64(i.Len())
		}
	}
	if have != want {
		return nil, &FolderError{Path: f.path, Reason: fmt.Sprintf("it holds %.0f numbers, %s asks for %.0f", have, ConfigFile, want)}
	}
	m, err := NewOf[F](cfg)
	if err != nil {
		return nil, err
	}
	same := m.same(src)
	var read func(checkpoint.Source, string) error
	var refused error
	if same {
		into := m.reader()
		read = func(src checkpoint.Source, name string) error {
			refused = into(src, name)
			return refused
		}
	}
	found, err := checkpoint.ReadVerified(src, src.Metadata(), read)
	switch {
	case err != nil && errors.Is(err, refused):
		return nil, fmt.Errorf("%s: %w", f.path, err)
	case err != nil:
		return nil, &FolderError{Path: f.path, Reason: err.Error()}
	}
	m.checked = f.checked && found
	if same {
		m.Update(func() {
			m.named(func(name string, v tensor.DenseOf[F]) { unroll.RoundWeights(m.cfg.precisionOf(name), v) })
		})
		return m, nil
	}
	tensors := map[string]tensor.DenseOf[F]{}
	for _, n := range src.Names() {
		if strings.HasSuffix(n, scaleSuffix) {
			continue // of integers
		}
		if name, v, err := numbers[F](src, n); err != nil {
			return nil, fmt.Errorf("%s: %w", f.path, err)
		} else {
			tensors[name] = v
		}
	}
	if err := m.Load(tensors); err != nil {
		return nil, fmt.Errorf("%s: %w", f.path, err)
	}
	return m, nil
}

// same reports whether src holds the parameters and nothing else, each under its name
// and with its shape.
func (m *ModelOf[F]) same(src checkpoint.Source) bool {
	n, same := 0, true
	m.named(func(name string, v tensor.DenseOf[F]) {
		info, ok := src.Info(name)
		same = same && ok && sameShape(info.Shape, v.Shape)
		n++
	})
	return same && n == len(src.Names()) && !m.cfg.TieWeights
}

// reader is what reads a parameter of a file, for which same holds, into that of m: it
// takes no other memory.
func (m *ModelOf[F]) reader() func(src checkpoint.Source, name string) error {
	into := map[string][]F{}
	m.named(func(name string, v tensor.DenseOf[F]) { into[name] = v.Data })
	return func(src checkpoint.Source, name string) error { return checkpoint.FloatInto(src, name, into[name]) }
}
