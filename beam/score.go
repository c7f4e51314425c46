package unrollbeam

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"reflect"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/core/graph/window"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/register"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/internal/score"
	"github.com/unroll-ml/unroll/model"
)

// Options say what scores, and what it may take.
type Options struct {
	// Model is the file or folder of the model: a path that every worker has, or a
	// file of a file system of Beam, such as gs://bucket/model.onnx.
	Model string
	// Bytes is the model's file itself, which then travels with the pipeline; Model
	// is its name, whose ending may matter. Runners bound a pipeline's size (Dataflow:
	// 20 MB).
	Bytes []byte
	// Open is how the model is opened; States is always set, and a layer alone is
	// TimeFirst, as unroll run --group-by has it.
	Open model.Options
	// Set are inputs that stay as they are, and Sizes those of open dimensions: see
	// model.RowsOptions.
	Set   map[string]float64
	Sizes map[string]int
	// Untimed: At is no time, and records are in the order of their origins.
	Untimed bool
	// RefuseNonFinite: a record whose numbers, or whose new state, are not finite is
	// bad; otherwise the model has them, as in unroll run.
	RefuseNonFinite bool
	// Longest is the most bytes that the records of one series may take in a worker's
	// memory; 1 GiB. All records of a longer one are bad, and its state stays.
	Longest int64
	// Together is how many bytes of series may wait to be stepped together, up to 64
	// series; 16 MiB. It changes no number.
	Together int64
	// Pipeline is set by Score: the name under which its workers share the model.
	Pipeline string
}

// defaults are the options as a pipeline has them.
func (o Options) defaults() Options {
	o.Open.States = true
	if o.Open.Layout == model.Ask && o.Open.Chain == "" {
		o.Open.Layout = model.TimeFirst
	}
	if o.Longest == 0 {
		o.Longest = 1 << 30
	}
	if o.Together == 0 {
		o.Together = 16 << 20
	}
	if o.Pipeline == "" {
		o.Pipeline = rand.Text()
	}
	return o
}

// Output is what Score gives.
type Output struct {
	Series beam.PCollection // of Series: one for each that has good records
	States beam.PCollection // of State: one for each series that ever stepped
	Bad    beam.PCollection // of Bad
}

// Score runs the records of each series, in their order, through the model. begin is
// a collection of State of a run before, or the zero PCollection; a series of it that
// has no records comes back as it is.
//
// A bad record is one whose time cannot be read; whose time is a date where more
// records of its series have numbers, or the other way round (dates win where both
// are as many); that has another number of numbers than a step reads; or that the
// model refuses. What is wrong with all of them ends the pipeline: a model that does
// not open or carries no state, states of another model, a series with two states.
func Score(s beam.Scope, o Options, records, begin beam.PCollection) Output {
	s = s.Scope("unroll.Score")
	if !begin.IsValid() {
		begin = beam.ParDo(s, noStates, beam.Impulse(s))
	}
	global := window.NewGlobalWindows()
	keyed := beam.ParDo(s, recordKey, beam.WindowInto(s, global, records))
	states := beam.ParDo(s, stateKey, beam.WindowInto(s, global, begin))
	var out Output
	out.Series, out.States, out.Bad = beam.ParDo3(s, &scoreFn{Options: o.defaults()}, beam.CoGroupByKey(s, keyed, states))
	return out
}

func noStates([]byte, func(State)) {}

// recordKey takes the key out of a record: it stands beside it.
func recordKey(r Record) (string, Record) {
	key := r.Key
	r.Key = ""
	return key, r
}

func stateKey(s State) (string, State) { return s.Key, s }

func init() {
	register.Function2x0(noStates)
	register.Function1x2(recordKey)
	register.Function1x2(stateKey)
	register.DoFn7x1[context.Context, string, func(*Record) bool, func(*State) bool, func(Series), func(State), func(Bad), error](&scoreFn{})
	register.Iter1[Record]()
	register.Iter1[State]()
	register.Emitter1[Record]()
	register.Emitter1[State]()
	register.Emitter1[Series]()
	register.Emitter1[Bad]()
	beam.RegisterType(reflect.TypeFor[Options]())
}

var (
	recordsScored = beam.NewCounter("unroll", "records")
	recordsBad    = beam.NewCounter("unroll", "bad_records")
	bytesHeld     = beam.NewDistribution("unroll", "bytes_held")
)

// scoreFn steps series. It holds some at once, so that the model has rows of many,
// and steps all of them by the end of the bundle: nothing outlasts one.
type scoreFn struct {
	Options Options

	rows    *model.Rows
	release func()
	digest  string

	held  []*series // wait to be stepped
	bytes int64     // that they take
	peak  int64     // the most that bytes was

	x, y   []float32
	states [][]float32
	seq    []*series // of a step
}

// Setup makes ready to step.
func (f *scoreFn) Setup(ctx context.Context) error {
	m, release, err := f.Options.acquire(ctx)
	if err != nil {
		return err
	}
	if f.rows, err = f.Options.rows(m); err != nil {
		release()
		return err
	}
	if f.Options.RefuseNonFinite {
		f.rows.SetFinite(unroll.RefuseNonFinite)
	}
	f.release, f.digest = release, f.rows.Digest()
	f.x, f.y = make([]float32, score.Rows()*f.rows.In()), make([]float32, score.Rows()*f.rows.Out())
	return nil
}

// Teardown gives the model back.
func (f *scoreFn) Teardown() error {
	if f.release != nil {
		f.release()
		f.release = nil
	}
	return nil
}

// StartBundle forgets what a bundle that failed may have left.
func (f *scoreFn) StartBundle(context.Context, func(Series), func(State), func(Bad)) {
	f.held, f.bytes = f.held[:0], 0
}

// ProcessElement takes a series, and steps those that wait when they are enough.
func (f *scoreFn) ProcessElement(ctx context.Context, key string, records func(*Record) bool, begin func(*State) bool, series func(Series), state func(State), bad func(Bad)) error {
	e, err := f.gather(ctx, key, records, begin, bad)
	if err != nil {
		return err
	}
	f.held = append(f.held, e)
	f.bytes += e.bytes
	f.peak = max(f.peak, f.bytes)
	if len(f.held) == score.Rows() || f.bytes >= f.Options.Together {
		return f.flush(ctx, series, state, bad)
	}
	return nil
}

// FinishBundle steps what is left.
func (f *scoreFn) FinishBundle(ctx context.Context, series func(Series), state func(State), bad func(Bad)) error {
	return f.flush(ctx, series, state, bad)
}

// flush steps the series that wait, the first record of each together, then the
// second, and so on, and gives what came of it.
func (f *scoreFn) flush(ctx context.Context, series func(Series), state func(State), bad func(Bad)) error {
	if len(f.held) == 0 {
		return nil
	}
	bytesHeld.Update(ctx, f.bytes)
	for round := 0; ; round++ {
		f.seq = f.seq[:0]
		for _, e := range f.held {
			if round < len(e.records) {
				f.seq = append(f.seq, e)
			}
		}
		if len(f.seq) == 0 {
			break
		}
		if err := f.step(ctx, round, bad); err != nil {
			return err
		}
	}
	for _, e := range f.held {
		if len(e.out.At) > 0 {
			recordsScored.Inc(ctx, int64(len(e.out.At)))
			series(e.out)
		}
		if !e.fresh || e.state.Steps > 0 {
			state(e.state)
		}
	}
	clear(f.held)
	f.held, f.bytes = f.held[:0], 0
	return nil
}

// step steps a record of each series of f.seq.
func (f *scoreFn) step(ctx context.Context, round int, bad func(Bad)) error {
	in, out := f.rows.In(), f.rows.Out()
	f.states = f.states[:0]
	for i, e := range f.seq {
		copy(f.x[i*in:], e.records[round].X)
		f.states = append(f.states, e.state.State)
	}
	n := len(f.seq)
	err := f.rows.Step(f.y[:n*out], f.x[:n*in], f.states)
	refused, err := reasons(err)
	if err != nil {
		return err
	}
	for i, e := range f.seq {
		r := &e.records[round]
		if why, ok := refused[i]; ok {
			recordsBad.Inc(ctx, 1)
			bad(Bad{Key: e.out.Key, At: r.At, Origin: r.Origin, Reason: why})
			continue
		}
		if len(e.out.At) == 0 || r.before(e.out.Origin) {
			e.out.Origin = r.Origin
		}
		if e.fresh && (e.state.Steps == 0 || r.before(e.state.Origin)) {
			e.state.Origin = r.Origin
		}
		e.out.At = append(e.out.At, r.At)
		e.out.Y = append(e.out.Y, f.y[i*out:(i+1)*out]...)
		e.state.Steps++
	}
	return nil
}

// reasons are those of a step's rows that did not step; another error stays one.
func reasons(err error) (map[int]string, error) {
	if err == nil {
		return nil, nil
	}
	refused := map[int]string{}
	var row *model.RowError
	var nonFinite *unroll.NonFiniteError
	known := false
	if errors.As(err, &row) {
		known = true
		for i, r := range row.Rows {
			refused[r] = row.Errs[i].Error()
		}
	}
	if errors.As(err, &nonFinite) && nonFinite.Refused {
		known = true
		for _, r := range nonFinite.Inputs {
			refused[r] = "x is not finite"
		}
		for _, r := range nonFinite.Results {
			refused[r] = "the state after it would not be finite"
		}
	}
	if !known {
		return nil, fmt.Errorf("unrollbeam: %w", err)
	}
	return refused, nil
}
