package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"

	"google.golang.org/grpc"

	"github.com/unroll-ml/unroll/internal/server"
	"github.com/unroll-ml/unroll/internal/server/oip"
	"github.com/unroll-ml/unroll/model"
)

// serve serves until the process is killed, or nobody is there to do that.
func serve(name, dir string) error {
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	if name == "unroll" {
		s, err := server.New(server.Options{
			Models: []server.Source{{Name: "m", Path: filepath.Join(dir, "m.safetensors"), Open: model.Options{Layout: model.TimeFirst}}},
			GRPC:   "127.0.0.1:0", Log: slog.New(slog.DiscardHandler),
		})
		if err != nil {
			return err
		}
		return s.Run(context.Background(), func(_, rpc net.Addr) { fmt.Println(rpc) })
	}
	var service oip.GRPCInferenceServiceServer
	switch name {
	case "echo":
		service = echo{}
	case "ort-1", "ort-32":
		p, err := newPeer(filepath.Join(dir, "m.onnx"), map[string]int{"ort-1": 1, "ort-32": 32}[name])
		if err != nil {
			return err
		}
		service = p
	default:
		return fmt.Errorf("there is no server %q", name)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	g := grpc.NewServer()
	oip.RegisterGRPCInferenceServiceServer(g, service)
	fmt.Println(l.Addr())
	return g.Serve(l)
}

// echo answers with an output as large as the layer's.
type echo struct {
	oip.UnimplementedGRPCInferenceServiceServer
}

func (echo) ModelStreamInfer(st grpc.BidiStreamingServer[oip.ModelInferRequest, oip.ModelStreamInferResponse]) error {
	y := make([]float32, *hidden)
	for {
		in, err := st.Recv()
		if err != nil {
			return nil
		}
		if err := st.Send(answer(in, y)); err != nil {
			return err
		}
	}
}

// answer is the message of an answer.
func answer(in *oip.ModelInferRequest, y []float32) *oip.ModelStreamInferResponse {
	return &oip.ModelStreamInferResponse{InferResponse: &oip.ModelInferResponse{
		ModelName: in.ModelName, Id: in.Id, RawOutputContents: [][]byte{raw(y)},
		Outputs: []*oip.ModelInferResponse_InferOutputTensor{{Name: "output", Datatype: "FP32", Shape: []int64{1, 1, int64(len(y))}}},
	}}
}
