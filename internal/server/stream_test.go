package server

import (
	"fmt"
	"testing"

	"google.golang.org/grpc"

	"github.com/unroll-ml/unroll/internal/server/oip"
)

type clientStream = grpc.BidiStreamingClient[oip.ModelInferRequest, oip.ModelStreamInferResponse]

// A stream of one request at a time and of many at once, in turns, answers in the
// order of the requests and with the bits of streams alone: by whom an answer is
// sent and a step made changes with the company.
func TestStreamsOfOneAndOfMany(t *testing.T) {
	src, l := layerSource(t, small)
	v := serve(t, Options{Models: []Source{src}, Shards: 2})
	st, err := v.rpc.ModelStreamInfer(ctx)
	must(t, err)
	const n = 40
	type sent struct{ id, want string }
	var tracks [n]*track
	send := func(st clientStream, i, turn int) sent {
		start := tracks[i] == nil
		if start {
			tracks[i] = newTrack(t, l, uint64(i))
		}
		x, want := tracks[i].next()
		r := grpcStep(x, map[string]any{"sequence_id": i + 1, "sequence_start": start})
		r.Id = fmt.Sprint(turn, " ", i)
		if i == 7 && !start && turn%2 == 0 { // two in one request, which waits for all before it
			more, last := tracks[i].next()
			r.Inputs[0].Shape[0], r.RawInputContents[0] = 2, append(r.RawInputContents[0], grpcStep(more, nil).RawInputContents[0]...)
			want = append(want, last...)
		}
		must(t, st.Send(r))
		return sent{r.Id, bits(want)}
	}
	receive := func(st clientStream, w sent) {
		t.Helper()
		r, err := st.Recv()
		must(t, err)
		if r.ErrorMessage != "" || r.InferResponse.Id != w.id || rawFloats(r.InferResponse) != w.want {
			t.Fatalf("the answer of %s is %v, expected %s", w.id, r, w.want)
		}
	}
	for turn := range 6 {
		for k := range 30 { // of one
			receive(st, send(st, k%3, turn))
		}
		var line []sent
		for range 3 { // of many, and each of them again before it is answered
			for i := range n {
				line = append(line, send(st, i, turn))
			}
		}
		for _, w := range line {
			receive(st, w)
		}
	}
}

// What is answered at once does not overtake a step that is in line.
func TestNoAnswerOvertakes(t *testing.T) {
	v, l, g := gated(t, Limits{}, "a")
	st, err := v.rpc.ModelStreamInfer(ctx)
	must(t, err)
	x, want := newTrack(t, l, 1).next()
	must(t, st.Send(grpcStep(x, map[string]any{"sequence_id": "a"})))
	<-g.began
	wrong := grpcStep(x, map[string]any{"sequence_id": "a"})
	wrong.Inputs[0].Datatype = "FP23"
	must(t, st.Send(wrong))
	must(t, st.Send(grpcStep(x, map[string]any{"sequence_id": "a"})))
	v.waiting(1) // so that the one before was taken
	g.open()
	r, err := st.Recv()
	must(t, err)
	if r.ErrorMessage != "" || rawFloats(r.InferResponse) != bits(want) {
		t.Errorf("the first answer is %v, expected that of the first request", r)
	}
	if r, err = st.Recv(); err != nil || r.ErrorMessage == "" {
		t.Errorf("the second answer is %v with the error %v, expected that of a datatype that there is not", r, err)
	}
	if r, err = st.Recv(); err != nil || r.ErrorMessage != "" {
		t.Errorf("the third answer is %v with the error %v", r, err)
	}
}
