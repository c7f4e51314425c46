package server

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/unroll-ml/unroll/internal/server/oip"
	"github.com/unroll-ml/unroll/model"
)

// survivor is a sequence of a client that outlives its server.
type survivor struct {
	id    string
	track *track
	x     [][]float32
	want  []string
	next  int64        // step that is to be sent
	made  atomic.Int64 // steps that the server of now is known to have made
	floor int64        // those that were known before its last snapshot was begun
}

// at returns step n with what a stream gives.
func (s *survivor) at(n int64) (x []float32, want string) {
	for int64(len(s.x)) <= n {
		x, y := s.track.next()
		s.x, s.want = append(s.x, x), append(s.want, bits(y))
	}
	return s.x[n], s.want[n]
}

// A server that is killed at random moments goes on from its last snapshot or a
// later one: no sequence has fewer steps than had been answered when that was begun,
// clients send again from the step that they are told, and every answer has the bits
// of the unbroken run. UNROLL_KILLS is how often (50); without it a few times.
func TestKillsOfTheServer(t *testing.T) {
	kills := 8
	if testing.Short() {
		kills = 2
	}
	if text := os.Getenv("UNROLL_KILLS"); text != "" {
		var err error
		kills, err = strconv.Atoi(text)
		must(t, err)
	}
	dir := t.TempDir()
	l := layerFile(t, filepath.Join(dir, "m.safetensors"), small, 1)
	all := make([]*survivor, 20)
	for i := range all {
		all[i] = &survivor{id: fmt.Sprint("s", i), track: newTrack(t, l, uint64(i))}
	}
	rnd := rand.New(rand.NewPCG(5, 5))
	var again atomic.Int64
	for range kills {
		if !lifeOfAServer(t, dir, all, time.Duration(10+rnd.IntN(60))*time.Millisecond, &again) {
			return
		}
	}
	least := all[0].next
	for _, s := range all {
		least = min(least, s.next)
	}
	t.Logf("%d kills; each sequence has made %d steps or more; %d times a client sent again from an earlier step", kills, least, again.Load())
	if least < int64(kills) || again.Load() == 0 {
		t.Error("no kill was in the midst of it")
	}
}

// lifeOfAServer starts a server, steps all sequences, and kills it some time after
// its second snapshot of this life.
func lifeOfAServer(t *testing.T, dir string, all []*survivor, after time.Duration, again *atomic.Int64) bool {
	t.Helper()
	c := exec.Command(os.Args[0], "-test.run", "^TestServerOfKills$")
	c.Env = append(os.Environ(), "UNROLL_SERVED="+dir)
	_, err := c.StdinPipe() // which ends with us
	must(t, err)
	out, err := c.StdoutPipe()
	must(t, err)
	must(t, c.Start())
	defer func() {
		_ = c.Process.Kill() // it may be dead
		_ = c.Wait()
	}()
	line, err := bufio.NewReader(out).ReadString('\n')
	addr, ok := strings.CutPrefix(strings.TrimSpace(line), "at ")
	if !ok {
		t.Fatalf("the server says %q, %v", line, err)
	}
	conn, err := grpc.NewClient(addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
	must(t, err)
	defer conn.Close()
	rpc := oip.NewGRPCInferenceServiceClient(conn)
	stop, cancel := context.WithCancel(ctx)
	defer cancel()
	var clients sync.WaitGroup
	for _, s := range all {
		s.made.Store(s.floor)
		clients.Go(func() { s.live(stop, t, rpc, again) })
	}
	// What had been answered when a snapshot was seen was answered before the one
	// after the next was begun: one is written after another.
	var seen [3][]int64
	last, killAt := time.Time{}, time.Time{}
	for n := 0; killAt.IsZero() || time.Now().Before(killAt); time.Sleep(time.Millisecond) {
		var now []int64
		for _, s := range all { // before looking, or it may be much later than what is seen
			now = append(now, s.made.Load())
		}
		st, err := os.Stat(filepath.Join(dir, "states", "m.sequences"))
		if err != nil || st.ModTime().Equal(last) {
			continue
		}
		last = st.ModTime()
		seen[0], seen[1], seen[2] = seen[1], seen[2], now
		if n++; n == 4 {
			killAt = time.Now().Add(after)
		}
		if t.Failed() {
			break
		}
	}
	must(t, c.Process.Kill())
	clients.Wait()
	for i, n := range seen[0] {
		all[i].floor = n
	}
	return !t.Failed()
}

// live steps the sequence until the server is gone.
func (s *survivor) live(ctx context.Context, t *testing.T, rpc oip.GRPCInferenceServiceClient, again *atomic.Int64) {
	first, n := true, s.next
	defer func() { s.next = n }()
	for {
		x, want := s.at(n)
		r, err := rpc.ModelInfer(ctx, grpcStep(x, map[string]any{"sequence_id": s.id, "sequence_start": n == 0, "sequence_step": int(n)}))
		switch code := status.Code(err); {
		case code == codes.Unavailable || code == codes.Canceled:
			return
		case code == codes.FailedPrecondition:
			has := stepsOf(err)
			if !first || has < s.floor || has >= n {
				t.Errorf("%s: asked for step %d, the server is at %d, and %d were in its last snapshot: %v", s.id, n, has, s.floor, err)
				return
			}
			again.Add(1)
			n = has
			s.made.Store(has)
		case err != nil:
			t.Errorf("%s: step %d: %v", s.id, n, err)
			return
		default:
			if rawFloats(r) != want {
				t.Errorf("%s: step %d has other bits than the unbroken run", s.id, n)
				return
			}
			n++
			s.made.Store(n)
		}
		first = false
	}
}

// stepsOf is how many steps the sequence of an error has made.
func stepsOf(err error) int64 {
	for _, d := range status.Convert(err).Details() {
		e, ok := d.(*errdetails.ErrorInfo)
		if !ok {
			continue
		}
		if e.Reason == "NEVER_STARTED" {
			return 0
		}
		if n, err := strconv.ParseInt(e.Metadata["steps"], 10, 64); err == nil && e.Reason == "WRONG_STEP" {
			return n
		}
	}
	return -1
}

// TestServerOfKills serves until it is killed.
func TestServerOfKills(t *testing.T) {
	dir := os.Getenv("UNROLL_SERVED")
	if dir == "" {
		t.Skip("is run by TestKillsOfTheServer")
	}
	go func() { // or until nobody is there to kill it
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(1)
	}()
	s, err := New(Options{
		Models: []Source{{Path: filepath.Join(dir, "m.safetensors"), Open: model.Options{Layout: model.TimeFirst}}},
		GRPC:   "127.0.0.1:0", Snapshots: filepath.Join(dir, "states"), Every: 3 * time.Millisecond, Log: slog.New(slog.NewTextHandler(os.Stderr, nil)),
	})
	must(t, err)
	must(t, s.Run(ctx, func(_, rpc net.Addr) { fmt.Println("at", rpc) }))
}
