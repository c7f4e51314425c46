package unrollbeam

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"reflect"
	"slices"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/register"

	"github.com/unroll-ml/unroll/checkpoint/safetensors"
	"github.com/unroll-ml/unroll/internal/score"
)

// WriteTable writes a collection of Series as CSV or Parquet, as the file's name
// says: series in the order of their first records, one after another; the columns
// are the key's, under the name key, the time's, under the name at (empty: none), and
// one for each number of the outputs. One file is that of unroll run --group-by
// --sort, byte for byte.
//
// A shard is in memory for one series at a time and 64 bytes for each other; it is
// put in order in a temporary file.
func WriteTable(s beam.Scope, o Options, list beam.PCollection, f File, key, at string) {
	s = s.Scope("unroll.WriteTable")
	in := beam.CoGroupByKey(s, shards(s, f), beam.ParDo(s, &seriesShard{File: f}, list))
	beam.ParDo0(s, &writeTableFn{Options: o.defaults(), File: f, Key: key, At: at}, in)
}

// WriteStates writes a collection of State, as unroll run --group-by --states-out
// does: those of a run before in its order, then new ones in the order of their first
// records. A shard's states are in memory together.
func WriteStates(s beam.Scope, o Options, list beam.PCollection, f File) {
	s = s.Scope("unroll.WriteStates")
	in := beam.CoGroupByKey(s, shards(s, f), beam.ParDo(s, &stateShard{File: f}, list))
	beam.ParDo0(s, &writeStatesFn{Options: o.defaults(), File: f}, in)
}

// WriteBad writes a collection of Bad as lines of JSON, in the order of their
// origins: source, place, series, at, reason. Memory is 64 bytes a record.
func WriteBad(s beam.Scope, list beam.PCollection, f File) {
	s = s.Scope("unroll.WriteBad")
	in := beam.CoGroupByKey(s, shards(s, f), beam.ParDo(s, &badShard{File: f}, list))
	beam.ParDo0(s, &writeBadFn{File: f}, in)
}

// shards are the numbers of all shards, so that one without anything is written too,
// and no file of a run before stays in its place.
func shards(s beam.Scope, f File) beam.PCollection {
	return beam.ParDo(s, &shardsFn{N: max(1, f.Shards)}, beam.Impulse(s))
}

type shardsFn struct{ N int }

func (f *shardsFn) ProcessElement(_ []byte, emit func(int, bool)) {
	for i := range f.N {
		emit(i, true)
	}
}

type seriesShard struct{ File File }

func (f *seriesShard) ProcessElement(s Series) (int, Series) { return f.File.shard(s.Key), s }

type stateShard struct{ File File }

func (f *stateShard) ProcessElement(s State) (int, State) { return f.File.shard(s.Key), s }

type badShard struct{ File File }

func (f *badShard) ProcessElement(b Bad) (int, Bad) { return f.File.shard(b.Key), b }

func init() {
	register.DoFn2x0[[]byte, func(int, bool)](&shardsFn{})
	register.Emitter2[int, bool]()
	register.Iter1[bool]()
	register.DoFn1x2[Series, int, Series](&seriesShard{})
	register.DoFn1x2[State, int, State](&stateShard{})
	register.DoFn1x2[Bad, int, Bad](&badShard{})
	register.DoFn4x1[context.Context, int, func(*bool) bool, func(*Series) bool, error](&writeTableFn{})
	register.DoFn4x1[context.Context, int, func(*bool) bool, func(*State) bool, error](&writeStatesFn{})
	register.DoFn4x1[context.Context, int, func(*bool) bool, func(*Bad) bool, error](&writeBadFn{})
	register.Iter1[Series]()
	register.Iter1[Bad]()
	beam.RegisterType(reflect.TypeFor[File]())
}

type writeTableFn struct {
	Options Options
	File    File
	Key, At string
	user    user
}

func (f *writeTableFn) Setup(ctx context.Context) error { return f.user.setup(ctx, &f.Options) }

func (f *writeTableFn) Teardown() error { return f.user.teardown() }

func (f *writeTableFn) ProcessElement(ctx context.Context, shard int, _ func(*bool) bool, list func(*Series) bool) error {
	p, err := newSpool()
	if err != nil {
		return err
	}
	defer p.close()
	for s := (Series{}); list(&s); s = (Series{}) {
		if err := p.put(s.Origin, encodeSeries(s)); err != nil {
			return err
		}
	}
	return f.File.write(ctx, shard, func(w io.Writer) error {
		b := bufio.NewWriterSize(w, 1<<16)
		open := score.NewCSVWriter
		if isParquet(f.File.Name) {
			open = score.NewParquetWriter
		}
		t, err := open(b, f.Key, f.At, score.OutputNames(f.user.rows))
		if err != nil {
			return err
		}
		n := f.user.rows.Out()
		err = p.each(func(text []byte) error {
			s, err := decodeSeries(text)
			if err != nil {
				return err
			}
			for i, at := range s.At {
				if err := t.Write(s.Key, at, s.Y[i*n:(i+1)*n]); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		if err := t.Close(); err != nil {
			return err
		}
		return b.Flush()
	})
}

type writeStatesFn struct {
	Options Options
	File    File
	user    user
}

func (f *writeStatesFn) Setup(ctx context.Context) error { return f.user.setup(ctx, &f.Options) }

func (f *writeStatesFn) Teardown() error { return f.user.teardown() }

func (f *writeStatesFn) ProcessElement(ctx context.Context, shard int, _ func(*bool) bool, list func(*State) bool) error {
	var all []State
	for s := (State{}); list(&s); s = (State{}) {
		all = append(all, s)
	}
	slices.SortFunc(all, func(a, b State) int {
		return cmp.Or(cmp.Compare(a.Source, b.Source), cmp.Compare(a.Place, b.Place), cmp.Compare(a.Key, b.Key))
	})
	series := make([]score.Series, len(all))
	for i, s := range all {
		series[i] = score.Series{Key: s.Key, State: s.State, Steps: s.Steps}
	}
	set, meta, err := score.Tensors(f.user.rows, series)
	if err != nil {
		return err
	}
	return f.File.write(ctx, shard, func(w io.Writer) error { return safetensors.Write(w, set, meta) })
}

type writeBadFn struct{ File File }

func (f *writeBadFn) ProcessElement(ctx context.Context, shard int, _ func(*bool) bool, list func(*Bad) bool) error {
	p, err := newSpool()
	if err != nil {
		return err
	}
	defer p.close()
	for b := (Bad{}); list(&b); b = (Bad{}) {
		if err := p.put(b.Origin, encodeBad(b)); err != nil {
			return err
		}
	}
	return f.File.write(ctx, shard, func(w io.Writer) error {
		return p.each(func(text []byte) error {
			b, err := decodeBad(text)
			if err != nil {
				return err
			}
			return line(w, b)
		})
	})
}

// spool puts encoded elements in the order of their origins, in a temporary file.
type spool struct {
	f    *os.File
	w    *bufio.Writer
	at   int64
	list []place
}

type place struct {
	Origin
	at int64
	n  int
}

func newSpool() (*spool, error) {
	f, err := os.CreateTemp("", "unroll-beam-")
	if err != nil {
		return nil, err
	}
	return &spool{f: f, w: bufio.NewWriterSize(f, 1<<16)}, nil
}

func (p *spool) close() {
	_ = p.f.Close()
	_ = os.Remove(p.f.Name()) // the operating system's own cleaning has what is left
}

func (p *spool) put(o Origin, b []byte) error {
	if n := len(p.list); n > 0 && p.list[n-1].Source == o.Source {
		o.Source = p.list[n-1].Source // one text for all
	}
	p.list = append(p.list, place{o, p.at, len(b)})
	p.at += int64(len(b))
	_, err := p.w.Write(b)
	return err
}

// each gives the elements in order; those of one origin in that of their bytes.
func (p *spool) each(do func([]byte) error) error {
	if err := p.w.Flush(); err != nil {
		return err
	}
	slices.SortFunc(p.list, func(a, b place) int {
		return cmp.Or(cmp.Compare(a.Source, b.Source), cmp.Compare(a.Place, b.Place))
	})
	for first := 0; first < len(p.list); {
		end := first + 1
		for end < len(p.list) && p.list[end].Origin == p.list[first].Origin {
			end++
		}
		var group [][]byte
		for _, e := range p.list[first:end] {
			b := make([]byte, e.n)
			if _, err := p.f.ReadAt(b, e.at); err != nil {
				return fmt.Errorf("%s: %w", p.f.Name(), err)
			}
			group = append(group, b)
		}
		slices.SortFunc(group, slices.Compare[[]byte])
		for _, b := range group {
			if err := do(b); err != nil {
				return err
			}
		}
		first = end
	}
	return nil
}
