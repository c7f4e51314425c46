package live

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/unroll-ml/unroll"
)

// A pool that was closed goes on: states, steps, and marks with their reason.
func TestRestartGoesOn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "snapshot")
	l := layer(t, stacked, 1)
	c := &clock{now: time.Unix(1e9, 0)}
	p := pool(t, l, Options{Shards: 3, Snapshot: path, Now: c.Now})
	if st := p.Stats(); !st.Snapshot.IsZero() {
		t.Errorf("a snapshot from %v before there was one", st.Snapshot)
	}
	all := tracks(t, l, 40)
	for i, k := range all {
		k.run(t, p, k.key, stacked, i%5+1)
	}
	nan := []float32{0, float32(math.Inf(1)), 0}
	wants(t, "marking", p.Step(ctx, all[7].key, make([]float32, 4), nan), ErrNonFinite)
	_, marked := p.Steps(all[7].key)
	must(t, p.Snapshot())
	c.add(time.Minute)
	if st := p.Stats(); st.Age != time.Minute {
		t.Errorf("the snapshot is of an age of %v, expected a minute", st.Age)
	}
	must(t, p.Close())
	wants(t, "after Close", p.Open("late"), ErrClosed)

	p = pool(t, layer(t, stacked, 1), Options{Shards: 2, Snapshot: path})
	if p.Len() != len(all) || p.Stats().Snapshot.IsZero() {
		t.Fatalf("%d sequences, expected %d", p.Len(), len(all))
	}
	for i, k := range all {
		n, err := p.Steps(k.key)
		if i == 7 {
			if wants(t, "marked", err, ErrMarked); err.Error() != marked.Error() || n != 3 {
				t.Errorf("%d steps, %v, expected 3, %v", n, err, marked)
			}
			continue
		}
		if n != uint64(i%5+1) || err != nil {
			t.Fatalf("%s: %d steps, %v", k.key, n, err)
		}
		k.run(t, p, k.key, stacked, 3)
	}
}

// A snapshot of other parameters is refused, ends its sequences, or goes on.
func TestForeignSnapshots(t *testing.T) {
	path := filepath.Join(t.TempDir(), "snapshot")
	p := pool(t, layer(t, small, 1), Options{Snapshot: path})
	must(t, p.StepAll(ctx, []string{"a", "b"}, make([]float32, 6), make([]float32, 4)))
	must(t, p.Close())
	file, err := os.ReadFile(path)
	must(t, err)
	for _, other := range []*unroll.Layer{layer(t, small, 2), layer(t, stacked, 1)} {
		for _, f := range []Foreign{RefuseForeign, EndForeign, KeepForeign} {
			must(t, os.WriteFile(path, file, 0o600))
			var gone []string
			p, err := New(other, Options{Snapshot: path, Foreign: f, Ended: func(key string, why Reason) { gone = append(gone, key+" "+string(why)) }})
			switch {
			case f == RefuseForeign || f == KeepForeign && other.Config().NumLayers == 2:
				wants(t, "foreign", err, ErrForeign)
				if now, _ := os.ReadFile(path); !bytes.Equal(now, file) {
					t.Error("a snapshot that was refused has changed")
				}
				continue
			case err != nil:
				t.Fatalf("%v: %v", f, err)
			}
			slices.Sort(gone)
			want, n := []string{"a model_changed", "b model_changed"}, 0
			if f == KeepForeign {
				want, n = nil, 2
			}
			if !slices.Equal(gone, want) || p.Len() != n {
				t.Errorf("%v: %d sequences, ended %v; expected %d, %v", f, p.Len(), gone, n, want)
			}
			_, err = p.Steps("a")
			var e *Error
			if f == EndForeign && (!errors.As(err, &e) || e.Ended != ModelChanged) {
				t.Errorf("the key's end is not remembered: %v", err)
			}
			must(t, p.Close())
		}
	}
}

// No part and no changed byte of a snapshot is taken for a whole one.
func TestBrokenSnapshots(t *testing.T) {
	path := filepath.Join(t.TempDir(), "snapshot")
	l := layer(t, small, 1)
	p := pool(t, l, Options{Shards: 1, Snapshot: path})
	must(t, p.StepAll(ctx, []string{"a", "b"}, make([]float32, 6), make([]float32, 4)))
	wants(t, "marking", p.Step(ctx, "b", make([]float32, 3), []float32{float32(math.NaN()), 0}), ErrNonFinite)
	must(t, p.Close())
	good, err := os.ReadFile(path)
	must(t, err)
	refused := func(what string, file []byte) {
		must(t, os.WriteFile(path, file, 0o600))
		_, err := New(l, Options{Shards: 1, Snapshot: path})
		if !errors.Is(err, ErrCapsule) || !strings.Contains(err.Error(), path) {
			t.Fatalf("%s: %v", what, err)
		}
	}
	for n := range good {
		refused(fmt.Sprintf("%d of %d bytes", n, len(good)), good[:n])
		flipped := bytes.Clone(good)
		flipped[n] ^= 16
		refused(fmt.Sprintf("byte %d flipped", n), flipped)
	}
	refused("a byte more", append(bytes.Clone(good), 0))
	must(t, os.WriteFile(path, good, 0o600))
	_, err = New(l, Options{Snapshot: path, MaxSequences: 1})
	wants(t, "two where one fits", err, ErrFull)
	_, err = New(l, Options{Snapshot: path, Store: &memoryStore{}})
	wants(t, "both", err, unroll.ErrConfig)
}

// FuzzSnapshot: no records break the reader, whatever the checksums say, and what
// is taken is finite.
func FuzzSnapshot(f *testing.F) {
	l := layer(f, small, 1)
	p := pool(f, l, Options{Shards: 1})
	q := &sequence{key: "a", state: make([]float32, 6), steps: 3}
	f.Add(appendRecord(appendRecord(nil, q), &sequence{key: "b", mark: "broken"}), uint64(2))
	f.Add([]byte{255, 255, 255, 255}, uint64(1))
	f.Fuzz(func(t *testing.T, records []byte, n uint64) {
		var file bytes.Buffer
		must(t, pool(t, l, Options{Shards: 1}).writeSnapshot(&file))
		b := file.Bytes()[:file.Len()-16] // without the end
		whole := bytes.NewBuffer(b)
		must(t, writeBlock(whole, records))
		if len(records) > 0 {
			must(t, writeBlock(whole, nil))
		}
		whole.Write([]byte{byte(n), byte(n >> 8), 0, 0, 0, 0, 0, 0})
		r := &snapshotReader{r: whole, left: int64(whole.Len()), v: p.version.Load()}
		to := pool(t, l, Options{Shards: 1})
		if err := r.read(to); err != nil && !errors.Is(err, ErrCapsule) {
			t.Fatal(err)
		}
		for _, q := range to.shards[0].list {
			if notFinite(q.state) >= 0 {
				t.Fatalf("%v was taken", q.state)
			}
		}
	})
}

// Snapshots that are written while sequences step, begin and end hold each whole
// sequence with the state of its number of steps.
func TestSnapshotsWhileStepping(t *testing.T) {
	path := filepath.Join(t.TempDir(), "snapshot")
	l := layer(t, wide, 1)
	p := pool(t, l, Options{Shards: 2, Snapshot: path, Every: time.Millisecond, Failed: func(err error) { t.Error(err) }})
	const n, most = 300, 40
	r := newReplay(l, n, most)
	var hands sync.WaitGroup
	for h := range 4 {
		hands.Go(func() {
			rnd := rand.New(rand.NewPCG(uint64(h), 3))
			y := make([]float32, wide.OutputSize())
			for range 1500 {
				i := rnd.IntN(n/4)*4 + h
				key := fmt.Sprint(i)
				at, err := p.Steps(key)
				if err == nil && (at == most || rnd.IntN(20) == 0) {
					must(t, p.End(key))
					at = 0
				}
				if err := p.StepAt(ctx, key, at, y, r.x(i, int(at))); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	stop := make(chan struct{})
	var checks sync.WaitGroup
	checked := 0
	checks.Go(func() {
		for {
			select {
			case <-stop:
				return
			case <-time.After(5 * time.Millisecond):
			}
			if _, err := os.Stat(path); err != nil {
				continue
			}
			copied := filepath.Join(filepath.Dir(path), "copy")
			b, err := os.ReadFile(path)
			must(t, err)
			must(t, os.WriteFile(copied, b, 0o600))
			checked += r.check(t, copied)
		}
	})
	hands.Wait()
	close(stop)
	checks.Wait()
	must(t, p.Close())
	if got := r.check(t, path); got != p.Len() {
		t.Errorf("%d sequences in the last snapshot, %d in the pool", got, p.Len())
	}
	t.Logf("%d sequences in snapshots on the way", checked)
}

// wide has states of 1 KiB, so that a snapshot of 300 has some blocks.
var wide = unroll.Config{Mode: unroll.LSTM, InputSize: 2, HiddenSize: 128}

// replay knows the unbroken run of n sequences of most steps.
type replay struct {
	layer *unroll.Layer
	ys    [][][]float32 // [n][most]
}

func newReplay(l *unroll.Layer, n, most int) *replay {
	c := l.Config()
	r := &replay{layer: l}
	for i := range n {
		var ys [][]float32
		s, err := l.NewStream(1)
		if err != nil {
			panic(err)
		}
		for at := range most {
			y := make([]float32, c.OutputSize())
			if err := s.Step(y, r.x(i, at)); err != nil {
				panic(err)
			}
			ys = append(ys, y)
		}
		r.ys = append(r.ys, ys)
	}
	return r
}

// x is the input of a step of a sequence.
func (r *replay) x(i, step int) []float32 {
	return randoms(rand.New(rand.NewPCG(uint64(i), uint64(step))), r.layer.Config().InputSize)
}

// check opens a snapshot, compares the last output of each sequence with that of
// the unbroken run, makes one step more, and returns how many there are.
func (r *replay) check(t *testing.T, path string) (found int) {
	t.Helper()
	p, err := New(r.layer, Options{Shards: 1, Snapshot: path})
	must(t, err)
	defer p.Close()
	y := make([]float32, r.layer.Config().OutputSize())
	for key, err := range p.Keys(ctx) {
		must(t, err)
		var i int
		_, err := fmt.Sscan(key, &i)
		must(t, err)
		n, err := p.Steps(key)
		must(t, err)
		found++
		if n == 0 {
			continue // begun, and not stepped
		}
		for at := n - 1; at < min(n+1, uint64(len(r.ys[i]))); at++ {
			must(t, p.StepAt(ctx, key, at, y, r.x(i, int(at))))
			if !sameBits(y, r.ys[i][at]) {
				t.Fatalf("sequence %s, step %d of %d: bits differ", key, at, n)
			}
		}
	}
	return found
}
