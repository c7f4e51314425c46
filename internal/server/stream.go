package server

import (
	"context"
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"

	"github.com/unroll-ml/unroll/internal/server/oip"
	"github.com/unroll-ml/unroll/live"
)

// window is how many requests of a stream are under way at once. Those of many
// sequences on one stream are stepped together.
const window = 256

// flight is a request of a stream that was taken and is not yet answered.
type flight struct {
	id  string
	out *oip.ModelStreamInferResponse // or
	bad *failure                      // or
	// a step
	pending *live.Pending // in line
	host    *host
	version *version
	request *request
	typed   bool
	start   time.Time
	call    call
}

// lane is a stream: one goroutine takes its requests, the handler's answers them
// in their order. A request that is done when no other is under way is answered by
// the goroutine that took it: to wake the other costs more than a small step.
type lane struct {
	service
	stream   grpc.BidiStreamingServer[oip.ModelInferRequest, oip.ModelStreamInferResponse]
	line     chan *flight
	underWay sync.WaitGroup // flights whose results are not there
	unsent   atomic.Int64   // flights that the handler has not sent

	mu      sync.Mutex // held while a request is taken
	stopped bool       // no more are taken
	spare   []float32  // for the next step's output
}

// ModelStreamInfer answers the requests of a stream in their order.
func (s service) ModelStreamInfer(st grpc.BidiStreamingServer[oip.ModelInferRequest, oip.ModelStreamInferResponse]) error {
	l := &lane{service: s, stream: st, line: make(chan *flight, window)}
	over := make(chan error, 1)
	go l.take(over)
	defer func() { // what is left has nobody to be sent to
		go func() {
			for f := range l.line {
				l.finish(f)
			}
		}()
	}()
	var stopped chan struct{}
	ending := s.ending
	for {
		select {
		case f, ok := <-l.line:
			if !ok {
				return <-over
			}
			if err := l.send(f); err != nil {
				return err
			}
		case <-ending:
			ending, stopped = nil, make(chan struct{})
			go l.stop(stopped)
		case <-stopped:
			for len(l.line) > 0 {
				f, ok := <-l.line
				if !ok {
					return <-over
				}
				if err := l.send(f); err != nil {
					return err
				}
			}
			return errEnding()
		}
	}
}

// send answers a flight that was in line. After an error it stays unsent, so that
// nobody sends any more.
func (l *lane) send(f *flight) error {
	l.finish(f)
	err := l.stream.Send(l.answer(f))
	if err == nil {
		l.unsent.Add(-1)
	}
	return err
}

func (l *lane) stop(done chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stopped = true
	close(done)
}

// take takes requests until the client has no more, or is gone.
func (l *lane) take(over chan error) {
	defer close(l.line)
	ctx := l.stream.Context()
	for {
		in, err := l.stream.Recv()
		if err != nil {
			if errors.Is(err, io.EOF) {
				err = nil
			}
			over <- err
			return
		}
		l.mu.Lock()
		if l.stopped {
			l.mu.Unlock()
			over <- errEnding()
			return
		}
		f := l.begin(ctx, in)
		if f.pending == nil && l.unsent.Load() == 0 {
			err := l.stream.Send(l.answer(f))
			l.mu.Unlock()
			if err != nil {
				over <- err
				return
			}
			continue
		}
		l.unsent.Add(1)
		l.underWay.Add(1)
		select {
		case l.line <- f:
			l.mu.Unlock()
		case <-ctx.Done():
			l.mu.Unlock()
			l.finish(f)
			over <- ctx.Err()
			return
		}
	}
}

// begin takes one request. One step of one sequence is made or put in line; all else
// waits until what was taken before is done, as a sequence's requests must follow one
// another.
func (l *lane) begin(ctx context.Context, in *oip.ModelInferRequest) (f *flight) {
	defer func() {
		if v := recover(); v != nil {
			l.log.Error("panic", "value", v)
			f = &flight{id: in.Id, bad: errPanic(v)}
		}
	}()
	f = &flight{id: in.Id, typed: len(in.RawInputContents) == 0, start: time.Now()}
	r, bad := readGRPC(in, &l.opt.Limits)
	if bad != nil {
		f.bad = bad
		return f
	}
	if s := &r.sequence; len(s.ids) == 1 && !s.many && !s.start && !s.end && s.step < 0 && l.submit(f, r) {
		return f
	}
	l.underWay.Wait()
	a, bad := l.infer(ctx, r)
	if bad != nil {
		f.bad = bad
		return f
	}
	defer a.release()
	f.out = a.message(f.typed)
	return f
}

// submit makes a step or puts it in line, if it is one that can be.
func (l *lane) submit(f *flight, r *request) bool {
	h, v, bad := l.host(r.model, r.version)
	if bad != nil {
		return false
	}
	c, bad := h.call(v, r)
	if bad != nil || c.t > 1 {
		v.release()
		return false // infer says it again, and counts it
	}
	f.host, f.version, f.request, f.call = h, v, r, c
	if len(l.spare) != v.step.out {
		l.spare = make([]float32, v.step.out)
	}
	id, y := r.sequence.ids[0], l.spare
	done, err := h.pool.TryStep(id, y, c.x)
	if done {
		l.spare = nil // it is the answer's
	} else {
		// finish gives up for all steps when the stream ends; to watch ctx for each
		// step would cost more than the step.
		f.pending, err = h.pool.Submit(context.Background(), id, c.x)
	}
	if f.pending == nil {
		l.land(f, y, err)
	}
	return true
}

// finish waits for the result of a flight in line.
func (l *lane) finish(f *flight) {
	defer l.underWay.Done()
	if f.pending != nil {
		y, err := f.pending.Wait(l.stream.Context())
		l.land(f, y, err)
	}
}

// land makes a step's result the answer of its flight.
func (l *lane) land(f *flight, y []float32, err error) {
	defer f.version.release()
	f.host.meter.answered(time.Since(f.start), err)
	var out []tensor
	if err == nil {
		out, err = f.version.step.results(f.request, &f.call, y)
	}
	if err != nil {
		f.bad = f.host.failed(err)
		return
	}
	a := &answer{model: f.host.name, version: f.version.name, id: f.id, steps: -1, outputs: out, own: true}
	f.out = a.message(f.typed)
}

// answer is the message of a flight whose result is there.
func (l *lane) answer(f *flight) *oip.ModelStreamInferResponse {
	if f.bad == nil {
		return f.out
	}
	l.log.Debug("refused", "method", "ModelStreamInfer", "code", f.bad.grpc, "error", f.bad.say)
	reason := map[string]*oip.InferParameter{"reason": {ParameterChoice: &oip.InferParameter_StringParam{StringParam: f.bad.reason}}}
	if f.bad.steps >= 0 {
		reason["steps"] = &oip.InferParameter{ParameterChoice: &oip.InferParameter_Int64Param{Int64Param: f.bad.steps}}
	}
	return &oip.ModelStreamInferResponse{ErrorMessage: f.bad.say, InferResponse: &oip.ModelInferResponse{Id: f.id, Parameters: reason}}
}
