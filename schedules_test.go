package unroll_test

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/internal/kernel"
	"github.com/unroll-ml/unroll/internal/scan"
	"github.com/unroll-ml/unroll/rng"
	"github.com/unroll-ml/unroll/tensor"
)

// Workers run one after another from barrier to barrier, in every kind of order,
// with limits so low that small shapes take every way of sharing; the bits are
// those of one worker.
func TestSchedulesGiveTheSameBits(t *testing.T) {
	bothTypes(t, schedules[float32], schedules[float64])
}

// inOrder runs f with the limits drawn, its teams taking turns in an order drawn.
func inOrder(t *rapid.T, f func(name string)) {
	low := scan.Limits{
		RowTile:      rapid.SampledFrom([]int{1, 4, 64}).Draw(t, "row tile"),
		GroupSums:    rapid.SampledFrom([]int{1, 200, 4096}).Draw(t, "group sums"),
		ChunkRows:    rapid.SampledFrom([]int{1, 5, 20, 128}).Draw(t, "chunk rows"),
		OwnInputs:    rapid.SampledFrom([]int{0, 30, 4096}).Draw(t, "own inputs"),
		ManyRows:     rapid.SampledFrom([]int{7, 1024}).Draw(t, "many rows"),
		ManyWeights:  rapid.SampledFrom([]int{0, 2 << 20}).Draw(t, "many weights"),
		AloneWeights: rapid.SampledFrom([]int{0, 128 << 10}).Draw(t, "alone weights"),
		AloneRows:    rapid.SampledFrom([]int{1, 2, 1000}).Draw(t, "alone rows"),
		WaveRows:     rapid.SampledFrom([]int{1, 9, 64}).Draw(t, "wave rows"),
		WaveChunks:   rapid.SampledFrom([]int{1, 3}).Draw(t, "wave chunks"),
	}
	defer scan.SetLimits(scan.SetLimits(low))
	calls := kernel.LowLimits(func(n int) int { return rapid.IntRange(0, n-1).Draw(t, "limits of a call") })
	defer kernel.SetLimits(kernel.SetLimits(calls))
	name, next := drawOrder(t)
	kernel.RunInTurns(next)
	defer kernel.RunInTurns(nil)
	f(fmt.Sprintf("%s, %+v, %+v", name, low, calls))
}

// drawOrder draws an order of workers for every phase of a run.
func drawOrder(t *rapid.T) (string, func(phase, n int) []int) {
	g := rng.New(rapid.Uint64Range(0, 1<<20).Draw(t, "order seed"))
	switch name := rapid.SampledFrom([]string{"first to last", "last to first", "to and fro", "drawn", "side by side"}).Draw(t, "order"); name {
	case "first to last":
		return name, func(_, n int) []int { return count(n) }
	case "last to first":
		return name, func(_, n int) []int { return lastFirst(n) }
	case "to and fro":
		return name, func(phase, n int) []int {
			if phase%2 == 0 {
				return count(n)
			}
			return lastFirst(n)
		}
	case "side by side": // for the race detector
		return name, nil
	default:
		return name, func(_, n int) []int {
			keys := make([]float32, n)
			_ = rng.Uniform(g, keys, 0, 1) // its bounds are in order
			all := count(n)
			slices.SortFunc(all, func(a, b int) int {
				if keys[a] < keys[b] {
					return -1
				}
				return 1
			})
			return all
		}
	}
}

func lastFirst(n int) []int {
	all := count(n)
	slices.Reverse(all)
	return all
}

func schedules[F tensor.Float](t *rapid.T) {
	k := drawTrial[F](t, bounds{})
	wide := rapid.SampledFrom([]int{0, 0, 48, 100}).Draw(t, "more units") // so that each worker has some
	if wide > 0 {
		c := k.layer.Config()
		c.HiddenSize, c.ProjSize = wide, c.ProjSize*2
		if c.ProjSize >= wide {
			c.ProjSize = wide / 2
		}
		other := newTrial[F](t, c, k.seed)
		k.layer = other.layer
		k.fill(!k.s0.H.IsZero())
	}
	// Large recurrent weights make what is read too early visible.
	k.layer.Update(func(params []unroll.ParamOf[F]) {
		for _, p := range params {
			for i := range p.Value.Data {
				p.Value.Data[i] *= 3
			}
		}
	})
	run := func(workers int) (all []numbers[F]) {
		same, err := unroll.NewOf[F](k.layer.Config())
		if err != nil {
			t.Fatal(err)
		}
		same.Update(func(params []unroll.ParamOf[F]) {
			for i, p := range k.layer.Params() {
				copy(params[i].Value.Data, p.Value.Data)
			}
		})
		k := k
		k.layer = same
		p := k.pass()
		p.Workers = workers
		all = append(all, k.forward(t, p), k.forward(t, p)) // in fresh memory and in used memory
		p.Record = true
		for range 2 { // two steps of training, the second with weights packed anew
			p.Grads = nil
			all = append(all, k.forward(t, p), record(t, p), k.backward(t, p))
			same.Update(func(params []unroll.ParamOf[F]) {
				for i, g := range p.Grads.Params() {
					for j, v := range g.Value.Data {
						params[i].Value.Data[j] -= F(v / 64)
					}
				}
			})
		}
		return all
	}
	want := run(1)
	workers := rapid.IntRange(2, 4).Draw(t, "workers")
	inOrder(t, func(name string) {
		for i, got := range run(workers) {
			if err := got.same(want[i]); err != nil {
				t.Fatalf("result %d of %v, %d workers, %s: %v", i, k.layer.Config(), workers, name, err)
			}
		}
	})
}

// Where a chunk of time ends, workers of a bidirectional layer meet: the size at
// which they once did not.
func TestChunksOfABidirectionalLayerWaitForAllWorkers(t *testing.T) {
	k := newTrial[float32](t, unroll.Config{Mode: unroll.LSTM, InputSize: 8, HiddenSize: 200, Bidirectional: true}, 1)
	k.t, k.b = 12, 32
	k.fill(false)
	want := k.forward(t, &unroll.Pass{Layer: k.layer, Workers: 1})
	for name, next := range map[string]func(phase, n int) []int{
		"first to last": func(_, n int) []int { return count(n) },
		"last to first": func(_, n int) []int { return lastFirst(n) },
		"side by side":  nil, // the race detector, where there is one, sees it in this order
	} {
		kernel.RunInTurns(next)
		got := k.forward(t, &unroll.Pass{Layer: k.layer, Workers: 2})
		kernel.RunInTurns(nil)
		if err := got.same(want); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The test above can fail: two workers that depend on each other without a
// barrier give another result in one of two orders.
func TestTurnsShowAMissingBarrier(t *testing.T) {
	seen := map[string]bool{}
	for _, order := range [][]int{{0, 1}, {1, 0}} {
		kernel.RunInTurns(func(_, _ int) []int { return order })
		var team kernel.Team
		var task careless
		team.Run(&task, 2)
		seen[fmt.Sprint(task.read)] = true
	}
	kernel.RunInTurns(nil)
	if len(seen) != 2 {
		t.Errorf("both orders give %v", seen)
	}
}

// careless has worker 1 read what worker 0 writes, without a barrier.
type careless struct{ wrote, read int }

func (c *careless) Work(w, _ int) {
	if w == 0 {
		c.wrote = 1
		return
	}
	c.read = c.wrote
}
