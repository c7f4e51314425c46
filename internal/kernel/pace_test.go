package kernel

import (
	"testing"
	"time"
)

// paced makes calls of some rows, one after another from now on, which take one or all
// by who runs them: one worker or two. It returns how many there were.
func paced(p *Pace, rows int, now *time.Time) func(one, all time.Duration) int {
	return func(one, all time.Duration) int {
		n, took := p.Workers(2), all
		if n == 1 {
			took = one
		}
		*now = now.Add(took)
		p.Ran(n, rows, 1e6, took, *now)
		return n
	}
}

// TestPaceTakesTheFasterWay: calls are tried both ways, and then go the faster one;
// the other is tried again, ever more seldom while it stays slower, and taken when it
// has become faster. Of 10,000 calls few go the slower way.
func TestPaceTakesTheFasterWay(t *testing.T) {
	for _, c := range []struct {
		name     string
		one, all time.Duration
	}{
		{"two are slower", 216 * time.Microsecond, 270 * time.Microsecond},
		{"two are faster", 216 * time.Microsecond, 130 * time.Microsecond},
	} {
		t.Run(c.name, func(t *testing.T) {
			now := time.Unix(1000, 0)
			run := paced(new(Pace), 1, &now)
			slower := 0
			for range 10_000 {
				if n := run(c.one, c.all); (n == 1) != (c.one < c.all) {
					slower++
				}
			}
			trial := int(paceWhile/max(c.one, c.all)) + 1
			if slower < 2*trial || slower > 8*trial {
				t.Errorf("%d of 10,000 calls went the slower way, expected %d to %d", slower, 2*trial, 8*trial)
			}
			for range 400_000 { // now the other way is faster
				run(c.all, c.one)
			}
			if n := run(c.all, c.one); (n == 1) == (c.one < c.all) {
				t.Errorf("%d workers after the other way has become faster", n)
			}
		})
	}
}

// While the system has not yet given a helper a processor of its own, the first calls of
// several workers are slow: the first comparison does not go by them alone.
func TestPaceForgivesAColdStart(t *testing.T) {
	var p Pace
	now := time.Unix(1000, 0)
	ran, alone := 0, 0
	for range 100 {
		n, took := p.Workers(2), 1100*time.Microsecond
		switch {
		case n == 1:
			took, alone = 1900*time.Microsecond, alone+1
		case ran < paceTries+2:
			took, ran = 3600*time.Microsecond, ran+1
		}
		now = now.Add(took)
		p.Ran(n, 256, 256e6, took, now)
	}
	if alone > 20 {
		t.Errorf("%d of 100 calls ran one worker, which is slower", alone)
	}
}

// A choice that stood for long, and so is seldom compared, is given up soon when its
// calls have become slower than the other way's were, and a few slow calls are not
// enough for that.
func TestPaceGivesUpAChoiceThatBecameSlow(t *testing.T) {
	var p Pace
	now := time.Unix(1000, 0)
	run := paced(&p, 10, &now)
	const fast, slow, wait = 100 * time.Microsecond, 150 * time.Microsecond, 400 * time.Microsecond
	for p.pause < paceLongest {
		run(slow, fast)
	}
	for range 10_000 { // 5 s with a disturbed call now and then
		if run(slow, fast); run(slow, wait) != 2 || p.trying {
			t.Fatal("compared anew after a single slow call")
		}
	}
	ran, begin := 0, now
	for ; run(slow, wait) != 1; ran++ { // the other processor is busy from now on
		if ran > 100 {
			t.Fatalf("still all workers after %d calls and %v", ran, now.Sub(begin))
		}
	}
	for now.Sub(begin) < time.Second {
		run(slow, wait)
	}
	if p.chosen != true {
		t.Error("the slower way is chosen")
	}
	for begin = now; now.Sub(begin) < 2*time.Second; { // and free again
		run(slow, fast)
	}
	if p.chosen {
		t.Error("one worker, two seconds after both became faster again")
	}
}

// Who calls seldom does not try both ways each time: between calls no time goes by.
func TestPaceOfSeldomCalls(t *testing.T) {
	var p Pace
	now := time.Unix(1000, 0)
	alone := 0
	for range 200 { // bursts of two, ten seconds apart
		for range 2 {
			n, took := p.Workers(2), 47*time.Millisecond
			if n == 1 {
				took, alone = 90*time.Millisecond, alone+1
			}
			now = now.Add(took)
			p.Ran(n, 700, 4.7e9, took, now)
		}
		now = now.Add(10 * time.Second)
	}
	if alone < 1 || alone > 5 {
		t.Errorf("%d of 400 calls ran one worker, which is slower", alone)
	}
}

// inTurns makes turns of so many calls with a pause of 300 ms before each, and returns
// how many calls ran one worker. cost is that of the i-th call of a
// turn with n workers.
func inTurns(turns, calls int, cost func(n, i int) time.Duration) (alone int) {
	var p Pace
	now := time.Unix(1000, 0)
	for range turns {
		now = now.Add(300 * time.Millisecond)
		for i := range calls {
			n := p.Workers(2)
			took := cost(n, i)
			if n == 1 {
				alone++
			}
			now = now.Add(took)
			p.Ran(n, 16, float64(took)*float64(n)*paceRate, took, now)
		}
	}
	return alone
}

// TestPaceOfTurns: between turns of calls helpers sleep and others run, so that the first
// calls of a turn with all workers are slow. That is not what the choice goes by.
func TestPaceOfTurns(t *testing.T) {
	const us, ms = time.Microsecond, time.Millisecond
	for _, c := range []struct {
		name           string
		one, all, cold time.Duration
		slow, most     int // cold calls of a turn; the most of 1,000 that may run one worker
	}{
		{"short, one cold", 900 * us, 550 * us, 1400 * us, 1, 80},
		{"short, three cold", 900 * us, 550 * us, 1400 * us, 3, 80},
		{"long, one cold", 24 * ms, 14 * ms, 40 * ms, 1, 10},
		{"long, two cold", 24 * ms, 14 * ms, 40 * ms, 2, 10},
		{"one tenth gained", 10 * ms, 9 * ms, 20 * ms, 2, 50},
	} {
		alone := inTurns(100, 10, func(n, i int) time.Duration {
			switch {
			case n == 1:
				return c.one
			case i < c.slow:
				return c.cold
			}
			return c.all
		})
		if alone < 1 || alone > c.most {
			t.Errorf("%s: %d of 1,000 calls ran one worker, which is slower; expected 1 to %d", c.name, alone, c.most)
		}
	}
}

// TestPaceOfLoneCalls: where every call comes after a pause, what waking costs is what
// counts.
func TestPaceOfLoneCalls(t *testing.T) {
	alone := inTurns(1000, 1, func(n, _ int) time.Duration {
		if n == 1 {
			return 300 * time.Microsecond
		}
		return 400 * time.Microsecond
	})
	if alone < 900 {
		t.Errorf("%d of 1,000 calls ran one worker, which is faster after a pause, expected 900 or more", alone)
	}
}

// TestPaceOfLoadThatComesAndGoes: while somebody has the other processor one worker runs,
// and all run again when it is free.
func TestPaceOfLoadThatComesAndGoes(t *testing.T) {
	for _, call := range []time.Duration{50 * time.Microsecond, time.Millisecond, 30 * time.Millisecond} {
		var p Pace
		now := time.Unix(1000, 0)
		run := paced(&p, 64, &now)
		for phase := range 6 {
			busy := phase%2 == 1
			all, slower := call*6/10, 1
			if busy {
				all, slower = 2*call, 2
				noticed := 0
				for ; run(call, all) != 1 && noticed < 1000; noticed++ {
				}
				if most := int(paceLeast/all) + 3*paceCalls; noticed > most {
					t.Errorf("calls of %v: the other processor is busy, and %d calls still ran all workers, expected at most %d", call, noticed, most)
				}
			}
			for until := now.Add(paceLongest + time.Second); now.Before(until); {
				run(call, all) // until it has been noticed
			}
			const calls = 2000
			wrong := 0
			for range calls {
				if run(call, all) == slower {
					wrong++
				}
			}
			if wrong > calls/5 {
				t.Errorf("calls of %v, phase %d, the other processor busy: %v: %d of %d calls ran %d workers, which is slower", call, phase, busy, wrong, calls, slower)
			}
		}
	}
}

// Long calls are tried three times with all workers, after the first, and once with one;
// very long ones not with one worker; and a call that did not run as it was told says
// nothing.
func TestPaceOfLongCalls(t *testing.T) {
	var long Pace
	now := time.Unix(1000, 0)
	for i, want := range []int{2, 2, 2, 2, 1, 2, 2} {
		n, took := long.Workers(2), 30*time.Millisecond
		if n == 1 {
			took *= 2
		}
		if n != want {
			t.Errorf("call %d of 30 ms runs %d workers, want %d", i, n, want)
		}
		now = now.Add(took)
		long.Ran(n, 1, 400e6, took, now)
	}

	var p Pace
	if n := p.Workers(4); n != 4 {
		t.Fatalf("the first call runs %d workers, want 4", n)
	}
	p.Ran(1, 1, 1e12, time.Microsecond, now)
	if !p.trying || p.tried != 0 {
		t.Error("a call that another reason made run alone was counted")
	}
	p.Ran(4, 100, 1e12, time.Second, now)
	for range 100 {
		if n := p.Workers(4); n != 4 {
			t.Fatalf("a long call runs %d workers, want 4", n)
		}
		p.Ran(4, 100, 1e12, time.Second, now)
		now = now.Add(time.Second)
	}
}
