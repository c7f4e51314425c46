package server

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/binary"
	"encoding/pem"
	"fmt"
	"math"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	reflectpb "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/status"

	"github.com/unroll-ml/unroll/internal/server/oip"
)

var ctx = context.Background()

// rawFloats are the elements of the first raw output.
func rawFloats(r *oip.ModelInferResponse) string {
	if len(r.GetRawOutputContents()) == 0 {
		return "nothing"
	}
	b := r.RawOutputContents[0]
	out := make([]float32, len(b)/4)
	for i := range out {
		out[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
	}
	return bits(out)
}

// rpcRefused checks a status, its reason and a part of what it says.
func rpcRefused(t *testing.T, what string, err error, code codes.Code, reason, part string) {
	t.Helper()
	st := status.Convert(err)
	got := ""
	for _, d := range st.Details() {
		if e, ok := d.(*errdetails.ErrorInfo); ok {
			got = e.Reason
		}
	}
	if st.Code() != code || got != reason || !strings.Contains(st.Message(), part) {
		t.Errorf("%s: %v %s %q, expected %v %s with %q", what, st.Code(), got, st.Message(), code, reason, part)
	}
}

func TestSequencesOverGRPC(t *testing.T) {
	src, l := layerSource(t, small)
	v := serve(t, Options{Models: []Source{src}, Limits: Limits{Body: 4096}})
	k := newTrack(t, l, 1)
	for i, id := range []any{uint64(1<<64 - 1), "18446744073709551615", uint64(1<<64 - 1)} {
		x, want := k.next()
		r, err := v.rpc.ModelInfer(ctx, grpcStep(x, map[string]any{"sequence_id": id, "sequence_start": i == 0, "sequence_end": i == 2, "sequence_step": i}))
		if err != nil || rawFloats(r) != bits(want) || r.Parameters["sequence_steps"].GetInt64Param() != int64(i+1) {
			t.Errorf("step %d: %v %v", i, err, r)
		}
	}
	x, _ := k.next()
	_, err := v.rpc.ModelInfer(ctx, grpcStep(x, map[string]any{"sequence_id": uint64(1<<64 - 1)}))
	rpcRefused(t, "after the end", err, codes.FailedPrecondition, "ENDED", "has ended")
	_, err = v.rpc.ModelInfer(ctx, grpcStep(x, map[string]any{"sequence_id": 3}))
	rpcRefused(t, "before the start", err, codes.FailedPrecondition, "NEVER_STARTED", "never started")
	_, err = v.rpc.ModelInfer(ctx, grpcStep(x[:2], map[string]any{"sequence_id": 3}))
	rpcRefused(t, "shape", err, codes.InvalidArgument, "BAD_REQUEST", "expected FP32 [T, B, 3]")
	_, err = v.rpc.ModelInfer(ctx, grpcStep(make([]float32, 2000), nil))
	if status.Code(err) != codes.ResourceExhausted {
		t.Errorf("too large: %v", err)
	}
	contents := grpcStep(x, nil)
	contents.RawInputContents = nil
	contents.Inputs[0].Contents = &oip.InferTensorContents{Fp32Contents: x}
	r, err := v.rpc.ModelInfer(ctx, contents)
	if err != nil || len(r.Outputs) != 3 || len(r.Outputs[0].Contents.GetFp32Contents()) != 5 {
		t.Errorf("contents: %v %v", err, r)
	}
	for _, wrong := range []func(*oip.ModelInferRequest){
		func(r *oip.ModelInferRequest) { r.Inputs[0].Contents = nil },
		func(r *oip.ModelInferRequest) { r.RawInputContents = [][]byte{{1}} },
		func(r *oip.ModelInferRequest) { r.RawInputContents = [][]byte{{1}, {2}} },
		func(r *oip.ModelInferRequest) { r.Inputs[0].Shape = []int64{math.MaxInt64, math.MaxInt64} },
		func(r *oip.ModelInferRequest) { r.Inputs[0].Shape = make([]int64, 100) },
		func(r *oip.ModelInferRequest) { r.Inputs = nil },
		func(r *oip.ModelInferRequest) { r.Parameters = map[string]*oip.InferParameter{"sequence_id": {}} },
	} {
		r := grpcStep(x, nil)
		r.RawInputContents, r.Inputs[0].Contents = nil, &oip.InferTensorContents{Fp32Contents: x}
		wrong(r)
		if _, err := v.rpc.ModelInfer(ctx, r); status.Code(err) != codes.InvalidArgument && status.Code(err) != codes.ResourceExhausted {
			t.Errorf("%v: %v", r, err)
		}
	}
}

// On one stream, sequences step together and are answered in order; an error is the
// answer of its request alone.
func TestStreams(t *testing.T) {
	src, l := layerSource(t, small)
	v := serve(t, Options{Models: []Source{src}})
	st, err := v.rpc.ModelStreamInfer(ctx)
	must(t, err)
	const n, steps = 100, 6
	tracks := make([]*track, n)
	go func() {
		for step := range steps {
			for i := range n {
				if step == 0 {
					tracks[i] = newTrack(t, l, uint64(i))
				}
				x, _ := tracks[i].next()
				r := grpcStep(x, map[string]any{"sequence_id": i + 1, "sequence_start": step == 0, "sequence_end": step == steps-1})
				if r.Id = fmt.Sprint(step, i); i == 50 {
					r.ModelName = "nobody"
				}
				if err := st.Send(r); err != nil {
					t.Error(err)
				}
			}
		}
		_ = st.CloseSend()
	}()
	again := make([]*track, n)
	for step := range steps {
		for i := range n {
			if step == 0 {
				again[i] = newTrack(t, l, uint64(i))
			}
			_, y := again[i].next()
			r, err := st.Recv()
			must(t, err)
			if got := r.InferResponse.GetId(); got != fmt.Sprint(step, i) {
				t.Fatalf("answer %s, expected %d%d", got, step, i)
			}
			if i == 50 {
				if !strings.Contains(r.ErrorMessage, "no model") || r.InferResponse.Parameters["reason"].GetStringParam() != "not_found" {
					t.Errorf("an error: %v", r)
				}
				continue
			}
			if r.ErrorMessage != "" || rawFloats(r.InferResponse) != bits(y) {
				t.Errorf("step %d of %d: %v, expected %s", step, i, r, bits(y))
			}
		}
	}
	if _, err := st.Recv(); err == nil || v.s.hosts["m"].pool.Len() != 0 {
		t.Errorf("the end: %v, %d sequences are left", err, v.s.hosts["m"].pool.Len())
	}
}

// Sequences of many clients, some of which give up in the middle, keep their bits.
func TestCancelledRequestsLeaveNeighbours(t *testing.T) {
	src, l := layerSource(t, small)
	v := serve(t, Options{Models: []Source{src}, Shards: 1})
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			k := newTrack(t, l, uint64(i))
			for step := range 30 {
				x, want := k.next()
				params := map[string]any{"sequence_id": i + 1, "sequence_start": step == 0, "sequence_step": step}
				for try := 0; ; try++ {
					c, cancel := context.WithTimeout(ctx, time.Duration(1+try*try)*200*time.Microsecond)
					if i%2 == 0 {
						c, cancel = ctx, func() {}
					}
					r, err := v.rpc.ModelInfer(c, grpcStep(x, params))
					cancel()
					if err == nil {
						if rawFloats(r) != bits(want) {
							t.Errorf("sequence %d, step %d: other bits", i, step)
						}
						break
					}
					if code := status.Code(err); code != codes.DeadlineExceeded && code != codes.Canceled {
						t.Errorf("sequence %d, step %d: %v", i, step, err)
						return
					}
				}
			}
		})
	}
	all.Wait()
}

func TestHealthAndReflection(t *testing.T) {
	src, _ := layerSource(t, small)
	v := serve(t, Options{Models: []Source{src}})
	conn, err := grpc.NewClient(v.grpc, grpc.WithTransportCredentials(insecure.NewCredentials()))
	must(t, err)
	defer conn.Close()
	h, err := healthpb.NewHealthClient(conn).Check(ctx, &healthpb.HealthCheckRequest{})
	if err != nil || h.Status != healthpb.HealthCheckResponse_SERVING {
		t.Errorf("health: %v %v", h, err)
	}
	r, err := reflectpb.NewServerReflectionClient(conn).ServerReflectionInfo(ctx)
	must(t, err)
	must(t, r.Send(&reflectpb.ServerReflectionRequest{MessageRequest: &reflectpb.ServerReflectionRequest_ListServices{}}))
	list, err := r.Recv()
	if err != nil || !strings.Contains(list.String(), "inference.GRPCInferenceService") {
		t.Errorf("reflection: %v %v", list, err)
	}
	m, err := v.rpc.ModelMetadata(ctx, &oip.ModelMetadataRequest{Name: "m"})
	if err != nil || len(m.Inputs) != 3 || m.Inputs[0].Shape[2] != 3 || m.Properties["sequences"] != "true" {
		t.Errorf("metadata: %v %v", m, err)
	}
	ready, err := v.rpc.ModelReady(ctx, &oip.ModelReadyRequest{Name: "m"})
	if err != nil || !ready.Ready {
		t.Errorf("ready: %v %v", ready, err)
	}
}

func TestTokens(t *testing.T) {
	src, _ := layerSource(t, small)
	file := filepath.Join(t.TempDir(), "tokens")
	must(t, os.WriteFile(file, []byte("# of the billing service\nsecret one\n\nsecret two\n"), 0o600))
	v := serve(t, Options{Models: []Source{src}, TokenFile: file})
	for _, c := range []struct {
		header string
		code   int
	}{{"", 401}, {"Bearer secret one", 200}, {"bearer secret two", 200}, {"Bearer secret", 401}, {"Bearer # of the billing service", 401}, {"Basic secret one", 401}, {"Bearer ", 401}} {
		if code, body, _ := v.do("GET", "/v2/models/m", nil, "Authorization", c.header); code != c.code {
			t.Errorf("%q: %d %s", c.header, code, body)
		}
		_, err := v.rpc.ServerMetadata(metadata.AppendToOutgoingContext(ctx, "authorization", c.header), &oip.ServerMetadataRequest{})
		if (err == nil) != (c.code == 200) || err != nil && status.Code(err) != codes.Unauthenticated {
			t.Errorf("%q: %v", c.header, err)
		}
	}
	if code, _, _ := v.do("GET", "/v2/health/ready", nil); code != 200 {
		t.Errorf("health with no token: %d", code)
	}
	if _, err := v.rpc.ServerReady(ctx, &oip.ServerReadyRequest{}); err != nil {
		t.Error(err)
	}
	st, err := v.rpc.ModelStreamInfer(ctx)
	must(t, err)
	if _, err = st.Recv(); status.Code(err) != codes.Unauthenticated {
		t.Errorf("a stream: %v", err)
	}
	must(t, os.WriteFile(file, []byte("new\n"), 0o600)) // read again
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		code, _, _ := v.do("GET", "/v2/models/m", nil, "Authorization", "Bearer new")
		if code == 200 {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("the new token: %d", code)
		}
	}
	if code, _, _ := v.do("GET", "/v2/models/m", nil, "Authorization", "Bearer secret one"); code != 401 {
		t.Errorf("the old token: %d", code)
	}
}

func TestAddressesBeyondLoopbackNeedAGuard(t *testing.T) {
	src, _ := layerSource(t, small)
	for addr, safe := range map[string]bool{"127.0.0.1:0": true, "[::1]:0": true, "localhost:0": true, "0.0.0.0:0": false, ":0": false, "192.0.2.1:0": false, "[::]:0": false} {
		s, err := New(Options{Models: []Source{src}, HTTP: addr})
		if (err == nil) != safe {
			t.Errorf("%s: %v", addr, err)
		}
		if err == nil {
			must(t, s.close())
		}
	}
	s, err := New(Options{Models: []Source{src}, HTTP: "0.0.0.0:0", Insecure: true})
	must(t, err)
	must(t, s.close())
	v := serve(t, Options{Models: []Source{src}})
	r, err := http.NewRequest("GET", v.web+"/v2/models/m", nil)
	must(t, err)
	r.Host = "elsewhere.example"
	res, err := http.DefaultClient.Do(r)
	must(t, err)
	res.Body.Close()
	if res.StatusCode != 401 {
		t.Errorf("another name for loopback: %d", res.StatusCode)
	}
}

// certificate makes a certificate that parent signs, or one of an authority.
func certificate(t *testing.T, dir, name string, parent *x509.Certificate, parentKey *ecdsa.PrivateKey) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	c := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		IsCA: parent == nil, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	if parent == nil {
		parent, parentKey = c, key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, parentKey)
	must(t, err)
	raw, err := x509.MarshalPKCS8PrivateKey(key)
	must(t, err)
	must(t, os.WriteFile(filepath.Join(dir, name+".pem"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	must(t, os.WriteFile(filepath.Join(dir, name+".key"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw}), 0o600))
	c, err = x509.ParseCertificate(der)
	must(t, err)
	return c, key
}

// Mutual TLS lets in who has a certificate of the authority, and nobody else.
func TestMutualTLS(t *testing.T) {
	dir := t.TempDir()
	ca, caKey := certificate(t, dir, "ca", nil, nil)
	certificate(t, dir, "server", ca, caKey)
	certificate(t, dir, "client", ca, caKey)
	certificate(t, dir, "stranger", nil, nil)
	file := func(name string) string { return filepath.Join(dir, name) }
	src, _ := layerSource(t, small)
	v := serve(t, Options{Models: []Source{src}, Cert: file("server.pem"), Key: file("server.key"), ClientCA: file("ca.pem")})
	roots := x509.NewCertPool()
	roots.AddCert(ca)
	for name, in := range map[string]bool{"client": true, "stranger": false, "": false} {
		c := &tls.Config{RootCAs: roots}
		if name != "" {
			pair, err := tls.LoadX509KeyPair(file(name+".pem"), file(name+".key"))
			must(t, err)
			c.Certificates = []tls.Certificate{pair}
		}
		client := http.Client{Transport: &http.Transport{TLSClientConfig: c}}
		res, err := client.Get("https://" + v.http + "/v2/models/m")
		if err == nil {
			res.Body.Close()
		}
		if (err == nil) != in {
			t.Errorf("%q over HTTP: %v", name, err)
		}
		conn, err := grpc.NewClient(v.grpc, grpc.WithTransportCredentials(credentials.NewTLS(c)))
		must(t, err)
		_, err = oip.NewGRPCInferenceServiceClient(conn).ServerLive(ctx, &oip.ServerLiveRequest{})
		if (err == nil) != in {
			t.Errorf("%q over gRPC: %v", name, err)
		}
		conn.Close()
		client.CloseIdleConnections()
	}
}
