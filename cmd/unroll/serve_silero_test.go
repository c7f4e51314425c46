//go:build !js && !noserve

package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/unroll-ml/unroll/internal/server/oip"
)

// silero is the detector of speech in the PyPI package silero-vad, or "".
func silero() string {
	if file := os.Getenv("SILERO_VAD"); file != "" {
		return file
	}
	const where = "import importlib.util as u, os; s = u.find_spec('silero_vad'); print(s and os.path.join(s.submodule_search_locations[0], 'data', 'silero_vad.onnx') or '')"
	for _, py := range []string{os.Getenv("UNROLL_PYTHON"), "python3"} {
		out, err := exec.Command(py, "-c", where).Output() // the package itself takes seconds to import
		if file := strings.TrimSpace(string(out)); err == nil && file != "" {
			return file
		}
	}
	return ""
}

// Silero's detector steps sequences on a stream of gRPC, two side by side, with the
// numbers that "run --stream" prints, by the command of docs/serving.md.
func TestServeSilero(t *testing.T) {
	file := silero()
	if file == "" {
		t.Skip("there is no silero_vad.onnx: no Python has the package silero-vad (UNROLL_PYTHON names one), and SILERO_VAD names no file")
	}
	const frames, samples = 20, 576
	rnd := rand.New(rand.NewPCG(1, 2))
	var xs [2][][]float32
	var want [2][]float32
	for k := range xs {
		var lines bytes.Buffer
		for i := range frames {
			x := make([]float32, samples)
			for j := range x {
				x[j] = float32(math.Sin(float64(j)*0.02*float64(k+1))) * rnd.Float32() * float32(i) / frames
			}
			xs[k] = append(xs[k], x)
			b, err := json.Marshal(x)
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(&lines, "%s\n", b)
		}
		var stdout, stderr bytes.Buffer
		if code := execute(context.Background(), []string{"run", file, "-", "--stream", "--json", "--set", "sr=16000", "--size", "input[1]=576"}, &lines, &stdout, &stderr); code != codeOK {
			t.Fatalf("run: %d %s", code, &stderr)
		}
		want[k] = numbersOf(t, stdout.String())
		if len(want[k]) != frames {
			t.Fatalf("run --stream prints %d numbers, expected %d:\n%s", len(want[k]), frames, &stdout)
		}
	}
	_, addr, stop := servingBoth(t, "vad="+file, "--set", "sr=16000", "--size", "vad:input[1]=576")
	conn, err := grpc.NewClient(addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	st, err := oip.NewGRPCInferenceServiceClient(conn).ModelStreamInfer(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for i := range frames {
		for k := range xs {
			var raw []byte
			for _, v := range xs[k][i] {
				raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(v))
			}
			if err := st.Send(&oip.ModelInferRequest{
				ModelName: "vad", RawInputContents: [][]byte{raw}, Inputs: []*oip.ModelInferRequest_InferInputTensor{{Name: "input", Datatype: "FP32", Shape: []int64{1, samples}}},
				Parameters: map[string]*oip.InferParameter{
					"sequence_id":    {ParameterChoice: &oip.InferParameter_StringParam{StringParam: fmt.Sprint("call ", k)}},
					"sequence_start": {ParameterChoice: &oip.InferParameter_BoolParam{BoolParam: i == 0}},
				},
			}); err != nil {
				t.Fatal(err)
			}
		}
		for k := range xs {
			r, err := st.Recv()
			if err != nil || r.ErrorMessage != "" {
				t.Fatalf("%v %v", err, r)
			}
			got := math.Float32frombits(binary.LittleEndian.Uint32(r.InferResponse.RawOutputContents[0]))
			if math.Float32bits(got) != math.Float32bits(want[k][i]) {
				t.Errorf("call %d, frame %d: %v, run --stream prints %v", k, i, got, want[k][i])
			}
		}
	}
	if err := st.CloseSend(); err != nil {
		t.Fatal(err)
	}
	if code, log := stop(); code != codeOK {
		t.Errorf("exit code %d\n%s", code, log)
	}
}

// numbersOf are the first numbers of each line of run's JSON, whatever it is within.
func numbersOf(t *testing.T, text string) (list []float32) {
	t.Helper()
	number := regexp.MustCompile(`-?\d+(\.\d+)?([eE][-+]?\d+)?`)
	for _, line := range strings.Split(strings.TrimSpace(text), "\n") {
		var x float32
		if err := json.Unmarshal([]byte(number.FindString(line)), &x); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		list = append(list, x)
	}
	return list
}
