package unrollbeam

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/register"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/testing/ptest"

	"github.com/unroll-ml/unroll/rng"
)

func init() {
	register.Function2x1(failOnce)
}

var passed, fail atomic.Int64

var errInjected = errors.New("the worker is gone")

// failOnce fails when as many elements as fail says have passed, once.
func failOnce(s Series, emit func(Series)) error {
	if n := fail.Load(); n > 0 && passed.Add(1) == n {
		fail.Store(0)
		return errInjected
	}
	emit(s)
	return nil
}

// A worker that fails in the midst of the bundle that scores leaves no file, and the
// next attempt has the bytes of one that never failed. Prism does not try a bundle
// again, so the pipeline is.
func TestAFailureLeavesNothingAndTheNextAttemptHasTheSameBytes(t *testing.T) {
	dir, m := t.TempDir(), folder(t)
	in := func(name string) string { return filepath.Join(dir, name) }
	file := writeCSV(t, in("1.csv"), lines(2000, 90))
	run := func(name string) error {
		p, s := beam.NewPipelineWithRoot()
		records, _ := ReadTables(s, columns, beam.CreateList(s, []string{file}))
		o := Options{Model: m, Together: 1 << 14}
		got := Score(s, o, records, beam.PCollection{})
		WriteTable(s, o, beam.ParDo(s, failOnce, got.Series), File{Name: in(name)}, "who", "t")
		return ptest.Run(p)
	}
	if err := run("want.csv"); err != nil {
		t.Fatal(err)
	}
	passed.Store(0)
	fail.Store(50)
	if err := run("got.csv"); err == nil || !strings.Contains(err.Error(), errInjected.Error()) {
		t.Fatalf("got %v, want %v", err, errInjected)
	}
	if _, err := os.Stat(in("got.csv")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the attempt that failed left its file: %v", err)
	}
	if err := run("got.csv"); err != nil {
		t.Fatal(err)
	}
	same(t, in("got.csv"), in("want.csv"))
}

// group is a series as it comes out of a grouping.
type group struct {
	key     string
	records []Record
}

func groups(sizes ...int) (list []group) {
	g := rng.New(3)
	for i, n := range sizes {
		x := make([]float32, 2*n)
		rng.Randn(g, x)
		e := group{key: fmt.Sprintf("s%03d", i)}
		for j := range n {
			e.records = append(e.records, Record{At: fmt.Sprint(j / 2), Origin: Origin{"f", int64(j)}, X: x[2*j : 2*j+2]})
		}
		list = append(list, e)
	}
	return list
}

// bundle runs a bundle and returns what it gave, encoded and sorted.
func bundle(t *testing.T, f *scoreFn, list []group) (out []string) {
	t.Helper()
	ctx := context.Background()
	series := func(s Series) { out = append(out, "series "+string(encodeSeries(s))) }
	state := func(s State) { out = append(out, "state "+string(encodeState(s))) }
	bad := func(b Bad) { t.Errorf("bad: %+v", b) }
	f.StartBundle(ctx, series, state, bad)
	for _, g := range list {
		if err := f.ProcessElement(ctx, g.key, iter(g.records), func(*State) bool { return false }, series, state, bad); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.FinishBundle(ctx, series, state, bad); err != nil {
		t.Fatal(err)
	}
	slices.Sort(out)
	return out
}

func iter(list []Record) func(*Record) bool {
	return func(r *Record) bool {
		if len(list) == 0 {
			return false
		}
		*r, list = list[0], list[1:]
		return true
	}
}

func ready(t *testing.T, o Options) *scoreFn {
	t.Helper()
	f := &scoreFn{Options: o.defaults()}
	if err := f.Setup(context.Background()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Teardown() })
	return f
}

// A bundle given up in its midst leaves nothing in the function; tried again, split
// elsewhere, with series and records in another order, it gives the same bytes.
func TestABundleTriedAgainGivesTheSameBytes(t *testing.T) {
	m := folder(t)
	list := groups(40, 3, 77, 1, 20, 20, 64, 5)
	want := bundle(t, ready(t, Options{Model: m}), list)
	f := ready(t, Options{Model: m})
	ctx := context.Background()
	drop := func(State) {}
	f.StartBundle(ctx, nil, nil, nil)
	for _, g := range list[:5] { // and then its worker is gone
		if err := f.ProcessElement(ctx, g.key, iter(g.records), func(*State) bool { return false }, func(Series) {}, drop, nil); err != nil {
			t.Fatal(err)
		}
	}
	var again []group
	for _, g := range slices.Backward(list) {
		r := slices.Clone(g.records)
		slices.Reverse(r)
		again = append(again, group{g.key, r})
	}
	got := slices.Concat(bundle(t, f, again[:3]), bundle(t, ready(t, Options{Model: m, Together: 1}), again[3:]))
	slices.Sort(got)
	if len(want) != 2*len(list) || !slices.Equal(got, want) {
		t.Errorf("%d outputs tried again are not the %d of the first time", len(got), len(want))
	}
}

// Memory is that of the longest series and what may wait, however many there are.
func TestMemoryIsBoundedByTheLongestSeries(t *testing.T) {
	sizes := make([]int, 300)
	for i := range sizes {
		sizes[i] = 40
	}
	sizes[150] = 2000
	f := ready(t, Options{Model: folder(t), Together: 1 << 15})
	list := groups(sizes...)
	bundle(t, f, list)
	longest := ready(t, Options{Model: folder(t)})
	bundle(t, longest, list[150:151])
	if most := f.Options.Together + longest.peak; f.peak > most || f.peak < longest.peak {
		t.Errorf("%d bytes were held at once, expected from %d, the longest series, to %d", f.peak, longest.peak, most)
	}
}

// A series beyond the limit is bad as a whole, and the next one is not.
func TestASeriesBeyondTheLimitIsBad(t *testing.T) {
	f := ready(t, Options{Model: folder(t), Longest: 20_000})
	var bad []Bad
	var scored []string
	ctx := context.Background()
	for _, g := range groups(500, 10) {
		err := f.ProcessElement(ctx, g.key, iter(g.records), func(*State) bool { return false }, nil, nil, func(b Bad) { bad = append(bad, b) })
		if err != nil {
			t.Fatal(err)
		}
	}
	err := f.FinishBundle(ctx, func(s Series) { scored = append(scored, s.Key) }, func(State) {}, nil)
	if err != nil || len(bad) != 500 || !slices.Equal(scored, []string{"s001"}) {
		t.Errorf("%d bad records, series %v, %v; want 500 and s001", len(bad), scored, err)
	}
	if f.peak > 20_000 {
		t.Errorf("%d bytes were held, more than the limit", f.peak)
	}
}

// The model's bytes travel with the pipeline.
func TestAModelFromBytes(t *testing.T) {
	file := filepath.Join("..", "checkpoint", "onnx", "testdata", "exporters", "torch_lstm_states.onnx")
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	byPath, byBytes := ready(t, Options{Model: file}), ready(t, Options{Bytes: b})
	if byPath.digest == "" || byPath.digest != byBytes.digest {
		t.Errorf("the model from bytes is %.12q, from its file %.12q", byBytes.digest, byPath.digest)
	}
}

// An encoded element that is cut off is an error, not a panic.
func TestCutOffElementsAreErrors(t *testing.T) {
	b := encodeSeries(Series{Key: "k", Origin: Origin{"f", 3}, At: []string{"1", "2"}, Y: []float32{1, 2}})
	for n := range b {
		if _, err := decodeSeries(b[:n]); err == nil {
			t.Errorf("%d of %d bytes: no error", n, len(b))
		}
	}
	s, err := decodeSeries(b)
	if err != nil || s.Place != 3 || s.Y[1] != 2 || s.At[1] != "2" {
		t.Errorf("got %+v, %v", s, err)
	}
}
