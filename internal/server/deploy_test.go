package server

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"

	"github.com/unroll-ml/unroll/internal/server/oip"
)

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	must(t, err)
	return port
}

// Two replicas stand behind haproxy, which hashes x-sequence-id; one ends, and the
// clients of its sequences go on from their capsules with the bits of a stream.
func TestReplicasBehindHAProxy(t *testing.T) {
	haproxy, err := exec.LookPath("haproxy")
	if err != nil {
		if haproxy = "/usr/sbin/haproxy"; exec.Command(haproxy, "-v").Run() != nil {
			t.Skip("haproxy is not installed (Debian: haproxy)")
		}
	}
	src, l := layerSource(t, small)
	a, b := serve(t, Options{Models: []Source{src}}), serve(t, Options{Models: []Source{src}})
	text, err := os.ReadFile("../../deploy/haproxy/haproxy.cfg")
	must(t, err)
	rest, rpc := freePort(t), freePort(t)
	_, aPort, _ := net.SplitHostPort(a.http)
	_, bPort, _ := net.SplitHostPort(b.http)
	config := strings.NewReplacer("127.0.0.1:8000", a.http, "127.0.0.1:8001", a.grpc, "127.0.0.1:8010", b.http, "127.0.0.1:8011", b.grpc,
		"127.0.0.1:9000", "127.0.0.1:"+rest, "127.0.0.1:9001", "127.0.0.1:"+rpc, "port 8000", "port "+aPort, "port 8010", "port "+bPort).Replace(string(text))
	file := filepath.Join(t.TempDir(), "haproxy.cfg")
	must(t, os.WriteFile(file, []byte(config), 0o600))
	cmd := exec.Command(haproxy, "-f", file)
	must(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	v := &served{t: t, web: "http://127.0.0.1:" + rest}
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		c, err := net.Dial("tcp", "127.0.0.1:"+rest)
		if err == nil {
			c.Close()
			if code, _, _ := v.do("GET", "/v2/health/ready", nil); code == 200 {
				break
			}
		}
		if time.Now().After(end) {
			t.Fatalf("haproxy does not answer: %v", err)
		}
	}
	r, err := http.NewRequest("GET", v.web+"/v2/status", nil)
	must(t, err)
	r.Host = "models.example" // as somebody on another machine calls the balancer
	res, err := http.DefaultClient.Do(r)
	must(t, err)
	must(t, res.Body.Close())
	if res.StatusCode != 200 {
		t.Errorf("asked by another name, haproxy answers %s", res.Status)
	}
	const n = 20
	tracks, capsules := make([]*track, n), make([]string, n)
	step := func(i int, start bool) {
		t.Helper()
		id := fmt.Sprint("s", i)
		x, want := tracks[i].next()
		body, state := stepBody(x, jmap{"sequence_id": id, "sequence_start": start}), "/v2/models/m/sequences/"+id+"/state"
		var code int
		var text string
		for end := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
			code, text, _ = v.do("POST", infer, body, "X-Sequence-Id", id)
			if code == 409 { // another replica: bring the state along
				if code, out, _ := v.do("PUT", state, capsules[i], "X-Sequence-Id", id); code != 200 {
					t.Fatalf("PUT: %d %s", code, out)
				}
				continue
			}
			if code < 500 || time.Now().After(end) {
				break
			}
		}
		if code != 200 {
			t.Fatalf("sequence %s: %d %s", id, code, text)
		}
		if got, _ := output(t, text, "output"); bits(got) != bits(want) {
			t.Errorf("sequence %s: %v, alone %v", id, got, want)
		}
		if code, capsules[i], _ = v.do("GET", state, nil, "X-Sequence-Id", id); code != 200 {
			t.Fatalf("GET: %d %s", code, capsules[i])
		}
	}
	for i := range n {
		tracks[i] = newTrack(t, l, uint64(i))
		for k := range 3 {
			step(i, k == 0)
		}
	}
	onA, onB := a.s.hosts["m"].pool.Len(), b.s.hosts["m"].pool.Len()
	if onA+onB != n || onA == 0 || onB == 0 {
		t.Errorf("%d and %d sequences of %d", onA, onB, n)
	}
	conn, err := grpc.NewClient("127.0.0.1:"+rpc, grpc.WithTransportCredentials(insecure.NewCredentials()))
	must(t, err)
	defer conn.Close()
	c := metadata.AppendToOutgoingContext(ctx, "x-sequence-id", "g")
	if _, err := oip.NewGRPCInferenceServiceClient(conn).ModelInfer(c, grpcStep([]float32{1, 2, 3}, map[string]any{"sequence_id": "g", "sequence_start": true})); err != nil {
		t.Errorf("gRPC through haproxy: %v", err)
	}
	must(t, a.stop())
	for range 3 {
		for i := range n {
			step(i, false)
		}
	}
	if got := b.s.hosts["m"].pool.Len(); got < n {
		t.Errorf("%d sequences on the replica that is left", got)
	}
}

// The dashboard shows numbers that there are.
func TestDashboardAsksForNumbersThatThereAre(t *testing.T) {
	src, _ := layerSource(t, small)
	v := serve(t, Options{Models: []Source{src}, Snapshots: t.TempDir(), Every: 20 * time.Millisecond})
	v.do("POST", infer, stepBody([]float32{1, 2, 3}, jmap{"sequence_id": 1, "sequence_start": true, "sequence_end": true}))
	v.do("POST", infer, stepBody([]float32{1, 2, 3}, jmap{"sequence_id": 2}))
	for start := time.Now(); v.s.hosts["m"].pool.Stats().Snapshot.IsZero(); time.Sleep(time.Millisecond) {
		if time.Since(start) > time.Minute {
			t.Fatal("no snapshot after a minute")
		}
	}
	_, served, _ := v.do("GET", "/metrics", nil)
	b, err := os.ReadFile("../../deploy/grafana/unroll.json")
	must(t, err)
	if !json.Valid(b) {
		t.Fatal("the dashboard is no JSON")
	}
	names := regexp.MustCompile(`unroll_[a-z_]+`).FindAllString(strings.ReplaceAll(string(b), "unroll_serve", ""), -1)
	if len(names) < 10 {
		t.Fatalf("the dashboard has %v", names)
	}
	for _, name := range names {
		if !strings.Contains(served, "\n"+name+"{") {
			t.Errorf("%s is not served", name)
		}
	}
	for _, want := range []string{`unroll_steps_total{model="m"} 1`, `unroll_sequences_ended_total{model="m",reason="ended"} 1`, `unroll_rejected_total{model="m",reason="never_started"} 1`, `unroll_request_duration_seconds_count{model="m",result="ok"} 1`} {
		if !strings.Contains(served, want) {
			t.Errorf("no %s in\n%s", want, served)
		}
	}
}
