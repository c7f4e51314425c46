//go:build !js && !noserve

package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// serving runs "unroll serve" until stop is called, which returns its exit code and
// its log.
func serving(t *testing.T, args ...string) (base string, stop func() (int, string)) {
	t.Helper()
	base, _, stop = servingBoth(t, args...)
	return base, stop
}

// servingBoth is serving with the address of gRPC too.
func servingBoth(t *testing.T, args ...string) (base, rpc string, stop func() (int, string)) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	in, out := io.Pipe()
	code := make(chan int, 1)
	go func() {
		var stdout bytes.Buffer
		code <- execute(ctx, append([]string{"serve", "--listen", "127.0.0.1:0", "--grpc", "127.0.0.1:0"}, args...), strings.NewReader(""), &stdout, out)
		out.Close()
	}()
	var log strings.Builder
	lines := bufio.NewScanner(in)
	at := regexp.MustCompile(`(http|grpc)=(\S+)`)
	for (base == "" || rpc == "") && lines.Scan() {
		fmt.Fprintln(&log, lines.Text())
		if m := at.FindStringSubmatch(lines.Text()); m != nil && m[1] == "http" {
			base = strings.TrimSuffix(m[2], "/")
		} else if m != nil {
			rpc = m[2]
		}
	}
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		for lines.Scan() {
			fmt.Fprintln(&log, lines.Text())
		}
	}()
	stop = func() (int, string) {
		cancel()
		<-drained
		return <-code, log.String()
	}
	if base == "" || rpc == "" {
		code, log := stop()
		t.Fatalf("exit code %d\n%s", code, log)
	}
	return base, rpc, stop
}

func post(t *testing.T, url, body string) (int, string) {
	t.Helper()
	client := http.Client{Timeout: 20 * time.Second}
	r, err := client.Post(url, "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return r.StatusCode, string(b)
}

// Twenty steps of a served layer are those that "run --stream" prints, in each
// precision, which are not each other's.
func TestServeIsRunStream(t *testing.T) {
	full, low := servedSteps(t), servedSteps(t, "--precision", "int8")
	if full == low {
		t.Error("--precision int8 gives the numbers of float32")
	}
}

// servedSteps compares serve and run with the same flags, and returns what both gave.
func servedSteps(t *testing.T, flags ...string) string {
	t.Helper()
	const file = "../../examples/bach/model.safetensors"
	var steps []string
	for i := range 20 {
		x := make([]string, 88)
		for k := range x {
			x[k] = fmt.Sprint((i*7+k*3)%11 == 0)[:1]
			x[k] = map[string]string{"t": "1", "f": "0.25"}[x[k]]
		}
		steps = append(steps, "["+strings.Join(x, ",")+"]")
	}
	var stdout, stderr bytes.Buffer
	if code := execute(context.Background(), append([]string{"run", file, "-", "--stream", "--json", "--time-first"}, flags...), strings.NewReader(strings.Join(steps, "\n")+"\n"), &stdout, &stderr); code != codeOK {
		t.Fatalf("run: %d %s", code, &stderr)
	}
	want := strings.Split(strings.TrimSpace(stdout.String()), "\n")
	base, stop := serving(t, append([]string{"m=" + file, "--time-first"}, flags...)...)
	for i, x := range steps {
		code, body := post(t, base+"/v2/models/m/infer", fmt.Sprintf(`{"parameters":{"sequence_id":5,"sequence_start":%v},"inputs":[{"name":"input","datatype":"FP32","shape":[1,1,88],"data":%s}]}`, i == 0, x))
		var a struct{ Outputs []struct{ Data []float32 } }
		var w []float32
		if err := json.Unmarshal([]byte(body), &a); err != nil || code != 200 {
			t.Fatalf("%d %s", code, body)
		}
		if err := json.Unmarshal([]byte(want[i]), &w); err != nil {
			t.Fatal(err)
		}
		if len(w) != 128 || !slices.Equal(a.Outputs[0].Data, w) {
			t.Fatalf("step %d: %v, run --stream prints %v", i, a.Outputs[0].Data, w)
		}
	}
	if code, log := stop(); code != codeOK || !strings.Contains(log, "drained") {
		t.Errorf("exit code %d\n%s", code, log)
	}
	return stdout.String()
}

func TestServeRefusesByName(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct {
		args string
		code int
		part string
	}{
		{"", codeUsage, "serve: got no argument"},
		{dir + "/none.onnx", codeFailure, "none.onnx"},
		{"../../examples/bach --listen 0.0.0.0:0 --grpc none", codeFailure, "nothing guards it: add --token-file, "},
		{"../../examples/bach --listen nowhere", codeUsage, "HOST:PORT"},
		{"../../examples/bach x=../../examples/bach --set x:", codeUsage, "--set"},
		{"../../examples/bach --set sr=16000", codeUsage, "--set sr: no model has an input of that name; inputs are ["},
		{"x=../../examples/bach y=../../examples/bach --size x:foo=3", codeUsage, "--size foo: no model leaves a size of that name open; open are ["},
		{"a/b c=../../examples/bach --log xml", codeUsage, "text or json"},
		{"../../examples/bach bach=../../examples/bach", codeFailure, "two models"},
		{"../../examples/bach --max-body -1", codeUsage, "--max-body: got -1, expected at least 0"},
		{"-", codeUsage, "standard stream"},
		{"../../examples/bach/model.safetensors", codeUsage, "--time-first"},
		{"../../examples/bach --precision int4", codeUsage, "float32, int8, bfloat16"},
		{"../../examples/bach --keep fc", codeUsage, "there is no --precision"},
		{"../../examples/bach --precision int8 --keep rnn.l7", codeUsage, "rnn.l0"},
		{"../../examples/bach b=../../examples/bach --precision int8 --keep bach:rnn.l0,b:fcs", codeUsage, "fcs"},
	} {
		var stdout, stderr bytes.Buffer
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		code := execute(ctx, append([]string{"serve"}, strings.Fields(c.args)...), strings.NewReader(""), &stdout, &stderr)
		cancel()
		if code != c.code || !strings.Contains(stderr.String(), c.part) {
			t.Errorf("serve %s: %d %s, expected %d with %q", c.args, code, &stderr, c.code, c.part)
		}
	}
}

// SIGHUP serves a new version of the model's files.
func TestServeOpensAnewOnHangup(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("there is no SIGHUP on Windows")
	}
	keep := make(chan os.Signal, 1) // so that a signal before the command's own handler ends nothing
	signal.Notify(keep, syscall.SIGHUP)
	defer signal.Stop(keep)
	src, err := os.ReadFile("../../examples/bach/model.safetensors")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "m.safetensors")
	if err := os.WriteFile(file, src, 0o600); err != nil {
		t.Fatal(err)
	}
	base, stop := serving(t, file, "--time-first")
	p, err := os.FindProcess(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		if err := p.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		r, err := http.Get(base + "/v2/models/m")
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(r.Body)
		r.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(b), `"versions":["1"]`) {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("still %s", b)
		}
	}
	if code, log := stop(); code != codeOK || !strings.Contains(log, "a new version is served") {
		t.Errorf("exit code %d\n%s", code, log)
	}
}
