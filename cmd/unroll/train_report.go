package main

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/guptarohit/asciigraph"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/unroll-ml/unroll/task"
	"github.com/unroll-ml/unroll/train"
)

// report is what a run tells while it trains: one line that changes on a
// terminal, a line for each epoch elsewhere; a log file, a plot, TensorBoard.
type report struct {
	err      *os.File // standard error, if it is a terminal
	cmd      *cobra.Command
	log      *os.File
	board    *events
	plot     bool
	unit     string // of the loss
	items    string // what the loss is a mean over
	epochs   int
	begun    time.Time
	last     time.Time
	first    int
	seen     float64 // losses counted since begun
	loss     []float64
	valid    []float64
	drawn    int
	progress bool
}

func newReport(cmd *cobra.Command, log, board string, plot bool) (r *report, err error) {
	r = &report{cmd: cmd, plot: plot}
	if f, ok := cmd.ErrOrStderr().(*os.File); ok {
		if st, err := f.Stat(); err == nil && st.Mode()&os.ModeCharDevice != 0 {
			r.err = f
		}
	}
	if log != "" {
		if r.log, err = openLog(log); err != nil {
			return nil, err
		}
	}
	if board != "" {
		if r.board, err = newEvents(board); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// openLog opens a log to go on with, or a new one. A file that holds anything else
// is refused: lines at its end would be lost among what it is.
func openLog(path string) (*os.File, error) {
	if st, err := os.Stat(path); err == nil && st.Mode().IsRegular() && st.Size() > 0 {
		old, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		defer old.Close()
		head := make([]byte, len(logBegin))
		if n, err := old.Read(head); err != nil || string(head[:n]) != logBegin {
			return nil, usagef("--log %s: the file is there and is no log of a training; choose another name", path)
		}
	}
	return os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o666)
}

// logBegin is how each line of a log begins.
const logBegin = `{"epoch":`

func (r *report) close() {
	if r.log != nil {
		r.log.Close()
	}
	if r.board != nil {
		r.board.close()
	}
}

func (r *report) line(format string, a ...any) {
	r.wipe()
	fmt.Fprintf(r.cmd.ErrOrStderr(), format+"\n", a...)
}

func (r *report) wipe() {
	if r.progress {
		fmt.Fprint(r.err, "\r\x1b[K")
		r.progress = false
	}
}

func (r *report) begin(l *train.Loop, s *task.Set) {
	r.unit, r.items, r.epochs, r.begun, r.first = s.Unit, s.Items, l.Epochs, time.Now(), l.Progress().Step
}

// logLine is one line of the log file.
type logLine struct {
	Epoch   int     `json:"epoch"`
	Step    int     `json:"step"`
	Loss    float64 `json:"loss"`
	Valid   float64 `json:"valid"`
	LR      float64 `json:"lr"`
	Norm    float64 `json:"grad_norm,omitempty"`
	Seconds float64 `json:"seconds"`
	Best    bool    `json:"best"`
}

func (r *report) step(s train.Step) error {
	r.seen += s.Count
	took := time.Since(r.begun)
	done := s.Number - r.first
	left := time.Duration(float64(took) / float64(done) * float64((r.epochs-s.Epoch)*s.Batches-s.Batch-1))
	rate := r.seen / max(took.Seconds(), 1e-9)
	if r.err != nil && (time.Since(r.last) > 100*time.Millisecond) && !r.plot {
		r.last, r.progress = time.Now(), true
		line := fmt.Sprintf("epoch %d/%d %3d%%  loss %.4f  %.0f %s/s  left %s", s.Epoch+1, r.epochs, 100*(s.Batch+1)/s.Batches, s.Loss, rate, r.items, left.Round(time.Second))
		if wide := r.columns() - 1; len(line) > wide {
			line = line[:wide] // a line that wraps is not wiped
		}
		fmt.Fprint(r.err, "\r\x1b[K"+line)
	}
	if r.board != nil {
		if err := r.board.scalars(s.Number, map[string]float64{"loss/step": s.Loss, "lr": s.LR}); err != nil {
			return err
		}
	}
	if !s.EpochDone {
		return nil
	}
	mark := ""
	if s.Better {
		mark = "  best"
	}
	if !r.plot || r.err == nil {
		r.line("epoch %d/%d  loss %.4f  validation %.4f  lr %.2g  %.0f %s/s  left %s%s", s.Epoch+1, r.epochs, s.EpochLoss, s.Valid, s.LR, rate, r.items, left.Round(time.Second), mark)
	}
	r.loss, r.valid = append(r.loss, s.EpochLoss), append(r.valid, s.Valid)
	if r.plot {
		r.draw()
	}
	if r.board != nil {
		if err := r.board.scalars(s.Number, map[string]float64{"loss/train": s.EpochLoss, "loss/validation": s.Valid}); err != nil {
			return err
		}
	}
	if r.log == nil {
		return nil
	}
	return json.NewEncoder(r.log).Encode(logLine{s.Epoch + 1, s.Number, s.EpochLoss, s.Valid, s.LR, s.Norm, took.Seconds(), s.Better})
}

// draw plots the losses, over the last plot on a terminal.
func (r *report) draw() {
	if len(r.loss) < 2 || r.err == nil {
		return
	}
	if r.drawn > 0 {
		fmt.Fprintf(r.err, "\x1b[%dA\x1b[J", r.drawn)
	}
	color := os.Getenv("NO_COLOR") == ""
	g := r.graph(r.columns(), color)
	caption := fmt.Sprintf("epoch %d/%d: training %.4f, validation %.4f %s", len(r.loss), r.epochs, r.loss[len(r.loss)-1], r.valid[len(r.valid)-1], r.unit)
	if color {
		caption = strings.Replace(strings.Replace(caption, ", validation", " (blue), validation", 1), " "+r.unit, " (red) "+r.unit, 1)
	}
	g += "\n" + wrap(caption, r.columns()-1)
	fmt.Fprintln(r.err, g)
	r.drawn = 1
	for _, c := range g {
		if c == '\n' {
			r.drawn++
		}
	}
}

// end leaves a last plot also where there is no terminal.
func (r *report) end() {
	r.wipe()
	if r.plot && r.err == nil && len(r.loss) > 1 {
		fmt.Fprintln(r.cmd.ErrOrStderr(), r.graph(wideEnough, false)+"\nloss by epoch: training and validation")
	}
}

// wideEnough is how wide a plot is where there is room for it.
const wideEnough = 80

// columns is how many there are on the terminal.
func (r *report) columns() int {
	if n, _, err := term.GetSize(int(r.err.Fd())); err == nil && n > 0 {
		return max(n, 30)
	}
	return wideEnough
}

// graph draws the losses in so many columns.
func (r *report) graph(columns int, color bool) string {
	top := 0.0
	for _, v := range append(slices.Clone(r.loss), r.valid...) {
		top = max(top, math.Abs(v))
	}
	labels := len(fmt.Sprintf("%.2f", top)) + 4 // beside the axis
	o := []asciigraph.Option{asciigraph.Height(12), asciigraph.Width(max(min(columns, wideEnough)-labels-1, 10))}
	if color {
		o = append(o, asciigraph.SeriesColors(asciigraph.Blue, asciigraph.Red))
	}
	return asciigraph.PlotMany([][]float64{r.loss, r.valid}, o...)
}

// wrap breaks a text into lines of at most n characters, between words.
func wrap(text string, n int) string {
	out, at := "", 0
	for _, w := range strings.Fields(text) {
		switch {
		case at == 0:
		case at+1+len(w) > n:
			out, at = out+"\n", 0
		default:
			out, at = out+" ", at+1
		}
		out, at = out+w, at+len(w)
	}
	return out
}
