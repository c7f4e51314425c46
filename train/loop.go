package train

import (
	"context"
	"iter"
	"math"

	unroll "github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/nn"
	"github.com/unroll-ml/unroll/rng"
	"github.com/unroll-ml/unroll/tensor"
)

// LoopOf is a training run: what is trained, on what, how, and how far it is.
// Set the exported fields, then Run it. The same fields and the same Generator
// give the same bits; so does a run continued with Restore.
type LoopOf[F tensor.Float] struct {
	Model     *nn.ModelOf[F]
	Data      DataOf[F]
	Objective ObjectiveOf[F]
	Optimizer *OptimizerOf[F]
	// Scheduler may be nil. It steps after every epoch, with the validation
	// loss, or after every step with PerStep.
	Scheduler Scheduler
	PerStep   bool
	// Generator shuffles and draws dropout masks, in PyTorch's order.
	Generator *rng.Generator
	// ClipNorm and ClipValue bound the gradients, see ClipGradNorm and
	// ClipGradValue. Both are off at 0: a bound of 0 would take all gradients away.
	ClipNorm  float64
	ClipValue float64
	Epochs    int
	Workers   int
	// Validate, if not nil, is called after every epoch and gives the loss the
	// scheduler and Best look at; otherwise that is the epoch's training loss.
	Validate func() (float64, error)

	pass    nn.PassOf[F]
	clip    NormClipOf[F]
	batch   BatchOf[F]
	state   carried[F]
	started bool // the schedule has set the first rate
	inEpoch bool // Data.Start was called for this epoch
	at      Progress
	checked bool // see Checked
}

// Loop is a LoopOf of float32.
type Loop = LoopOf[float32]

// Progress says how far a run is.
type Progress struct {
	Epoch int // of the next step, from 0
	Batch int // of the next step within the epoch
	Step  int // steps taken
	// Sum and Count make the mean training loss of the epoch so far.
	Sum, Count float64
	// Best is the lowest validation loss so far, BestEpoch its epoch; -1: none.
	Best      float64
	BestEpoch int
}

// Step is what Run yields after each step.
type Step struct {
	Epoch, Batch, Batches int // of this step, from 0; batches in the epoch
	Number                int // steps taken, this one included
	Loss                  float64
	Count                 float64 // what the loss is a mean over
	Norm                  float64 // of the gradients before clipping; 0 without ClipNorm
	LR                    float64
	// EpochDone is true for the last step of an epoch; then EpochLoss is the
	// mean training loss, Valid the validation loss (or EpochLoss), and Better
	// says that it is the lowest so far.
	EpochDone bool
	EpochLoss float64
	Valid     float64
	Better    bool
}

// Progress returns how far the run is.
func (l *LoopOf[F]) Progress() Progress { return l.at }

// SetBest says that the best model so far has this validation loss, for a run that
// goes on with another validation part.
func (l *LoopOf[F]) SetBest(loss float64) { l.at.Best = loss }

// Run trains until Epochs epochs are done, the context ends, the caller stops
// the iteration, or something fails; each step is yielded after it is done. A
// context that ends is no error: the step under way is finished and the run
// can go on from there. A training loss that is NaN or infinite is an
// ErrDiverged, and that step has not changed the parameters; so is a validation
// loss, after which the parameters are spoilt and the loop is not to be saved. A
// loop that lacks something, or whose schedule or bounds cannot be, is an
// ErrArgument; other errors are those of nn.Pass, of the objective, of Validate
// and of the optimiser.
func (l *LoopOf[F]) Run(ctx context.Context) iter.Seq2[Step, error] {
	return func(yield func(Step, error) bool) {
		if err := l.begin(); err != nil {
			yield(Step{}, err)
			return
		}
		for l.at.Epoch < l.Epochs && ctx.Err() == nil {
			s, err := l.step()
			if !yield(s, err) || err != nil {
				return
			}
		}
	}
}

func (l *LoopOf[F]) begin() error {
	switch {
	case l.Model == nil || l.Data == nil || l.Objective == nil || l.Optimizer == nil:
		return badArg("loop", "incomplete", "Model, Data, Objective and Optimizer")
	case l.Data.Len() == 0:
		return badArg("data", "empty", "at least one batch")
	case !(l.ClipNorm >= 0):
		return badArg("clip_norm", l.ClipNorm, "0, for no clipping, or above")
	case !(l.ClipValue >= 0):
		return badArg("clip_value", l.ClipValue, "0, for no clipping, or above")
	}
	if l.Scheduler != nil {
		if err := l.Scheduler.Validate(); err != nil {
			return err
		}
	}
	l.Optimizer.Workers = l.Workers
	l.pass.Model, l.pass.Train, l.pass.Workers, l.pass.Generator = l.Model, true, l.Workers, l.Generator
	if !l.started {
		l.started = true
		l.at.Best, l.at.BestEpoch = math.Inf(1), -1
		if l.Scheduler != nil {
			l.Optimizer.Hyper = l.Scheduler.Start(l.Optimizer.Hyper)
		}
	}
	return nil
}

func (l *LoopOf[F]) step() (s Step, err error) {
	if !l.inEpoch {
		l.Data.Start(l.Generator)
		l.inEpoch = true
	}
	l.Data.Batch(l.at.Batch, &l.batch)
	s = Step{Epoch: l.at.Epoch, Batch: l.at.Batch, Batches: l.Data.Len(), Number: l.at.Step + 1, LR: l.Optimizer.LR}
	l.pass.Lengths = l.batch.Lengths
	l.pass.Zero()
	logits, sn, err := l.pass.Forward(l.batch.In, l.state.before(l.batch.Carry))
	if err != nil {
		return s, err
	}
	sum, count, err := l.Objective.Loss(logits, &l.batch, logits.Data)
	if err != nil {
		return s, err
	}
	s.Loss, s.Count = sum/count, count
	if math.IsNaN(s.Loss) || math.IsInf(s.Loss, 0) {
		return s, &DivergedError{"training loss", s.Loss, s.Number, s.Epoch + 1}
	}
	if err := l.pass.Backward(logits); err != nil {
		return s, err
	}
	params := l.pass.Params()
	if l.ClipNorm > 0 {
		l.clip.Workers = l.Workers
		if s.Norm, err = l.clip.Clip(params, l.ClipNorm); err != nil {
			return s, err
		}
		if math.IsNaN(s.Norm) || math.IsInf(s.Norm, 0) {
			return s, &DivergedError{"norm of the gradients", s.Norm, s.Number, s.Epoch + 1}
		}
	}
	if l.ClipValue > 0 {
		if err := ClipGradValue(params, l.ClipValue); err != nil {
			return s, err
		}
	}
	l.Model.Update(func() { err = l.Optimizer.Step(params) })
	if err != nil {
		return s, err
	}
	l.state.after(sn)
	l.at.Step++
	l.at.Batch++
	l.at.Sum += sum
	l.at.Count += count
	if l.at.Batch == s.Batches {
		if err := l.endEpoch(&s); err != nil {
			return s, err
		}
	}
	if l.Scheduler != nil && l.PerStep {
		l.Optimizer.Hyper = l.Scheduler.Step(l.Optimizer.Hyper, s.Loss)
	}
	return s, nil
}

func (l *LoopOf[F]) endEpoch(s *Step) (err error) {
	s.EpochDone, s.EpochLoss = true, l.at.Sum/l.at.Count
	s.Valid = s.EpochLoss
	if l.Validate != nil {
		if s.Valid, err = l.Validate(); err != nil {
			return err
		}
		if math.IsNaN(s.Valid) || math.IsInf(s.Valid, 0) {
			return &DivergedError{"validation loss", s.Valid, s.Number, s.Epoch + 1}
		}
	}
	if s.Valid < l.at.Best {
		s.Better, l.at.Best, l.at.BestEpoch = true, s.Valid, l.at.Epoch
	}
	l.at.Epoch, l.at.Batch, l.at.Sum, l.at.Count = l.at.Epoch+1, 0, 0, 0
	l.inEpoch = false
	if l.Scheduler != nil && !l.PerStep {
		l.Optimizer.Hyper = l.Scheduler.Step(l.Optimizer.Hyper, s.Valid)
	}
	return nil
}

// carried is a copy of the last final state, in memory that is reused.
type carried[F tensor.Float] struct{ s unroll.StateOf[F] }

func (c *carried[F]) before(carry bool) unroll.StateOf[F] {
	if !carry {
		return unroll.StateOf[F]{}
	}
	return c.s
}

func (c *carried[F]) after(s unroll.StateOf[F]) {
	c.s.H.Shape, c.s.H.Data = append(c.s.H.Shape[:0], s.H.Shape...), append(c.s.H.Data[:0], s.H.Data...)
	if !s.C.IsZero() {
		c.s.C.Shape, c.s.C.Data = append(c.s.C.Shape[:0], s.C.Shape...), append(c.s.C.Data[:0], s.C.Data...)
	}
}
