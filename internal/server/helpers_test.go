package server

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/checkpoint"
	"github.com/unroll-ml/unroll/checkpoint/safetensors"
	"github.com/unroll-ml/unroll/internal/server/oip"
	"github.com/unroll-ml/unroll/model"
	"github.com/unroll-ml/unroll/nn"
	"github.com/unroll-ml/unroll/rng"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// small is the layer that most tests serve.
var small = unroll.Config{Mode: unroll.LSTM, InputSize: 3, HiddenSize: 5, NumLayers: 2}

// layerFile writes a layer with drawn parameters to a file.
func layerFile(t testing.TB, path string, c unroll.Config, seed uint64) *unroll.Layer {
	t.Helper()
	l, err := unroll.New(c)
	must(t, err)
	l.ResetParameters(rng.New(seed))
	var set checkpoint.Set
	for _, p := range l.Params() {
		set = append(set, checkpoint.Of(p.Name, p.Value))
	}
	must(t, safetensors.WriteFile(path, set, nil))
	return l
}

// layerSource is a layer that is served as "m".
func layerSource(t testing.TB, c unroll.Config) (Source, *unroll.Layer) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "m.safetensors")
	l := layerFile(t, path, c, 1)
	return Source{Path: path, Open: model.Options{Layout: model.TimeFirst}}, l
}

// folderSource is a model folder that is served under a name.
func folderSource(t testing.TB, name string, cfg nn.Config) Source {
	t.Helper()
	m, err := nn.New(cfg)
	must(t, err)
	m.ResetParameters(rng.New(1))
	dir := filepath.Join(t.TempDir(), name)
	must(t, m.Save(dir, ""))
	return Source{Path: dir}
}

// served is a server that a test runs.
type served struct {
	t    testing.TB
	s    *Server
	web  string // "http://..."
	http string // HOST:PORT
	grpc string
	rpc  oip.GRPCInferenceServiceClient
	stop func() error
}

// serve runs a server until the test ends.
func serve(t testing.TB, opt Options) *served {
	t.Helper()
	opt.HTTP, opt.GRPC = "127.0.0.1:0", "127.0.0.1:0"
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	s, err := New(opt)
	must(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	at, over := make(chan [2]net.Addr, 1), make(chan error, 1)
	go func() { over <- s.Run(ctx, func(http, grpc net.Addr) { at <- [2]net.Addr{http, grpc} }) }()
	var addr [2]net.Addr
	select {
	case addr = <-at:
	case err := <-over:
		cancel()
		t.Fatal(err)
	}
	v := &served{t: t, s: s, http: addr[0].String(), grpc: addr[1].String()}
	v.web = "http://" + v.http
	conn, err := grpc.NewClient(v.grpc, grpc.WithTransportCredentials(insecure.NewCredentials()))
	must(t, err)
	v.rpc = oip.NewGRPCInferenceServiceClient(conn)
	var done error
	ended := false
	v.stop = func() error {
		if !ended {
			ended = true
			cancel()
			done = <-over
			_ = conn.Close()
		}
		return done
	}
	t.Cleanup(func() {
		if err := v.stop(); err != nil {
			t.Error(err)
		}
	})
	return v
}

// do makes a request and returns its code and body.
func (v *served) do(method, path string, body any, header ...string) (int, string, http.Header) {
	v.t.Helper()
	var in io.Reader
	switch b := body.(type) {
	case nil:
	case string:
		in = strings.NewReader(b)
	case []byte:
		in = bytes.NewReader(b)
	default:
		text, err := json.Marshal(b)
		must(v.t, err)
		in = bytes.NewReader(text)
	}
	r, err := http.NewRequest(method, v.web+path, in)
	must(v.t, err)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	client := http.Client{Timeout: 20 * time.Second}
	res, err := client.Do(r)
	must(v.t, err)
	defer res.Body.Close()
	out, err := io.ReadAll(res.Body)
	must(v.t, err)
	return res.StatusCode, string(out), res.Header
}

// jmap is an object of JSON.
type jmap = map[string]any

// stepBody is a request of REST for one step of a sequence.
func stepBody(x []float32, params jmap) jmap {
	return jmap{"parameters": params, "inputs": []jmap{{"name": "input", "datatype": "FP32", "shape": []int{1, 1, len(x)}, "data": x}}}
}

// output reads the named output of an answer of REST.
func output(t testing.TB, body, name string) (data []float32, shape []int) {
	t.Helper()
	var a struct {
		Outputs []struct {
			Name  string
			Shape []int
			Data  []float32
		}
	}
	if err := json.Unmarshal([]byte(body), &a); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	for _, o := range a.Outputs {
		if o.Name == name {
			return o.Data, o.Shape
		}
	}
	t.Fatalf("no output %q in %s", name, body)
	return nil, nil
}

// track is a sequence of a test beside a stream of it alone.
type track struct {
	alone *unroll.Stream
	rnd   *rand.Rand
	c     unroll.Config
}

func newTrack(t testing.TB, l *unroll.Layer, seed uint64) *track {
	s, err := l.NewStream(1)
	must(t, err)
	return &track{s, rand.New(rand.NewPCG(seed, 7)), l.Config()}
}

// next draws an input and returns it with the output of the stream.
func (k *track) next() (x, want []float32) {
	x, want = make([]float32, k.c.InputSize), make([]float32, k.c.OutputSize())
	for i := range x {
		x[i] = 2*k.rnd.Float32() - 1
	}
	if err := k.alone.Step(want, x); err != nil {
		panic(err)
	}
	return x, want
}

// bits are numbers as their bytes, to compare.
func bits(v []float32) string {
	m, err := model.Of(v, len(v))
	if err != nil {
		panic(err)
	}
	return hex.EncodeToString(appendBytes(nil, m))
}

// grpcStep is a message for one step of a sequence.
func grpcStep(x []float32, params map[string]any) *oip.ModelInferRequest {
	m, _ := model.Of(x, len(x))
	r := &oip.ModelInferRequest{
		ModelName: "m", Parameters: map[string]*oip.InferParameter{}, RawInputContents: [][]byte{appendBytes(nil, m)},
		Inputs: []*oip.ModelInferRequest_InferInputTensor{{Name: "input", Datatype: "FP32", Shape: []int64{1, 1, int64(len(x))}}},
	}
	for name, v := range params {
		p := &oip.InferParameter{}
		switch v := v.(type) {
		case bool:
			p.ParameterChoice = &oip.InferParameter_BoolParam{BoolParam: v}
		case int:
			p.ParameterChoice = &oip.InferParameter_Int64Param{Int64Param: int64(v)}
		case uint64:
			p.ParameterChoice = &oip.InferParameter_Uint64Param{Uint64Param: v}
		case string:
			p.ParameterChoice = &oip.InferParameter_StringParam{StringParam: v}
		}
		r.Parameters[name] = p
	}
	return r
}
