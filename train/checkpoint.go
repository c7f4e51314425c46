package train

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	unroll "github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/checkpoint"
	"github.com/unroll-ml/unroll/checkpoint/safetensors"
	"github.com/unroll-ml/unroll/tensor"
)

// position is what a checkpoint holds besides tensors. Numbers that may be
// infinite are bits.
type position struct {
	Progress
	Best       uint64
	Steps      int // of the optimiser
	Hyper      Hyper
	Optimizer  string
	Schedule   string
	InEpoch    bool
	Generator  string // base64
	ScheduleAt []uint64
}

// Save writes a checkpoint: model, optimiser, schedule, generator, the state
// carried between batches and the place in the data, one file that is replaced
// as a whole or not at all, with a checksum of itself. extra is returned by Extra. Errors are those of the
// file system.
func (l *LoopOf[F]) Save(path, extra string) error {
	var set checkpoint.Set
	for n, v := range sorted(l.Model.StateDict()) {
		set = append(set, checkpoint.Of("model."+n, v))
	}
	for n, v := range sorted(l.Optimizer.State()) {
		set = append(set, checkpoint.Of("optimizer."+n, v))
	}
	if s := l.state.s; !s.H.IsZero() {
		set = append(set, checkpoint.Of("state.h", s.H))
		if !s.C.IsZero() {
			set = append(set, checkpoint.Of("state.c", s.C))
		}
	}
	order := l.Data.Order()
	o := make([]int64, len(order))
	for i, v := range order {
		o[i] = int64(v)
	}
	set = append(set, checkpoint.OfInts("order", o))
	p := position{
		Progress: l.at, Best: math.Float64bits(l.at.Best), Steps: l.Optimizer.Steps(), Hyper: l.Optimizer.Hyper,
		Optimizer: l.Optimizer.Algorithm().Name(), InEpoch: l.inEpoch,
	}
	p.Progress.Best = 0
	if l.Generator != nil {
		p.Generator = base64.StdEncoding.EncodeToString(l.Generator.State())
	}
	if l.Scheduler != nil {
		p.Schedule = l.Scheduler.Name()
		for _, v := range l.Scheduler.State() {
			p.ScheduleAt = append(p.ScheduleAt, math.Float64bits(v))
		}
	}
	data, err := json.Marshal(p)
	if err != nil {
		return err
	}
	meta, err := checkpoint.WithChecksum(set, map[string]string{"position": string(data), "extra": extra})
	if err != nil {
		return err
	}
	return safetensors.WriteFile(path, set, meta)
}

// Checked reports whether the checkpoint of the last Restore had a checksum, and
// this was right. Those of the first release have none.
func (l *LoopOf[F]) Checked() bool { return l.checked }

// verify compares a checkpoint with its checksum, and reports whether it has one.
func verify(f *safetensors.File) (found bool, err error) {
	for _, k := range keys(f.Metadata()) {
		if k != "position" && k != "extra" && k != checkpoint.ChecksumKey {
			return false, badState("metadata", strconv.Quote(k), "position, extra and "+checkpoint.ChecksumKey+" alone; the file is damaged")
		}
	}
	return checkpoint.VerifyChecksum(f, f.Metadata())
}

// sorted walks a map in the order of its keys.
func sorted[V any](m map[string]V) func(func(string, V) bool) {
	return func(yield func(string, V) bool) {
		for _, k := range keys(m) {
			if !yield(k, m[k]) {
				return
			}
		}
	}
}

// Extra returns the extra text of a checkpoint without reading its tensors. A
// file that cannot be read as a safetensors file is a checkpoint.ErrFormat.
func Extra(path string) (string, error) {
	f, err := safetensors.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	return f.Metadata()["extra"], nil
}

// Restore sets the loop, whose fields are as they were in the run that saved,
// to where that run was; Run then goes on to the same bits. It is an ErrState
// if the checkpoint is of another model, optimiser, schedule or data, or if it is
// damaged; the loop is then not to be used. Checked says whether the checkpoint had
// a checksum.
func (l *LoopOf[F]) Restore(path string) error {
	f, err := safetensors.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	bad := func(arg string, got, want any) error {
		return fmt.Errorf("%s: %w", path, badState(arg, fmt.Sprint(got), fmt.Sprint(want)))
	}
	if l.checked, err = verify(f); err != nil {
		return fmt.Errorf("%s: %w: %w", path, ErrState, err)
	}
	var p position
	if err := json.Unmarshal([]byte(f.Metadata()["position"]), &p); err != nil {
		return bad("position", err, "that of a training checkpoint")
	}
	if got := l.Optimizer.Algorithm().Name(); got != p.Optimizer {
		return bad("optimiser", p.Optimizer, got+", as the loop has")
	}
	if name := scheduleName(l.Scheduler); name != p.Schedule {
		return bad("schedule", strconv.Quote(p.Schedule), strconv.Quote(name)+", as the loop has")
	}
	if err := l.restoreTensors(f, path, &p); err != nil {
		return err
	}
	if err := l.restoreDraws(&p, bad); err != nil {
		return err
	}
	order, _, err := checkpoint.Ints(f, "order")
	if err != nil {
		return err
	}
	o := make([]int, len(order))
	for i, v := range order {
		o[i] = int(v)
	}
	if p.InEpoch {
		if err := l.Data.SetOrder(o); err != nil {
			return fmt.Errorf("%s: %w: %w", path, ErrState, err)
		}
	}
	if p.Epoch < 0 || p.Batch < 0 || p.Batch >= max(l.Data.Len(), 1) {
		return bad("place", fmt.Sprintf("epoch %d, batch %d", p.Epoch, p.Batch), fmt.Sprintf("one of %d batches", l.Data.Len()))
	}
	l.at, l.inEpoch, l.started = p.Progress, p.InEpoch, true
	l.at.Best = math.Float64frombits(p.Best)
	return nil
}

// restoreTensors restores the model, what the optimiser keeps, and the state between
// chunks.
func (l *LoopOf[F]) restoreTensors(f *safetensors.File, path string, p *position) error {
	parts := map[string]map[string]tensor.DenseOf[F]{"model": {}, "optimizer": {}, "state": {}}
	for _, n := range f.Names() {
		part, rest, ok := strings.Cut(n, ".")
		if !ok || parts[part] == nil {
			continue
		}
		var err error
		if parts[part][rest], err = checkpoint.Float[F](f, n); err != nil {
			return err
		}
	}
	if err := l.Model.Load(parts["model"]); err != nil {
		return fmt.Errorf("%s: %w: %w", path, ErrState, err)
	}
	l.pass.Model = l.Model
	var names []string
	for _, q := range l.pass.Params() {
		names = append(names, q.Name)
	}
	if err := l.Optimizer.SetState(p.Steps, names, parts["optimizer"]); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	l.state.s = unroll.StateOf[F]{H: parts["state"]["h"], C: parts["state"]["c"]}
	return nil
}

// restoreDraws restores the rates, the schedule and the generator.
func (l *LoopOf[F]) restoreDraws(p *position, bad func(arg string, got, want any) error) error {
	l.Optimizer.Hyper = p.Hyper
	if l.Scheduler != nil {
		var v []float64
		for _, b := range p.ScheduleAt {
			v = append(v, math.Float64frombits(b))
		}
		if err := l.Scheduler.SetState(v); err != nil {
			return bad("state of the schedule", v, "that of "+p.Schedule)
		}
	}
	if l.Generator != nil {
		b, err := base64.StdEncoding.DecodeString(p.Generator)
		if err == nil {
			err = l.Generator.SetState(b)
		}
		if err != nil {
			return bad("state of the generator", err, "5,056 bytes that PyTorch could have written")
		}
	}
	return nil
}

func keys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

func scheduleName(s Scheduler) string {
	if s == nil {
		return ""
	}
	return s.Name()
}
