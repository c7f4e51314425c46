package live

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

const (
	killed     = 60   // sequences of TestKills
	killedMost = 3000 // steps of each at most
)

// A process that is killed at random moments, again and again, goes on each time
// from its last snapshot or a later one, and in the end every sequence has the
// bits of the unbroken run.
func TestKills(t *testing.T) {
	kills := 50
	if testing.Short() {
		kills = 5
	}
	path := filepath.Join(t.TempDir(), "snapshot")
	l := layer(t, stacked, 1)
	r := newReplay(l, killed, killedMost)
	rnd := rand.New(rand.NewPCG(1, 2))
	steps := uint64(0)
	for range kills {
		last := killOne(t, path, time.Duration(rnd.IntN(40))*time.Millisecond)
		p, err := New(l, Options{Snapshot: path})
		must(t, err)
		least := uint64(killedMost)
		for i := range killed {
			n, err := p.Steps(fmt.Sprint(i))
			if err != nil {
				n = 0
			}
			least = min(least, n)
		}
		if least < last || least < steps {
			t.Fatalf("a sequence has %d steps after a restart, in the last snapshot at least %d, before %d", least, last, steps)
		}
		steps = least
		must(t, p.Close())
		r.check(t, path)
	}
	t.Logf("%d kills; every sequence has made %d steps or more", kills, steps)
	if steps == 0 || steps == killedMost {
		t.Error("that is none, or all: no kill was in the midst of it")
	}
	y := make([]float32, 4)
	again, err := New(l, Options{Snapshot: path})
	must(t, err)
	defer again.Close()
	for i := range killed { // resend all that is not known to have arrived
		n, err := again.Steps(fmt.Sprint(i))
		must(t, err)
		for at := n; at < n+20 && at < killedMost; at++ {
			must(t, again.StepAt(ctx, fmt.Sprint(i), at, y, r.x(i, int(at))))
			if !sameBits(y, r.ys[i][at]) {
				t.Fatalf("sequence %d, step %d: bits differ", i, at)
			}
		}
	}
}

// killOne runs a child over a snapshot until it has written one and some time
// more, kills it, and returns the least steps that its last snapshot must have.
func killOne(t *testing.T, path string, after time.Duration) (last uint64) {
	t.Helper()
	c := exec.Command(os.Args[0], "-test.run", "^TestChildOfKills$")
	c.Env = append(os.Environ(), "UNROLL_KILLED="+path)
	out, err := c.StdoutPipe()
	must(t, err)
	must(t, c.Start())
	lines := bufio.NewScanner(out)
	first, failed := true, ""
	for lines.Scan() {
		if n, err := fmt.Sscanf(lines.Text(), "written %d", &last); n != 1 || err != nil {
			failed += lines.Text() + "\n"
		}
		if first && failed == "" {
			first = false
			time.AfterFunc(after, func() { _ = c.Process.Kill() })
		}
	}
	if err := c.Wait(); first || failed != "" || err == nil {
		t.Fatalf("the child was not killed: %v\n%s", err, failed)
	}
	return last
}

// TestChildOfKills steps and writes snapshots until it is killed.
func TestChildOfKills(t *testing.T) {
	path := os.Getenv("UNROLL_KILLED")
	if path == "" {
		t.Skip("is run by TestKills")
	}
	l := layer(t, stacked, 1)
	r := &replay{layer: l}
	p, err := New(l, Options{Shards: 2, Snapshot: path})
	must(t, err)
	go func() {
		for {
			least := uint64(killedMost)
			for i := range killed {
				n, _ := p.Steps(fmt.Sprint(i))
				least = min(least, n)
			}
			if err := p.Snapshot(); err != nil {
				fmt.Println(err)
				os.Exit(1)
			}
			fmt.Println("written", least)
		}
	}()
	y := make([]float32, 4)
	for round := 0; ; round++ {
		for i := range killed {
			key := fmt.Sprint(i)
			n, _ := p.Steps(key)
			if n == killedMost {
				time.Sleep(time.Millisecond)
				continue
			}
			if err := p.StepAt(ctx, key, n, y, r.x(i, int(n))); err != nil {
				fmt.Println(err)
				os.Exit(1)
			}
		}
		time.Sleep(time.Millisecond)
	}
}
