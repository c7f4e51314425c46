package explain

// Questions are answered at the same time, in turns: between pieces of work the one at
// hand lets others in. An opened number goes before all others, since somebody waits
// for it; and of what is opened and what is in view only the newest is of interest.

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
}

// turn begins a question and returns what is called between pieces of its work, which
// ends it with errSuperseded.
func (s *Session) turn(q question) func(done float64) error {
	s.turns.asked[q]++
	run, mine := s.trace, s.turns.asked[q]
	s.letBy(q)
	return func(done float64) error {
		if s.Pause != nil {
			s.Pause(done)
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

// hurry makes all other questions wait until what it returns is called.
func (s *Session) hurry() (done func()) {
	t := &s.turns
	if t.clicks == 0 {
		t.settled = make(chan struct{})
	}
	t.clicks++
	return func() {
		if t.clicks--; t.clicks == 0 {
			close(t.settled)
		}
	}
}
