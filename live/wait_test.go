package live

import (
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// A pool that waits for company steps a full round at once, and one row after the
// wait.
func TestWaitIsForCompany(t *testing.T) {
	full, err := Over(idleTarget{}, Options{Shards: 1, Rows: 2, Wait: time.Hour})
	must(t, err)
	y := make([]float32, 2)
	must(t, full.StepAll(ctx, []string{"a", "b"}, y, []float32{1, 2})) // or the test's time is over
	must(t, full.Close())

	const wait = 300 * time.Millisecond
	p, err := Over(idleTarget{}, Options{Shards: 1, Rows: 2, Wait: wait})
	must(t, err)
	defer p.Close()
	start := time.Now()
	q, err := p.Submit(ctx, "a", []float32{1})
	must(t, err)
	time.Sleep(wait / 10)
	if q.over.Load() == isOver && time.Since(start) < wait {
		t.Error("a row alone was stepped before the wait was over")
	}
	_, err = q.Result()
	must(t, err)
}

// Every writes snapshots while the pool runs.
func TestSnapshotsComeByThemselves(t *testing.T) {
	path := filepath.Join(t.TempDir(), "snapshot")
	p, err := Over(idleTarget{}, Options{Snapshot: path, Every: time.Millisecond})
	must(t, err)
	defer p.Close()
	must(t, p.Open("a"))
	for start := time.Now(); p.Stats().Snapshot.IsZero(); time.Sleep(time.Millisecond) {
		if time.Since(start) > time.Minute {
			t.Fatal("there is none after a minute")
		}
	}
	_, err = os.Stat(path)
	must(t, err)
}

// waits counts rows by how long they were in line.
type waits struct {
	busy
	line map[time.Duration]int
}

func (m *waits) Waited(d time.Duration, rows int) { m.line[d] += rows }

// Metrics hear of every row how long it was in line, rows of one call together.
func TestMetricsHearOfWaits(t *testing.T) {
	m := &waits{line: map[time.Duration]int{}}
	var now atomic.Int64
	p, err := Over(idleTarget{}, Options{Shards: 1, Metrics: m, Now: func() time.Time { return time.Unix(0, now.Load()) }})
	must(t, err)
	release := held(p)
	var calls sync.WaitGroup
	for k, keys := range [][]string{{"a", "b", "c"}, {"d", "e"}} {
		calls.Go(func() { must(t, p.StepAll(ctx, keys, make([]float32, len(keys)), make([]float32, len(keys)))) })
		for want := []int{3, 5}[k]; p.Stats().Waiting < want; {
			runtime.Gosched()
		}
		now.Add(int64(time.Second))
	}
	release()
	calls.Wait()
	must(t, p.Close())
	if want := map[time.Duration]int{2 * time.Second: 3, time.Second: 2}; !maps.Equal(m.line, want) {
		t.Errorf("%v rows for each wait, expected %v", m.line, want)
	}
	if m.rows.Load() != 5 || m.rounds.Load() != 1 {
		t.Errorf("%d rows in %d rounds, expected 5 in 1", m.rows.Load(), m.rounds.Load())
	}
}
