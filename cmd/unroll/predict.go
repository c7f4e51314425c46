package main

import (
	"bufio"
	"encoding/csv"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	unroll "github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/nn"
	"github.com/unroll-ml/unroll/rng"
	"github.com/unroll-ml/unroll/tensor"
	"github.com/unroll-ml/unroll/train/data"
)

// predictFlags are the flags of predict.
type predictFlags struct {
	prompt      string
	length      int
	temperature float64
	top         int
	seed        uint64
	out         string
	json        bool
}

func newPredictCmd() *cobra.Command {
	var p predictFlags
	cmd := &cobra.Command{
		Use:   "predict MODEL [INPUT]",
		Short: "Use a model folder: write on, classify, tag, forecast, compose",
		Long: `predict does what the model folder's task is:

  text      writes on from --prompt
  classify  gives the classes of the text INPUT, or of each line of standard
            input (none or "-"), with probabilities
  tag       gives each word of the text INPUT, or of each line of standard
            input, its label
  forecast  continues the series of the CSV file INPUT
  music     composes and writes a Standard MIDI file (-o FILE); INPUT, a file of
            piano rolls, gives the first 16 steps`,
		Args: cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			m, err := nn.Open(args[0])
			if err != nil {
				return err
			}
			if err := fits(m.Config()); err != nil {
				return err
			}
			if !(p.temperature > 0) || p.length < 1 || p.top < 0 {
				return usagef("--temperature is to be above 0, --length at least 1, --top-k 0 or more")
			}
			input := ""
			if len(args) > 1 {
				input = args[1]
			}
			switch m.Config().Task {
			case "text":
				return p.text(cmd, m)
			case "classify", "tag":
				return p.lines(cmd, m, input)
			case "forecast":
				return p.forecast(cmd, m, input)
			}
			return p.music(cmd, m, input)
		},
	}
	f := cmd.Flags()
	f.StringVar(&p.prompt, "prompt", "\n", "text: what to write on from")
	f.IntVar(&p.length, "length", 500, "text: tokens to write; music: steps to compose")
	f.Float64Var(&p.temperature, "temperature", 0.8, "text, music: below 1 bolder in what is likely, above 1 wilder")
	f.IntVar(&p.top, "top-k", 0, "text: draw from the k likeliest tokens only; 0: from all")
	f.Uint64Var(&p.seed, "seed", 1, "seed of what is drawn")
	f.StringVarP(&p.out, "output", "o", "", "music: MIDI file to write")
	f.BoolVar(&p.json, "json", false, "classify, tag, forecast: print JSON, one object a line")
	return cmd
}

// text reads the prompt and then feeds the model what it drew.
func (p *predictFlags) text(cmd *cobra.Command, m *nn.Model) error {
	v := m.Config().Vocabulary
	ids := data.Encode(v, data.Split(p.prompt, v.Level))
	if len(ids) == 0 {
		return usagef("--prompt is empty: give at least one %s", v.Level)
	}
	pass := nn.Pass{Model: m, Workers: 1}
	g := rng.New(p.seed)
	y, s, err := pass.Forward(nn.Input{Tokens: ids, T: len(ids), B: 1}, unroll.State{})
	if err != nil {
		return err
	}
	out := cmd.OutOrStdout()
	fmt.Fprint(out, p.prompt)
	last := data.Split(p.prompt, v.Level)[len(ids)-1]
	for range p.length {
		if cmd.Context().Err() != nil {
			break
		}
		tok, err := p.draw(g, y.Data[len(y.Data)-len(v.Tokens):], v.Unknown)
		if err != nil {
			return err
		}
		w := v.Tokens[tok]
		if v.Level == "word" && w != "\n" && last != "\n" {
			w = " " + w
		}
		last = v.Tokens[tok]
		fmt.Fprint(out, w)
		if y, s, err = pass.Forward(nn.Input{Tokens: []int{tok}, T: 1, B: 1}, s.Clone()); err != nil {
			return err
		}
	}
	_, err = fmt.Fprintln(out)
	return err
}

// draw picks a token, never the unknown one.
func (p *predictFlags) draw(g *rng.Generator, logits []float32, never int) (int, error) {
	w := softmax(logits, p.temperature)
	if never >= 0 && never < len(w) && len(w) > 1 {
		w[never] = 0
	}
	if p.top > 0 && p.top < len(w) {
		sorted := slices.Clone(w)
		slices.Sort(sorted)
		for i, v := range w {
			if v < sorted[len(w)-p.top] {
				w[i] = 0
			}
		}
	}
	k, err := rng.Multinomial(g, w, 1, true)
	if err != nil {
		return 0, fmt.Errorf("the model's output cannot be drawn from: %w", err)
	}
	return k[0], nil
}

// softmax returns probabilities at a temperature.
func softmax(x []float32, temperature float64) []float64 {
	w := make([]float64, len(x))
	most := math.Inf(-1)
	for _, v := range x {
		most = max(most, float64(v))
	}
	sum := 0.0
	for i, v := range x {
		w[i] = nn.Exp((float64(v) - most) / temperature)
		sum += w[i]
	}
	for i := range w {
		w[i] /= sum
	}
	return w
}

// class is an answer with its probability.
type class struct {
	Class       string  `json:"class"`
	Probability float64 `json:"probability"`
}

// lines answers the input itself, or each line of it if it is "-" or nothing.
func (p *predictFlags) lines(cmd *cobra.Command, m *nn.Model, input string) error {
	var r io.Reader = strings.NewReader(input)
	if input == "" || input == std {
		r = cmd.InOrStdin()
	}
	s := bufio.NewScanner(r)
	s.Buffer(nil, 1<<24)
	pass := nn.Pass{Model: m, Workers: 1}
	c := m.Config()
	n := 0
	for s.Scan() {
		text := strings.TrimSpace(s.Text())
		if text == "" {
			continue
		}
		n++
		in, toks, err := data.Item(c, text)
		if err != nil {
			return fmt.Errorf("line %d: %w", n, err)
		}
		y, _, err := pass.Forward(in, unroll.State{})
		if err != nil {
			return err
		}
		if c.Task == "tag" {
			for i, w := range toks {
				row := y.Data[i*len(c.Classes) : (i+1)*len(c.Classes)]
				if k := argmax(row); p.json {
					if err := printJSON(cmd, map[string]any{"word": w, "label": c.Classes[k], "probability": softmax(row, 1)[k]}); err != nil {
						return err
					}
				} else {
					fmt.Fprintf(cmd.OutOrStdout(), "%s\t%s\n", w, c.Classes[k])
				}
			}
			fmt.Fprintln(cmd.OutOrStdout())
			continue
		}
		var all []class
		for i, q := range softmax(y.Data, 1) {
			all = append(all, class{c.Classes[i], q})
		}
		slices.SortStableFunc(all, func(a, b class) int {
			switch {
			case a.Probability > b.Probability:
				return -1
			case a.Probability < b.Probability:
				return 1
			}
			return 0
		})
		if p.json {
			if err := printJSON(cmd, map[string]any{"text": text, "classes": all}); err != nil {
				return err
			}
			continue
		}
		fmt.Fprint(cmd.OutOrStdout(), text)
		for _, a := range all[:min(3, len(all))] {
			fmt.Fprintf(cmd.OutOrStdout(), "\t%s %.1f%%", a.Class, 100*a.Probability)
		}
		fmt.Fprintln(cmd.OutOrStdout())
	}
	if err := s.Err(); err != nil {
		return err
	}
	if n == 0 {
		return usagef("there is no text: give it as an argument, or lines on standard input")
	}
	return nil
}

// forecast continues a CSV file's series by the horizon.
func (p *predictFlags) forecast(cmd *cobra.Command, m *nn.Model, input string) error {
	if input == "" {
		return usagef("a CSV file to continue is missing")
	}
	cfg := m.Config()
	f := cfg.Forecast
	t, err := data.ReadTable(input, f.Time, cfg.Scaling.Columns)
	if err != nil {
		return err
	}
	at := len(t.Rows)
	if need := max(f.Lags, f.Season); at < need {
		return fmt.Errorf("%s: %d rows, the model wants at least %d", input, at, need)
	}
	s, err := data.NewSeries(input, t, cfg)
	if err != nil {
		return err
	}
	pass := nn.Pass{Model: m, Workers: 1}
	y, _, err := pass.Forward(s.Input(at), unroll.State{})
	if err != nil {
		return err
	}
	return p.table(cmd, t, f.Targets, s.Values(y.Data, at))
}

// table prints forecasts, each with its time or, where the file has none that
// can be counted on from, with the number of the step.
func (p *predictFlags) table(cmd *cobra.Command, t *data.Table, targets []string, v [][]float64) error {
	out := cmd.OutOrStdout()
	times, first := t.After(len(v)), t.TimeColumn
	if times == nil {
		first = "step"
		for h := range v {
			times = append(times, strconv.Itoa(h+1))
		}
	}
	if !p.json {
		w := csv.NewWriter(out)
		if err := w.Write(append([]string{first}, targets...)); err != nil {
			return err
		}
		for h, row := range v {
			line := []string{times[h]}
			for _, x := range row {
				line = append(line, strconv.FormatFloat(x, 'g', 6, 64))
			}
			if err := w.Write(line); err != nil {
				return err
			}
		}
		w.Flush()
		return w.Error()
	}
	for h, row := range v {
		o := map[string]any{first: times[h], "step": h + 1}
		for k, name := range targets {
			o[name] = row[k]
		}
		if err := printJSON(cmd, o); err != nil {
			return err
		}
	}
	return nil
}

// music composes: the keys of each step are drawn one by one from their
// probabilities.
func (p *predictFlags) music(cmd *cobra.Command, m *nn.Model, input string) error {
	if p.out == "" {
		return usagef("-o FILE.mid is missing: where should the music go?")
	}
	keys := m.Config().OutFeatures
	var steps [][]int
	if input != "" {
		r, err := data.ReadRolls(input)
		if err != nil {
			return err
		}
		part := r.Test
		if len(part) == 0 {
			part = r.Valid
		}
		if r.Dim != keys {
			return fmt.Errorf("%s has %d keys, the model %d", input, r.Dim, keys)
		}
		steps = append(steps, part[0][:min(16, len(part[0]))]...)
	}
	if len(steps) == 0 {
		steps = append(steps, []int{39, 46, 51, 55}) // a chord to begin with
		if keys < 56 {
			steps[0] = []int{0}
		}
	}
	pass := nn.Pass{Model: m, Workers: 1}
	g := rng.New(p.seed)
	x := tensor.New(1, 1, keys)
	var s unroll.State
	for i := 0; len(steps) < p.length; i++ {
		clear(x.Data)
		for _, k := range steps[i] {
			x.Data[k] = 1
		}
		y, sn, err := pass.Forward(nn.Input{Features: x}, s)
		if err != nil {
			return err
		}
		s = sn.Clone()
		if i+1 < len(steps) {
			continue
		}
		var next []int
		u := make([]float64, keys)
		rng.Rand(g, u)
		for k, v := range y.Data {
			if u[k] < 1/(1+nn.Exp(-float64(v)/p.temperature)) {
				next = append(next, k)
			}
		}
		steps = append(steps, next)
	}
	if err := writeMIDI(cmd, p.out, steps); err != nil {
		return err
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "%d steps in %s\n", len(steps), p.out)
	return nil
}
