package unrollbeam

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/unroll-ml/unroll/internal/score"
)

// series is a series in memory.
type series struct {
	records []Record // good ones, in order
	bytes   int64
	fresh   bool // it had no state before
	state   State
	out     Series
}

// overhead is what a record costs beside its text and numbers: its own slice
// headers and origin, and its place while it is sorted.
const overhead = 160

// gather reads a series and puts its records in order. The order is a whole one, so
// that it does not matter how they came: time, origin, numbers.
func (f *scoreFn) gather(ctx context.Context, key string, records func(*Record) bool, begin func(*State) bool, bad func(Bad)) (*series, error) {
	e := &series{out: Series{Key: key}}
	if err := f.begin(e, key, begin); err != nil {
		return nil, err
	}
	refuse := func(r *Record, reason string) {
		recordsBad.Inc(ctx, 1)
		bad(Bad{Key: key, At: r.At, Origin: r.Origin, Reason: reason})
	}
	width, out := f.rows.In(), int64(4*f.rows.Out())
	var times []score.Time
	var r Record
	long := false
	tooLong := func(r *Record) {
		refuse(r, fmt.Sprintf("the records of its series take more than %d bytes; Options.Longest says how many they may", f.Options.Longest))
	}
	e.bytes = int64(len(key) + 4*len(e.state.State) + overhead)
	for records(&r) {
		if long {
			tooLong(&r)
			continue
		}
		if len(r.X) != width {
			refuse(&r, fmt.Sprintf("it has %d numbers, and a step of the model reads %d", len(r.X), width))
			continue
		}
		var at score.Time
		if !f.Options.Untimed {
			var err error
			if at, err = score.ParseTime(r.At); err != nil {
				refuse(&r, err.Error())
				continue
			}
		}
		if e.bytes += int64(4*len(r.X)+len(r.At)+len(r.Source)+overhead) + out; e.bytes > f.Options.Longest {
			long = true
			for i := range e.records {
				tooLong(&e.records[i])
			}
			tooLong(&r)
			e.records, times, e.bytes = nil, nil, 0
			continue
		}
		e.records, times = append(e.records, r), append(times, at)
		r = Record{}
	}
	f.peak = max(f.peak, f.bytes+e.bytes)
	return e, e.sort(times, refuse)
}

// begin is the state that a series begins with.
func (f *scoreFn) begin(e *series, key string, begin func(*State) bool) error {
	var second State
	switch {
	case !begin(&e.state):
		e.fresh = true
		e.state = State{Key: key, Digest: f.digest, State: make([]float32, f.rows.StateLen())}
		f.rows.Begin(e.state.State)
	case begin(&second):
		return fmt.Errorf("unrollbeam: series %q begins with two states, of %s %d and %s %d", key, e.state.Source, e.state.Place, second.Source, second.Place)
	case e.state.Digest != f.digest:
		return fmt.Errorf("unrollbeam: the state of series %q is of another model, or of another step of it: its digest is %.16q, expected %.16q", key, e.state.Digest, f.digest)
	case len(e.state.State) != f.rows.StateLen():
		return fmt.Errorf("unrollbeam: the state of series %q has %d numbers, expected %d", key, len(e.state.State), f.rows.StateLen())
	}
	e.state.State = slices.Clone(e.state.State) // stepped in place, and a runner's elements are only read
	return nil
}

// sort sorts the records by their times, and refuses those of the kind of time that
// fewer have.
func (e *series) sort(times []score.Time, refuse func(*Record, string)) error {
	dated := 0
	for _, t := range times {
		if t.Dated() {
			dated++
		}
	}
	dates := dated >= len(times)-dated
	order := make([]int, 0, len(times))
	for i, t := range times {
		if dated > 0 && t.Dated() != dates {
			refuse(&e.records[i], fmt.Sprintf("some times of its series are numbers and some are dates; %d of %d are dates", dated, len(times)))
			continue
		}
		order = append(order, i)
	}
	var bad error
	slices.SortFunc(order, func(i, j int) int {
		c, err := times[i].Compare(times[j])
		if err != nil {
			bad = err
		}
		if c == 0 {
			c = compareRecords(&e.records[i], &e.records[j])
		}
		return c
	})
	sorted := make([]Record, len(order))
	for k, i := range order {
		sorted[k] = e.records[i]
	}
	e.records = sorted
	return bad
}

// compareRecords is the order of records at one time.
func compareRecords(a, b *Record) int {
	switch {
	case a.before(b.Origin):
		return -1
	case b.before(a.Origin):
		return 1
	}
	if c := strings.Compare(a.At, b.At); c != 0 {
		return c
	}
	return strings.Compare(string(appendFloats(nil, a.X)), string(appendFloats(nil, b.X)))
}
