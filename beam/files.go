package unrollbeam

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"path"
	"path/filepath"
	"strings"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/io/filesystem"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/register"

	"github.com/unroll-ml/unroll/checkpoint"
	"github.com/unroll-ml/unroll/checkpoint/array"
	"github.com/unroll-ml/unroll/checkpoint/array/text"
	"github.com/unroll-ml/unroll/checkpoint/safetensors"
	"github.com/unroll-ml/unroll/internal/atomicfile"
	"github.com/unroll-ml/unroll/internal/score"
	"github.com/unroll-ml/unroll/model"
)

// Columns says which columns of a table are what.
type Columns struct {
	Key  string
	Time string   // empty: the file's order, for Options.Untimed
	X    []string // nil: all others, in the file's order
}

// ReadTables reads CSV and Parquet files, of which each is read by one worker: files
// is a collection of their names, records one of Record, and bad one of Bad for rows
// that cannot be read. A damaged file ends the pipeline.
func ReadTables(s beam.Scope, c Columns, files beam.PCollection) (records, bad beam.PCollection) {
	s = s.Scope("unroll.ReadTables")
	return beam.ParDo2(s, &tableFn{Columns: c}, beam.Reshuffle(s, files))
}

// ReadStates reads the states that a run before left, of WriteStates or of unroll run
// --group-by --states-out: files is a collection of their names, the result one of
// State. States of another model end the pipeline.
func ReadStates(s beam.Scope, o Options, files beam.PCollection) beam.PCollection {
	s = s.Scope("unroll.ReadStates")
	return beam.ParDo(s, &statesFn{Options: o.defaults()}, files)
}

func init() {
	register.DoFn4x1[context.Context, string, func(Record), func(Bad), error](&tableFn{})
	register.DoFn3x1[context.Context, string, func(State), error](&statesFn{})
}

type tableFn struct{ Columns Columns }

// table is a source of rows of some width.
type table interface {
	score.Source
	Width() int
}

func (f *tableFn) ProcessElement(ctx context.Context, file string, record func(Record), bad func(Bad)) error {
	local, done, err := fetch(ctx, file)
	if err != nil {
		return err
	}
	defer done()
	in, err := checkpoint.OpenInput(local)
	if err != nil {
		return err
	}
	defer in.Close()
	src, err := f.open(in, file)
	if err != nil {
		return err
	}
	var r score.Row
	for {
		r.X = make([]float32, src.Width())
		err := src.Next(&r)
		at := Origin{Source: file, Place: int64(r.Place)}
		var wrong *score.RowError
		switch {
		case err == io.EOF:
			return nil
		case errors.As(err, &wrong):
			recordsBad.Inc(ctx, 1)
			bad(Bad{Key: r.Key, At: r.At, Origin: at, Reason: wrong.Error()})
		case err != nil:
			return err
		default:
			record(Record{Key: r.Key, At: r.At, Origin: at, X: r.X})
		}
	}
}

func (f *tableFn) open(in *checkpoint.Input, file string) (table, error) {
	head := make([]byte, min(in.Size, 64))
	if _, err := in.ReadAt(head, 0); err != nil && err != io.EOF {
		return nil, err
	}
	c := score.Columns{Key: f.Columns.Key, Time: f.Columns.Time, X: f.Columns.X}
	if array.Sniff(head) == array.Parquet {
		return score.NewParquet(in, in.Size, file, c)
	}
	t, _, err := score.NewCSV(io.NewSectionReader(in, 0, in.Size), file, text.Dialect{}, c)
	return t, err
}

// user is a function that has the model while it is there.
type user struct {
	rows    *model.Rows
	release func()
}

func (u *user) setup(ctx context.Context, o *Options) error {
	m, release, err := o.acquire(ctx)
	if err != nil {
		return err
	}
	if u.rows, err = o.rows(m); err != nil {
		release()
		return err
	}
	u.release = release
	return nil
}

func (u *user) teardown() error {
	if u.release != nil {
		u.release()
		u.release = nil
	}
	return nil
}

type statesFn struct {
	Options Options
	user    user
}

func (f *statesFn) Setup(ctx context.Context) error { return f.user.setup(ctx, &f.Options) }

func (f *statesFn) Teardown() error { return f.user.teardown() }

func (f *statesFn) ProcessElement(ctx context.Context, file string, state func(State)) error {
	local, done, err := fetch(ctx, file)
	if err != nil {
		return err
	}
	defer done()
	in, err := safetensors.Open(local)
	if err != nil {
		return err
	}
	defer in.Close()
	list, err := score.ReadSeries(in, f.user.rows)
	if err != nil {
		return err
	}
	digest := f.user.rows.Digest()
	for i, e := range list {
		// Before all new series, whose sources are names of files.
		state(State{Key: e.Key, Origin: Origin{Place: int64(i)}, Steps: e.Steps, Digest: digest, State: e.State})
	}
	return nil
}

// File is where something is written: as one file, or as Shards of them, then called
// scores-00000-of-00004.csv and so on. A file is there whole or not at all, and made
// by one worker.
type File struct {
	Name   string
	Shards int
}

func (f File) name(shard int) string {
	if f.Shards <= 1 {
		return f.Name
	}
	ext := path.Ext(f.Name)
	return fmt.Sprintf("%s-%05d-of-%05d%s", strings.TrimSuffix(f.Name, ext), shard, f.Shards, ext)
}

// shard is that of a key.
func (f File) shard(key string) int {
	h := fnv.New64a()
	_, _ = io.WriteString(h, key) // a hash has no errors
	return int(h.Sum64() % uint64(max(1, f.Shards)))
}

// write writes a shard.
func (f File) write(ctx context.Context, shard int, write func(io.Writer) error) (err error) {
	name := f.name(shard)
	if !remote(name) {
		return atomicfile.Write(name, write)
	}
	fs, err := filesystem.New(ctx, name)
	if err != nil {
		return err
	}
	defer fs.Close()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	w, err := fs.OpenWrite(ctx, name)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	b := bufio.NewWriter(w)
	if err = write(b); err == nil {
		err = b.Flush()
	}
	if err != nil {
		cancel() // an object store then drops what it has
		_ = w.Close()
		return fmt.Errorf("%s: %w", name, err)
	}
	return w.Close()
}

// isParquet reports whether a table's name says Parquet; otherwise it is CSV.
func isParquet(name string) bool { return strings.EqualFold(filepath.Ext(name), ".parquet") }

// line is a bad record as a line of JSON.
func line(w io.Writer, b Bad) error {
	text, err := json.Marshal(struct {
		Source string `json:"source"`
		Place  int64  `json:"place"`
		Series string `json:"series"`
		At     string `json:"at"`
		Reason string `json:"reason"`
	}{b.Source, b.Place, b.Key, b.At, b.Reason})
	if err != nil {
		return err
	}
	_, err = w.Write(append(text, '\n'))
	return err
}
