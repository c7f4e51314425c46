package explain

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Box is what stands around the recurrent layers of a whole model: an input, or an
// operator with its numbers.
type Box struct {
	Name    string   `json:"name"`
	Op      string   `json:"op"`      // "input" or the operator
	From    []string `json:"from"`    // names of the boxes it takes numbers from
	Weights []string `json:"weights"` // shapes of its constants
	Shape   []int    `json:"shape"`   // of its numbers
	Output  string   `json:"output"`  // the model's output that it gives, if it does
	Columns []string `json:"columns"` // names along the last dimension, where they have any
	// Part counts the recurrent layers from 1; 0: it is none, or one that is not
	// among the parts.
	Part int `json:"part"`
	// Values are its numbers in their order, at most BoxValues of them.
	Values []float32 `json:"-"`
	At     int       `json:"at"` // of Values in the page's block
	Held   int       `json:"held"`
}

// BoxValues is how many numbers of a box are kept.
const BoxValues = 1 << 14

// Part is a recurrent layer of a whole model, run on what reaches it there.
type Part struct {
	Name  string
	Trace *Trace
}

// Boxes writes what a model is made of, a line each, with its first numbers.
func Boxes(w io.Writer, boxes []Box) error {
	p := &printer{w: w}
	p.f("The model, in the order in which it runs")
	p.f("")
	for _, b := range boxes {
		line := fmt.Sprintf("  %s  %s %v", b.Op, b.Name, b.Shape)
		if len(b.From) > 0 {
			line += "  of " + strings.Join(b.From, ", ")
		}
		if len(b.Weights) > 0 {
			line += "  with " + strings.Join(b.Weights, ", ")
		}
		if b.Output != "" {
			line += "  gives output " + b.Output
		}
		p.f("%s", line)
		if b.Part > 0 {
			p.f("      explained below")
		} else if len(b.Columns) > 0 {
			p.f("      %s", b.strongest(3))
		} else if n := min(6, len(b.Values)); n > 0 {
			more := ""
			if n < len(b.Values) {
				more = " ..."
			}
			p.f("      %s%s", vector(b.Values[:n]), more)
		}
	}
	p.f("")
	return p.err
}

// strongest are the largest numbers of a box's last row that is kept, with their
// names.
func (b Box) strongest(n int) string {
	k := len(b.Columns)
	if len(b.Values) < k {
		return "more numbers than are kept"
	}
	rows := len(b.Values) / k
	last := b.Values[(rows-1)*k : rows*k]
	order := make([]int, k)
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int { return cmp.Compare(last[j], last[i]) })
	var parts []string
	for _, i := range order[:min(n, k)] {
		parts = append(parts, fmt.Sprintf("%s %s", label(b.Columns[i], 24), Num(last[i]).Short()))
	}
	s := strings.Join(parts, ", ")
	if n < k {
		s += " ..."
	}
	if len(b.Shape) > 1 {
		s = fmt.Sprintf("step %d: %s", rows-1, s)
	}
	return s
}
