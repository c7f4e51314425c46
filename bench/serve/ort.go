package main

import (
	"os"
	"runtime"
	"sync"

	ort "github.com/yalue/onnxruntime_go"
	"google.golang.org/grpc"

	"github.com/unroll-ml/unroll/internal/server/oip"
)

// peer steps sequences with ONNX Runtime: a state for each, and workers that take
// the requests that are there, up to a number of rows.
type peer struct {
	oip.UnimplementedGRPCInferenceServiceServer
	session *ort.DynamicAdvancedSession
	parts   int // of a state: h, and for an LSTM c
	rows    int
	line    chan *job

	mu     sync.Mutex
	states map[int64]*state
}

// state is a sequence's; mu is held by the worker that steps it.
type state struct {
	mu    sync.Mutex
	parts [2][]float32 // [L,H]
}

// job is a step.
type job struct {
	in    *oip.ModelInferRequest
	state *state
	out   *oip.ModelStreamInferResponse
	err   error
	done  chan struct{}
}

func newPeer(path string, rows int) (*peer, error) {
	ort.SetSharedLibraryPath(os.Getenv("ORT_LIB"))
	if err := ort.InitializeEnvironment(); err != nil {
		return nil, err
	}
	opt, err := ort.NewSessionOptions()
	if err != nil {
		return nil, err
	}
	if err := opt.SetIntraOpNumThreads(1); err != nil { // the workers are the threads
		return nil, err
	}
	if err := opt.SetGraphOptimizationLevel(ort.GraphOptimizationLevelEnableAll); err != nil {
		return nil, err
	}
	p := &peer{parts: 1, rows: rows, line: make(chan *job, 4096), states: map[int64]*state{}}
	in, out := []string{"input", "h_0"}, []string{"output", "h_n"}
	if *mode == "LSTM" {
		in, out, p.parts = append(in, "c_0"), append(out, "c_n"), 2
	}
	if p.session, err = ort.NewDynamicAdvancedSession(path, in, out, opt); err != nil {
		return nil, err
	}
	for range runtime.GOMAXPROCS(0) {
		w, err := p.worker()
		if err != nil {
			return nil, err
		}
		go w.work()
	}
	return p, nil
}

// ModelStreamInfer answers the requests of a stream in their order.
func (p *peer) ModelStreamInfer(st grpc.BidiStreamingServer[oip.ModelInferRequest, oip.ModelStreamInferResponse]) error {
	answers := make(chan *job, 4096)
	sent := make(chan error, 1)
	go func() {
		for j := range answers {
			<-j.done
			if j.err != nil {
				j.out = &oip.ModelStreamInferResponse{ErrorMessage: j.err.Error()}
			}
			if err := st.Send(j.out); err != nil {
				sent <- err
				return
			}
		}
		sent <- nil
	}()
	for {
		in, err := st.Recv()
		if err != nil {
			close(answers)
			return <-sent
		}
		j := &job{in: in, state: p.state(in), done: make(chan struct{})}
		p.line <- j
		answers <- j
	}
}

// state is that of a request's sequence, new where the request starts it.
func (p *peer) state(in *oip.ModelInferRequest) *state {
	id := in.Parameters["sequence_id"].GetInt64Param()
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.states[id]
	if s == nil || in.Parameters["sequence_start"].GetBoolParam() {
		s = &state{}
		for k := range p.parts {
			s.parts[k] = make([]float32, *layers**hidden)
		}
		p.states[id] = s
	}
	return s
}

// worker has tensors for each number of rows.
type worker struct {
	*peer
	in, out  [][]ort.Value // by rows-1
	x, y     []float32     // [rows,I], [rows,H]
	from, to [2][]float32  // [L,rows,H]
	jobs     []*job
	left     *job // of a sequence that the last rows had already
}

func (p *peer) worker() (*worker, error) {
	w := &worker{peer: p, x: make([]float32, p.rows**input), y: make([]float32, p.rows**hidden)}
	n := int64(p.rows)
	for k := range p.parts {
		w.from[k], w.to[k] = make([]float32, *layers*p.rows**hidden), make([]float32, *layers*p.rows**hidden)
	}
	for b := int64(1); b <= n; b++ {
		var in, out []ort.Value
		for _, t := range []struct {
			list  *[]ort.Value
			data  []float32
			shape ort.Shape
		}{
			{&in, w.x, ort.NewShape(1, b, int64(*input))},
			{&out, w.y, ort.NewShape(1, b, int64(*hidden))},
			{&in, w.from[0], ort.NewShape(int64(*layers), b, int64(*hidden))},
			{&out, w.to[0], ort.NewShape(int64(*layers), b, int64(*hidden))},
			{&in, w.from[1], ort.NewShape(int64(*layers), b, int64(*hidden))},
			{&out, w.to[1], ort.NewShape(int64(*layers), b, int64(*hidden))},
		} {
			if t.data == nil {
				continue
			}
			v, err := ort.NewTensor(t.shape, t.data[:t.shape.FlattenedSize()])
			if err != nil {
				return nil, err
			}
			*t.list = append(*t.list, v)
		}
		w.in, w.out = append(w.in, in), append(w.out, out)
	}
	return w, nil
}

// work takes what is there, steps it, and answers.
func (w *worker) work() {
	for {
		w.jobs = w.jobs[:0]
		if j := w.left; j != nil {
			w.left = nil
			w.take(j)
		} else {
			w.take(<-w.line)
		}
	gather:
		for len(w.jobs) < w.rows && w.left == nil {
			select {
			case j := <-w.line:
				w.take(j)
			default:
				break gather
			}
		}
		w.step()
	}
}

// take adds a job whose sequence is not among the jobs.
func (w *worker) take(j *job) {
	for _, other := range w.jobs {
		if other.state == j.state {
			w.left = j
			return
		}
	}
	j.state.mu.Lock()
	w.jobs = append(w.jobs, j)
}

func (w *worker) step() {
	b, h := len(w.jobs), *hidden
	for r, j := range w.jobs {
		copy(w.x[r**input:(r+1)**input], floats(j.in.RawInputContents[0]))
		for k := range w.parts {
			for l := range *layers {
				copy(w.from[k][(l*b+r)*h:(l*b+r+1)*h], j.state.parts[k][l*h:])
			}
		}
	}
	err := w.session.Run(w.in[b-1], w.out[b-1])
	for r, j := range w.jobs {
		if j.err = err; err == nil {
			for k := range w.parts {
				for l := range *layers {
					copy(j.state.parts[k][l*h:(l+1)*h], w.to[k][(l*b+r)*h:])
				}
			}
			j.out = answer(j.in, w.y[r*h:(r+1)*h])
		}
		j.state.mu.Unlock()
		close(j.done)
	}
}
