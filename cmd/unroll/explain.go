//go:build !js

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/unroll-ml/unroll/internal/explain"
)

func newExplainCmd() *cobra.Command {
	var (
		opt  explain.TextOptions
		page explain.PageOptions
		from explainSource
		html string
		open bool
		// large lets a page be larger than a browser likes.
		large bool
	)
	cmd := &cobra.Command{
		Use:   "explain [MODEL] [INPUT]",
		Short: "Show a run as formulas with numbers, in the terminal or as a page",
		Long: `explain shows each step going through each layer: the formula, the formula with
the numbers put in, the result. Without arguments it shows RNN(3, 4, num_layers=2)
on torch.randn(5, 3) after torch.manual_seed(0); with --mode, --input-size,
--hidden-size and so on another fresh layer, as run draws it, on INPUT alone or on
torch.randn(5, input_size).

MODEL is a model folder, a file of weights, or a whole model: ONNX, Keras, a saved
nn.Sequential, or weights with --chain. Of a whole model and a folder every
recurrent layer is shown on what reaches it there, and what stands around it as
boxes with their numbers; --prefix chooses one layer alone.

INPUT is what run reads (.safetensors with input and perhaps hx and cx, .npy,
.csv, ...), and for a model folder also what it was trained on: a text file or
--text, the table of a forecaster, a file of piano rolls.

--html writes one file that shows the same as a grid in a browser, without
network; --open shows it at once.`,
		Example: `  unroll explain --step 2 --layer 1 --unit 3     # a number of PyTorch's example
  unroll explain --open                          # all of it, in a browser
  unroll explain names-model --text Satoshi --html page.html`,
		Args: cobra.MaximumNArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := from.check(cmd, args); err != nil {
				return err
			}
			from.timeFirst = from.timeFirst || cmd.Flags().Changed("batch-first") && !from.batchFirst
			from.page, from.large = html != "" || open, large
			from.step, from.narrow = opt.Step, !from.page && (opt.LaTeX || opt.Step >= 0 || opt.Layer >= 0 || opt.Unit >= 0)
			t, in, err := from.trace(cmd, args)
			if err != nil {
				return err
			}
			if w := in.whole; w != nil {
				page.Boxes, page.Parts = w.boxes, w.parts
			}
			page.Example, page.Columns, page.Labels, opt.Labels = len(args) == 0 && !from.fresh.sized, in.columns, in.labels, in.labels
			if page.Kind == "" {
				page.Kind = in.kind
			}
			if len(args) > 0 {
				page.Title = strings.TrimSuffix(filepath.Base(args[0]), filepath.Ext(args[0]))
			}
			if html == "" && !open {
				if page.Kind != "" && cmd.Flags().Changed("as") {
					return usagef("--as %s is for a page: give --html or --open too", page.Kind)
				}
				opt.Color = isTerminal(cmd.OutOrStdout()) && os.Getenv("NO_COLOR") == ""
				return explainText(cmd, t, in.whole, opt)
			}
			p, err := t.NewPage(page)
			if err != nil {
				return err
			}
			if err := tellSize(cmd, p, large); err != nil {
				return err
			}
			if html != "" {
				if err := writeOutput(cmd, html, p.Write); err != nil {
					return err
				}
			}
			if open {
				return servePage(cmd, p.Write)
			}
			return nil
		},
	}
	f := cmd.Flags()
	f.IntVar(&opt.Step, "step", -1, "show only this step, counted from 0")
	f.IntVar(&opt.Layer, "layer", -1, "show only this layer, counted from 0 as in weight_ih_l0")
	f.IntVar(&opt.Unit, "unit", -1, "show only this hidden unit, counted from 0")
	f.BoolVar(&opt.LaTeX, "latex", false, "write LaTeX")
	f.StringVar(&html, "html", "", "write a page to this file")
	f.BoolVar(&open, "open", false, "serve the page on the loopback interface and open a browser")
	f.BoolVar(&large, "large", false, "write a page of more than 64 MB")
	f.BoolVar(&from.loose, "loose", false, "take a layer although tensors under its own prefix are not its parameters")
	f.StringVar(&from.prefix, "prefix", "", "which of several recurrent layers, by the name that inspect shows")
	f.StringArrayVar(&from.run.inputs, "input", nil, "NAME=FILE, an input of a whole model; may be given several times")
	f.StringArrayVar(&from.run.set, "set", nil, "NAME=NUMBER, an input of a whole model that is one number")
	f.StringVar(&from.run.chain, "chain", "", "the model's forward() in one line, for PyTorch's weights, as run takes it")
	f.StringVar(&from.mode, "mode", "", "kind of a fresh layer (default RNN_TANH), and of MODEL where names and shapes cannot tell: RNN_RELU")
	f.BoolVar(&from.batchFirst, "batch-first", false, "a batch is [B,T,I]; weights alone do not say which")
	f.BoolVar(&from.timeFirst, "time-first", false, "a batch is [T,B,I]")
	freshFlags(cmd, &from.fresh.fresh, &from.fresh.seed)
	tableFlags(cmd)
	f.StringVar(&from.text, "text", "", "the input of a model folder with a vocabulary, instead of INPUT")
	f.IntVar(&from.sequence, "sequence", 0, "which sequence of a batch [T,B,I], or which piece of a file")
	f.IntVar(&from.limit, "limit", 0, "use the first steps only, this many; 0: all")
	f.StringVar(&page.Kind, "as", "", "show the input as text, series, notes or vectors")
	groupFlags(cmd, "What is shown", "step", "layer", "unit", "sequence", "limit")
	groupFlags(cmd, "How", "html", "open", "latex", "as", "large")
	groupFlags(cmd, "Model and input", "text", "input", "set", "chain", "batch-first", "time-first", "mode", "prefix", "loose")
	groupFlags(cmd, "A fresh layer", "input-size", "hidden-size", "num-layers", "proj-size", "bidirectional", "no-bias", "seed")
	groupTables(cmd)
	return cmd
}

// explainText writes what the terminal shows; of a whole model each of its layers.
func explainText(cmd *cobra.Command, t *explain.Trace, w *wholeRun, opt explain.TextOptions) error {
	if w == nil {
		return t.Text(cmd.OutOrStdout(), opt)
	}
	for _, p := range w.parts { // of all, before the first is written
		if err := p.Trace.Check(opt); err != nil {
			return fmt.Errorf("%s: %w", visible(p.Name), err)
		}
	}
	if !opt.LaTeX && opt.Step < 0 && opt.Layer < 0 && opt.Unit < 0 {
		if err := explain.Boxes(cmd.OutOrStdout(), w.boxes); err != nil {
			return err
		}
	}
	for _, p := range w.parts {
		if !opt.LaTeX {
			fmt.Fprintf(cmd.OutOrStdout(), "%s\n\n", visible(p.Name))
		}
		if err := p.Trace.Text(cmd.OutOrStdout(), opt); err != nil {
			return fmt.Errorf("%s: %w", visible(p.Name), err)
		}
	}
	return nil
}

// maxPage bounds a page, in bytes: browsers open it in a second or two.
const maxPage = 64 << 20

// tellSize says how large a page will be, and of what, and refuses one that is
// larger than maxPage unless that is wanted.
func tellSize(cmd *cobra.Command, p *explain.Page, large bool) error {
	all, numbers, words, rest, err := p.Size()
	if err != nil {
		return err
	}
	mb := func(n int64) string { return fmt.Sprintf("%.1f MB", float64(n)/1e6) }
	said := fmt.Sprintf("%s: the engine and the page itself %s, model, input and run %s, names %s", mb(all), mb(rest), mb(numbers), mb(words))
	if all > maxPage && !large {
		return usagef("the page would have %s; --limit N takes the first N steps, --large writes it nevertheless", said)
	}
	fmt.Fprintln(cmd.ErrOrStderr(), "the page has", said)
	return nil
}
