package server

import (
	"context"
	"net/http"
	"sync/atomic"
	"testing"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/unroll-ml/unroll/internal/server/oip"
)

// spans counts those that are begun.
type spans struct {
	noop.TracerProvider
	begun atomic.Int64
}

type tracer struct {
	noop.Tracer
	of *spans
}

func (s *spans) Tracer(string, ...trace.TracerOption) trace.Tracer { return tracer{of: s} }

func (t tracer) Start(ctx context.Context, _ string, _ ...trace.SpanStartOption) (context.Context, trace.Span) {
	t.of.begun.Add(1)
	return ctx, noop.Span{}
}

// counted stays when its test is over: what was set first is what servers that run
// already go on with.
var counted spans

// Requests of both protocols are spans from when a program sets a provider, of a
// server that runs already too.
func TestRequestsAreSpansForWhoWantsThem(t *testing.T) {
	src, _ := layerSource(t, small)
	v := serve(t, Options{Models: []Source{src}})
	ask := func() {
		_, err := v.rpc.ServerLive(ctx, &oip.ServerLiveRequest{})
		must(t, err)
		r, err := http.Get(v.web + "/v2/health/live")
		must(t, err)
		must(t, r.Body.Close())
	}
	if otel.GetTracerProvider() == idleTraces && observed() { // not when the test is run again
		t.Error("somebody wants spans before anybody said so")
	}
	ask()
	otel.SetTracerProvider(&counted)
	begun := counted.begun.Load()
	ask()
	if n := counted.begun.Load() - begun; n != 2 {
		t.Errorf("%d spans, expected one of each protocol", n)
	}
}
