//go:build unix

package server

import (
	"context"
	"fmt"
	"net"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/internal/server/oip"
)

// cpu is the processor time of this process: client and server together.
func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	must(b, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// echo answers each message of a stream with an output as large as its input.
type echo struct {
	oip.UnimplementedGRPCInferenceServiceServer
}

func (echo) ModelInfer(_ context.Context, in *oip.ModelInferRequest) (*oip.ModelInferResponse, error) {
	return answerOf(in), nil
}

// answerOf is an answer as large as a request.
func answerOf(in *oip.ModelInferRequest) *oip.ModelInferResponse {
	return &oip.ModelInferResponse{ModelName: in.ModelName, Id: in.Id, RawOutputContents: in.RawInputContents[:1], Outputs: []*oip.ModelInferResponse_InferOutputTensor{{Name: "output", Datatype: "FP32", Shape: in.Inputs[0].Shape}}}
}

func (echo) ModelStreamInfer(st grpc.BidiStreamingServer[oip.ModelInferRequest, oip.ModelStreamInferResponse]) error {
	for {
		in, err := st.Recv()
		if err != nil {
			return nil
		}
		if err := st.Send(&oip.ModelStreamInferResponse{InferResponse: answerOf(in)}); err != nil {
			return err
		}
	}
}

// BenchmarkGRPC reports the processor time of client and server together, a step,
// beside that of an echo of the same messages by grpc-go alone.
//
//	go test ./internal/server -run '^$' -bench GRPC -count 5
func BenchmarkGRPC(b *testing.B) {
	src, _ := layerSource(b, unroll.Config{Mode: unroll.GRU, InputSize: 64, HiddenSize: 64})
	v := serve(b, Options{Models: []Source{src}})
	g := grpc.NewServer()
	oip.RegisterGRPCInferenceServiceServer(g, echo{})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(b, err)
	go func() { _ = g.Serve(l) }()
	b.Cleanup(g.Stop)
	conn, err := grpc.NewClient(l.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	must(b, err)
	b.Cleanup(func() { conn.Close() })
	floor := oip.NewGRPCInferenceServiceClient(conn)
	for _, c := range []struct {
		name  string
		rpc   oip.GRPCInferenceServiceClient
		rows  int
		ahead int // 0: calls of their own, and no stream
	}{
		{"echo/one-call", floor, 1, 0},
		{"serve/one-call", v.rpc, 1, 0},
		{"echo/one-sequence", floor, 1, 1},
		{"serve/one-sequence", v.rpc, 1, 1},
		{"echo/64-sequences", floor, 1, 64},
		{"serve/64-sequences", v.rpc, 1, 64},
		{"echo/256-in-a-request", floor, 256, 1},
		{"serve/256-in-a-request", v.rpc, 256, 1},
	} {
		b.Run(c.name, func(b *testing.B) {
			st, err := c.rpc.ModelStreamInfer(ctx)
			must(b, err)
			defer func() { _ = st.CloseSend() }()
			message := func(key int, start bool) *oip.ModelInferRequest {
				if c.rows == 1 {
					return grpcStep(make([]float32, 64), map[string]any{"sequence_id": key + 1, "sequence_start": start})
				}
				r := grpcStep(make([]float32, 64*c.rows), map[string]any{"sequence_start": start})
				r.Inputs[0].Shape = []int64{1, int64(c.rows), 64}
				var ids []byte
				for i := range c.rows {
					id := fmt.Sprintf("%04d", i)
					ids = append(append(ids, 4, 0, 0, 0), id...)
				}
				r.Inputs = append(r.Inputs, &oip.ModelInferRequest_InferInputTensor{Name: "sequence_id", Datatype: "BYTES", Shape: []int64{int64(c.rows)}})
				r.RawInputContents = append(r.RawInputContents, ids)
				return r
			}
			receive := func() {
				out, err := st.Recv()
				must(b, err)
				if out.ErrorMessage != "" {
					b.Fatal(out.ErrorMessage)
				}
			}
			if c.ahead == 0 {
				_, err := c.rpc.ModelInfer(ctx, message(0, true))
				must(b, err)
				r := message(0, false)
				before := cpu(b)
				for b.Loop() {
					_, err := c.rpc.ModelInfer(ctx, r)
					must(b, err)
				}
				b.ReportMetric(float64((cpu(b)-before).Nanoseconds())/1e3/float64(b.N), "cpu-us/step")
				return
			}
			var steps []*oip.ModelInferRequest
			for k := range c.ahead {
				must(b, st.Send(message(k, true)))
				receive()
				steps = append(steps, message(k, false))
			}
			b.ResetTimer()
			before := cpu(b)
			for range b.N {
				for _, r := range steps {
					must(b, st.Send(r))
				}
				for range steps {
					receive()
				}
			}
			b.ReportMetric(float64((cpu(b)-before).Nanoseconds())/1e3/float64(b.N*c.rows*c.ahead), "cpu-us/step")
		})
	}
}
