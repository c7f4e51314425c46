package live

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/checkpoint"
)

// idleTarget does next to nothing in a step, so that what a benchmark of it
// measures is the pool.
type idleTarget struct{}

func (idleTarget) Signature() string        { return "idle" }
func (idleTarget) Digest() string           { return "idle" }
func (idleTarget) Sizes() (in, out int)     { return 1, 1 }
func (idleTarget) State() []checkpoint.Info { return []checkpoint.Info{float32s("h", 1)} }
func (idleTarget) Begin(state []float32)    { clear(state) }
func (idleTarget) Last(y, state []float32) bool {
	copy(y, state)
	return true
}

func (idleTarget) Stepper(int) (func(y, x []float32, states [][]float32) error, error) {
	return func(y, x []float32, states [][]float32) error {
		for i, s := range states {
			s[0] += x[i]
			y[i] = s[0]
		}
		return nil
	}, nil
}

// BenchmarkOverhead is the pool without a model: nanoseconds a row, and those of
// the processors, which others on the machine change less.
func BenchmarkOverhead(b *testing.B) {
	const n = 1000
	keys := make([]string, n)
	for i := range keys {
		keys[i] = fmt.Sprintf("sequence %06d", i)
	}
	for _, shards := range []int{1, 2} {
		p, err := Over(idleTarget{}, Options{Shards: shards, Queue: 1 << 20})
		must(b, err)
		defer p.Close()
		no := func(err error) { // must asks who called it, which costs more than a step
			if err != nil {
				b.Fatal(err)
			}
		}
		x, y := make([]float32, n), make([]float32, n)
		row := func(b *testing.B, rows int, cpu time.Duration) {
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*rows), "ns/row")
			b.ReportMetric(float64(cpuTime()-cpu)/float64(b.N*rows), "cpu-ns/row")
			b.ReportMetric(0, "ns/op")
		}
		b.Run(fmt.Sprintf("StepAll/shards=%d", shards), func(b *testing.B) {
			b.ReportAllocs()
			cpu := cpuTime()
			for b.Loop() {
				no(p.StepAll(ctx, keys, y, x))
			}
			row(b, n, cpu)
		})
		b.Run(fmt.Sprintf("Step/shards=%d", shards), func(b *testing.B) { // 200 callers
			b.ReportAllocs()
			cpu := cpuTime()
			var next atomic.Int64
			b.SetParallelism(100)
			b.RunParallel(func(pb *testing.PB) {
				x, y := []float32{1}, []float32{0}
				key := keys[next.Add(1)]
				for pb.Next() {
					no(p.Step(ctx, key, y, x))
				}
			})
			row(b, 1, cpu)
		})
		b.Run(fmt.Sprintf("Submit/shards=%d", shards), func(b *testing.B) {
			b.ReportAllocs()
			list := make([]*Pending, n)
			cpu := cpuTime()
			for b.Loop() {
				for i, key := range keys {
					list[i], err = p.Submit(ctx, key, x[:1])
					no(err)
				}
				for _, q := range list {
					_, err := q.Result()
					no(err)
				}
			}
			row(b, n, cpu)
		})
	}
}

// busy counts what shards do.
type busy struct{ took, rows, rounds atomic.Int64 }

func (m *busy) Stepped(rows int, took time.Duration) {
	m.took.Add(int64(took))
	m.rows.Add(int64(rows))
	m.rounds.Add(1)
}
func (m *busy) Ended(Reason)   {}
func (m *busy) Rejected(error) {}

// BenchmarkLatency keeps sequences live, each due at its own moment of every
// period, and prints from when a row was due to when its answer was there. Run it
// with
//
//	go test ./live -run '^$' -bench Latency -benchtime 1x -count 5
//
// The pool has one shard, and so at most one core. Rows come from a goroutine that
// never sleeps, on the other core: a sleep of Go's lasts up to a millisecond, and
// what comes due meanwhile would come at once, and wait for itself. It puts in line
// what is due when it looks, as StepAll does, and sees that answers are there before
// it looks again. A row that it puts in line late is late: its time counts from when
// it was due. On a machine that does other things too, take the least.
//
//   - %core-stepping: the shard's time in steps, of all time
//   - late-us: how long after they were due 99 of 100 rows were put in line, which is
//     the generator's share of p99
//   - cpu-ns/row: of a row in a StepAll of all sequences, one after another: the
//     pool and its caller, without waiting. A tenth of it, in percent of a core, for
//     100,000 rows a second.
func BenchmarkLatency(b *testing.B) {
	for _, c := range []struct {
		name   string
		cfg    unroll.Config
		live   int
		period time.Duration
	}{
		{"LSTM2x256/1000at32ms", unroll.Config{Mode: unroll.LSTM, InputSize: 64, HiddenSize: 256, NumLayers: 2}, 1000, 32 * time.Millisecond},
		{"GRU64/10000at10ms", unroll.Config{Mode: unroll.GRU, InputSize: 16, HiddenSize: 64}, 10_000, 10 * time.Millisecond},
	} {
		b.Run(c.name, func(b *testing.B) {
			for range b.N {
				a := newArrivals(b, layer(b, c.cfg, 1), c.live, c.period)
				a.full(time.Second)
				a.run(3 * time.Second)
			}
		})
	}
}

// arrivals are sequences of a pool, and when in a period each is due.
type arrivals struct {
	*testing.B
	busy
	pool    *Pool
	period  time.Duration
	keys    []string
	phase   []time.Duration
	in, out int
	x, y    []float32
}

func newArrivals(b *testing.B, l *unroll.Layer, n int, period time.Duration) *arrivals {
	a := &arrivals{B: b, period: period, keys: make([]string, n), phase: make([]time.Duration, n)}
	a.pool = pool(b, l, Options{Shards: 1, Metrics: &a.busy})
	rnd := rand.New(rand.NewPCG(1, 1))
	for i := range n {
		a.keys[i], a.phase[i] = fmt.Sprintf("sequence %06d", i), time.Duration(rnd.Int64N(int64(period)))
		must(b, a.pool.Open(a.keys[i]))
	}
	slices.Sort(a.phase)
	a.in, a.out = l.Config().InputSize, l.Config().OutputSize()
	a.x, a.y = randoms(rnd, n*a.in), make([]float32, n*a.out)
	return a
}

// full steps all sequences, one call after another.
func (a *arrivals) full(during time.Duration) {
	cpu, start, rows := cpuTime(), time.Now(), 0
	for ; time.Since(start) < during; rows += len(a.keys) {
		must(a, a.pool.StepAll(ctx, a.keys, a.y, a.x))
	}
	a.ReportMetric(float64(cpuTime()-cpu)/float64(rows), "cpu-ns/row")
}

// run keeps them live.
func (a *arrivals) run(during time.Duration) {
	type call struct {
		g         *group
		first, at int
		base      time.Duration
	}
	n := len(a.keys)
	most := n * (2 + int(during/a.period)) // growing memory would be measured
	late, began := make([]time.Duration, 0, most), make([]time.Duration, 0, most)
	under := make([]call, 0, 1<<16)
	took, rows, rounds := a.took.Load(), a.rows.Load(), a.rounds.Load()
	start := time.Now()
	at, base := 0, time.Duration(0)
	for {
		now, first := time.Since(start), at
		for len(under) > 0 && under[0].g.left.Load() == 1 {
			c := under[0]
			if !c.g.answered(1) {
				a.Fatal("an answer after the last")
			}
			must(a, a.pool.resultAll(c.g))
			for _, due := range a.phase[c.first:c.at] {
				late = append(late, now-c.base-due)
			}
			if under = under[1:]; len(under) == 0 {
				under = under[:0:cap(under)]
			}
		}
		if now >= during {
			if len(under) == 0 {
				break
			}
			runtime.Gosched()
			continue
		}
		for at < n && base+a.phase[at] <= now {
			began = append(began, now-base-a.phase[at])
			at++
		}
		if first < at {
			g, err := a.pool.submitAll(ctx, a.keys[first:at], a.y[first*a.out:at*a.out], a.x[first*a.in:at*a.in])
			must(a, err)
			under = append(under, call{g, first, at, base})
		}
		if at == n {
			at, base = 0, base+a.period
		}
		runtime.Gosched()
	}
	all := time.Since(start)
	slices.Sort(late)
	slices.Sort(began)
	part := func(of []time.Duration, q float64) float64 {
		return float64(of[int(float64(len(of)-1)*q/100)].Nanoseconds()) / 1000
	}
	for _, q := range []float64{50, 99, 99.9} {
		a.ReportMetric(part(late, q), fmt.Sprintf("p%v-us", q))
	}
	a.ReportMetric(part(began, 99), "late-us")
	a.ReportMetric(100*float64(a.took.Load()-took)/float64(all), "%core-stepping")
	a.ReportMetric(float64(a.rows.Load()-rows)/float64(a.rounds.Load()-rounds), "rows/round")
	a.ReportMetric(0, "ns/op")
}
