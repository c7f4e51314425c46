package server

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/unroll-ml/unroll"
)

// Sequences come and go over both protocols beside slow headers, half-open
// connections, garbage and oversize bodies: every answer has the bits of a stream,
// no sequence is lost, and memory stays flat. UNROLL_SOAK is how long (10m, with
// 5,000 sequences); without it a moment, with 200.
func TestSoak(t *testing.T) {
	long, n := 1500*time.Millisecond, 200
	if text := os.Getenv("UNROLL_SOAK"); text != "" {
		var err error
		if long, err = time.ParseDuration(text); err != nil {
			t.Fatal(err)
		}
		n = 5000
	}
	src, l := layerSource(t, unroll.Config{Mode: unroll.GRU, InputSize: 3, HiddenSize: 16})
	v := serve(t, Options{Models: []Source{src}, Limits: Limits{Body: 1 << 16, Header: 500 * time.Millisecond, Read: time.Second, Idle: 10 * time.Minute}})
	stop := make(chan struct{})
	time.AfterFunc(long, func() { close(stop) })
	var steps, attacks atomic.Int64
	var all sync.WaitGroup
	const hands = 8
	for h := range hands {
		all.Go(func() { soakHand(t, v, l, h, n/hands, stop, &steps) })
	}
	for k := range 4 {
		all.Go(func() { soakAttack(v, k, stop, &attacks) })
	}
	time.Sleep(long / 3)
	early := heap()
	all.Wait()
	late := heap()
	if got := v.s.hosts["m"].pool.Len(); got > n {
		t.Errorf("%d sequences are left of %d at once", got, n)
	}
	t.Logf("%d steps right, %d attacks, heap %d KiB after a third and %d at the end", steps.Load(), attacks.Load(), early>>10, late>>10)
	if late > early+early/2+4<<20 {
		t.Errorf("the heap grew from %d to %d bytes", early, late)
	}
}

// soakHand has n sequences, of which it steps any on a stream or by a request.
func soakHand(t *testing.T, v *served, l *unroll.Layer, h, n int, stop chan struct{}, steps *atomic.Int64) {
	rnd := rand.New(rand.NewPCG(uint64(h), 3))
	st, err := v.rpc.ModelStreamInfer(ctx)
	if err != nil {
		t.Error(err)
		return
	}
	tracks := make([]*track, n)
	for round := 0; ; round++ {
		select {
		case <-stop:
			return
		case <-time.After(20 * time.Millisecond): // others want the machine too
		}
		type sent struct{ id, want string }
		var line []sent
		for range 32 {
			i := rnd.IntN(n)
			start := tracks[i] == nil
			if start {
				tracks[i] = newTrack(t, l, rnd.Uint64())
			}
			x, want := tracks[i].next()
			params := map[string]any{"sequence_id": fmt.Sprintf("%d of %d", i, h), "sequence_start": start}
			if end := rnd.IntN(20) == 0; end {
				params["sequence_end"], tracks[i] = true, nil
			}
			r := grpcStep(x, params)
			r.Id = fmt.Sprint(round, " ", len(line))
			if rnd.IntN(50) == 0 && len(line) == 0 { // by the other way; nothing of the stream is under way
				code, body, _ := v.do("POST", infer, stepBody(x, params))
				if code != 200 {
					t.Errorf("sequence %s: %d %s", params["sequence_id"], code, body)
					return
				}
				if got, _ := output(t, body, "output"); bits(got) != bits(want) {
					t.Errorf("sequence %s: other bits over REST", params["sequence_id"])
				}
				steps.Add(1)
				continue
			}
			if err := st.Send(r); err != nil {
				t.Error(err)
				return
			}
			line = append(line, sent{r.Id, bits(want)})
		}
		for _, s := range line {
			r, err := st.Recv()
			if err != nil || r.ErrorMessage != "" || r.InferResponse.Id != s.id || rawFloats(r.InferResponse) != s.want {
				t.Errorf("%s: %v %v", s.id, err, r)
				return
			}
			steps.Add(1)
		}
	}
}

// soakAttack makes connections of one bad kind.
func soakAttack(v *served, k int, stop chan struct{}, attacks *atomic.Int64) {
	for i := 0; ; i++ {
		select {
		case <-stop:
			return
		case <-time.After(20 * time.Millisecond):
		}
		addr := v.http
		if i%2 == 1 {
			addr = v.grpc
		}
		c, err := net.Dial("tcp", addr)
		if err != nil {
			continue
		}
		attacks.Add(1)
		switch k {
		case 0:
			fmt.Fprint(c, "POST /v2/models/m/infer HTTP/1.1\r\nHost: a\r\nX-Slow: ")
		case 1: // half-open
		case 2:
			b := make([]byte, 4096)
			for j := range b {
				b[j] = byte(rand.Uint32())
			}
			_, _ = c.Write(b)
		case 3:
			fmt.Fprintf(c, "POST /v2/models/m/infer HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000000\r\n\r\n%s", strings.Repeat("x", 70000))
		}
		go func() {
			defer c.Close()
			_ = c.SetReadDeadline(time.Now().Add(3 * time.Second))
			_, _ = io.Copy(io.Discard, c)
		}()
	}
}
