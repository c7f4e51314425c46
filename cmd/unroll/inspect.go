package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/checkpoint"
	"github.com/unroll-ml/unroll/checkpoint/array"
	"github.com/unroll-ml/unroll/checkpoint/torchfile"
	"github.com/unroll-ml/unroll/internal/modelfile"
	"github.com/unroll-ml/unroll/internal/statedict"
	"github.com/unroll-ml/unroll/nn"
)

// inspection is what "unroll inspect --json" prints.
type inspection struct {
	File       string            `json:"file"`
	Format     string            `json:"format"`
	Bytes      int64             `json:"bytes"`
	Layers     []inspectedLayer  `json:"layers,omitempty"`
	Model      *nn.Config        `json:"model,omitempty"`
	Tensors    []inspectedTensor `json:"tensors"`
	Parameters int64             `json:"parameters"`
	Values     []inspectedValue  `json:"values,omitempty"`
	Metadata   map[string]string `json:"metadata,omitempty"`
	ONNX       *inspectedONNX    `json:"onnx,omitempty"`
}

type inspectedLayer struct {
	Prefix      string         `json:"prefix"`
	Layer       string         `json:"layer,omitempty"`
	Config      *unroll.Config `json:"config,omitempty"`
	ModeGuessed bool           `json:"mode_guessed,omitempty"`
	Error       string         `json:"error,omitempty"`
}

type inspectedTensor struct {
	Name  string `json:"name"`
	Type  string `json:"type"`
	Shape []int  `json:"shape"`
	Count int    `json:"count"`
	Bytes int64  `json:"bytes"`
}

type inspectedValue struct {
	Path  string `json:"path"`
	Class string `json:"class,omitempty"`
	Value string `json:"value,omitempty"`
}

type inspectedONNX struct {
	Opset    int64           `json:"opset"`
	IR       int64           `json:"ir_version"`
	Producer string          `json:"producer,omitempty"`
	Inputs   []string        `json:"inputs"`
	Outputs  []string        `json:"outputs"`
	Nodes    []inspectedNode `json:"nodes"`
	Refused  string          `json:"refused,omitempty"`
}

type inspectedNode struct {
	Name       string         `json:"name,omitempty"`
	Op         string         `json:"op"`
	Inputs     []string       `json:"inputs"`
	Outputs    []string       `json:"outputs"`
	Attributes map[string]any `json:"attributes,omitempty"`
}

func newInspectCmd() *cobra.Command {
	var asJSON bool
	var convention string
	cmd := &cobra.Command{
		Use:   "inspect FILE",
		Short: "Show what a file of weights holds: layers, tensors, nodes, hyper-parameters",
		Long: `Show what a file of weights holds, without loading it: the recurrent layers
found in it, every tensor with type, shape and bytes, the nodes of an ONNX
graph, and what a PyTorch file holds beside tensors.

Reads .safetensors, .pt, .pth, .onnx, .npz, model folders, and the arrays .npy,
.csv, .jsonl and .parquet.`,
		Example: `  unroll inspect examples/bach/model.pt
  unroll inspect model.onnx --json`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var opt modelfile.Options
			err := notStream("the file to inspect", args[0])
			if err != nil {
				return err
			}
			if opt.Keras, err = isKeras(convention); err != nil {
				return err
			}
			in, err := inspectPath(args[0], opt)
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(cmd, in)
			}
			return in.print(cmd.OutOrStdout())
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	conventionFlag(cmd.Flags(), &convention)
	return cmd
}

func inspectPath(path string, opt modelfile.Options) (inspection, error) {
	f, err := modelfile.Open(path)
	if errors.Is(err, modelfile.ErrUnknown) {
		if _, e := array.FormatOf(path); e == nil {
			return inspectArray(path)
		}
	}
	if err != nil {
		return inspection{}, err
	}
	defer f.Close()
	return inspect(f, opt), nil
}

// inspectArray shows a file of inputs or outputs, which holds no layer.
func inspectArray(path string) (inspection, error) {
	src, err := array.Open(path, array.Options{})
	if err != nil {
		return inspection{}, err
	}
	defer src.Close()
	format, err := array.FormatOf(path)
	return inspectTensors(path, string(format), src), err
}

// inspectTensors lists what every format has.
func inspectTensors(path, format string, src checkpoint.Source) inspection {
	in := inspection{File: path, Format: format, Tensors: []inspectedTensor{}}
	if info, err := os.Stat(path); err == nil && !info.IsDir() {
		in.Bytes = info.Size()
	}
	for _, name := range src.Names() {
		i, _ := src.Info(name)
		in.Tensors = append(in.Tensors, inspectedTensor{name, i.Type(), i.Shape, i.Len(), i.Bytes})
		in.Parameters += int64(i.Len())
	}
	return in
}

func inspect(f *modelfile.File, opt modelfile.Options) inspection {
	in := inspectTensors(f.Path, string(f.Format), f.Source)
	in.Model, in.Metadata = f.Model, f.Meta
	if parts, err := f.Parts(opt); err == nil {
		for _, p := range parts {
			in.Layers = append(in.Layers, inspectedPart(p))
		}
	}
	if f.Torch != nil {
		for v := range f.Torch.Each() {
			shown := inspectedValue{Path: v.Path, Class: v.Class}
			switch data := v.Data.(type) {
			case nil:
				if v.Class == "" {
					shown.Value = "None"
				}
			case torchfile.Skipped:
				shown.Value = "passed over: " + string(data)
			default:
				shown.Value = fmt.Sprint(data)
			}
			in.Values = append(in.Values, shown)
		}
	}
	if f.ONNX != nil {
		in.ONNX = inspectONNX(f)
		if l, err := f.Load(modelfile.Options{}); err == nil {
			c := l.Layer.Config()
			in.Layers = []inspectedLayer{{Layer: c.String(), Config: &c}}
			if l.Model != nil {
				m := l.Model.Config()
				in.Model = &m
			}
		} else {
			in.Layers, in.ONNX.Refused = nil, err.Error()
		}
	}
	return in
}

func inspectedPart(p statedict.Part) inspectedLayer {
	l := inspectedLayer{Prefix: p.Label(), ModeGuessed: p.ModeGuessed}
	if p.Err != nil {
		l.Error = p.Err.Error()
		return l
	}
	l.Layer, l.Config = p.Config.String(), &p.Config
	return l
}

func inspectONNX(f *modelfile.File) *inspectedONNX {
	o := f.ONNX
	out := &inspectedONNX{Opset: o.Opset, IR: o.IR, Producer: strings.TrimSpace(o.Producer + " " + o.ProducerVersion), Nodes: []inspectedNode{}}
	for _, v := range o.Graph.Inputs {
		out.Inputs = append(out.Inputs, fmt.Sprintf("%s %s %v", v.Name, v.Type, v.Shape))
	}
	for _, v := range o.Graph.Outputs {
		out.Outputs = append(out.Outputs, fmt.Sprintf("%s %s %v", v.Name, v.Type, v.Shape))
	}
	for _, n := range o.Graph.Nodes {
		node := inspectedNode{Name: n.Name, Op: n.Op, Inputs: n.Inputs, Outputs: n.Outputs}
		if n.Domain != "" {
			node.Op = n.Domain + "." + n.Op
		}
		for _, a := range n.Attributes {
			if node.Attributes == nil {
				node.Attributes = map[string]any{}
			}
			node.Attributes[a.Name] = a.Value()
			if a.T != nil {
				node.Attributes[a.Name] = fmt.Sprintf("%s %v", a.T.Type(), a.T.Shape)
			}
		}
		out.Nodes = append(out.Nodes, node)
	}
	return out
}

// print writes the inspection as text. Names come from the file, so they are
// printed with what is no visible character escaped.
func (in inspection) print(w io.Writer) error {
	fmt.Fprintf(w, "%s: %s", in.File, in.Format)
	if in.Bytes > 0 {
		fmt.Fprintf(w, ", %d bytes", in.Bytes)
	}
	fmt.Fprintf(w, ", %d tensors, %d numbers\n", len(in.Tensors), in.Parameters)
	for _, l := range in.Layers {
		at := ""
		if l.Prefix != "" {
			at = visible(l.Prefix) + ": "
		}
		switch {
		case l.Error != "":
			fmt.Fprintf(w, "layer  %s%s\n", at, visible(l.Error))
		case l.ModeGuessed:
			fmt.Fprintf(w, "layer  %s%s (its nonlinearity is not in the weights)\n", at, l.Layer)
		default:
			fmt.Fprintf(w, "layer  %s%s\n", at, l.Layer)
		}
	}
	if m := in.Model; m != nil {
		fmt.Fprintf(w, "model  ")
		if m.NumEmbeddings > 0 {
			fmt.Fprintf(w, "Embedding(%d, %d), ", m.NumEmbeddings, m.EmbeddingDim)
		}
		fmt.Fprintf(w, "%s, Linear(%d, %d) on %s\n", m.RNN, m.RNN.OutputSize(), m.OutFeatures, map[bool]string{true: "the final state", false: "every step"}[m.Output == "last"])
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, x := range in.Tensors {
		fmt.Fprintf(t, "%s\t%s\t%v\t%d bytes\n", visible(x.Name), x.Type, x.Shape, x.Bytes)
	}
	if in.ONNX != nil {
		in.ONNX.print(t)
	}
	for _, v := range in.Values {
		fmt.Fprintf(t, "%s\t%s\n", visible(v.Path), visible(v.Class+v.Value))
	}
	return t.Flush()
}

func (o *inspectedONNX) print(w io.Writer) {
	fmt.Fprintf(w, "opset %d, IR version %d, written by %s\n", o.Opset, o.IR, visible(o.Producer))
	for _, v := range o.Inputs {
		fmt.Fprintf(w, "input\t%s\n", visible(v))
	}
	for _, v := range o.Outputs {
		fmt.Fprintf(w, "output\t%s\n", visible(v))
	}
	for _, n := range o.Nodes {
		attrs := ""
		if len(n.Attributes) > 0 {
			attrs = fmt.Sprint(n.Attributes)[3:]
		}
		fmt.Fprintf(w, "%s\t%s -> %s\t%s\n", visible(n.Op), visible(strings.Join(n.Inputs, ", ")), visible(strings.Join(n.Outputs, ", ")), visible(attrs))
	}
	if o.Refused != "" {
		fmt.Fprintf(w, "not run: %s\n", visible(o.Refused))
	}
}

// visible escapes what a terminal would act on.
func visible(s string) string { return checkpoint.Printable(s) }
