package unroll

import (
	"fmt"
	"runtime"

	"github.com/unroll-ml/unroll/internal/scan"
	"github.com/unroll-ml/unroll/rng"
	"github.com/unroll-ml/unroll/tensor"
)

// PassOf is how one goroutine runs a layer over sequences: the options, the
// memory and, if wanted, the record. With its Layer set it is ready; options
// may change between calls. A pass must not be copied after its first use, nor
// used by two goroutines at once.
//
// What a pass returns belongs to it and holds until its next call.
type PassOf[F tensor.Float] struct {
	// Layer is what runs.
	Layer *LayerOf[F]
	// Train turns on dropout between layers, and the record.
	Train bool
	// Generator draws the dropout masks; needed where Train meets a Dropout
	// above 0 and more than one layer.
	Generator *rng.Generator
	// Record keeps all hidden states, cell states and gates, for Backward,
	// Hidden, Cell and Gate.
	Record bool
	// Workers is the most goroutines that share the work; fewer run where a step
	// is too small to be shared, and 0 lets the pass choose. The result has the
	// same bits for any number.
	Workers int
	// Lengths are the lengths of the B sequences, in any order, each from 1 to
	// T; nil means all are T long. What x holds beyond a sequence's end is not
	// read; y is zero there, and the final state is that at each sequence's own
	// end. The reverse direction starts at each sequence's own end.
	Lengths []int
	// Resets [T,B], time first also with BatchFirst, is true where a sequence
	// begins anew: a boundary lies before that step, and no state crosses it in
	// either direction; on both sides the sequence goes on as if it had just
	// started from s0. Nil means nowhere.
	Resets []bool
	// Masked [T,B], time first also with BatchFirst, is true where a step is
	// masked: it is not computed, keeps the state and repeats the output before
	// it in the direction's order, zeros before the first step that is not masked
	// since the sequence, or a part of it behind a reset, began. That is Keras's
	// mask, and with masked steps at the beginning it reads input that is padded
	// on the left. Gates of masked steps are not defined. Nil means nowhere.
	Masked []bool
	// NoInputGrad leaves out the gradient of the input, which data has no use for:
	// Backward returns no dx.
	NoInputGrad bool
	// Grads is where Backward adds the gradients of the parameters. If nil,
	// Backward makes it. Passes of one goroutine may share it.
	Grads *GradsOf[F]

	run  scan.Run[F]
	dims dims
	// inputShape is the shape, of so many dimensions, of the last input that fit.
	inputShape [3]int
	inputRank  int
	valid      bool // a recorded Forward has run
	// version is that of the parameters it ran with; order, if not nil, is that
	// of the sequences of a packed sequence.
	version uint64
	order   []int

	y, dx           tensor.DenseOf[F]
	sn, ds          StateOf[F]
	sizes, perm     []int
	resets, skips   []bool
	masks           [][]F
	keptMasks       [][]F
	yShape, dxShape [3]int
	hShape, cShape  [2][3]int
	scanGrads       []scan.Params[F]
}

// Pass is a pass of float32.
type Pass = PassOf[float32]

// dims are the sizes of an input.
type dims struct {
	t, b    int
	batched bool
}

// Forward computes the output y and final state sn of x from the initial state
// s0; see Layer.Forward for the shapes. s0 may be the sn of the call before, x
// must not be its y. It allocates nothing if a call of the same layer and shape
// went before.
//
// Errors: ErrShape for x, s0, Resets or Masked that do not fit, ErrLengths for Lengths,
// ErrUsage for a pass without layer or without a needed generator, or that trains a
// layer that Quantize made. All
// are *ArgError.
func (p *PassOf[F]) Forward(x tensor.DenseOf[F], s0 StateOf[F]) (y tensor.DenseOf[F], sn StateOf[F], err error) {
	p.valid = false
	l := p.Layer
	if err := l.made("Pass.Layer"); err != nil {
		return y, sn, err
	}
	if p.Train {
		if err := l.trains("Pass.Train"); err != nil {
			return y, sn, err
		}
	}
	d := p.dims
	if p.run.Stack != &l.stack || !p.sameInput(x) {
		if d, err = l.checkInput(x); err != nil {
			return y, sn, err
		}
	}
	if err := checkState(&l.cfg, "s0", s0, d.batched, false, d.b); err != nil {
		return y, sn, err
	}
	if p.run.Stack != &l.stack { // the memory of another layer is of other parts
		p.run = scan.Run[F]{Stack: &l.stack}
	}
	if err := p.arrange(d); err != nil {
		return y, sn, err
	}
	p.dims, p.inputRank = d, copy(p.inputShape[:], x.Shape)
	if err := p.drawMasks(); err != nil {
		return y, sn, err
	}
	p.results()
	r := &p.run
	r.Record = p.Record || p.Train
	r.Workers = l.workers(p.Workers, d.b, autoMin)
	r.H0, r.C0, r.HN, r.CN = given(s0.H), given(s0.C), p.sn.H.Data, p.sn.C.Data
	r.X, r.Y = p.strided(x.Data, l.stack.I), p.strided(p.y.Data, l.stack.Width())
	if p.Lengths != nil {
		clear(p.y.Data)
	}
	p.version = l.stack.Version.Load()
	r.Forward()
	r.X.Data, r.Y.Data, r.H0, r.C0 = nil, nil, nil, nil // nothing of the caller's is kept
	p.valid = r.Record
	p.sn.origin = l.self
	return p.y, p.sn, nil
}

// sameInput reports whether x has the shape of the input before, which checkInput
// took.
func (p *PassOf[F]) sameInput(x tensor.DenseOf[F]) bool {
	n := 1
	for i, s := range x.Shape {
		if i >= p.inputRank || s != p.inputShape[i] {
			return false
		}
		n *= s
	}
	return len(x.Shape) == p.inputRank && p.inputRank > 0 && len(x.Data) == n
}

// checkInput returns the sizes of x, or an ErrShape.
func (l *LayerOf[F]) checkInput(x tensor.DenseOf[F]) (dims, error) {
	c := &l.cfg
	letters := "[T,B,I]"
	if c.BatchFirst {
		letters = "[B,T,I]"
	}
	bad := func(got, want, hint string) (dims, error) {
		return dims{}, &ArgError{Kind: ErrShape, Arg: "input of " + l.describe(), Got: got, Want: want, Hint: hint}
	}
	if len(x.Shape) != 2 && len(x.Shape) != 3 {
		return bad(fmt.Sprintf("%d dimensions, shape %v", len(x.Shape), x.Shape), fmt.Sprintf("3 (%s) or, for one sequence, 2 ([T,I])", letters), "")
	}
	if in := x.Shape[len(x.Shape)-1]; in != c.InputSize {
		hint := ""
		if l.upper {
			hint = "a layer of a stack reads the output of the layer below it; only layer 0 reads x"
		}
		return bad(fmt.Sprintf("%d features, shape %v", in, x.Shape), fmt.Sprintf("input_size %d as the last dimension", c.InputSize), hint)
	}
	if x.Check("") != nil {
		return bad(fmt.Sprintf("%d elements for shape %v", len(x.Data), x.Shape), "as many elements as the shape has", "")
	}
	d := dims{t: x.Shape[0], b: 1, batched: len(x.Shape) == 3}
	if d.batched {
		d.b = x.Shape[1]
		if c.BatchFirst {
			d.t, d.b = d.b, d.t
		}
	}
	if d.t == 0 {
		return bad(fmt.Sprintf("no time steps, shape %v", x.Shape), "at least one step ("+letters+")", "")
	}
	return d, c.fits(d.t, d.b)
}

// arrange sorts the sequences by length and brings the resets in that order.
func (p *PassOf[F]) arrange(d dims) error {
	for _, flags := range [...]struct {
		name string
		of   []bool
	}{{"Pass.Resets", p.Resets}, {"Pass.Masked", p.Masked}} {
		if flags.of != nil && len(flags.of) != d.t*d.b {
			return &ArgError{Kind: ErrShape, Arg: flags.name, Got: fmt.Sprintf("%d values", len(flags.of)), Want: fmt.Sprintf("T*B = %d*%d, time first", d.t, d.b)}
		}
	}
	r := &p.run
	r.T, r.B, r.Perm = d.t, d.b, nil
	if d.b == 0 {
		r.T = 0 // nothing runs
	}
	r.Even = p.Lengths == nil
	p.sizes = p.sizes[:0]
	switch {
	case !r.Even:
		if err := p.arrangeLengths(d); err != nil {
			return err
		}
		r.Sizes = p.sizes
	case p.Resets != nil || p.Masked != nil:
		for range r.T {
			p.sizes = append(p.sizes, d.b)
		}
	}
	p.resets, r.Resets = p.packed(p.resets, p.Resets)
	p.skips, r.Skips = p.packed(p.skips, p.Masked)
	return nil
}

// arrangeLengths finds the order of sequences of given lengths, and how many of
// them reach each step.
func (p *PassOf[F]) arrangeLengths(d dims) error {
	r := &p.run
	if err := checkLengths(p.Lengths, d); err != nil {
		return err
	}
	p.perm = p.perm[:0]
	for i := range d.b {
		p.perm = append(p.perm, i)
	}
	if p.order != nil {
		copy(p.perm, p.order)
	} else {
		fallingLengths(p.perm, p.Lengths)
	}
	r.Perm = p.perm
	if d.b > 0 {
		r.T = p.Lengths[p.perm[0]] // what lies beyond the longest is not run
	}
	n := d.b
	for t := range r.T {
		for n > 0 && p.Lengths[p.perm[n-1]] <= t {
			n--
		}
		p.sizes = append(p.sizes, n)
	}
	return nil
}

// packed brings flags [T,B] in packed order, in the memory of mem; nil stays nil.
func (p *PassOf[F]) packed(mem, flags []bool) (kept, all []bool) {
	if flags == nil {
		return mem, nil
	}
	mem = mem[:0]
	for t, n := range p.sizes {
		for i := range n {
			if p.run.Perm != nil {
				i = p.run.Perm[i]
			}
			mem = append(mem, flags[t*p.run.B+i])
		}
	}
	return mem, mem
}

func checkLengths(lengths []int, d dims) error {
	if len(lengths) != d.b {
		return &ArgError{Kind: ErrLengths, Arg: "lengths", Got: fmt.Sprintf("%d of them", len(lengths)), Want: fmt.Sprintf("one for each of the %d sequences", d.b)}
	}
	for i, n := range lengths {
		if n < 1 || n > d.t {
			return &ArgError{Kind: ErrLengths, Arg: fmt.Sprintf("lengths[%d]", i), Got: fmt.Sprint(n), Want: fmt.Sprintf("1 to %d, the number of steps of the input", d.t)}
		}
	}
	return nil
}

// given returns the elements of a tensor that may be absent: nil if it is.
func given[F tensor.Float](d tensor.DenseOf[F]) []F {
	if d.IsZero() {
		return nil
	}
	return d.Data
}

// strided describes a tensor of vectors laid out like the input.
func (p *PassOf[F]) strided(data []F, size int) scan.Strided[F] {
	if p.Layer.cfg.BatchFirst && p.dims.batched {
		return scan.Strided[F]{Data: data, Step: size, Seq: p.dims.t * size}
	}
	return scan.Strided[F]{Data: data, Step: p.dims.b * size, Seq: size}
}

// results gives y and sn their shapes and memory.
func (p *PassOf[F]) results() {
	s := &p.Layer.stack
	p.y = shaped(p.y, &p.yShape, p.outShape(s.Width()))
	p.sn.H = shaped(p.sn.H, &p.hShape[0], p.stateShape(s.Out()))
	if s.Traits.CellState {
		p.sn.C = shaped(p.sn.C, &p.cShape[0], p.stateShape(s.H))
	} else {
		p.sn.C = tensor.DenseOf[F]{}
	}
}

// shape3 is a shape without memory of its own: unbatched ones have b < 0.
type shape3 struct{ a, b, c int }

func (p *PassOf[F]) outShape(size int) shape3 {
	d := p.dims
	switch {
	case !d.batched:
		return shape3{d.t, -1, size}
	case p.Layer.cfg.BatchFirst:
		return shape3{d.b, d.t, size}
	}
	return shape3{d.t, d.b, size}
}

func (p *PassOf[F]) stateShape(size int) shape3 {
	lanes := p.Layer.stack.L * p.Layer.stack.D
	if !p.dims.batched {
		return shape3{lanes, -1, size}
	}
	return shape3{lanes, p.dims.b, size}
}

// shaped returns a tensor of the shape, in the memory of d and dims where they
// suffice. The contents are undefined.
func shaped[F tensor.Float](d tensor.DenseOf[F], mem *[3]int, s shape3) tensor.DenseOf[F] {
	d.Shape = append(mem[:0], s.a)
	n := s.a * s.c
	if s.b >= 0 {
		d.Shape = append(d.Shape, s.b)
		n *= s.b
	}
	d.Shape = append(d.Shape, s.c)
	if cap(d.Data) < n {
		d.Data = make([]F, n)
	}
	d.Data = d.Data[:n]
	return d
}

// drawMasks draws the dropout masks of a training pass, layer after layer, as
// torch.nn.functional.dropout does: kept elements 1/(1-p), others 0.
func (p *PassOf[F]) drawMasks() error {
	c, r := &p.Layer.cfg, &p.run
	r.Masks = nil
	if !p.Train || c.Dropout == 0 || c.Layers() == 1 || p.dims.b == 0 {
		return nil
	}
	if p.Generator == nil && c.Dropout < 1 {
		return &ArgError{Kind: ErrUsage, Arg: "Pass.Generator", Got: "nil", Want: "a generator", Hint: fmt.Sprintf("training %s draws dropout masks: set it to rng.New(seed)", c)}
	}
	rows := r.T * r.B
	if !r.Even {
		rows = 0
		for _, n := range p.sizes {
			rows += n
		}
	}
	for len(p.keptMasks) < c.Layers()-1 {
		p.keptMasks = append(p.keptMasks, nil)
	}
	p.masks = p.keptMasks[:c.Layers()-1]
	for l := range p.masks {
		n := rows * c.OutputSize()
		if cap(p.masks[l]) < n {
			p.masks[l] = make([]F, n)
		}
		p.masks[l] = p.masks[l][:n]
		if c.Dropout == 1 {
			clear(p.masks[l]) // PyTorch multiplies by zeros and draws nothing
			continue
		}
		if err := rng.Dropout(p.Generator, p.masks[l], c.Dropout); err != nil {
			return err
		}
	}
	r.Masks = p.masks
	return nil
}

// shareMin is the number of multiply-adds of a step for each worker below
// which a barrier costs more than another worker gains. autoMin is what makes a
// pass take another worker by itself, and autoStreamMin a stream, whose helper
// has parked between steps that come at the pace of a microphone and takes as
// long to wake as a step of a million takes to run.
var shareMin = 16_000

const (
	autoMin       = 100_000
	autoStreamMin = 2_000_000
)

// workers returns how many workers share a step of b sequences: as many as the
// caller asked for, or as there are processors and the work of a step feeds,
// but no more than have something to do.
func (l *LayerOf[F]) workers(asked, b, auto int) int {
	rows := l.params[0].Value.Shape[0] // G*H
	step := b * rows * (l.stack.I + l.stack.Out())
	switch {
	case asked == 1:
		return 1
	case asked <= 0:
		return max(min(runtime.GOMAXPROCS(0), step/auto), 1)
	case shareMin > 0:
		return max(min(asked, 64, step/shareMin), 1)
	}
	return min(asked, 64)
}
