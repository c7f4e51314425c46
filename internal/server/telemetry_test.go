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

// Requests of both protocols are spans of Options.Spans, and of nobody else: what a
// process has set for all of it makes none.
func TestRequestsAreSpansForWhoWantsThem(t *testing.T) {
	var asked, global spans
	before := otel.GetTracerProvider()
	otel.SetTracerProvider(&global)
	t.Cleanup(func() { otel.SetTracerProvider(before) })
	src, _ := layerSource(t, small)
	for _, c := range []struct {
		opt  Options
		want int64
	}{
		{Options{Models: []Source{src}}, 0},
		{Options{Models: []Source{src}, Spans: &asked}, 2},
	} {
		v := serve(t, c.opt)
		_, err := v.rpc.ServerLive(ctx, &oip.ServerLiveRequest{})
		must(t, err)
		r, err := http.Get(v.web + "/v2/health/live")
		must(t, err)
		must(t, r.Body.Close())
		if n := asked.begun.Load(); n != c.want {
			t.Errorf("%d spans, expected %d: one of each protocol where they are asked for", n, c.want)
		}
	}
	if n := global.begun.Load(); n != 0 {
		t.Errorf("%d spans of a provider that the server was not given", n)
	}
}
