package server

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/internal/testkit/python"
)

// Clients that others wrote, in processes of their own, get the bits of a stream.
func TestClientsOfOthers(t *testing.T) {
	for _, c := range []struct {
		script   string
		packages []string
		ways     int
	}{
		{"triton.py", []string{"tritonclient.grpc", "tritonclient.http"}, 5},
		{"kserve_client.py", []string{"kserve"}, 4},
	} {
		t.Run(c.script, func(t *testing.T) {
			py := python.With(c.packages...)
			if py == "" {
				t.Skipf("no Python has the packages %v (UNROLL_PYTHON names one)", c.packages)
			}
			src, l := layerSource(t, unroll.Config{Mode: unroll.LSTM, InputSize: 3, HiddenSize: 20, NumLayers: 2})
			layerRuns(t, py, c.script, c.ways, src, l)
		})
	}
}

func layerRuns(t *testing.T, py, script string, ways int, src Source, l *unroll.Layer) {
	v := serve(t, Options{Models: []Source{src}})
	k := newTrack(t, l, 1)
	var job struct {
		Input  string      `json:"input"`
		Output string      `json:"output"`
		Shape  []int       `json:"shape"`
		Steps  [][]float32 `json:"steps"`
	}
	job.Input, job.Output, job.Shape = "input", "output", []int{1, 1, l.Config().InputSize}
	var want []string
	for range 20 {
		x, y := k.next()
		job.Steps, want = append(job.Steps, x), append(want, bits(y))
	}
	in, err := json.Marshal(job)
	must(t, err)
	cmd := exec.Command(py, filepath.Join("testdata", script), v.http, v.grpc, "m")
	cmd.Stdin = bytes.NewReader(in)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, stderr.Bytes())
	}
	var got map[string][]string
	must(t, json.Unmarshal(out, &got))
	if len(got) != ways {
		t.Errorf("%d ways, expected %d", len(got), ways)
	}
	for way, steps := range got {
		if n := len(steps); n != len(want) && !(way == "many" && n == 10) {
			t.Errorf("%s: %d steps, expected %d", way, n, len(want))
			continue
		}
		for i, step := range steps {
			if step != want[i] {
				t.Errorf("%s: step %d is %s, a stream gives %s", way, i, step, want[i])
				break
			}
		}
	}
}

// Requests that Schemathesis makes of the OpenAPI description get answers that it
// describes, and no fault of the server's.
func TestOpenAPIDescription(t *testing.T) {
	py := python.With("schemathesis")
	if py == "" {
		t.Skip("no Python has the package schemathesis (UNROLL_PYTHON names one)")
	}
	src, _ := layerSource(t, small)
	v := serve(t, Options{Models: []Source{src, {Path: "../../examples/bach"}}})
	text := strings.Replace(string(openAPI), `"pattern": "^[A-Za-z0-9_][A-Za-z0-9._-]{0,63}$"`, `"enum": ["m", "bach", "nobody"]`, 1)
	file := filepath.Join(t.TempDir(), "openapi.json")
	must(t, os.WriteFile(file, []byte(text), 0o600))
	cmd := exec.Command(py, "-c", "from schemathesis.cli import schemathesis; schemathesis()", "run", file, "--url", v.web, "--max-examples", "20", "--seed", "1",
		"--checks", "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,unsupported_method")
	cmd.Dir = t.TempDir()
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
