package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/unroll-ml/unroll"
	"github.com/unroll-ml/unroll/internal/server/oip"
)

// step is the message of a step of a sequence.
func step(id int, x []float32, start bool) *oip.ModelInferRequest {
	r := &oip.ModelInferRequest{
		ModelName: "m",
		Parameters: map[string]*oip.InferParameter{
			"sequence_id": {ParameterChoice: &oip.InferParameter_Int64Param{Int64Param: int64(id) + 1}},
		},
		Inputs:           []*oip.ModelInferRequest_InferInputTensor{{Name: "input", Datatype: "FP32", Shape: []int64{1, 1, int64(len(x))}}},
		RawInputContents: [][]byte{raw(x)},
	}
	if start {
		r.Parameters["sequence_start"] = &oip.InferParameter{ParameterChoice: &oip.InferParameter_BoolParam{BoolParam: true}}
	}
	return r
}

func raw(x []float32) []byte {
	b := make([]byte, 0, 4*len(x))
	for _, v := range x {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
	}
	return b
}

func floats(b []byte) []float32 {
	out := make([]float32, len(b)/4)
	for i := range out {
		out[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
	}
	return out
}

// turn measures a server, and before that compares it with a stream.
func (s *process) turn(l *unroll.Layer, tell bool) (r result, err error) {
	r.Server = s.name
	if s.name != "echo" {
		worst, err := s.check(l)
		if err != nil {
			return r, err
		}
		if worst > 1e-4 {
			return r, fmt.Errorf("its answers differ from a stream's by %g", worst)
		}
		if tell {
			fmt.Printf("%s: answers differ from a stream's by at most %g\n", s.name, worst)
		}
	}
	var lanes []*lane
	for k := range *streams {
		var ids []int
		for id := k; id < *live; id += *streams {
			ids = append(ids, id)
		}
		l, err := s.lane(ids)
		if err != nil {
			return r, err
		}
		lanes = append(lanes, l)
	}
	time.Sleep(*turn / 4) // until all have begun
	client, serverCPU, from := own(), cpuOf(s.cmd.Process.Pid), time.Now()
	for _, l := range lanes {
		l.count(true)
	}
	time.Sleep(*turn)
	var late []time.Duration
	for _, l := range lanes {
		late = append(late, l.count(false)...)
	}
	took, n := time.Since(from), float64(len(late))
	r.Steps = n / took.Seconds()
	r.CPU, r.Client = float64((cpuOf(s.cmd.Process.Pid)-serverCPU).Microseconds())/n, float64((own()-client).Microseconds())/n
	slices.Sort(late)
	r.P50, r.P99 = ms(late[len(late)/2]), ms(late[len(late)*99/100])
	for _, l := range lanes {
		if e := l.stop(); e != nil {
			err = e
		}
	}
	return r, err
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// check steps a few sequences and returns the largest difference from streams.
func (s *process) check(l *unroll.Layer) (worst float64, err error) {
	conn, err := grpc.NewClient(s.addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	st, err := oip.NewGRPCInferenceServiceClient(conn).ModelStreamInfer(ctx)
	if err != nil {
		return 0, err
	}
	rnd := rand.New(rand.NewPCG(1, 1))
	const n = 3
	var alone [n]*unroll.Stream
	for i := range alone {
		if alone[i], err = l.NewStream(1); err != nil {
			return 0, err
		}
	}
	x, y := make([]float32, *input), make([]float32, *hidden)
	for k := range 5 {
		for i, a := range alone {
			for j := range x {
				x[j] = rnd.Float32()*2 - 1
			}
			if err := a.Step(y, x); err != nil {
				return 0, err
			}
			if err := st.Send(step(1_000_000+i, x, k == 0)); err != nil {
				return 0, err
			}
			out, err := st.Recv()
			if err != nil {
				return 0, err
			}
			if out.ErrorMessage != "" {
				return 0, fmt.Errorf("%s", out.ErrorMessage)
			}
			worst = max(worst, near(floats(out.InferResponse.RawOutputContents[0]), y))
		}
	}
	return worst, nil
}

// lane is a stream with its sequences.
type lane struct {
	cancel func()
	conn   *grpc.ClientConn
	over   chan error
	next   chan int

	mu       sync.Mutex
	counting bool
	late     []time.Duration
}

func (s *process) lane(ids []int) (*lane, error) {
	l := &lane{over: make(chan error, 1), next: make(chan int, len(ids))}
	var err error
	if l.conn, err = grpc.NewClient(s.addr, grpc.WithTransportCredentials(insecure.NewCredentials())); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	l.cancel = cancel
	st, err := oip.NewGRPCInferenceServiceClient(l.conn).ModelStreamInfer(ctx)
	if err != nil {
		return nil, err
	}
	rnd := rand.New(rand.NewPCG(uint64(ids[0]), 2))
	steps, begun, sent := make([]*oip.ModelInferRequest, len(ids)), make([]bool, len(ids)), make([]time.Time, len(ids))
	x := make([]float32, *input)
	for i, id := range ids {
		for j := range x {
			x[j] = rnd.Float32()*2 - 1
		}
		steps[i] = step(id, x, false)
		l.next <- i
	}
	line := make(chan int, len(ids)) // answers come in the order of requests
	go func() {
		for {
			select {
			case <-ctx.Done():
				return
			case i := <-l.next:
				r := steps[i]
				if !begun[i] {
					r, begun[i] = step(ids[i], floats(r.RawInputContents[0]), true), true
				}
				sent[i] = time.Now()
				line <- i
				if st.Send(r) != nil {
					return // Recv has the reason
				}
			}
		}
	}()
	go func() {
		for {
			out, err := st.Recv()
			if err == nil && out.ErrorMessage != "" {
				err = fmt.Errorf("%s", out.ErrorMessage)
			}
			if err != nil {
				if ctx.Err() != nil {
					err = nil
				}
				l.over <- err
				return
			}
			i := <-line
			l.mu.Lock()
			if l.counting {
				l.late = append(l.late, time.Since(sent[i]))
			}
			l.mu.Unlock()
			l.next <- i
		}
	}()
	return l, nil
}

// count begins or ends counting, and returns what was counted.
func (l *lane) count(on bool) []time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.counting = on
	return l.late
}

func (l *lane) stop() error {
	l.cancel()
	err := <-l.over
	_ = l.conn.Close()
	return err
}

// own is this process's time of the processors.
func own() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// cpuOf is another process's, from Linux's /proc; its ticks are 10 ms.
func cpuOf(pid int) time.Duration {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	f := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:]))
	var ticks int64
	for _, t := range f[11:13] { // utime, stime
		n, _ := strconv.ParseInt(t, 10, 64)
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}
