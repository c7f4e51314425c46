package server

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/unroll-ml/unroll/internal/server/oip"
)

// still is a server that listens nowhere.
func still(f *testing.F) *Server {
	f.Helper()
	src, _ := layerSource(f, small)
	s, err := New(Options{Models: []Source{src}, HTTP: "127.0.0.1:0", Limits: Limits{Sequences: 50, Body: 1 << 16, Run: 1 << 24, Work: 1 << 24}, Log: slog.New(slog.DiscardHandler)})
	must(f, err)
	f.Cleanup(func() { _ = s.close() })
	s.ready.Store(true)
	return s
}

// Any body gets an answer of JSON or of the protocol's bytes, never a 500 and never
// an empty 200.
func FuzzREST(f *testing.F) {
	s := still(f)
	h := s.handler()
	seed := func(v any, header int) {
		b, err := json.Marshal(v)
		must(f, err)
		f.Add(b, header)
	}
	seed(stepBody([]float32{1, 2, 3}, jmap{"sequence_id": 1, "sequence_start": true, "sequence_step": 0}), -1)
	seed(jmap{"id": "a", "parameters": jmap{"binary_data_output": true, "sequence_start": true}, "outputs": []jmap{{"name": "output", "parameters": jmap{"binary_data": false}}}, "inputs": []jmap{
		{"name": "sequence_id", "datatype": "UINT64", "shape": []int{1}, "data": []int{4}},
		{"name": "input", "datatype": "FP32", "shape": []int{1, 1, 3}, "data": [][][]float32{{{1, 2, 3}}}},
	}}, -1)
	head := `{"inputs":[{"name":"input","datatype":"FP32","shape":[1,1,3],"parameters":{"binary_data_size":12}}]}`
	f.Add([]byte(head+"abcdefghijkl"), len(head))
	f.Add([]byte(`{"inputs":[{"name":"sequence_id","datatype":"BYTES","shape":[1],"parameters":{"binary_data_size":5}}]}`+"\x01\x00\x00\x00a"), 105)
	f.Add([]byte("abcdefghijkl"), 0)
	f.Fuzz(func(t *testing.T, body []byte, header int) {
		r := httptest.NewRequest("POST", "/v2/models/m/infer", bytes.NewReader(body))
		r.Host = "localhost"
		if header >= 0 {
			r.Header.Set(headerLength, strconv.Itoa(header))
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		out := w.Body.Bytes()
		if n := w.Header().Get(headerLength); n != "" {
			k, err := strconv.Atoi(n)
			if err != nil || k > len(out) {
				t.Fatalf("%s of %d bytes", n, len(out))
			}
			out = out[:k]
		}
		if w.Code >= 500 || !json.Valid(out) || len(out) == 0 {
			t.Errorf("%d %q for %q", w.Code, out, body)
		}
	})
}

// Any message gets an answer or an error of the client's.
func FuzzGRPC(f *testing.F) {
	s := still(f)
	for _, r := range []*oip.ModelInferRequest{
		grpcStep([]float32{1, 2, 3}, map[string]any{"sequence_id": 1, "sequence_start": true}),
		grpcStep([]float32{1, 2, 3}, map[string]any{"sequence_id": "a", "sequence_end": true, "sequence_step": 3}),
		{ModelName: "m", Inputs: []*oip.ModelInferRequest_InferInputTensor{{Name: "input", Datatype: "FP32", Shape: []int64{1, 1, 3}, Contents: &oip.InferTensorContents{Fp32Contents: []float32{1, 2, 3}}}}},
		{ModelName: "m", Inputs: []*oip.ModelInferRequest_InferInputTensor{{Name: "sequence_id", Datatype: "BYTES", Shape: []int64{1}}}, RawInputContents: [][]byte{{1, 0, 0, 0, 'a'}}},
	} {
		b, err := proto.Marshal(r)
		must(f, err)
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var r oip.ModelInferRequest
		if proto.Unmarshal(b, &r) != nil {
			return
		}
		out, bad := s.inferGRPC(ctx, &r)
		switch {
		case bad != nil && bad.kind == internal:
			t.Errorf("%s for %v", bad.say, &r)
		case bad == nil && len(out.Outputs) == 0 && !strings.Contains(fmt.Sprint(r.Outputs), "name"):
			t.Errorf("an empty answer for %v", &r)
		}
	})
}
