package live

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
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
// period, and prints from when it was due to when its answer was there, the share
// of a core that the shard stepped, and that of the whole process. Run it with
//
//	go test ./live -run '^$' -bench Latency -benchtime 1x -count 5
//
// The arrivals are a second goroutine's, which hands over what is due each 100
// microseconds; on a machine that does other things too, take the least.
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
				arrivals(b, layer(b, c.cfg, 1), c.live, c.period, 3*time.Second)
			}
		})
	}
}

// arrivals runs n sequences for a time and reports.
func arrivals(b *testing.B, l *unroll.Layer, n int, period, during time.Duration) {
	var m busy
	p := pool(b, l, Options{Shards: 1, Metrics: &m})
	cfg := l.Config()
	rnd := rand.New(rand.NewPCG(1, 1))
	keys, phase := make([]string, n), make([]time.Duration, n)
	for i := range keys {
		keys[i], phase[i] = fmt.Sprintf("sequence %06d", i), time.Duration(rnd.Int64N(int64(period)))
		must(b, p.Open(keys[i]))
	}
	slices.Sort(phase)
	x := randoms(rnd, n*cfg.InputSize)
	var mu sync.Mutex
	late := make([]time.Duration, 0, n*(2+int(during/period))) // growing it would be measured
	var calls sync.WaitGroup
	// Memory of calls in flight; more than that are made anew.
	type call struct{ y []float32 }
	spare := sync.Pool{New: func() any { return &call{} }}
	took, cpu, start := m.took.Load(), cpuTime(), time.Now()
	for at, round := 0, time.Duration(0); time.Since(start) < during; {
		now, first := time.Since(start), at
		for at < n && round+phase[at] <= now {
			at++
		}
		if at, round := at, round; first < at { // the goroutine's own
			calls.Go(func() {
				k := spare.Get().(*call)
				k.y = slices.Grow(k.y[:0], (at-first)*cfg.OutputSize())[:(at-first)*cfg.OutputSize()]
				must(b, p.StepAll(ctx, keys[first:at], k.y, x[first*cfg.InputSize:at*cfg.InputSize]))
				end := time.Since(start)
				spare.Put(k)
				mu.Lock()
				for i := first; i < at; i++ {
					late = append(late, end-round-phase[i])
				}
				mu.Unlock()
			})
		}
		if at == n {
			at, round = 0, round+period
			continue
		}
		time.Sleep(100 * time.Microsecond)
	}
	calls.Wait()
	all := time.Since(start)
	slices.Sort(late)
	for _, q := range []float64{50, 99, 99.9} {
		b.ReportMetric(float64(late[int(float64(len(late)-1)*q/100)].Microseconds()), fmt.Sprintf("p%v-us", q))
	}
	b.ReportMetric(100*float64(m.took.Load()-took)/float64(all), "%core-stepping")
	b.ReportMetric(100*float64(cpuTime()-cpu)/float64(all), "%core-process")
	b.ReportMetric(float64(m.rows.Load())/float64(m.rounds.Load()), "rows/round")
	// Of all the process does, arrivals too, and whoever else has the machine.
	b.ReportMetric(float64(cpuTime()-cpu)/float64(m.rows.Load()), "cpu-ns/row")
	b.ReportMetric(0, "ns/op")
}
