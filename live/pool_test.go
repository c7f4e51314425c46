package live

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/rng"
)

var ctx = context.Background()

func layer(t testing.TB, c unroll.Config, seed uint64) *unroll.Layer {
	t.Helper()
	l, err := unroll.New(c)
	must(t, err)
	l.ResetParameters(rng.New(seed))
	return l
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func pool(t testing.TB, l *unroll.Layer, opt Options) *Pool {
	t.Helper()
	p, err := New(l, opt)
	must(t, err)
	t.Cleanup(func() { p.Close() })
	return p
}

var small = unroll.Config{Mode: unroll.LSTM, InputSize: 2, HiddenSize: 3}

func randoms(r *rand.Rand, n int) []float32 {
	v := make([]float32, n)
	for i := range v {
		v[i] = 2*r.Float32() - 1
	}
	return v
}

func sameBits(a, b []float32) bool {
	return slices.EqualFunc(a, b, func(x, y float32) bool { return math.Float32bits(x) == math.Float32bits(y) })
}

func wants(t *testing.T, what string, err, kind error) {
	t.Helper()
	if !errors.Is(err, kind) {
		t.Errorf("%s: %v, expected %v", what, err, kind)
	}
}

// track is a sequence of a test beside a stream of it alone.
type track struct {
	key   string
	alone *unroll.Stream
	rnd   *rand.Rand
}

func tracks(t testing.TB, l *unroll.Layer, n int) []*track {
	all := make([]*track, n)
	for i := range all {
		s, err := l.NewStream(1)
		must(t, err)
		all[i] = &track{fmt.Sprintf("sequence %d", i), s, rand.New(rand.NewPCG(uint64(i), 7))}
	}
	return all
}

// next draws an input and returns it with the output of the stream.
func (k *track) next(c unroll.Config) (x, want []float32) {
	x, want = randoms(k.rnd, c.InputSize), make([]float32, c.OutputSize())
	if err := k.alone.Step(want, x); err != nil {
		panic(err)
	}
	return x, want
}

// A thousand sequences in random company, by every way to step, have the bits of
// each alone.
func TestCompanyDoesNotChangeBits(t *testing.T) {
	for _, c := range []unroll.Config{
		{Mode: unroll.LSTM, InputSize: 3, HiddenSize: 17, NumLayers: 2},
		{Mode: unroll.GRU, InputSize: 4, HiddenSize: 64},
		{Mode: unroll.LSTM, InputSize: 2, HiddenSize: 20, ProjSize: 5},
	} {
		l := layer(t, c, 1)
		p := pool(t, l, Options{Shards: 3})
		all := tracks(t, l, 1000)
		const hands = 8
		var hired sync.WaitGroup
		for h := range hands {
			hired.Go(func() {
				rnd := rand.New(rand.NewPCG(uint64(h), 1))
				own := all[h*len(all)/hands : (h+1)*len(all)/hands]
				for range 12 {
					who := rnd.Perm(len(own))[:rnd.IntN(len(own))]
					ways[rnd.IntN(len(ways))](t, p, c, own, who)
				}
			})
		}
		hired.Wait()
		if n := p.Len(); n < 900 || n > 1000 {
			t.Errorf("%d sequences of 1000 drawn", n)
		}
	}
}

var ways = []func(t *testing.T, p *Pool, c unroll.Config, own []*track, who []int){
	func(t *testing.T, p *Pool, c unroll.Config, own []*track, who []int) {
		y := make([]float32, c.OutputSize())
		for _, i := range who {
			x, want := own[i].next(c)
			if err := p.Step(ctx, own[i].key, y, x); err != nil || !sameBits(y, want) {
				t.Errorf("Step: %v, %v, alone %v", err, y, want)
			}
		}
	},
	func(t *testing.T, p *Pool, c unroll.Config, own []*track, who []int) {
		var keys []string
		var x, want []float32
		for _, i := range who {
			a, b := own[i].next(c)
			keys, x, want = append(keys, own[i].key), append(x, a...), append(want, b...)
		}
		y := make([]float32, len(want))
		if err := p.StepAll(ctx, keys, y, x); err != nil || !sameBits(y, want) {
			t.Errorf("StepAll: %v, bits differ", err)
		}
	},
	func(t *testing.T, p *Pool, c unroll.Config, own []*track, who []int) {
		var results []*Pending
		var wants [][]float32
		for _, i := range who {
			for range 2 { // two steps of one sequence in line
				x, want := own[i].next(c)
				q, err := p.Submit(ctx, own[i].key, x)
				if err != nil {
					t.Error(err)
					return
				}
				results, wants = append(results, q), append(wants, want)
			}
		}
		for i, q := range results {
			if y, err := q.Result(); err != nil || !sameBits(y, wants[i]) {
				t.Errorf("Submit: %v, %v, alone %v", err, y, wants[i])
			}
		}
	},
}

// held stops the shards of a pool, so that steps wait in line, until the call of
// what it returns.
func held(p *Pool) (release func()) {
	for _, s := range p.shards {
		s.work.Lock()
	}
	return func() {
		for _, s := range p.shards {
			s.work.Unlock()
		}
	}
}

func TestCancelledStepsLeaveASequenceAsItWas(t *testing.T) {
	l := layer(t, small, 1)
	p := pool(t, l, Options{Shards: 2})
	all := tracks(t, l, 20)
	y := make([]float32, 3)
	for round := range 10 {
		release := held(p)
		type sent struct {
			k    *track
			x    []float32
			q    *Pending
			stop context.CancelFunc
		}
		var list []sent
		for i, k := range all {
			c, stop := context.WithCancel(ctx)
			x := randoms(k.rnd, 2)
			q, err := p.Submit(c, k.key, x)
			must(t, err)
			if (i+round)%3 == 0 {
				stop()
				<-q.Done()
			}
			list = append(list, sent{k, x, q, stop})
		}
		release()
		for _, s := range list {
			got, err := s.q.Result()
			s.stop()
			if err != nil {
				wants(t, "cancelled", err, context.Canceled)
				continue
			}
			if must(t, s.k.alone.Step(y, s.x)); !sameBits(got, y) {
				t.Fatalf("%s: %v, alone %v", s.k.key, got, y)
			}
		}
	}
	// Wait, given up while the step waits, and after it was made.
	release := held(p)
	c, stop := context.WithCancel(ctx)
	q, err := p.Submit(ctx, "given up", []float32{1, 2})
	must(t, err)
	stop()
	if _, err := q.Wait(c); !errors.Is(err, context.Canceled) || p.Len() != 20 || p.Stats().Waiting != 0 {
		t.Errorf("%v; %d sequences, %d steps wait", err, p.Len(), p.Stats().Waiting)
	}
	x, want := all[0].next(small)
	q, err = p.Submit(ctx, all[0].key, x)
	must(t, err)
	release()
	<-q.Done()
	if y, err := q.Wait(c); err != nil || !sameBits(y, want) {
		t.Errorf("%v, %v, alone %v", err, y, want)
	}
	// Step, cancelled while it waits: a sequence that it would have begun is not
	// there.
	release = held(p)
	c, stop = context.WithTimeout(ctx, time.Millisecond)
	defer stop()
	wants(t, "Step", p.Step(c, "new", y, []float32{1, 2}), context.DeadlineExceeded)
	release()
	if _, err := p.Steps("new"); !errors.Is(err, ErrUnknown) || p.Len() != 20 || p.Stats().Waiting != 0 {
		t.Errorf("%v; %d sequences, %d steps wait", err, p.Len(), p.Stats().Waiting)
	}
	wants(t, "a context that has ended", p.Step(c, "new", y, []float32{1, 2}), context.DeadlineExceeded)
}

func TestEndWhileStepsWait(t *testing.T) {
	l := layer(t, small, 1)
	var gone []string
	p := pool(t, l, Options{Shards: 1, Ended: func(key string, why Reason) { gone = append(gone, key+" "+string(why)) }})
	all := tracks(t, l, 2)
	release := held(p)
	x, want := all[1].next(small)
	a, err := p.Submit(ctx, "a", x)
	must(t, err)
	b, err := p.Submit(ctx, "b", x)
	must(t, err)
	must(t, p.End("a"))
	again, err := p.Submit(ctx, "a", x) // begins anew
	must(t, err)
	release()
	_, err = a.Result()
	wants(t, "a", err, ErrEnded)
	for _, q := range []*Pending{b, again} {
		if y, err := q.Result(); err != nil || !sameBits(y, want) {
			t.Errorf("%v, %v, alone %v", err, y, want)
		}
	}
	wants(t, "none", p.End("c"), ErrUnknown)
	if !slices.Equal(gone, []string{"a ended"}) {
		t.Errorf("ended: %v", gone)
	}
}

// Two clients on one key: each step is made once, one after another, and a step
// that is sent again is answered and not made.
func TestTwoClientsOnOneKey(t *testing.T) {
	l := layer(t, small, 1)
	p := pool(t, l, Options{Shards: 1})
	k := tracks(t, l, 1)[0]
	const steps = 200
	xs, want := make([][]float32, steps), make([][]float32, steps)
	for i := range xs {
		xs[i], want[i] = k.next(small)
	}
	var clients sync.WaitGroup
	for range 2 {
		clients.Go(func() {
			y := make([]float32, 3)
			for n := 0; n < steps; {
				err := p.StepAt(ctx, "k", uint64(n), y, xs[n])
				var e *Error
				if errors.As(err, &e) && e.Kind == ErrStep { // the other one is further
					n = int(e.Steps)
					continue
				}
				if err != nil || !sameBits(y, want[n]) {
					t.Errorf("step %d: %v, %v, alone %v", n, err, y, want[n])
				}
				n++
			}
		})
	}
	clients.Wait()
	if n, err := p.Steps("k"); n != steps || err != nil {
		t.Errorf("%d steps, %v, expected %d", n, err, steps)
	}
	y := make([]float32, 3)
	wants(t, "a number too far", p.StepAt(ctx, "k", steps+1, y, xs[0]), ErrStep)
	wants(t, "one too old", p.StepAt(ctx, "k", 3, y, xs[0]), ErrStep)
	wants(t, "of no sequence", p.StepAt(ctx, "other", 3, y, xs[0]), ErrUnknown)
	must(t, p.StepAt(ctx, "other", 0, y, xs[0]))
}

// One sequence with a long line does not hold up the others.
func TestRoundsAreFair(t *testing.T) {
	l := layer(t, small, 1)
	p := pool(t, l, Options{Shards: 1, Rows: 4})
	s := p.shards[0]
	s.mu.Lock()
	s.closed = false
	s.mu.Unlock()
	release := held(p)
	submit := func(key string) *Pending {
		q, err := p.Submit(ctx, key, []float32{1, 2})
		must(t, err)
		return q
	}
	var greedy []*Pending
	for range 50 {
		greedy = append(greedy, submit("greedy"))
	}
	var rest []*Pending
	for i := range 6 {
		rest = append(rest, submit(fmt.Sprint(i)))
	}
	s.take() // the shard is held: this is its first round
	var first []string
	for _, q := range s.taken {
		first = append(first, q.key)
	}
	if want := []string{"greedy", "0", "1", "2"}; !slices.Equal(first, want) {
		t.Errorf("the first round has %v, expected %v", first, want)
	}
	s.settle(s.stepper(s.y[:12], s.x[:8], s.rows))
	s.finish(s.batch...)
	release()
	s.wakeUp()
	for _, q := range append(greedy, rest...) {
		if _, err := q.Result(); err != nil {
			t.Error(err)
		}
	}
}

type clock struct {
	sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time { c.Lock(); defer c.Unlock(); return c.now }
func (c *clock) add(d time.Duration) {
	c.Lock()
	defer c.Unlock()
	c.now = c.now.Add(d)
}

func TestIdleSequencesEnd(t *testing.T) {
	c := &clock{now: time.Unix(1e9, 0)}
	var gone []string
	p := pool(t, layer(t, small, 1), Options{Shards: 1, Idle: time.Hour, Now: c.Now, Ended: func(key string, why Reason) { gone = append(gone, key+" "+string(why)) }})
	x, y := []float32{1, 2}, make([]float32, 3)
	for _, key := range []string{"a", "b", "c"} {
		must(t, p.Step(ctx, key, y, x))
		c.add(20 * time.Minute)
	}
	must(t, p.Step(ctx, "a", y, x))
	c.add(30 * time.Minute) // b is idle for 70 minutes, c for 50
	p.Sweep()
	if !slices.Equal(gone, []string{"b idle"}) || p.Len() != 2 {
		t.Errorf("%v ended, %d are left", gone, p.Len())
	}
	release := held(p)
	q, err := p.Submit(ctx, "c", x)
	must(t, err)
	c.add(2 * time.Hour)
	p.Sweep() // a step of c waits
	release()
	if _, err := q.Result(); err != nil || !slices.Equal(gone, []string{"b idle", "a idle"}) {
		t.Errorf("%v; %v ended", err, gone)
	}
}

func TestFullPoolsSaySo(t *testing.T) {
	l := layer(t, small, 1)
	x, y := []float32{1, 2}, make([]float32, 3)
	byCount := pool(t, l, Options{MaxSequences: 1})
	must(t, byCount.Step(ctx, "a", y, x))
	err := byCount.Step(ctx, "b", y, x)
	if wants(t, "sequences", err, ErrFull); !strings.Contains(err.Error(), fmt.Sprintf(" 1 sequences of %d bytes, limits 1 and", 4*6+overhead+1)) {
		t.Errorf("%v: expected what there is", err)
	}
	must(t, byCount.Step(ctx, "a", y, x))
	must(t, byCount.End("a"))
	must(t, byCount.Step(ctx, "b", y, x))

	byBytes := pool(t, l, Options{MaxBytes: 4*6 + overhead + 1})
	must(t, byBytes.Open("a"))
	wants(t, "twice", byBytes.Open("a"), ErrExists)
	wants(t, "bytes", byBytes.Open("b"), ErrFull)

	byQueue := pool(t, l, Options{Shards: 1, Queue: 1})
	release := held(byQueue)
	q, err := byQueue.Submit(ctx, "a", x)
	must(t, err)
	_, err = byQueue.Submit(ctx, "b", x)
	wants(t, "queue", err, ErrFull)
	release()
	_, err = q.Result()
	must(t, err)
	must(t, byQueue.Close())
	wants(t, "closed", byQueue.Step(ctx, "a", y, x), ErrClosed)

	strict := pool(t, l, Options{Strict: true})
	err = strict.StepAll(ctx, []string{"a", "b"}, make([]float32, 6), make([]float32, 4))
	var rows RowErrors
	if wants(t, "strict", err, ErrUnknown); !errors.As(err, &rows) || len(rows) != 2 {
		t.Errorf("%v", err)
	}
	wants(t, "x", strict.Step(ctx, "a", y, x[:1]), ErrShape)
	wants(t, "y of all", strict.StepAll(ctx, []string{"a"}, y[:1], x), ErrShape)
	_, err = New(l, Options{Rows: -1})
	wants(t, "options", err, unroll.ErrConfig)
	_, err = New(nil, Options{})
	wants(t, "no layer", err, unroll.ErrUsage)
}

func TestNonFiniteSequencesAreMarked(t *testing.T) {
	l := layer(t, small, 1)
	nan := []float32{0, float32(math.NaN())}
	for _, refuse := range []bool{false, true} {
		p := pool(t, l, Options{Shards: 1, Refuse: refuse})
		k, neighbour := tracks(t, l, 2)[0], tracks(t, l, 2)[1]
		y := make([]float32, 6)
		x, _ := k.next(small)
		x2, _ := neighbour.next(small)
		must(t, p.StepAll(ctx, []string{"k", "n"}, y, append(x, x2...)))
		x2, want := neighbour.next(small)
		err := p.StepAll(ctx, []string{"k", "n"}, y, append(slices.Clone(nan), x2...))
		var rows RowErrors
		if wants(t, "NaN", err, ErrNonFinite); !errors.As(err, &rows) || len(rows) != 1 || rows[0].Row != 0 || !sameBits(y[3:], want) {
			t.Errorf("%v; the neighbour has %v, alone %v", err, y[3:], want)
		}
		x, want = k.next(small)
		err = p.Step(ctx, "k", y[:3], x)
		if refuse {
			if err != nil || !sameBits(y[:3], want) {
				t.Errorf("after a refused step: %v, %v, alone %v", err, y[:3], want)
			}
			continue
		}
		wants(t, "marked", err, ErrMarked)
		_, err = p.Steps("k")
		wants(t, "marked", err, ErrMarked)
		must(t, p.End("k"))
		must(t, p.Step(ctx, "k", y[:3], x))
	}
}

// A sequence is its state and under 200 bytes, key included.
func TestSequencesAreSmall(t *testing.T) {
	c := unroll.Config{Mode: unroll.GRU, InputSize: 1, HiddenSize: 64}
	const n = 100_000
	keys := make([]string, n)
	for i := range keys {
		keys[i] = fmt.Sprintf("sequence %06d", i)
	}
	p := pool(t, layer(t, c, 1), Options{Shards: 2})
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for _, key := range keys {
		must(t, p.Open(key))
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	each := int64(after.HeapAlloc-before.HeapAlloc) / n
	beside := each - int64(4*c.StateLen())
	t.Logf("%d bytes a sequence, %d beside the state", each, beside)
	if all := each * n; all >= 60_000_000 {
		t.Errorf("%d sequences have %d bytes, expected under 60 MB", n, all)
	}
	if beside >= overhead {
		t.Errorf("%d bytes beside the state, expected under %d", beside, overhead)
	}
	runtime.KeepAlive(keys)
}

func TestStepAllocatesNothing(t *testing.T) {
	p := pool(t, layer(t, small, 1), Options{Shards: 1})
	x, y := []float32{1, 2}, make([]float32, 3)
	if n := testing.AllocsPerRun(200, func() { must(t, p.Step(ctx, "a", y, x)) }); n >= 1 {
		t.Errorf("%v allocations a step", n)
	}
}
