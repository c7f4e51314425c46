// Command serve measures "unroll serve" beside what a Go program would build of
// ONNX Runtime: one layer, many live sequences, the same messages over grpc-go.
//
//	ORT_LIB=/path/to/libonnxruntime.so go run -C bench/serve .
//
// Each server is a process of its own, and all take turns. The client keeps every
// sequence at one step under way: it sends the next when it has the answer. "echo" is
// grpc-go alone, the floor; "ort-1" runs a session for each request, "ort-32" gathers
// up to 32 requests that are there. Before it measures, the client compares the
// answers of all with those of a stream.
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/checkpoint"
	"github.com/unroll-ml/unroll/checkpoint/safetensors"
	"github.com/unroll-ml/unroll/model"
	"github.com/unroll-ml/unroll/rng"
)

var (
	mode    = flag.String("mode", "LSTM", "LSTM or GRU")
	input   = flag.Int("input", 64, "input size")
	hidden  = flag.Int("hidden", 256, "hidden size")
	layers  = flag.Int("layers", 2, "layers")
	live    = flag.Int("live", 1000, "sequences, each with one step under way")
	streams = flag.Int("streams", 8, "streams of gRPC they are spread over, each a connection")
	turn    = flag.Duration("turn", 3*time.Second, "how long a server is measured in its turn")
	turns   = flag.Int("turns", 5, "turns of each")
	which   = flag.String("servers", "echo,unroll,ort-1,ort-32", "servers to measure")
	role    = flag.String("role", "", "a server's own process: its name")
	dir     = flag.String("dir", "", "where the server's files are")
)

func main() {
	log.SetFlags(0)
	flag.Parse()
	var err error
	if *role != "" {
		err = serve(*role, *dir)
	} else {
		err = measure()
	}
	if err != nil {
		log.Fatal(err)
	}
}

func config() unroll.Config {
	c := unroll.Config{Mode: unroll.LSTM, InputSize: *input, HiddenSize: *hidden, NumLayers: *layers}
	if *mode == "GRU" {
		c.Mode = unroll.GRU
	}
	return c
}

// files writes the layer as unroll serves it, and as ONNX with states in and out.
func files(dir string) (*unroll.Layer, error) {
	l, err := unroll.New(config())
	if err != nil {
		return nil, err
	}
	l.ResetParameters(rng.New(1))
	var set checkpoint.Set
	for _, p := range l.Params() {
		set = append(set, checkpoint.Of(p.Name, p.Value))
	}
	path := filepath.Join(dir, "m.safetensors")
	if err := safetensors.WriteFile(path, set, nil); err != nil {
		return nil, err
	}
	m, err := model.Options{Layout: model.TimeFirst, States: true}.Open(path)
	if err != nil {
		return nil, err
	}
	defer m.Close()
	return l, m.Save(filepath.Join(dir, "m.onnx"))
}

// process is a server of its own.
type process struct {
	name, addr string
	cmd        *exec.Cmd
}

func start(name, dir string) (*process, error) {
	args := append(slices.Clone(os.Args[1:]), "-role", name, "-dir", dir)
	s := &process{name: name, cmd: exec.Command(os.Args[0], args...)}
	s.cmd.Stderr = os.Stderr
	if _, err := s.cmd.StdinPipe(); err != nil { // it ends with us
		return nil, err
	}
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	s.addr = strings.TrimSpace(line)
	return s, nil
}

// result is a turn of a server.
type result struct {
	Server   string  `json:"server"`
	Steps    float64 `json:"steps_per_second"`
	CPU      float64 `json:"server_cpu_us_per_step"`
	Client   float64 `json:"client_cpu_us_per_step"`
	P50, P99 float64 // milliseconds from a step that is sent to its answer
}

func measure() error {
	dir, err := os.MkdirTemp("", "unroll-serve")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	l, err := files(dir)
	if err != nil {
		return err
	}
	all := map[string][]result{}
	names := strings.Split(*which, ",")
	for round := range *turns {
		for _, name := range names {
			s, err := start(name, dir)
			if err != nil {
				return err
			}
			r, err := s.turn(l, round == 0)
			_ = s.cmd.Process.Kill()
			_ = s.cmd.Wait()
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			all[name] = append(all[name], r)
			b, err := json.Marshal(r)
			if err != nil {
				return err
			}
			fmt.Println(string(b))
		}
	}
	fmt.Printf("\n%s %d x %d, input %d, %d live over %d streams, medians of %d turns of %v\n\n", *mode, *layers, *hidden, *input, *live, *streams, *turns, *turn)
	fmt.Println("| server | steps/s | CPU of the server, µs a step | of the client | median, ms | 99 of 100, ms |")
	fmt.Println("|---|---|---|---|---|---|")
	for _, name := range names {
		mid := func(of func(result) float64) float64 {
			var v []float64
			for _, r := range all[name] {
				v = append(v, of(r))
			}
			slices.Sort(v)
			return v[len(v)/2]
		}
		fmt.Printf("| %s | %.0f | %.1f | %.1f | %.1f | %.1f |\n", name, mid(func(r result) float64 { return r.Steps }), mid(func(r result) float64 { return r.CPU }),
			mid(func(r result) float64 { return r.Client }), mid(func(r result) float64 { return r.P50 }), mid(func(r result) float64 { return r.P99 }))
	}
	return nil
}

// near reports the largest difference of two outputs.
func near(a, b []float32) float64 {
	worst := 0.0
	for i := range a {
		worst = max(worst, math.Abs(float64(a[i])-float64(b[i])))
	}
	return worst
}
