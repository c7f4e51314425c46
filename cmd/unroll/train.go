package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/unroll-ml/unroll/nn"
	"github.com/unroll-ml/unroll/task"
	"github.com/unroll-ml/unroll/train"
)

// checkpointFile stands in the model folder while a run can be continued.
const checkpointFile = "checkpoint.safetensors"

// trainFlags are all settings of a run, saved with its checkpoint.
type trainFlags struct {
	Task        string
	Data        string // the path as given
	Mode        string
	Hidden      int
	Layers      int
	Embedding   int
	Bidir       bool
	Dropout     float64
	HeadDropout float64
	Tie         bool
	Epochs      int
	Optimizer   string
	LR          float64
	WeightDecay float64
	Momentum    float64
	ClipNorm    float64
	Schedule    string
	Patience    int
	Factor      float64
	Warmup      int
	Workers     int
	Stop        int
	ClipValue   float64
	Flags       []string // as given, for the model's README
	Seconds     float64  // spent so far
	Form        int      // of these settings, see upgrade
	Fingerprint string   // of the data
	Bytes       int64    // of a data file, which more may follow
	Grown       []string // what --more-rows took, for the README
	// Options are those of the task, by their names.
	Options map[string]any
}

func newTrainCmd() *cobra.Command {
	var t trainFlags
	var out, log, board string
	var resume, overwrite, more, plot bool
	cmd := &cobra.Command{
		Use:   "train DATA --task " + strings.Join(taskNames(), "|"),
		Short: "Train a model on a file and save it as a model folder",
		Long: `train makes a model folder of data as people have it:

` + taskHelp() + `

The folder holds the model that was best on the validation part. An interrupt
(Ctrl-C) finishes the step and saves; --resume goes on from there, to the same
bits as a run that was never stopped.`,
		Example: `  unroll train examples/names/data --task classify -o names-model --epochs 3
  unroll train book.txt --task text -o book-model --hidden 256 --layers 2
  unroll train --task forecast --help    # the flags of one task`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if out == "" {
				return usagef("-o DIR is missing: where should the model go?")
			}
			for what, name := range map[string]string{"--output": out, "--log": log, "--tensorboard": board} {
				if err := notStream(what, name); err != nil {
					return err
				}
			}
			if more && !resume {
				return usagef("--more-rows is for a run that goes on: give --resume too")
			}
			t.Data = args[0]
			chosen, err := t.settle(cmd, filepath.Join(out, checkpointFile), resume)
			if err != nil {
				return err
			}
			place, err := claimFolder(out, resume, overwrite, log, board)
			if err != nil {
				return err
			}
			defer place.release()
			atEnd(cmd.Context(), place.release)
			r, err := newReport(cmd, log, board, plot)
			if err != nil {
				return err
			}
			defer r.close()
			u := &training{trainFlags: &t, task: chosen, report: r, out: out, point: filepath.Join(out, checkpointFile), resume: resume, more: more}
			if err := u.prepare(cmd); err != nil {
				return inFlags(cmd, err)
			}
			return u.run(cmd)
		},
	}
	f := cmd.Flags()
	registerOptions(cmd)
	f.StringVar(&t.Task, "task", "", task.Names())
	f.StringVarP(&out, "output", "o", "", "model folder to write")
	t.flags(f)
	f.BoolVar(&resume, "resume", false, "go on with the run in the model folder")
	f.BoolVar(&more, "more-rows", false, "forecast, text: with --resume, DATA are those of the run and more after them")
	f.BoolVar(&overwrite, "overwrite", false, "train anew where the folder holds a model")
	f.StringVar(&log, "log", "", "write a JSON line for each epoch to this file")
	f.StringVar(&board, "tensorboard", "", "write TensorBoard event files to this folder")
	f.BoolVar(&plot, "plot", false, "draw the losses while training")
	groupFlags(cmd, "What and where", "task", "output", "overwrite", "resume", "more-rows")
	groupFlags(cmd, "Network", "mode", "hidden", "layers", "embedding", "bidirectional", "dropout", "head-dropout", "tie-weights")
	groupFlags(cmd, "Training", "epochs", "stop", "optimizer", "lr", "momentum", "weight-decay", "clip", "clip-value", "schedule", "warmup", "patience", "factor", "workers")
	groupFlags(cmd, "To look at", "log", "tensorboard", "plot")
	groupOptions(cmd)
	return cmd
}

// free are the flags that may differ when a run goes on.
var free = []string{"output", "resume", "more-rows", "overwrite", "epochs", "stop", "workers", "log", "tensorboard", "plot"}

// settle completes the settings and returns the task with its options: of a run
// that goes on they are those of the checkpoint, and flags that say otherwise
// are refused.
func (t *trainFlags) settle(cmd *cobra.Command, point string, resume bool) (task.Task, error) {
	given := map[string]string{}
	cmd.Flags().Visit(func(f *pflag.Flag) { given[f.Name] = f.Value.String() })
	if !resume {
		t.Form = settingsForm
		chosen, err := task.New(t.Task)
		if err != nil {
			return nil, inFlags(cmd, err)
		}
		if _, ok := given["weight-decay"]; !ok && strings.EqualFold(t.Optimizer, "AdamW") {
			t.WeightDecay = 1e-2 // PyTorch's default
		}
		for _, name := range slices.Sorted(maps.Keys(given)) {
			if !slices.Contains(free, name) || name == "epochs" || name == "stop" {
				t.shown(name, strings.Trim(given[name], "[]"))
			}
		}
		return chosen, giveOptions(cmd, chosen, false)
	}
	old, err := train.Extra(point)
	if err != nil {
		return nil, fmt.Errorf("there is no run to go on with: %w", err)
	}
	kept := *t
	bad := func(err error) (task.Task, error) {
		return nil, fmt.Errorf("%s holds no settings of a run: %w", point, err)
	}
	if err := json.Unmarshal([]byte(old), t); err != nil {
		return bad(err)
	}
	chosen, err := task.New(t.Task)
	if err != nil {
		return bad(err)
	}
	if err := restoreOptions(chosen, old); err != nil {
		return bad(err)
	}
	t.upgrade()
	t.Data, t.Workers = kept.Data, kept.Workers
	if v, ok := given["epochs"]; ok {
		t.Epochs = kept.Epochs
		t.shown("epochs", v)
	}
	if v, ok := given["stop"]; ok {
		t.Stop = kept.Stop
		t.shown("stop", v)
	}
	options := optionFlags(chosen)
	var e error
	cmd.Flags().Visit(func(f *pflag.Flag) {
		was := f.Value.String()
		if o := options.Lookup(f.Name); o != nil {
			was = o.Value.String()
		}
		if !slices.Contains(free, f.Name) && was != given[f.Name] && e == nil {
			e = usagef("--%s is %s, but the run in %s began with %s; leave the flag out, or train anew without --resume", f.Name, given[f.Name], point, was)
		}
	})
	return chosen, e
}

// shown puts a flag among those the model's README shows.
func (t *trainFlags) shown(name, value string) {
	if strings.ContainsAny(value, " \t'\"$\\") {
		value = strconv.Quote(value)
	}
	if i := slices.Index(t.Flags, "--"+name); i >= 0 {
		t.Flags[i+1] = value
		return
	}
	t.Flags = append(t.Flags, "--"+name, value)
}

// training is one run of the command.
type training struct {
	*trainFlags
	report     *report
	task       task.Task
	set        *task.Set
	loop       *train.Loop
	out, point string
	resume     bool
	more, grew bool // more data may have come, and have
	saved      bool // there is a checkpoint to go on from
	begin      time.Time
	before     float64 // seconds of the runs that this one goes on from
}

// prepare reads the data and builds the loop.
func (u *training) prepare(cmd *cobra.Command) (err error) {
	u.task.From(cmd.InOrStdin())
	recipe, err := u.recipe(u.task)
	if err != nil {
		return err
	}
	if err := u.sameData(); err != nil {
		return err
	}
	if u.set, err = u.task.Load(u.Data); err != nil {
		return err
	}
	for _, n := range u.set.Notes {
		u.report.line("unroll: %s", n)
	}
	// What goes wrong here was said by flags.
	if u.loop, err = recipe.Loop(u.task, u.set); err != nil {
		return usageError{inFlags(cmd, err)}
	}
	u.Options = savedOptions(u.task)
	if !u.resume {
		// A run that ends before its first save is not to be taken for this one.
		if err := os.Remove(u.point); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	}
	u.saved, u.before = true, u.Seconds
	if err := u.loop.Restore(u.point); err != nil {
		return err
	}
	if u.grew {
		if err := u.measureAnew(); err != nil {
			return err
		}
	}
	if !u.loop.Checked() {
		u.report.line("unroll: %s has no checksum: an earlier version wrote it, and damage to it could not be seen", u.point)
	}
	return nil
}

// run trains, and saves as it goes.
func (u *training) run(cmd *cobra.Command) error {
	l := u.loop
	n, _ := l.Model.Config().Parameters()
	u.report.line("%s; %s, %.0f parameters", u.set.About, l.Model.Config().RNN, n)
	u.begin = time.Now()
	u.report.begin(l, u.set)
	saved := holdOn(cmd.Context()) // a step is finished and saved
	defer saved()
	stopped := false
	for s, err := range l.Run(cmd.Context()) {
		if err != nil {
			return u.failed(err)
		}
		if err := u.report.step(s); err != nil {
			return err
		}
		if !s.EpochDone {
			continue
		}
		if s.Better {
			if err := l.Model.Save(u.out, u.readme("")); err != nil {
				return err
			}
		}
		if err := u.save(); err != nil {
			return err
		}
		if u.Stop > 0 && s.Epoch-l.Progress().BestEpoch >= u.Stop {
			stopped = true
			break
		}
	}
	u.report.end()
	if at := l.Progress(); at.Epoch < u.Epochs && !stopped {
		if err := u.save(); err != nil {
			return err
		}
		return fmt.Errorf("stopped in epoch %d after %d steps, saved in %s; go on with: unroll train %s -o %s --resume", at.Epoch+1, at.Step, u.point, u.Data, u.out)
	}
	saved()
	return u.finish(cmd)
}

// failed says where a run that diverged can be taken up again.
func (u *training) failed(err error) error {
	u.report.end()
	switch {
	case !errors.Is(err, train.ErrDiverged):
		return err
	case !u.saved:
		return fmt.Errorf("%w; no epoch was finished, so nothing is saved", err)
	}
	return fmt.Errorf("%w; the last good checkpoint, after epoch %d, is %s", err, u.loop.Progress().Epoch, u.point)
}

// save writes the checkpoint.
func (u *training) save() error {
	u.Seconds = u.before + time.Since(u.begin).Seconds()
	settings, err := json.Marshal(u.trainFlags)
	if err != nil {
		return err
	}
	u.saved = true
	return u.loop.Save(u.point, string(settings))
}

// finish measures the best model and writes that into its README.
func (u *training) finish(cmd *cobra.Command) error {
	best, err := nn.Open(u.out)
	if err != nil {
		return err
	}
	e, err := task.Measure(best, u.task, u.set, u.Workers)
	if err != nil {
		return err
	}
	u.Seconds = u.before + time.Since(u.begin).Seconds()
	if err := best.Save(u.out, u.readme(e.Text())); err != nil {
		return err
	}
	at := u.loop.Progress()
	u.report.line("best validation loss %.4f %s in epoch %d; %.0f s; model in %s", at.Best, u.set.Unit, at.BestEpoch+1, u.Seconds, u.out)
	_, err = fmt.Fprint(cmd.OutOrStdout(), e.Text())
	return err
}

// taskNames are the names of all tasks.
func taskNames() (names []string) {
	for _, k := range task.Kinds {
		names = append(names, k.Name)
	}
	return names
}

// taskHelp lists the tasks and what they read.
func taskHelp() string {
	var lines []string
	for _, k := range task.Kinds {
		lines = append(lines, fmt.Sprintf("  %-9s %s", k.Name, strings.ReplaceAll(k.Reads, "\n", "\n            ")))
	}
	return strings.Join(lines, "\n")
}
