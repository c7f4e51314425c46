package graph

import (
	"fmt"
	"slices"
	"sync"
)

// row is an operator of the table, as it is defined from a version on.
type row struct {
	op     string
	domain string
	since  int64 // the first version of the domain that has this form; 0: any
	min    int   // inputs
	max    int   // inputs; -1: any number
	attrs  []string
	// bodies are the attributes that hold graphs.
	bodies []string
	// plan says what the outputs are (call.result, call.view or call.become, for
	// each output that is wanted) and returns what computes them; nil where
	// nothing is left to do. It may refuse: its error is given the node's name.
	plan func(c *call) (kernel, error)
	// axes follows the axis of the batch, if the row allows one; see batch.go.
	axes func(c *call, in []int) (out []int, ok bool)
}

// kernel computes a step's outputs from its inputs. It is run by many goroutines
// at once, each with its own args, and allocates nothing.
type kernel func(a *args) error

// args are a step's values in one run. The inputs are not to be changed, but for
// those that share memory with an output by call.view. An absent one is nil.
type args struct {
	in, out, scratch []*Value
	local            any // what call.local made for this run's memory
}

// families are the rows of all files.
func families() [][]row {
	return [][]row{
		elementwiseRows(), comparisonRows(), reduceRows(), shapeRows(), gatherRows(), matmulRows(), convRows(), poolRows(),
		normRows(), recurrentRows(), quantizedRows(), qlinearRows(), qlinearMadeRows(), controlRows(), layerRows(),
		sequenceRows(), resizeRows(), einsumRows(), bitRows(), signalRows(), fusedRows(), attentionRows(),
		lossRows(), gridRows(), classicRows(), encoderRows(),
	}
}

var table struct {
	once sync.Once
	rows map[[2]string][]row // by domain and operator, oldest first
}

func rowsOf(domain, op string) []row {
	table.once.Do(func() {
		table.rows = map[[2]string][]row{}
		for _, family := range families() {
			for _, r := range family {
				k := [2]string{r.domain, r.op}
				table.rows[k] = append(table.rows[k], r)
			}
		}
		for _, rows := range table.rows {
			slices.SortFunc(rows, func(a, b row) int { return int(a.since - b.since) })
		}
	})
	return table.rows[[2]string{domain, op}]
}

// lookup finds a node's row. Its error says what is missing.
func lookup(n *Node, opsets map[string]int64) (*row, error) {
	d := domain(n.Domain)
	rows := rowsOf(d, n.Op)
	if len(rows) == 0 {
		return nil, fmt.Errorf("there is no such operator here")
	}
	version, said := opsets[d]
	if !said {
		version, said = opsets["ai.onnx"]
		if d != "" || !said {
			return nil, fmt.Errorf("the program names no version of the operators of domain %q", d)
		}
	}
	for i := len(rows) - 1; i >= 0; i-- {
		if rows[i].since <= version {
			return &rows[i], nil
		}
	}
	return nil, fmt.Errorf("in version %d of the operators it has a form that is not here; from %d on it is", version, rows[0].since)
}

// Versions of ONNX's operators that programs may be written in. Before 7 there
// were other rules for broadcasting, with attributes that no row has.
const (
	minOpset = 1
	maxOpset = 28
)

// Operators lists the names of the operators in the table, those of other
// domains with the domain before a point, sorted.
func Operators() []string {
	rowsOf("", "")
	var names []string
	for k := range table.rows {
		n := Node{Domain: k[0], Op: k[1]}
		names = append(names, n.operator())
	}
	slices.Sort(names)
	return names
}
