// Package score runs tables of many series through a model: every row is a step of
// the series that its key names. Rows of many keys are stepped together; the bits
// are those of each series alone.
package score

import (
	"fmt"
	"io"
	"slices"

	"github.com/unroll-ml/unroll/model"
)

// Row is a row of a table.
type Row struct {
	Key string
	// Time is where the row stands in its series, At as the file has it.
	Time Time
	At   string
	X    []float32
	// Place is that of the row in its file, for errors.
	Place int
}

// Source gives the rows of a table.
type Source interface {
	// Next writes the next row, whose X has as many numbers as the columns chosen,
	// or is io.EOF. X is the caller's memory.
	Next(r *Row) error
	// Where names a place.
	Where(place int) string
}

// Options bound a run.
type Options struct {
	// Sort sorts the rows of each series by time, in memory, instead of refusing a
	// row that is out of order.
	Sort bool
	// Memory is the most bytes that states, or rows that are sorted, may take; 4 GiB.
	Memory int64
}

// Series is what a run knows of a series when it ends.
type Series struct {
	Key   string
	State []float32
	Steps int64 // also those of runs before
}

// serie is a series while a run goes on.
type serie struct {
	Series
	last  Row   // of which the time is compared
	begun bool  // it had a row
	rows  []int // of the window, not stepped yet
}

// most is how many rows are stepped together, and window how many are read ahead
// so that there are rows of many series; fewer where a row has many numbers.
const (
	most       = 64
	window     = 4096
	windowSize = 1 << 22 // numbers
)

// Run steps through all rows of a source and gives each with its output to write,
// in the order of the rows; what is given holds until write returns. begin are
// series that go on from the states of a run before. The series come back in the
// order in which they were first seen.
//
// Rows of a series have to come in the order of their times, of which equal ones
// stand as the file has them; without times the file's order counts.
func Run(rows *model.Rows, src Source, begin []Series, opt Options, write func(r *Row, y []float32) error) ([]Series, error) {
	if opt.Memory == 0 {
		opt.Memory = 4 << 30
	}
	if opt.Sort {
		var err error
		if src, err = sorted(src, rows.In(), opt.Memory); err != nil {
			return nil, err
		}
	}
	s := &scorer{rows: rows, src: src, opt: opt, byKey: map[string]*serie{}, n: min(window, max(most, windowSize/max(1, rows.In())))}
	for _, b := range begin {
		e, err := s.add(b.Key)
		if err != nil {
			return nil, err
		}
		copy(e.State, b.State)
		e.Steps = b.Steps
	}
	s.memory()
	for {
		n, err := s.read()
		if err != nil && err != io.EOF {
			return nil, err
		}
		if e := s.step(n, write); e != nil {
			return nil, e
		}
		if err == io.EOF {
			break
		}
	}
	out := make([]Series, len(s.list))
	for i, e := range s.list {
		out[i] = e.Series
	}
	return out, nil
}

// Rows is how many rows NewRows of a model has to be made for.
func Rows() int { return most }

type scorer struct {
	rows  *model.Rows
	src   Source
	opt   Options
	byKey map[string]*serie
	list  []*serie
	bytes int64
	n     int // rows of a window

	window []Row
	y      []float32 // of the window
	// of a step: numbers of its rows, and their states
	x, out []float32
	states [][]float32
	active []*serie // series that have rows in the window
}

func (s *scorer) memory() {
	in, out := s.rows.In(), s.rows.Out()
	x := make([]float32, s.n*in)
	s.window = make([]Row, s.n)
	for i := range s.window {
		s.window[i].X = x[i*in : (i+1)*in]
	}
	s.y = make([]float32, s.n*out)
	s.x, s.out = make([]float32, most*in), make([]float32, most*out)
}

// add makes a series that begins.
func (s *scorer) add(key string) (*serie, error) {
	const overhead = 300 // what a key costs beside its state
	if s.bytes += int64(4*s.rows.StateLen() + len(key) + overhead); s.bytes > s.opt.Memory {
		return nil, fmt.Errorf("%d series take more than %d bytes with their states: split the file by series", len(s.list)+1, s.opt.Memory)
	}
	e := &serie{Series: Series{Key: key, State: make([]float32, s.rows.StateLen())}}
	s.rows.Begin(e.State)
	s.byKey[key] = e
	s.list = append(s.list, e)
	return e, nil
}

// read fills the window and verifies the order.
func (s *scorer) read() (n int, err error) {
	s.active = s.active[:0]
	for ; n < s.n; n++ {
		r := &s.window[n]
		if err := s.src.Next(r); err != nil {
			return n, err
		}
		e := s.byKey[r.Key]
		if e == nil {
			if e, err = s.add(r.Key); err != nil {
				return n, fmt.Errorf("%s: %w", s.src.Where(r.Place), err)
			}
		}
		if e.begun {
			order, err := r.Time.Compare(e.last.Time)
			if err != nil {
				return n, fmt.Errorf("%s: %w", s.src.Where(r.Place), err)
			}
			if order < 0 {
				return n, fmt.Errorf("%s: %s of series %q comes after %s (%s): sort the file by it, or say --sort", s.src.Where(r.Place), r.At, r.Key, e.last.At, s.src.Where(e.last.Place))
			}
		}
		e.begun, e.last = true, Row{Time: r.Time, At: r.At, Place: r.Place}
		if len(e.rows) == 0 {
			s.active = append(s.active, e)
		}
		e.rows = append(e.rows, n)
	}
	return n, nil
}

// step steps the rows of the window, the first of each series together, then the
// second, and so on, and writes them in their order.
func (s *scorer) step(n int, write func(r *Row, y []float32) error) error {
	in, out := s.rows.In(), s.rows.Out()
	for round := 0; len(s.active) > 0; round++ {
		for first := 0; first < len(s.active); first += most {
			part := s.active[first:min(first+most, len(s.active))]
			s.states = s.states[:0]
			for i, e := range part {
				copy(s.x[i*in:], s.window[e.rows[round]].X)
				s.states = append(s.states, e.State)
			}
			k := len(part)
			if err := s.rows.Step(s.out[:k*out], s.x[:k*in], s.states); err != nil {
				return s.refused(part, round, err)
			}
			for i, e := range part {
				copy(s.y[e.rows[round]*out:], s.out[i*out:(i+1)*out])
				e.Steps++
			}
		}
		s.active = slices.DeleteFunc(s.active, func(e *serie) bool {
			if len(e.rows) > round+1 {
				return false
			}
			e.rows = e.rows[:0]
			return true
		})
	}
	for i := range n {
		if err := write(&s.window[i], s.y[i*out:(i+1)*out]); err != nil {
			return err
		}
	}
	return nil
}
