package explain

import "sync"

// Questions are answered at the same time, in turns: between pieces of work the one at
// hand lets others in. An opened number goes before all others, since somebody waits
// for it, as long as it costs what a click costs anywhere; one that an edit made dearer
// then lets what is in view have every other turn. Of what is opened and what is in view
// only the newest is of interest.

// question says what a command computes for.
type question int

const (
	patient question = iota // for itself: it is answered whatever is asked later
	view                    // the cells in view
	click                   // an opened number
)

// turns is whose turn it is.
type turns struct {
	asked   [click + 1]int // counts questions of each kind
	clicks  int            // numbers that are being opened,
	settled chan struct{}  // closed when there are none
	settle  func()         // ends the hurry of the newest
}

// turn begins a question and returns what is called between pieces of its work, which
// ends it with errSuperseded.
func (s *Session) turn(q question) func(done float64) error {
	s.turns.asked[q]++
	run, mine, pieces := s.trace, s.turns.asked[q], 0
	s.letBy(q)
	return func(done float64) error {
		if pieces++; q == click && pieces == clickWork/work && s.turns.settle != nil {
			s.turns.settle()
		}
		if s.Pause != nil {
			s.Pause(Work{done, q == click, run.now[0], run.now[1]})
		}
		s.letBy(q)
		if s.trace != run || q != patient && s.turns.asked[q] != mine {
			return errSuperseded
		}
		return nil
	}
}

// letBy waits while a number is being opened.
func (s *Session) letBy(q question) {
	for q != click && s.turns.clicks > 0 {
		<-s.turns.settled
	}
}

// hurry makes all other questions wait until what it returns is called, once or more.
func (s *Session) hurry() (done func()) {
	t := &s.turns
	if t.clicks == 0 {
		t.settled = make(chan struct{})
	}
	t.clicks++
	t.settle = sync.OnceFunc(func() {
		if t.clicks--; t.clicks == 0 {
			close(t.settled)
		}
	})
	return t.settle
}
