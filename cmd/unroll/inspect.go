package main

import (
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/checkpoint"
	"github.com/unroll-ml/unroll/checkpoint/array"
	"github.com/unroll-ml/unroll/checkpoint/torchfile"
	"github.com/unroll-ml/unroll/internal/modelfile"
	"github.com/unroll-ml/unroll/model"
	"github.com/unroll-ml/unroll/nn"
	"github.com/unroll-ml/unroll/tensor"
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
	Graph      *inspectedGraph   `json:"graph,omitempty"`
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
	var opt model.Options
	cmd := &cobra.Command{
		Use:   "inspect FILE",
		Short: "Show what a model or a file of weights holds",
		Long: `Show what a model or a file of weights holds, and compute nothing: inputs and
outputs with types and shapes, the states that go from one to the other, the
recurrent layers under the names that --prefix takes, operators with counts and
those that are not run, every tensor with type, shape and bytes, and what a
PyTorch file holds beside tensors. A model that cannot be run is shown too.

Reads .safetensors, .pt, .pth, .onnx, .npz, .keras, .h5, model folders, and the
arrays .npy, .csv, .jsonl and .parquet.`,
		Example: `  unroll inspect examples/bach/model.pt
  unroll inspect model.onnx --json`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			err := notStream("the file to inspect", args[0])
			if err != nil {
				return err
			}
			if opt.KerasNames, err = isKeras(convention); err != nil {
				return err
			}
			if opt.Prefix != "" && opt.Chain == "" {
				return usagef("--prefix %s chooses among the modules of --chain, which is not given", opt.Prefix)
			}
			in, err := inspectPath(args[0], opt)
			if err != nil {
				return err
			}
			if opt.Chain != "" && (in.Graph == nil || in.Graph.Refused != "") {
				return usagef("--chain: %s", in.refused())
			}
			if asJSON {
				return printJSON(cmd, in)
			}
			return in.print(cmd.OutOrStdout())
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	conventionFlag(cmd.Flags(), &convention)
	cmd.Flags().StringVar(&opt.Chain, "chain", "", `the forward() of a state dict in a line; docs/chain.md has the language`)
	cmd.Flags().StringVar(&opt.Prefix, "prefix", "", "prefix of the names of --chain, where the file has several")
	return cmd
}

func inspectPath(path string, opt model.Options) (inspection, error) {
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
		n := i.Len()
		if _, err := tensor.Size(i.Shape); err != nil { // more than can be counted
			n = math.MaxInt
		}
		in.Tensors = append(in.Tensors, inspectedTensor{name, i.Type(), i.Shape, n, i.Bytes})
		in.Parameters += min(int64(n), math.MaxInt64-in.Parameters)
	}
	return in
}

func inspect(f *modelfile.File, opt model.Options) inspection {
	in := inspectTensors(f.Path, string(f.Format), f.Source)
	in.Model, in.Metadata = f.Model, f.Meta
	d := describeWhole(opt, f)
	for _, l := range d.Layers {
		in.Layers = append(in.Layers, inspectedLayerOf(l))
	}
	in.Graph = inspectedDescription(d)
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
	}
	return in
}

func inspectedLayerOf(d model.LayerDescription) inspectedLayer {
	l := inspectedLayer{Prefix: d.Name, ModeGuessed: d.Guessed}
	if d.Err != nil {
		l.Error = d.Err.Error()
		return l
	}
	l.Layer, l.Config = d.Config.String(), &d.Config
	return l
}

// refused says why a line does not run over what was inspected.
func (in inspection) refused() string {
	if in.Graph == nil {
		return in.File + " holds no modules of a model"
	}
	return in.Graph.Refused
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
	if in.Graph != nil {
		in.Graph.print(w)
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, x := range in.Tensors {
		fmt.Fprintf(t, "%s\t%s\t%v\t%d bytes\n", visible(x.Name), x.Type, x.Shape, x.Bytes)
	}
	for _, v := range in.Values {
		fmt.Fprintf(t, "%s\t%s\n", visible(v.Path), visible(v.Class+v.Value))
	}
	if err := t.Flush(); err != nil || in.ONNX == nil {
		return err
	}
	in.ONNX.print(w)
	return nil
}

// visible escapes what a terminal would act on.
func visible(s string) string { return checkpoint.Printable(s) }
