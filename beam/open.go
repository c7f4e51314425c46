package unrollbeam

import (
	"context"
	"fmt"
	"io"
	"os"
	"path"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/apache/beam/sdks/v2/go/pkg/beam/io/filesystem"

	"github.com/unroll-ml/unroll/internal/score"
	"github.com/unroll-ml/unroll/model"
)

// opened counts how often a model was opened in this process.
var opened atomic.Int64

// shared are the models of this process by the pipeline they were opened for: the
// instances of a pipeline's functions that run at once share one.
var shared struct {
	sync.Mutex
	m map[string]*entry
}

type entry struct {
	once  sync.Once
	m     *model.Model
	err   error
	users int
}

// acquire returns the model of the options, which the first caller in the process
// opens; release gives it back, and the last to do so closes it.
func (o *Options) acquire(ctx context.Context) (m *model.Model, release func(), err error) {
	shared.Lock()
	e := shared.m[o.Pipeline]
	if e == nil {
		if shared.m == nil {
			shared.m = map[string]*entry{}
		}
		e = &entry{}
		shared.m[o.Pipeline] = e
	}
	e.users++
	shared.Unlock()
	release = func() {
		shared.Lock()
		defer shared.Unlock()
		if e.users--; e.users > 0 {
			return
		}
		delete(shared.m, o.Pipeline)
		if e.m != nil {
			_ = e.m.Close() // it was only read
		}
	}
	if e.once.Do(func() { opened.Add(1); e.m, e.err = o.open(ctx) }); e.err != nil {
		release()
		return nil, nil, e.err
	}
	return e.m, release, nil
}

// open opens the model from a path of this machine, from one of a Beam file system,
// or from the bytes.
func (o *Options) open(ctx context.Context) (*model.Model, error) {
	if len(o.Bytes) == 0 {
		local, done, err := fetch(ctx, o.Model)
		if err != nil {
			return nil, err
		}
		defer done()
		return o.Open.Open(local)
	}
	dir, err := os.MkdirTemp("", "unroll-beam-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir) // an open file stays readable; not on Windows, where the folder stays
	name := path.Base(o.Model)
	if o.Model == "" {
		name = "model"
	}
	file := dir + string(os.PathSeparator) + name
	if err := os.WriteFile(file, o.Bytes, 0o600); err != nil {
		return nil, err
	}
	return o.Open.Open(file)
}

// rows returns a stepper of a model, as unroll run --group-by makes it.
func (o *Options) rows(m *model.Model) (*model.Rows, error) {
	opt := model.RowsOptions{Sizes: o.Sizes, Set: map[string]model.Value{}}
	for name, v := range o.Set {
		value, err := number(m, name, v)
		if err != nil {
			return nil, err
		}
		opt.Set[name] = value
	}
	r, err := m.NewRows(score.Rows(), opt)
	if err != nil {
		return nil, err
	}
	return r, r.Prepare()
}

// number is an input of one number.
func number(m *model.Model, name string, v float64) (model.Value, error) {
	for _, p := range m.Inputs() {
		if p.Name != name {
			continue
		}
		shape := []int{}
		for _, d := range p.Shape {
			if n, err := strconv.Atoi(d); err == nil && n != 1 {
				return model.Value{}, fmt.Errorf("unrollbeam: Options.Set: the input is %s, not one number", p)
			}
			shape = append(shape, 1)
		}
		switch {
		case p.Type == "float64":
			return model.Of([]float64{v}, shape...)
		case p.Type == "int64" && v == float64(int64(v)):
			return model.Of([]int64{int64(v)}, shape...)
		case p.Type == "int32" && v == float64(int32(v)):
			return model.Of([]int32{int32(v)}, shape...)
		case p.Type == "bool" && (v == 0 || v == 1):
			return model.Of([]bool{v == 1}, shape...)
		case p.Type == "float32":
			return model.Of([]float32{float32(v)}, shape...)
		}
		return model.Value{}, fmt.Errorf("unrollbeam: Options.Set: %v is no value of %s", v, p)
	}
	return model.Value{}, fmt.Errorf("unrollbeam: Options.Set: the model has no input %q", name)
}

// remote reports whether a name is one of a file system of Beam, such as gs://b/o.
func remote(name string) bool { return strings.Contains(name, "://") }

// fetch brings a file of a Beam file system to this machine; done takes it away,
// which an open file survives. A path of this machine stays as it is.
func fetch(ctx context.Context, name string) (local string, done func(), err error) {
	if !remote(name) {
		return name, func() {}, nil
	}
	fs, err := filesystem.New(ctx, name)
	if err != nil {
		return "", nil, err
	}
	defer fs.Close()
	in, err := fs.OpenRead(ctx, name)
	if err != nil {
		return "", nil, fmt.Errorf("%s: %w", name, err)
	}
	defer in.Close()
	dir, err := os.MkdirTemp("", "unroll-beam-")
	if err != nil {
		return "", nil, err
	}
	done = func() { _ = os.RemoveAll(dir) } // the operating system's own cleaning has what is left
	local = dir + string(os.PathSeparator) + path.Base(name)
	f, err := os.Create(local)
	if err == nil {
		_, err = io.Copy(f, in)
		if e := f.Close(); err == nil {
			err = e
		}
	}
	if err != nil {
		done()
		return "", nil, fmt.Errorf("%s: %w", name, err)
	}
	return local, done, nil
}
