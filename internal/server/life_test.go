package server

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/internal/server/oip"
	"github.com/unroll-ml/unroll/model"
	"github.com/unroll-ml/unroll/rng"
	"github.com/unroll-ml/unroll/task"
)

// When the server ends, what is under way is answered, streams end as unavailable,
// and the states stand in the snapshot, from which the next server goes on.
func TestTheEndAndTheNextBeginning(t *testing.T) {
	src, l := layerSource(t, small)
	opt := Options{Models: []Source{src}, Snapshots: t.TempDir(), Grace: 5 * time.Second}
	v := serve(t, opt)
	k := newTrack(t, l, 1)
	st, err := v.rpc.ModelStreamInfer(ctx)
	must(t, err)
	for i := range 5 {
		x, want := k.next()
		must(t, st.Send(grpcStep(x, map[string]any{"sequence_id": "a", "sequence_start": i == 0})))
		r, err := st.Recv()
		must(t, err)
		if rawFloats(r.InferResponse) != bits(want) {
			t.Errorf("step %d: %v", i, r)
		}
	}
	ended := make(chan error, 1)
	start := time.Now()
	go func() { ended <- v.stop() }()
	if _, err := st.Recv(); status.Code(err) != codes.Unavailable {
		t.Errorf("the stream ended with %v", err)
	}
	must(t, <-ended)
	if took := time.Since(start); took > 4*time.Second {
		t.Errorf("the end took %v with nothing under way", took)
	}
	next := serve(t, opt)
	for range 5 {
		x, want := k.next()
		r, err := next.rpc.ModelInfer(ctx, grpcStep(x, map[string]any{"sequence_id": "a"}))
		if err != nil || rawFloats(r) != bits(want) {
			t.Errorf("after the restart: %v %v", err, r)
		}
	}
}

// A new version is served in the place of the old while requests go on: each answer
// is one of either version, and sequences end with the reason, or go on.
func TestSwaps(t *testing.T) {
	for _, keep := range []bool{false, true} {
		src, l := layerSource(t, small)
		v := serve(t, Options{Models: []Source{src}, KeepStates: keep, Watch: 20 * time.Millisecond})
		k := newTrack(t, l, 1)
		x, _ := k.next()
		_, err := v.rpc.ModelInfer(ctx, grpcStep(x, map[string]any{"sequence_id": "a", "sequence_start": true}))
		must(t, err)
		stop := make(chan struct{})
		var busy sync.WaitGroup
		for i := range 3 {
			busy.Go(func() {
				for n := 0; ; n++ {
					select {
					case <-stop:
						return
					default:
					}
					params := map[string]any{"sequence_id": i + 1, "sequence_start": n%5 == 0}
					if i == 2 {
						params = nil // alone
					}
					if _, err := v.rpc.ModelInfer(ctx, grpcStep(x, params)); err != nil && status.Code(err) != codes.FailedPrecondition {
						t.Error(err)
						return
					}
				}
			})
		}
		second := layerFile(t, src.Path+".new", small, 2)
		must(t, os.Rename(src.Path+".new", src.Path))
		for end := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
			m, err := v.rpc.ModelMetadata(ctx, &oip.ModelMetadataRequest{Name: "m"})
			must(t, err)
			if m.Versions[0] == "2" {
				break
			}
			if time.Now().After(end) {
				t.Fatal("the new version is not served")
			}
		}
		close(stop)
		busy.Wait()
		x, _ = k.next()
		r, err := v.rpc.ModelInfer(ctx, grpcStep(x, map[string]any{"sequence_id": "a"}))
		if keep {
			if err != nil || r.Parameters["sequence_steps"].GetInt64Param() != 2 {
				t.Errorf("a kept state: %v %v", err, r)
			}
		} else {
			rpcRefused(t, "after the swap", err, codes.FailedPrecondition, "MODEL_CHANGED", "model has changed")
		}
		k2 := newTrack(t, second, 9)
		x, want := k2.next()
		r, err = v.rpc.ModelInfer(ctx, grpcStep(x, map[string]any{"sequence_id": "b", "sequence_start": true}))
		if err != nil || rawFloats(r) != bits(want) {
			t.Errorf("the new version: %v %v, expected %s", err, r, bits(want))
		}
		// One that steps otherwise is refused, and the old stays.
		layerFile(t, src.Path, unroll.Config{Mode: unroll.GRU, InputSize: 2, HiddenSize: 5}, 1)
		if err := v.s.Reload(); err == nil || !strings.Contains(err.Error(), "start the server anew") {
			t.Errorf("another model: %v", err)
		}
		must(t, os.WriteFile(src.Path, []byte("garbage"), 0o600))
		if err := v.s.Reload(); err == nil {
			t.Error("garbage was opened")
		}
		if _, err := v.rpc.ModelInfer(ctx, grpcStep(x, map[string]any{"sequence_id": "b"})); err != nil {
			t.Errorf("the old version after a failed swap: %v", err)
		}
	}
}

// Versions that are no longer served leave no memory.
func TestManySwapsLeaveMemoryFlat(t *testing.T) {
	n := 1000
	if testing.Short() {
		n = 50
	}
	src, _ := layerSource(t, unroll.Config{Mode: unroll.LSTM, InputSize: 16, HiddenSize: 32})
	v := serve(t, Options{Models: []Source{src}})
	var before uint64
	for i := range n {
		must(t, v.s.Reload())
		if i%10 == 0 {
			_, err := v.rpc.ModelInfer(ctx, grpcStep(make([]float32, 16), map[string]any{"sequence_id": i + 1, "sequence_start": true}))
			must(t, err)
		}
		if i == n/5 {
			before = heap()
		}
	}
	if after := heap(); after > before+before/4+1<<20 {
		t.Errorf("%d bytes after %d swaps, %d after %d", after, n, before, n/5)
	}
}

func heap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc - ballastBytes
}

// What "unroll predict" prints, the server answers.
func TestTasksAnswer(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		must(t, os.WriteFile(path, []byte(text), 0o666))
		return path
	}
	names, series := "text,label\n", "t,a,b\n"
	for i := range 40 {
		names += strings.Repeat("ab", 1+i%4) + "," + []string{"x", "y"}[i%2] + "\n"
		series += fmt.Sprintf("%d,%d,%d\n", i, i%3, i%4)
	}
	forecaster := task.NewForecast()
	forecaster.Lags, forecaster.Horizon, forecaster.NoCalendar, forecaster.Valid, forecaster.Test, forecaster.Season = 4, 2, true, .2, .2, 1
	set := map[string]task.Task{"classify": task.NewClassify(), "text": task.NewText(), "tag": task.NewTag(), "forecast": forecaster}
	files := map[string]string{
		"classify": file("n.csv", names), "forecast": file("s.csv", series),
		"text": file("p.txt", strings.Repeat("to be, or not to be: that is the question.\n", 20)),
		"tag":  file("t.conll", strings.Repeat("the D\ncat N\nsat V\n\n", 20)),
	}
	var sources []Source
	for name, tk := range set {
		s, err := tk.Load(files[name])
		must(t, err)
		r := task.DefaultRecipe()
		r.Epochs, r.Hidden = 1, 8
		m, err := r.Fit(ctx, tk, s)
		must(t, err)
		sources = append(sources, Source{Path: filepath.Join(dir, name)})
		must(t, m.Save(filepath.Join(dir, name), ""))
	}
	v := serve(t, Options{Models: sources, Limits: Limits{Tokens: 100}})
	for _, c := range []struct {
		name, query, body string
		q                 task.Query
	}{
		{"classify", "?json=1", "abab\nab\n", task.Query{JSON: true}},
		{"classify", "", "abab", task.Query{}},
		{"tag", "", "the cat", task.Query{}},
		{"forecast", "?json=true", series, task.Query{JSON: true}},
		{"forecast", "", series, task.Query{}},
		{"text", "?length=30&temperature=0.5&seed=7", "to be", task.Query{Length: 30, Temperature: .5, Seed: 7, Input: "to be", Text: true, Prompt: "\n"}},
		{"text", "?length=5&prompt=or", "", task.Query{Length: 5, Temperature: .8, Seed: 1, Prompt: "or"}},
	} {
		m, tk, err := task.Open(filepath.Join(dir, c.name))
		must(t, err)
		var want strings.Builder
		if c.q.Out = &want; c.name != "text" {
			c.q.Input, c.q.In = "-", strings.NewReader(c.body)
		}
		must(t, tk.Answer(ctx, m, c.q))
		code, body, _ := v.do("POST", "/v2/models/"+c.name+"/predict"+c.query, c.body)
		if code != 200 || body != want.String() || body == "" {
			t.Errorf("%s%s: %d %q, predict prints %q", c.name, c.query, code, body, want.String())
		}
	}
	for _, c := range []struct{ path, body, part string }{
		{"classify", "", "body is empty"},
		{"forecast", "a,b\n", ""},
		{"text?length=101", "a", "limit is 100"},
		{"text?length=x", "a", "length"},
		{"text?file=/etc/passwd", "a", "no parameter"},
		{"text?temperature=0", "a", "temperature"},
	} {
		code, body, _ := v.do("POST", "/v2/models/"+strings.Replace(c.path, "?", "/predict?", 1)+map[bool]string{true: "", false: "/predict"}[strings.Contains(c.path, "?")], c.body)
		v.refused(c.path, code, body, 400, "bad_request", c.part)
	}
	// A body that names a file is that text.
	code, body, _ := v.do("POST", "/v2/models/classify/predict", files["classify"])
	if code != 200 || strings.Count(body, "\n") != 1 {
		t.Errorf("a body that names a file: %d %s", code, body)
	}
}

// Music has no file to write to but the answer.
func TestMusicIsAnAnswer(t *testing.T) {
	v := serve(t, Options{Models: []Source{{Path: "../../examples/bach"}}})
	code, body, head := v.do("POST", "/v2/models/bach/predict?length=8", nil)
	if code != 200 || !strings.HasPrefix(body, "MThd") || head.Get("Content-Type") != "audio/midi" {
		t.Errorf("%d %s %q", code, head, body[:min(len(body), 20)])
	}
	code, body, _ = v.do("POST", "/v2/models/bach/infer", jmap{"parameters": jmap{"sequence_id": 1, "sequence_start": true}, "inputs": []jmap{{"name": "input", "datatype": "FP32", "shape": []int{1, 1, 88}, "data": make([]int, 88)}}})
	if code != 200 {
		t.Errorf("a step: %d %s", code, body)
	}
}

// Slow, half-open and senseless connections end, and others are served meanwhile.
func TestHostileConnections(t *testing.T) {
	src, _ := layerSource(t, small)
	v := serve(t, Options{Models: []Source{src}, Limits: Limits{Header: 300 * time.Millisecond, Read: 600 * time.Millisecond, Connections: 40}})
	var all sync.WaitGroup
	for i := range 12 {
		for _, addr := range []string{v.http, v.grpc} {
			all.Go(func() {
				c, err := net.Dial("tcp", addr)
				if err != nil {
					t.Error(err)
					return
				}
				defer c.Close()
				switch i % 4 {
				case 0: // a header that does not end
					fmt.Fprintf(c, "POST /v2/models/m/infer HTTP/1.1\r\nHost: localhost\r\nX: ")
				case 1: // garbage
					g := make([]float32, 1000)
					rng.Randn(rng.New(uint64(i)), g)
					m, _ := model.Of(g, len(g))
					_, _ = c.Write(appendBytes(nil, m))
				case 2: // a body that does not come
					fmt.Fprintf(c, "POST /v2/models/m/infer HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{")
				}
				_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
				b := make([]byte, 1<<16)
				for { // until the server closes
					if _, err := c.Read(b); err != nil {
						if os.IsTimeout(err) {
							t.Errorf("connection %d at %s is still open", i, addr)
						}
						return
					}
				}
			})
		}
	}
	for range 20 {
		if code, body, _ := v.do("POST", infer, stepBody([]float32{1, 2, 3}, nil)); code != 200 {
			t.Errorf("meanwhile: %d %s", code, body)
		}
		time.Sleep(20 * time.Millisecond)
	}
	all.Wait()
}
