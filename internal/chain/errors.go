package chain

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/unroll-ml/unroll/checkpoint"
)

// Kinds of errors of this package, besides those of statedict and checkpoint for
// tensors that cannot be read.
var (
	// ErrSyntax: the line is not of the language.
	ErrSyntax = errors.New("chain: the line cannot be read")
	// ErrName: a name is neither a module of the file, a function, nor a value.
	ErrName = errors.New("chain: unknown name")
	// ErrArgument: an argument is missing, unknown, of a wrong kind, contradicts
	// the file, or does not go with the value it is applied to.
	ErrArgument = errors.New("chain: wrong argument")
	// ErrAmbiguous: the file and the line have more than one reading.
	ErrAmbiguous = errors.New("chain: more than one reading")
	// ErrLayout: nobody said what comes first in x, the batch or the steps.
	ErrLayout = errors.New("chain: batch first or time first is not said")
)

// Error is a mistake at a place of a line.
type Error struct {
	Text   string // the line
	Pos    int    // the byte it is about
	Reason string // what came, and what was expected
	Err    error  // one of the kinds above
}

// widest is how many characters of a line an error shows.
const widest = 100

// Error returns the reason and below it the line with a caret at the place.
func (e *Error) Error() string {
	pos := min(max(e.Pos, 0), len(e.Text))
	from := strings.LastIndexByte(e.Text[:pos], '\n') + 1
	to := len(e.Text)
	if i := strings.IndexByte(e.Text[from:], '\n'); i >= 0 {
		to = from + i
	}
	before, after := []rune(e.Text[from:max(pos, from)]), []rune(e.Text[max(pos, from):max(to, pos)])
	lead, tail := "", ""
	if n := len(before) - widest*3/4; n > 0 {
		before, lead = before[n:], "…"
	}
	if n := widest - len(before); len(after) > n {
		after, tail = after[:max(n, 0)], "…"
	}
	shown := flat(lead + string(before))
	return fmt.Sprintf("chain: %s\n    %s%s\n    %s^", checkpoint.Printable(e.Reason), shown, flat(string(after)+tail), strings.Repeat(" ", utf8.RuneCountInString(shown)))
}

// flat is one character for each of s, so that a caret below stands right.
func flat(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == utf8.RuneError {
			return ' '
		}
		return r
	}, s)
}

// Unwrap returns the kind.
func (e *Error) Unwrap() error { return e.Err }

// LayoutError is the ErrLayout of a recurrent layer.
type LayoutError struct {
	Module string // its name in the line
	Shape  []int  // of its input, -1 where it is not known
}

// Error names the shape, both readings and what to say.
func (e *LayoutError) Error() string {
	return fmt.Sprintf("chain: %q gets an input of shape %s, which a state dict lets read in two ways: [sequences, steps, features], as torch.nn has it with batch_first=True (say --batch-first), or [steps, sequences, features], torch.nn's default (say --time-first); or write %s(batch_first=True) or %s(batch_first=False)", e.Module, dims(e.Shape), e.Module, e.Module)
}

// Unwrap returns ErrLayout.
func (e *LayoutError) Unwrap() error { return ErrLayout }

// dims writes a shape with "?" for what is not known.
func dims(shape []int) string {
	parts := make([]string, len(shape))
	for i, d := range shape {
		if parts[i] = fmt.Sprint(d); d < 0 {
			parts[i] = "?"
		}
	}
	return "[" + strings.Join(parts, ", ") + "]"
}
