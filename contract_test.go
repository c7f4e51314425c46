package unroll_test

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/internal/testkit"
	"github.com/unroll-ml/unroll/internal/testkit/levels"
	"github.com/unroll-ml/unroll/rng"
	"github.com/unroll-ml/unroll/tensor"
)

// The arithmetic contract: one layer and one sequence have one result, bit for
// bit, however it is computed. Each property is checked over random layers,
// inputs and options, in both element types.

// bothTypes runs a property for float32 and float64.
func bothTypes(t *testing.T, single func(*rapid.T), double func(*rapid.T)) {
	t.Run("float32", rapid.MakeCheck(single))
	t.Run("float64", rapid.MakeCheck(double))
}

// Workers, kernels and recording change nothing, forward or backward.
func TestWorkersLevelsAndRecordGiveTheSameBits(t *testing.T) {
	bothTypes(t, workersLevelsRecord[float32], workersLevelsRecord[float64])
}

func workersLevelsRecord[F tensor.Float](t *rapid.T) {
	k := drawTrial[F](t, bounds{anyPrecision: true})
	base := k.pass()
	base.Record, base.Workers = true, 1
	y := k.forward(t, base)
	rec, grads := record(t, base), k.backward(t, base)
	each := levels.Each
	if _, double := any(F(0)).(float64); double {
		each = func(f func(string)) { f("any level") } // none has kernels for it
	}
	each(func(level string) {
		for _, workers := range []int{1, rapid.IntRange(2, 4).Draw(t, "workers")} {
			p := k.pass()
			p.Workers, p.Record = workers, true
			if err := k.forward(t, p).same(y); err != nil {
				t.Fatalf("%s, %d workers: %v", level, workers, err)
			}
			if err := record(t, p).same(rec); err != nil {
				t.Fatalf("record, %s, %d workers: %v", level, workers, err)
			}
			if err := k.backward(t, p).same(grads); err != nil {
				t.Fatalf("backward, %s, %d workers: %v", level, workers, err)
			}
			if k.train {
				continue // always recorded
			}
			p.Record = false
			for range 2 { // in fresh memory and in used memory
				if err := k.forward(t, p).same(y); err != nil {
					t.Fatalf("unrecorded, %s, %d workers: %v", level, workers, err)
				}
			}
		}
	})
}

// A second Backward adds the same again, its sums going on from the first one's:
// dx and the gradients of the initial state are the same bits, those of the
// parameters twice as large but for rounding.
func TestBackwardAdds(t *testing.T) {
	bothTypes(t, backwardAdds[float32], backwardAdds[float64])
}

func backwardAdds[F tensor.Float](t *rapid.T) {
	k := drawTrial[F](t, bounds{})
	p := k.pass()
	p.Record = true
	k.forward(t, p)
	once := k.backward(t, p)
	twice := k.backward(t, p)
	if err := twice[:3].same(once[:3]); err != nil { // dx, dh_0 and dc_0
		t.Fatal(err)
	}
	eps := testkit.Default[F]().Rel
	for i, n := range once[3:] {
		tol := testkit.Tol{Rel: eps}
		for j, v := range n.data {
			n.data[j] = 2 * v
			tol.Abs = max(tol.Abs, 100*eps*math.Abs(float64(v)))
		}
		if err := testkit.Near(twice[3+i].data, n.data, tol); err != nil {
			t.Fatalf("%s: %v", n.name, err)
		}
	}
}

// A sequence in chunks, each starting from the state the last one left, is the
// whole sequence.
func TestChunksGiveTheBitsOfTheWhole(t *testing.T) {
	bothTypes(t, chunks[float32], chunks[float64])
}

func chunks[F tensor.Float](t *rapid.T) {
	k := drawTrial[F](t, bounds{oneWay: true, noLengths: true, noResets: true, noMasks: true, noTrain: true, anyPrecision: true})
	p := k.pass()
	p.Workers = rapid.IntRange(1, 4).Draw(t, "workers")
	want := k.forward(t, p)
	c := k.layer.Config()
	y, s := tensor.NewOf[F](k.shape(c.OutputSize())...), k.s0
	for t0 := 0; t0 < k.t; {
		n := rapid.IntRange(1, k.t-t0).Draw(t, "steps")
		part := k
		part.t = n
		part.x = tensor.NewOf[F](part.shape(c.InputSize)...)
		copySteps(&part, part.x, &k, k.x, c.InputSize, 0, t0, n)
		p.Record = rapid.Bool().Draw(t, "record")
		out, sn, err := p.Forward(part.x, s) // s is the pass's own state of the call before
		if err != nil {
			t.Fatal(err)
		}
		copySteps(&k, y, &part, out, c.OutputSize(), t0, 0, n)
		s, t0 = sn, t0+n
	}
	if err := results(y, s).same(want); err != nil {
		t.Fatal(err)
	}
}

// copySteps copies n steps of all sequences between tensors of two trials.
func copySteps[F tensor.Float](to *trial[F], dst tensor.DenseOf[F], from *trial[F], src tensor.DenseOf[F], size, dstStep, srcStep, n int) {
	for i := range n {
		for b := range to.b {
			copy(dst.Data[to.at(dstStep+i, b, size):][:size], src.Data[from.at(srcStep+i, b, size):])
		}
	}
}

// A stream, step by step, is a pass over the whole sequence. Resetting a
// sequence of a stream is a reset of the pass that started from zeros.
func TestStreamGivesTheBitsOfAPass(t *testing.T) {
	bothTypes(t, stream[float32], stream[float64])
}

func stream[F tensor.Float](t *rapid.T) {
	k := drawTrial[F](t, bounds{oneWay: true, noLengths: true, noMasks: true, noTrain: true, alwaysBatched: true, anyPrecision: true})
	if k.b == 0 {
		return // there are no such streams
	}
	if k.resets != nil {
		k.s0 = unroll.StateOf[F]{}
	}
	want := k.forward(t, k.pass())
	s, err := k.layer.NewStream(k.b)
	if err != nil {
		t.Fatal(err)
	}
	s.SetWorkers(rapid.IntRange(1, 4).Draw(t, "workers"))
	if err := s.SetState(k.s0); err != nil {
		t.Fatal(err)
	}
	c := k.layer.Config()
	y := tensor.NewOf[F](k.shape(c.OutputSize())...)
	x1, y1 := make([]F, k.b*c.InputSize), make([]F, k.b*c.OutputSize())
	for i := range k.t {
		for b := range k.b {
			copy(x1[b*c.InputSize:(b+1)*c.InputSize], k.x.Data[k.at(i, b, c.InputSize):])
			if k.resets != nil && k.resets[i*k.b+b] {
				if err := s.Reset(b); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := s.Step(y1, x1); err != nil {
			t.Fatal(err)
		}
		for b := range k.b {
			copy(y.Data[k.at(i, b, c.OutputSize()):][:c.OutputSize()], y1[b*c.OutputSize():])
		}
	}
	if err := results(y, s.State()).same(want); err != nil {
		t.Fatal(err)
	}
}

// What else is in the batch, and where, changes no sequence: one alone, cut to
// its length, gives its part of the batch's result.
func TestASequenceAloneGivesItsBitsInABatch(t *testing.T) {
	bothTypes(t, alone[float32], alone[float64])
}

func alone[F tensor.Float](t *rapid.T) {
	k := drawTrial[F](t, bounds{noTrain: true, anyPrecision: true})
	c := k.layer.Config()
	y, sn, err := k.pass().Forward(k.x, k.s0)
	if err != nil {
		t.Fatal(err)
	}
	for b := range k.b {
		one := k
		one.b, one.batched, one.t, one.lengths = 1, false, k.length(b), nil
		one.x = tensor.NewOf[F](one.t, c.InputSize)
		want := tensor.NewOf[F](one.t, c.OutputSize())
		for i := range one.t {
			copy(one.x.Data[i*c.InputSize:][:c.InputSize], k.x.Data[k.at(i, b, c.InputSize):])
			copy(want.Data[i*c.OutputSize():][:c.OutputSize()], y.Data[k.at(i, b, c.OutputSize()):])
		}
		if k.resets != nil {
			one.resets = nil
			for i := range one.t {
				one.resets = append(one.resets, k.resets[i*k.b+b])
			}
		}
		if k.masked != nil {
			one.masked = nil
			for i := range one.t {
				one.masked = append(one.masked, k.masked[i*k.b+b])
			}
		}
		one.s0 = pick(&k, k.s0, []int{b})
		if got := one.forward(t, one.pass()); got.same(results(want, pick(&k, sn, []int{b}))) != nil {
			t.Fatalf("sequence %d: %v", b, got.same(results(want, pick(&k, sn, []int{b}))))
		}
		for i := k.length(b); i < k.t; i++ {
			for _, v := range y.Data[k.at(i, b, c.OutputSize()):][:c.OutputSize()] {
				if math.Float64bits(float64(v)) != 0 {
					t.Fatalf("sequence %d ends at %d and has %v at step %d", b, k.length(b), v, i)
				}
			}
		}
	}
}

// pick returns the states of some sequences, unbatched if it is one.
func pick[F tensor.Float](k *trial[F], s unroll.StateOf[F], sequences []int) unroll.StateOf[F] {
	half := func(d tensor.DenseOf[F]) tensor.DenseOf[F] {
		if d.IsZero() {
			return d
		}
		ld, size := d.Shape[0], d.Shape[len(d.Shape)-1]
		out := tensor.NewOf[F](ld, len(sequences), size)
		for i := range ld {
			for j, b := range sequences {
				copy(out.Data[(i*len(sequences)+j)*size:][:size], d.Data[(i*k.b+b)*size:])
			}
		}
		if len(sequences) == 1 {
			out.Shape = []int{ld, size}
		}
		return out
	}
	return unroll.StateOf[F]{H: half(s.H), C: half(s.C)}
}

// A batch in another order gives its results in that order, and what stands
// beyond a sequence's end does not matter, not even a NaN.
func TestAPermutedBatchPermutesItsResults(t *testing.T) {
	bothTypes(t, permuted[float32], permuted[float64])
}

func permuted[F tensor.Float](t *rapid.T) {
	k := drawTrial[F](t, bounds{noTrain: true, alwaysBatched: true})
	if k.b < 2 {
		return
	}
	c := k.layer.Config()
	p := k.pass()
	p.Record = true
	y, sn, err := p.Forward(k.x, k.s0)
	if err != nil {
		t.Fatal(err)
	}
	dx, ds, err := p.Backward(k.dy, k.dsn)
	if err != nil {
		t.Fatal(err)
	}
	perm := rapid.Permutation(count(k.b)).Draw(t, "order")
	q := k
	reorder := func(d tensor.DenseOf[F], size int, beyond F) tensor.DenseOf[F] {
		out := tensor.NewOf[F](d.Shape...)
		for j, b := range perm {
			for i := range k.t {
				v := out.Data[k.at(i, j, size):][:size]
				copy(v, d.Data[k.at(i, b, size):])
				for n := range v {
					if i >= k.length(b) && beyond != beyond {
						v[n] = beyond
					}
				}
			}
		}
		return out
	}
	nan := F(math.NaN())
	q.x, q.dy = reorder(k.x, c.InputSize, nan), reorder(k.dy, c.OutputSize(), nan)
	q.s0, q.dsn = pick(&k, k.s0, perm), pick(&k, k.dsn, perm)
	if k.lengths != nil {
		q.lengths = nil
		for _, b := range perm {
			q.lengths = append(q.lengths, k.lengths[b])
		}
	}
	if k.resets != nil {
		q.resets = nil
		for i := range k.t {
			for _, b := range perm {
				q.resets = append(q.resets, k.resets[i*k.b+b])
			}
		}
	}
	if k.masked != nil {
		q.masked = nil
		for i := range k.t {
			for _, b := range perm {
				q.masked = append(q.masked, k.masked[i*k.b+b])
			}
		}
	}
	r := q.pass()
	r.Record = true
	if err := q.forward(t, r).same(results(reorder(y, c.OutputSize(), 0), pick(&k, sn, perm))); err != nil {
		t.Fatal(err)
	}
	want := numbers[F]{}
	want.add("dx", reorder(dx, c.InputSize, 0))
	want.add("dh_0", pick(&k, ds, perm).H)
	want.add("dc_0", pick(&k, ds, perm).C)
	if err := q.backward(t, r)[:3].same(want); err != nil {
		t.Fatal(err)
	}
}

func count(n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	return all
}

// batch_first transposes input and output and nothing else, dropout masks
// included; one unbatched sequence is a batch of one.
func TestLayoutsGiveTheSameBits(t *testing.T) {
	bothTypes(t, layouts[float32], layouts[float64])
}

func layouts[F tensor.Float](t *rapid.T) {
	k := drawTrial[F](t, bounds{alwaysBatched: true})
	c := k.layer.Config()
	c.BatchFirst = !c.BatchFirst
	other := newTrial[F](t, c, k.seed)
	flip := k
	flip.layer = other.layer
	turn := func(to, from *trial[F], d tensor.DenseOf[F], size int) tensor.DenseOf[F] {
		out := tensor.NewOf[F](to.shape(size)...)
		copySteps(to, out, from, d, size, 0, 0, k.t)
		return out
	}
	flip.x, flip.dy = turn(&flip, &k, k.x, c.InputSize), turn(&flip, &k, k.dy, c.OutputSize())
	check := func(what string, other *trial[F]) {
		p, q := k.pass(), other.pass()
		p.Record, q.Record = true, true
		y, sn, err := q.Forward(other.x, other.s0)
		if err != nil {
			t.Fatal(err)
		}
		if err := results(turn(&k, other, y, c.OutputSize()), sn).same(k.forward(t, p)); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if err := record(t, q).same(record(t, p)); err != nil {
			t.Fatalf("%s: record: %v", what, err)
		}
		want, got := k.backward(t, p), other.backward(t, q)
		got[0].data = turn(&k, other, tensor.DenseOf[F]{Data: got[0].data}, c.InputSize).Data
		if err := got.same(want); err != nil {
			t.Fatalf("%s: backward: %v", what, err)
		}
	}
	check("batch_first", &flip)
	if k.b == 1 {
		flat := k
		flat.batched = false
		flat.x.Shape, flat.dy.Shape = flat.shape(c.InputSize), flat.shape(c.OutputSize())
		flat.s0, flat.dsn = pick(&k, k.s0, []int{0}), pick(&k, k.dsn, []int{0})
		check("unbatched", &flat)
	}
}

// A packed sequence is a padded one with lengths, also where sequences of equal
// length stand in another order than a stable sort would give.
func TestPackedGivesTheBitsOfLengths(t *testing.T) {
	bothTypes(t, packed[float32], packed[float64])
}

func packed[F tensor.Float](t *rapid.T) {
	k := drawTrial[F](t, bounds{noTrain: true, noResets: true, noMasks: true, alwaysBatched: true})
	if k.b == 0 {
		return // PyTorch packs no empty batch, nor does PackPadded
	}
	c := k.layer.Config()
	if k.lengths == nil {
		k.lengths = slices.Repeat([]int{k.t}, k.b)
	}
	want := k.forward(t, k.pass())

	// The caller's own order: sorted by length, ties as drawn.
	order := rapid.Permutation(count(k.b)).Draw(t, "order")
	slices.SortStableFunc(order, func(a, b int) int { return k.lengths[b] - k.lengths[a] })
	ps := unroll.PackedSequenceOf[F]{SortedIndices: order}
	rows := 0
	for i := range slices.Max(k.lengths) {
		n := 0
		for _, b := range order {
			if k.lengths[b] > i {
				ps.Data.Data = append(ps.Data.Data, k.x.Data[k.at(i, b, c.InputSize):][:c.InputSize]...)
				n++
			}
		}
		ps.BatchSizes = append(ps.BatchSizes, n)
		rows += n
	}
	ps.Data.Shape = []int{rows, c.InputSize}
	p := &unroll.PassOf[F]{Layer: k.layer, Record: true, Lengths: []int{99}} // of another batch
	out, sn, err := p.ForwardPacked(ps, k.s0)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(out.BatchSizes, ps.BatchSizes) || !slices.Equal(out.SortedIndices, order) {
		t.Fatalf("packed as %v %v, came back as %v %v", ps.BatchSizes, order, out.BatchSizes, out.SortedIndices)
	}
	y, lengths, err := unroll.PadPacked(out, c.BatchFirst, 0, k.t)
	if err != nil || !slices.Equal(lengths, k.lengths) {
		t.Fatalf("lengths %v, want %v, %v", lengths, k.lengths, err)
	}
	if err := results(y, sn).same(want); err != nil {
		t.Fatal(err)
	}
	// Backward after it is that after the padded one.
	if k.t == len(ps.BatchSizes) {
		q := k.pass()
		q.Record = true
		k.forward(t, q)
		if err := k.backward(t, p)[:3].same(k.backward(t, q)[:3]); err != nil {
			t.Fatalf("backward: %v", err)
		}
	}
	again, err := unroll.PackPadded(y, lengths, c.BatchFirst, slices.IsSortedFunc(k.lengths, func(a, b int) int { return b - a }))
	if err != nil {
		t.Fatal(err)
	}
	back, _, err := unroll.PadPacked(again, c.BatchFirst, 0, k.t)
	if err != nil {
		t.Fatal(err)
	}
	if err := results(back, sn).same(want); err != nil {
		t.Fatalf("packed and padded again: %v", err)
	}
}

// A pass keeps memory between calls and nothing else: after any other layer,
// input and options it gives what a fresh pass gives. Lengths are those of the
// Forward, whatever the field holds at the Backward.
func TestAUsedPassGivesTheBitsOfAFreshOne(t *testing.T) {
	bothTypes(t, usedPass[float32], usedPass[float64])
}

func usedPass[F tensor.Float](t *rapid.T) {
	before, k := drawTrial[F](t, bounds{anyPrecision: true}), drawTrial[F](t, bounds{anyPrecision: true})
	record1, record2 := rapid.Bool().Draw(t, "record first"), rapid.Bool().Draw(t, "record")
	used := before.pass()
	used.Record = record1
	before.forward(t, used)
	if used.Record || used.Train {
		before.backward(t, used)
	}
	fresh := k.pass()
	used.Layer, used.Train, used.Generator, used.Lengths, used.Resets, used.Masked, used.Grads = fresh.Layer, fresh.Train, k.pass().Generator, fresh.Lengths, fresh.Resets, fresh.Masked, nil
	used.Record, fresh.Record = record2, record2
	if err := k.forward(t, used).same(k.forward(t, fresh)); err != nil {
		t.Fatal(err)
	}
	if !record2 && !k.train {
		return
	}
	if err := record(t, used).same(record(t, fresh)); err != nil {
		t.Fatalf("record: %v", err)
	}
	used.Lengths = nil
	if err := k.backward(t, used).same(k.backward(t, fresh)); err != nil {
		t.Fatalf("backward: %v", err)
	}
}

// Dropout of a packed sequence is drawn in its own order, as PyTorch does: row
// by row of its data, layer after layer.
func TestPackedDropoutIsDrawnInPackedOrder(t *testing.T) {
	const h, p = 5, 0.4
	layer := newTrial[float32](t, unroll.Config{InputSize: 2, HiddenSize: h, NumLayers: 3, Dropout: p}, 1).layer
	lengths, order := []int{2, 3, 3, 1, 2}, []int{2, 1, 4, 0, 3} // ties turned round
	ps := unroll.PackedSequence{Data: tensor.New(11, 2), BatchSizes: []int{5, 4, 2}, SortedIndices: order}
	pass := &unroll.Pass{Layer: layer, Train: true, Generator: rng.New(9)}
	if _, _, err := pass.ForwardPacked(ps, unroll.State{}); err != nil {
		t.Fatal(err)
	}
	g := rng.New(9)
	for l := range 2 {
		mask, err := pass.DropoutMask(l)
		if err != nil {
			t.Fatal(err)
		}
		var got []float32
		for i := range 3 {
			for _, b := range order {
				if lengths[b] > i {
					got = append(got, mask.Data[(i*5+b)*h:][:h]...)
				}
			}
		}
		want := make([]float32, 11*h)
		if err := rng.Dropout(g, want, p); err != nil {
			t.Fatal(err)
		}
		testkit.Bits(t, "mask", got, want)
	}
}

// A NaN stays in its sequence, and in one direction in its future.
func TestANaNStaysInItsSequence(t *testing.T) {
	for mode := unroll.RNNTanh; mode <= unroll.GRU; mode++ {
		k := newTrial[float32](t, unroll.Config{Mode: mode, InputSize: 3, HiddenSize: 17, NumLayers: 2}, 2)
		k.t, k.b = 5, 3
		k.fill(false)
		clean, _, err := k.layer.Forward(k.x, k.s0)
		if err != nil {
			t.Fatal(err)
		}
		k.x.Data[k.at(2, 1, 3)+1] = float32(math.NaN())
		y, _, err := k.layer.Forward(k.x, k.s0)
		if err != nil {
			t.Fatal(err)
		}
		for i := range k.t {
			for b := range k.b {
				for j, v := range y.Data[k.at(i, b, 17):][:17] {
					poisoned := b == 1 && i >= 2
					if same := v == clean.Data[k.at(i, b, 17)+j]; same == poisoned || poisoned && v == v {
						t.Errorf("%s: step %d of sequence %d has %v", mode, i, b, v)
					}
				}
			}
		}
	}
}
