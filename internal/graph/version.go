package graph

import (
	"fmt"
	"slices"
	"strings"
)

// formsSince are operators whose form did not change from a version on, so that a
// graph of them can be said to be of another version. A node of Gemm has its third
// input.
var formsSince = map[string]int64{
	"Abs": 6, "Add": 7, "And": 7, "Cast": 6, "Concat": 4, "ConstantOfShape": 9, "DequantizeLinear": 13, "Div": 7, "Elu": 6, "Erf": 9, "Exp": 6, "Expand": 8, "Floor": 6,
	"GRU": 7, "Gather": 1, "Gemm": 7, "Identity": 1, "LSTM": 7, "LeakyRelu": 6, "Log": 6, "MatMul": 1, "Mul": 7, "Neg": 6, "Not": 1, "RNN": 7,
	"Relu": 6, "Reshape": 5, "Shape": 1, "Sigmoid": 6, "Slice": 10, "Softplus": 1, "Softsign": 1, "Sqrt": 6, "Sub": 7, "Tanh": 6, "Transpose": 1,
	"Where": 9, "Scan": 11, "Squeeze": 13, "Unsqueeze": 13, "Softmax": 13, "LogSoftmax": 13, "Clip": 12, "ReduceSum": 13, "ReduceMean": 18,
}

// Versions that WriteVersion takes.
const (
	MinWritten = 7
	MaxWritten = 22
)

// inVersion returns the graph in another version of ONNX's operators; 0: its own.
// It is an ErrOperator that names the nodes whose operators have another form there.
func inVersion(g *Graph, version int64) (*Graph, error) {
	from := g.Opsets[""]
	if version == 0 || version == from {
		return g, nil
	}
	if version < MinWritten || version > MaxWritten {
		return nil, &Error{Reason: fmt.Sprintf("opset %d, expected %d to %d", version, MinWritten, MaxWritten), Err: ErrOperator}
	}
	other := otherForms(g, from, version)
	if len(other) > 0 {
		const most = 8
		more := ""
		if len(other) > most {
			other, more = other[:most], fmt.Sprintf(" and %d more", len(other)-most)
		}
		slices.Sort(other)
		return nil, &Error{Reason: fmt.Sprintf("opset %d: the graph is of version %d, and these have another form there: %s%s", version, from, strings.Join(other, ", "), more), Err: ErrOperator}
	}
	to := *g
	to.Opsets = map[string]int64{}
	for d, v := range g.Opsets {
		to.Opsets[d] = v
	}
	to.Opsets[""] = version
	return &to, nil
}

// otherForms names the nodes of a graph and its bodies whose operators may have
// another form in the other version.
func otherForms(g *Graph, from, version int64) (names []string) {
	for i := range g.Nodes {
		n := &g.Nodes[i]
		for _, body := range n.bodyNames() {
			names = append(names, otherForms(n.Attrs[body].(*Graph), from, version)...)
		}
		if domain(n.Domain) != "" {
			continue
		}
		since, ok := formsSince[n.Op]
		same := ok && since <= min(version, from)
		switch n.Op {
		case "Slice": // lowered for versions before 10
			same = same || version < 10 && len(n.Inputs) == 1
		case "Gemm":
			same = same && (len(n.Inputs) > 2 || min(version, from) >= 11)
		}
		if !same {
			names = append(names, n.String())
		}
	}
	return names
}
