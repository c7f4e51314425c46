package server

import (
	"context"
	"runtime/debug"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/reflection"
	"google.golang.org/grpc/status"

	"github.com/unroll-ml/unroll/internal/server/oip"
)

// service is the protocol's gRPC service.
type service struct {
	oip.UnimplementedGRPCInferenceServiceServer
	*Server
}

// Bytes of a stream and of a connection of gRPC that are not read yet.
const (
	streamWindow     = 256 << 10
	connectionWindow = 512 << 10
)

// rpcWorkers is how many goroutines wait for calls. Theirs are stacks that have grown,
// which a new goroutine's has to with every call: an eighth of what it costs. A stream
// keeps one as long as it is open, so that there are more than processors.
const rpcWorkers = 32

// grpcServer returns the server of gRPC and its health.
func (s *Server) grpcServer() (*grpc.Server, *health.Server) {
	l := &s.opt.Limits
	opts := []grpc.ServerOption{
		grpc.MaxRecvMsgSize(int(l.Body)),
		// Windows that stay as they are: those that grow are measured with a ping for
		// every message that finds none under way.
		grpc.StaticStreamWindowSize(streamWindow),
		grpc.StaticConnWindowSize(connectionWindow),
		grpc.NumStreamWorkers(rpcWorkers),
		grpc.MaxConcurrentStreams(l.Streams),
		grpc.MaxHeaderListSize(maxHeader),
		grpc.ConnectionTimeout(l.Header),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: l.Ping, PermitWithoutStream: true}),
		grpc.KeepaliveParams(keepalive.ServerParameters{MaxConnectionIdle: l.Keep, Time: time.Minute, Timeout: 20 * time.Second}),
		grpc.UnaryInterceptor(s.unary),
		grpc.StreamInterceptor(s.stream),
	}
	opts = append(opts, rpcSpansOf(s.opt.Spans)...)
	if c := s.guard.tlsConfig(); c != nil {
		opts = append(opts, grpc.Creds(credentials.NewTLS(c)))
	}
	g := grpc.NewServer(opts...)
	oip.RegisterGRPCInferenceServiceServer(g, service{Server: s})
	h := health.NewServer()
	healthpb.RegisterHealthServer(g, h)
	reflection.Register(g)
	return g, h
}

// openMethods need no token: those that balancers ask.
func openMethod(method string) bool {
	return strings.HasPrefix(method, "/grpc.health.v1.Health/") ||
		method == oip.GRPCInferenceService_ServerLive_FullMethodName || method == oip.GRPCInferenceService_ServerReady_FullMethodName
}

func (s *Server) admitRPC(ctx context.Context, method string) error {
	if s.guard.open() || openMethod(method) {
		return nil
	}
	var header string
	if list := metadata.ValueFromIncomingContext(ctx, "authorization"); len(list) > 0 {
		header = list[0]
	}
	if f := s.guard.admit(header); f != nil {
		return f.GRPCStatus().Err()
	}
	return nil
}

func (s *Server) unary(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (out any, err error) {
	defer s.recovered(&err)
	if err := s.admitRPC(ctx, info.FullMethod); err != nil {
		return nil, err
	}
	return next(ctx, req)
}

func (s *Server) stream(srv any, st grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) (err error) {
	defer s.recovered(&err)
	if err := s.admitRPC(st.Context(), info.FullMethod); err != nil {
		return err
	}
	return next(srv, st)
}

func (s *Server) recovered(err *error) {
	if v := recover(); v != nil {
		s.log.Error("panic", "value", v, "stack", string(debug.Stack()))
		*err = errPanic(v).GRPCStatus().Err()
	}
}

// ServerLive implements the protocol.
func (s service) ServerLive(context.Context, *oip.ServerLiveRequest) (*oip.ServerLiveResponse, error) {
	return &oip.ServerLiveResponse{Live: true}, nil
}

// ServerReady implements the protocol.
func (s service) ServerReady(context.Context, *oip.ServerReadyRequest) (*oip.ServerReadyResponse, error) {
	return &oip.ServerReadyResponse{Ready: s.ready.Load()}, nil
}

// ModelReady implements the protocol. A model that is not there is not ready.
func (s service) ModelReady(_ context.Context, r *oip.ModelReadyRequest) (*oip.ModelReadyResponse, error) {
	_, v, f := s.host(r.GetName(), r.GetVersion())
	if f != nil {
		return nil, f.GRPCStatus().Err()
	}
	v.release()
	return &oip.ModelReadyResponse{Ready: s.ready.Load()}, nil
}

// ServerMetadata implements the protocol.
func (s service) ServerMetadata(context.Context, *oip.ServerMetadataRequest) (*oip.ServerMetadataResponse, error) {
	return &oip.ServerMetadataResponse{Name: "unroll", Version: s.opt.Version, Extensions: extensions}, nil
}

// ModelMetadata implements the protocol.
func (s service) ModelMetadata(_ context.Context, r *oip.ModelMetadataRequest) (*oip.ModelMetadataResponse, error) {
	h, v, f := s.host(r.GetName(), r.GetVersion())
	if f != nil {
		return nil, f.GRPCStatus().Err()
	}
	defer v.release()
	out := &oip.ModelMetadataResponse{Name: h.name, Versions: []string{v.name}, Platform: "unroll_" + v.model.Format(), Properties: h.properties(v)}
	for _, p := range portsOf(v.model.Inputs()) {
		out.Inputs = append(out.Inputs, &oip.ModelMetadataResponse_TensorMetadata{Name: p.Name, Datatype: p.Datatype, Shape: p.Shape})
	}
	for _, p := range portsOf(v.model.Outputs()) {
		out.Outputs = append(out.Outputs, &oip.ModelMetadataResponse_TensorMetadata{Name: p.Name, Datatype: p.Datatype, Shape: p.Shape})
	}
	return out, nil
}

// ModelInfer implements the protocol.
func (s service) ModelInfer(ctx context.Context, in *oip.ModelInferRequest) (*oip.ModelInferResponse, error) {
	out, f := s.inferGRPC(ctx, in)
	if f != nil {
		s.log.Debug("refused", "method", "ModelInfer", "code", f.grpc, "error", f.say)
		return nil, f.GRPCStatus().Err()
	}
	return out, nil
}

func (s *Server) inferGRPC(ctx context.Context, in *oip.ModelInferRequest) (*oip.ModelInferResponse, *failure) {
	r, f := readGRPC(in, &s.opt.Limits)
	if f != nil {
		return nil, f
	}
	a, f := s.infer(ctx, r)
	if f != nil {
		return nil, f
	}
	defer a.release()
	return a.message(len(in.RawInputContents) == 0).InferResponse, nil
}

// errEnding is the end of a stream when the server ends.
func errEnding() error {
	return status.Error(codes.Unavailable, "the server ends; go on at another")
}
