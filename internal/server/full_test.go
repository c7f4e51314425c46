package server

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/live"
)

// gate is a target that steps a round only when it is let.
type gate struct {
	live.Target
	let, began chan struct{}
	open       func() // lets all
}

func (g gate) Stepper(rows int) (func(y, x []float32, states [][]float32) error, error) {
	step, err := g.Target.Stepper(rows)
	return func(y, x []float32, states [][]float32) error {
		g.began <- struct{}{}
		<-g.let
		return step(y, x, states)
	}, err
}

// gated serves a layer as "m" whose rounds wait until they are let; the sequences
// of ids are there.
func gated(t *testing.T, limits Limits, ids ...string) (v *served, l *unroll.Layer, g gate) {
	t.Helper()
	src, l := layerSource(t, small)
	v = serve(t, Options{Models: []Source{src}, Shards: 1, Limits: limits})
	let := make(chan struct{})
	g = gate{live.OfLayer(l), let, make(chan struct{}, 100), sync.OnceFunc(func() { close(let) })}
	t.Cleanup(g.open)
	must(t, v.s.hosts["m"].pool.Swap(g))
	for _, id := range ids {
		must(t, v.s.hosts["m"].pool.Open(id))
	}
	return v, l, g
}

// waiting waits until n steps are in line.
func (v *served) waiting(n int) {
	v.t.Helper()
	for end := time.Now().Add(20 * time.Second); v.s.hosts["m"].pool.Stats().Waiting != n; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			v.t.Fatalf("%d steps are in line, expected %d", v.s.hosts["m"].pool.Stats().Waiting, n)
		}
	}
}

// A full server answers at once, in both protocols and all their ways: while nothing
// at all is stepped the answer is there, and nothing more is in line.
func TestFullServersSaySoAtOnce(t *testing.T) {
	v, _, g := gated(t, Limits{Queue: 2, Sequences: 5}, "busy", "a", "b", "c", "d")
	p := v.s.hosts["m"].pool
	x := []float32{1, 2, 3}
	var all sync.WaitGroup
	send := func(id string) {
		all.Go(func() {
			if _, err := v.rpc.ModelInfer(ctx, grpcStep(x, map[string]any{"sequence_id": id})); err != nil {
				t.Errorf("%s: %v", id, err)
			}
		})
	}
	send("busy")
	<-g.began // the shard is in a round, which does not end
	send("a")
	v.waiting(1)
	send("b")
	v.waiting(2)

	code, body, head := v.do("POST", infer, stepBody(x, jmap{"sequence_id": "c"}))
	if v.refused("REST", code, body, 429, "full", "2 steps wait"); head.Get("Retry-After") == "" {
		t.Error("a 429 says nothing of when")
	}
	_, err := v.rpc.ModelInfer(ctx, grpcStep(x, map[string]any{"sequence_id": "c"}))
	rpcRefused(t, "gRPC", err, codes.ResourceExhausted, "FULL", "2 steps wait")
	st, err := v.rpc.ModelStreamInfer(ctx)
	must(t, err)
	must(t, st.Send(grpcStep(x, map[string]any{"sequence_id": "c"})))
	r, err := st.Recv()
	if err != nil || r.InferResponse.Parameters["reason"].GetStringParam() != "full" {
		t.Errorf("on a stream: %v %v", err, r)
	}
	// No place for a sequence more.
	code, body, _ = v.do("POST", infer, stepBody(x, jmap{"sequence_id": "new", "sequence_start": true}))
	v.refused("a sequence more", code, body, 429, "full", "limits 5")
	_, err = v.rpc.ModelInfer(ctx, grpcStep(x, map[string]any{"sequence_id": "new", "sequence_start": true}))
	rpcRefused(t, "a sequence more", err, codes.ResourceExhausted, "FULL", "limits 5")

	if st := p.Stats(); st.Steps != 0 || st.Waiting != 2 || st.Sequences != 5 {
		t.Errorf("%+v after the answers, expected no step, 2 in line, 5 sequences", st)
	}
	if len(g.began) != 0 {
		t.Error("a round was begun")
	}
	g.open()
	all.Wait()
	if st := p.Stats(); st.Steps != 3 {
		t.Errorf("%d steps, expected 3", st.Steps)
	}
}

// What waits when its sequence ends, expires, starts again or is given up is answered
// with the reason, and its neighbour's bits are those of a stream.
func TestSequencesThatEndInLine(t *testing.T) {
	v, l, g := gated(t, Limits{}, "busy", "ended", "again", "left", "neighbour", "idle")
	k := newTrack(t, l, 1)
	x, want := k.next()
	type got struct {
		id   string
		bits string
		err  error
	}
	answers := make(chan got, 10)
	leave, gone := context.WithCancel(ctx)
	in := 0
	send := func(c context.Context, id string) {
		go func() {
			r, err := v.rpc.ModelInfer(c, grpcStep(x, map[string]any{"sequence_id": id}))
			answers <- got{id, rawFloats(r), err}
		}()
		if in++; in == 1 {
			<-g.began
			return
		}
		v.waiting(in - 1)
	}
	send(ctx, "busy")
	for _, id := range []string{"ended", "again", "neighbour"} {
		send(ctx, id)
	}
	send(leave, "left")

	code, body, _ := v.do("DELETE", "/v2/models/m/sequences/ended/state", nil)
	if code != 200 {
		t.Errorf("DELETE: %d %s", code, body)
	}
	v.waiting(3)
	gone() // a client that gives up in flight
	v.waiting(2)
	code, body, _ = v.do("DELETE", "/v2/models/m/sequences/idle/state", nil)
	if code != 200 {
		t.Errorf("DELETE: %d %s", code, body)
	}
	// One that starts again: what was in line for the old one is answered as ended.
	started := make(chan got, 1)
	go func() {
		r, err := v.rpc.ModelInfer(ctx, grpcStep(x, map[string]any{"sequence_id": "again", "sequence_start": true}))
		started <- got{"again", rawFloats(r), err}
	}()
	for range 3 {
		a := <-answers
		switch a.id {
		case "ended", "again":
			rpcRefused(t, a.id, a.err, codes.FailedPrecondition, "ENDED", "has ended")
		case "left":
			if status.Code(a.err) != codes.Canceled {
				t.Errorf("left: %v", a.err)
			}
		default:
			t.Errorf("%s was answered: %v", a.id, a.err)
		}
	}
	v.waiting(2)
	g.open()
	for range 2 {
		if a := <-answers; a.err != nil || a.bits != bits(want) {
			t.Errorf("%s: %s %v, alone %s", a.id, a.bits, a.err, bits(want))
		}
	}
	if a := <-started; a.err != nil || a.bits != bits(want) {
		t.Errorf("started again: %s %v, alone %s", a.bits, a.err, bits(want))
	}
	if st := v.s.hosts["m"].pool.Stats(); st.Steps != 3 {
		t.Errorf("%d steps, expected those of busy, neighbour and the new one", st.Steps)
	}
}

// Two clients on one sequence, one of REST and one of gRPC: with sequence_step each
// step is made once, and both have its bits.
func TestTwoClientsOnOneSequence(t *testing.T) {
	src, l := layerSource(t, small)
	v := serve(t, Options{Models: []Source{src}})
	const steps = 40
	k := newTrack(t, l, 3)
	xs, want := make([][]float32, steps), make([]string, steps)
	for i := range steps {
		x, y := k.next()
		xs[i], want[i] = x, bits(y)
	}
	must(t, v.s.hosts["m"].pool.Open("one"))
	var clients sync.WaitGroup
	clients.Go(func() {
		for n := int64(0); n < steps; {
			r, err := v.rpc.ModelInfer(ctx, grpcStep(xs[n], map[string]any{"sequence_id": "one", "sequence_step": int(n)}))
			if has := stepsOf(err); err != nil && has > n {
				n = has
				continue
			}
			if err != nil || rawFloats(r) != want[n] {
				t.Errorf("gRPC, step %d: %v", n, err)
				return
			}
			n++
		}
	})
	clients.Go(func() {
		for n := 0; n < steps; {
			code, body, _ := v.do("POST", infer, stepBody(xs[n], jmap{"sequence_id": "one", "sequence_step": n}))
			var e struct {
				Reason string
				Steps  int
			}
			if code == 409 && json.Unmarshal([]byte(body), &e) == nil && e.Reason == "wrong_step" && e.Steps > n {
				n = e.Steps
				continue
			}
			if code != 200 {
				t.Errorf("REST, step %d: %d %s", n, code, body)
				return
			}
			if y, _ := output(t, body, "output"); bits(y) != want[n] {
				t.Errorf("REST, step %d: other bits", n)
			}
			n++
		}
	})
	clients.Wait()
	if st := v.s.hosts["m"].pool.Stats(); st.Steps != steps {
		t.Errorf("%d steps were made of %d", st.Steps, steps)
	}
}

// A sequence that is swept while a step of it waits is not idle; one whose steps are
// over expires, and says so.
func TestSequencesExpireBehindALine(t *testing.T) {
	v, _, g := gated(t, Limits{Idle: 40 * time.Millisecond}, "busy", "waits", "idle")
	x := []float32{1, 2, 3}
	errs := make(chan error, 2)
	for i, id := range []string{"busy", "waits"} {
		go func() {
			_, err := v.rpc.ModelInfer(ctx, grpcStep(x, map[string]any{"sequence_id": id}))
			errs <- err
		}()
		if i == 0 {
			<-g.began
		}
	}
	v.waiting(1)
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) { // idle goes; a busy one has no step in line
		if _, err := v.s.hosts["m"].pool.Steps("idle"); err != nil {
			break
		}
		if time.Now().After(end) {
			t.Fatal("the idle sequence does not end")
		}
	}
	if _, err := v.s.hosts["m"].pool.Steps("waits"); err != nil {
		t.Errorf("the one with a step in line: %v", err)
	}
	g.open()
	for range 2 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	code, body, _ := v.do("POST", infer, stepBody(x, jmap{"sequence_id": "idle"}))
	if v.refused("idle", code, body, 409, "expired", fmt.Sprint("idle for longer than ", 40*time.Millisecond)); !strings.Contains(body, "sequence_start") {
		t.Error(body)
	}
}
