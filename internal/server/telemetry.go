package server

import (
	"context"
	"net/http"

	"go.opentelemetry.io/contrib/instrumentation/google.golang.org/grpc/otelgrpc"
	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc"
	"google.golang.org/grpc/stats"
)

// rpcSpans makes spans of calls, without the events of single messages, of which a
// stream has many.
type rpcSpans struct{ stats.Handler }

func (s rpcSpans) HandleRPC(ctx context.Context, event stats.RPCStats) {
	switch event.(type) {
	case *stats.InPayload, *stats.OutPayload:
		return
	}
	s.Handler.HandleRPC(ctx, event)
}

// rpcSpansOf are the options of a gRPC server whose calls are spans of a provider:
// none where there is none, as grpc-go then makes no events at all. The numbers that
// otelgrpc would count are at /metrics.
func rpcSpansOf(p trace.TracerProvider) []grpc.ServerOption {
	if p == nil {
		return nil
	}
	h := otelgrpc.NewServerHandler(otelgrpc.WithTracerProvider(p), otelgrpc.WithMeterProvider(noop.NewMeterProvider()))
	return []grpc.ServerOption{grpc.StatsHandler(rpcSpans{h})}
}

// httpSpansOf makes spans of requests, likewise.
func httpSpansOf(p trace.TracerProvider, h http.Handler) http.Handler {
	if p == nil {
		return h
	}
	return otelhttp.NewHandler(h, "http", otelhttp.WithTracerProvider(p), otelhttp.WithMeterProvider(noop.NewMeterProvider()))
}
