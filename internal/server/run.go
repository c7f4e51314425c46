package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"runtime"
	"time"

	"golang.org/x/net/netutil"
	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
)

// maxHeader bounds the header of a request, in bytes.
const maxHeader = 16 << 10

// Run listens and serves until ctx ends. Then it says that it is not ready, lets
// what is under way finish, ends the sequences' pools and writes their states. at,
// if not nil, is called once with the addresses, nil for none.
func (s *Server) Run(ctx context.Context, at func(http, grpc net.Addr)) (err error) {
	defer func() { err = errors.Join(err, s.close()) }()
	defer runtime.KeepAlive(ballast())
	web, err := s.listen(s.opt.HTTP)
	if err != nil {
		return err
	}
	rpc, err := s.listen(s.opt.GRPC)
	if err != nil {
		if web != nil {
			_ = web.Close()
		}
		return err
	}
	h := s.httpServer()
	g, health := s.grpcServer()
	failed := make(chan error, 2)
	if web != nil {
		go func() {
			if h.TLSConfig != nil {
				failed <- h.ServeTLS(web, "", "")
			} else {
				failed <- h.Serve(web)
			}
		}()
	}
	if rpc != nil {
		go func() { failed <- g.Serve(rpc) }()
	}
	s.ready.Store(true)
	if s.opt.Watch > 0 {
		go s.watch()
	}
	if at != nil {
		at(address(web), address(rpc))
	}
	select {
	case <-ctx.Done():
	case err = <-failed: // a port that fails ends the server
		err = fmt.Errorf("server: %w", err)
	}
	s.drain(h, g, health)
	return err
}

func (s *Server) listen(addr string) (net.Listener, error) {
	if addr == "" {
		return nil, nil
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("server: %w", err)
	}
	return netutil.LimitListener(l, s.opt.Limits.Connections), nil
}

func address(l net.Listener) net.Addr {
	if l == nil {
		return nil
	}
	return l.Addr()
}

func (s *Server) httpServer() *http.Server {
	l := &s.opt.Limits
	return &http.Server{
		Handler: s.handler(), TLSConfig: s.guard.tlsConfig(), MaxHeaderBytes: maxHeader,
		ReadHeaderTimeout: l.Header, ReadTimeout: l.Read, WriteTimeout: l.Read + l.Write, IdleTimeout: l.Keep,
		ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelDebug), // of clients, mostly
	}
}

// drain ends both servers within the grace.
func (s *Server) drain(h *http.Server, g *grpc.Server, health *health.Server) {
	s.ready.Store(false)
	health.SetServingStatus("", healthpb.HealthCheckResponse_NOT_SERVING)
	s.log.Info("not ready", "delay", s.opt.Delay, "grace", s.opt.Grace)
	time.Sleep(s.opt.Delay)
	s.once.Do(func() { close(s.ending) })
	ctx, cancel := context.WithTimeout(context.Background(), s.opt.Grace)
	defer cancel()
	done := make(chan struct{})
	go func() {
		g.GracefulStop()
		close(done)
	}()
	if err := h.Shutdown(ctx); err != nil {
		_ = h.Close() // what has not ended is ended
	}
	select {
	case <-done:
	case <-ctx.Done():
		g.Stop()
		<-done
	}
	s.log.Info("drained")
}
