package modelfile

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"

	"github.com/unroll-ml/unroll/checkpoint"
)

// A large state_dict is saved in shards, model-00001-of-00003.safetensors, and
// an index beside them, model.safetensors.index.json or
// pytorch_model.bin.index.json:
//
//	{"metadata": {...}, "weight_map": {NAME: FILE, ...}}

// maxShards and maxIndex bound an index: files that are opened, and bytes of JSON.
const (
	maxShards = 4096
	maxIndex  = 64 << 20
)

// ErrShard is a file that is a part of a model.
var ErrShard = errors.New("one shard of a model")

// shardName is a count in a name: model-00001-of-00002.bin, part_1_of_2.pth.tar.
// The word before it tells a count of models from one of shards: fold-1-of-5.pt.
var (
	shardName = regexp.MustCompile(`(?i)(?:^|([a-z]*)[-_. ])([0-9]{1,6})[-_. ]?of[-_. ]?([0-9]{1,6})(?:[^0-9]|$)`)
	wholeName = regexp.MustCompile(`(?i)^(fold|split|run|trial|seed|epoch|step|stage|day|week|month|round|best)$`)
)

// alone refuses a file whose name says that it is one of several shards.
func alone(path string) error {
	m := shardName.FindStringSubmatch(filepath.Base(path))
	if m == nil || wholeName.MatchString(m[1]) {
		return nil
	}
	part, _ := strconv.Atoi(m[2])
	of, _ := strconv.Atoi(m[3])
	if of < 2 {
		return nil
	}
	open := "the index, *.index.json, which is not beside it"
	if index := indexIn(filepath.Dir(path)); index != "" {
		open = strconv.Quote(index)
	}
	return fmt.Errorf("%w: %q is shard %d of %d by its name, and the others hold the rest of it; open %s", ErrShard, path, part, of, open)
}

// indexIn returns the path of a folder's only index; empty if there is none, or
// are several.
func indexIn(dir string) string {
	all, _ := filepath.Glob(filepath.Join(dir, "*.index.json"))
	if len(all) != 1 {
		return ""
	}
	return all[0]
}

// shards is a Source over the shards of an index.
type shards struct {
	path  string
	names []string
	in    map[string]*File
	files []*File
	odd   []error // tensors that the index has elsewhere, or nowhere
}

func openIndex(f *File, in *checkpoint.Input) error {
	fail := func(format string, a ...any) error {
		return &checkpoint.Error{File: f.Path, Reason: fmt.Sprintf(format, a...)}
	}
	if in.Size > maxIndex {
		return fail("the index has %d bytes, at most %d are read", in.Size, maxIndex)
	}
	var index struct {
		Map map[string]string `json:"weight_map"`
	}
	if err := json.NewDecoder(io.NewSectionReader(in, 0, in.Size)).Decode(&index); err != nil {
		return fail("it is JSON, but no index of shards: %v", err)
	}
	if len(index.Map) == 0 {
		return fail("it is JSON without a weight_map: no index of shards")
	}
	s := &shards{path: f.Path, in: map[string]*File{}}
	f.Source, f.closer = s, s
	var files []string
	for name, file := range index.Map {
		if file != filepath.Base(file) || file == "." || file == ".." || !filepath.IsLocal(file) {
			return fail("tensor %q is said to be in %q; shards are beside their index", name, file)
		}
		files = append(files, file)
	}
	slices.Sort(files)
	files = slices.Compact(files)
	if len(files) > maxShards {
		return fail("it names %d files, at most %d are opened", len(files), maxShards)
	}
	for _, file := range files {
		if err := s.add(f, file, len(files), index.Map); err != nil {
			return err
		}
	}
	if len(s.names) < len(index.Map) {
		for name, file := range index.Map {
			if s.in[name] == nil {
				return fail("tensor %q is not in %q, where it is said to be", name, file)
			}
		}
	}
	if len(s.odd) > 0 { // which of two is meant, or whose is it?
		return s.odd[0]
	}
	return nil
}

// add opens one of the shards, which may be no link and no index itself.
func (s *shards) add(f *File, file string, of int, where map[string]string) error {
	path := filepath.Join(filepath.Dir(f.Path), file)
	if info, err := os.Lstat(path); err != nil || !info.Mode().IsRegular() && info.Mode()&os.ModeSymlink == 0 {
		return &checkpoint.Error{File: f.Path, Reason: fmt.Sprintf("shard %q is missing: all %d shards have to be beside the index", file, of), Err: errors.Join(err, checkpoint.ErrFormat)}
	}
	shard, err := openFile(path, []Format{Safetensors, Torch})
	if err != nil {
		return err
	}
	s.files = append(s.files, shard)
	for _, name := range shard.Source.Names() {
		switch in := where[name]; in {
		case file:
			s.in[name] = shard
			s.names = append(s.names, name)
		case "":
			s.odd = append(s.odd, &checkpoint.Error{File: path, Tensor: name, Reason: fmt.Sprintf("the index %s does not name it", filepath.Base(f.Path))})
		default:
			s.odd = append(s.odd, &checkpoint.Error{File: path, Tensor: name, Reason: fmt.Sprintf("it stands here too, and the index %s has it in %q", filepath.Base(f.Path), in)})
		}
	}
	return nil
}

// Name returns the index's path.
func (s *shards) Name() string { return s.path }

// Names returns the tensors' names, shard by shard.
func (s *shards) Names() []string { return slices.Clone(s.names) }

// Info describes one tensor.
func (s *shards) Info(name string) (checkpoint.Info, bool) {
	f := s.in[name]
	if f == nil {
		return checkpoint.Info{}, false
	}
	i, ok := f.Source.Info(name)
	i.Offset = 0 // in which file, it does not say
	return i, ok
}

// Tensor reads one tensor.
func (s *shards) Tensor(name string) (checkpoint.Tensor, error) {
	f := s.in[name]
	if f == nil {
		return checkpoint.Tensor{}, checkpoint.Missing(s.path, name)
	}
	return f.Source.Tensor(name)
}

// OpenTensor returns a reader over one tensor's bytes.
func (s *shards) OpenTensor(name string) (checkpoint.Info, io.Reader, error) {
	f := s.in[name]
	if f == nil {
		return checkpoint.Info{}, nil, checkpoint.Missing(s.path, name)
	}
	return f.Source.(checkpoint.Opener).OpenTensor(name) // both formats of shards are Openers
}

// Close closes all shards.
func (s *shards) Close() error {
	var errs []error
	for _, f := range s.files {
		errs = append(errs, f.Close())
	}
	return errors.Join(errs...)
}
