package server

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/unroll-ml/unroll/live"
	"github.com/unroll-ml/unroll/model"
	"github.com/unroll-ml/unroll/task"
	"github.com/unroll-ml/unroll/train/data"
)

// kind is what went wrong with a request, in both protocols' words.
type kind struct {
	reason string // one word for programs
	http   int
	grpc   codes.Code
}

// The kinds of failures. Codes of HTTP are Triton's where it has one.
var (
	badRequest   = &kind{"bad_request", http.StatusBadRequest, codes.InvalidArgument}
	denied       = &kind{"unauthenticated", http.StatusUnauthorized, codes.Unauthenticated}
	notFound     = &kind{"not_found", http.StatusNotFound, codes.NotFound}
	tooLarge     = &kind{"too_large", http.StatusRequestEntityTooLarge, codes.ResourceExhausted}
	wrongMedia   = &kind{"unsupported_encoding", http.StatusUnsupportedMediaType, codes.InvalidArgument}
	badCapsule   = &kind{"bad_capsule", http.StatusBadRequest, codes.InvalidArgument}
	foreign      = &kind{"foreign", http.StatusConflict, codes.FailedPrecondition}
	nonFinite    = &kind{"non_finite", http.StatusUnprocessableEntity, codes.InvalidArgument}
	full         = &kind{"full", http.StatusTooManyRequests, codes.ResourceExhausted}
	neverStarted = &kind{"never_started", http.StatusConflict, codes.FailedPrecondition}
	expired      = &kind{"expired", http.StatusConflict, codes.FailedPrecondition}
	ended        = &kind{"ended", http.StatusConflict, codes.FailedPrecondition}
	modelChanged = &kind{"model_changed", http.StatusConflict, codes.FailedPrecondition}
	marked       = &kind{"marked", http.StatusConflict, codes.FailedPrecondition}
	wrongStep    = &kind{"wrong_step", http.StatusConflict, codes.FailedPrecondition}
	conflict     = &kind{"conflict", http.StatusConflict, codes.FailedPrecondition}
	unavailable  = &kind{"unavailable", http.StatusServiceUnavailable, codes.Unavailable}
	late         = &kind{"deadline", http.StatusGatewayTimeout, codes.DeadlineExceeded}
	left         = &kind{"canceled", 499, codes.Canceled} // the client is gone
	internal     = &kind{"internal", http.StatusInternalServerError, codes.Internal}
)

// failure is the error of a request.
type failure struct {
	*kind
	say string
	// steps is how many steps the sequence has made, with wrongStep; -1: not said.
	steps int64
}

func (f *failure) Error() string { return f.say }

func failf(k *kind, format string, args ...any) *failure {
	return &failure{k, fmt.Sprintf(format, args...), -1}
}

// GRPCStatus makes a failure a status with its reason as a detail.
func (f *failure) GRPCStatus() *status.Status {
	st := status.New(f.grpc, f.say)
	info := &errdetails.ErrorInfo{Reason: strings.ToUpper(f.reason), Domain: "unroll"}
	if f.steps >= 0 {
		info.Metadata = map[string]string{"steps": fmt.Sprint(f.steps)}
	}
	if with, err := st.WithDetails(info); err == nil {
		return with
	}
	return st
}

// kinds of the errors of the packages below.
var kinds = []struct {
	err  error
	kind *kind
}{
	{context.Canceled, left},
	{context.DeadlineExceeded, late},
	{live.ErrFull, full},
	{live.ErrMarked, marked},
	{live.ErrNonFinite, nonFinite},
	{live.ErrStep, wrongStep},
	{live.ErrForeign, foreign},
	{live.ErrCapsule, badCapsule},
	{live.ErrUnknown, neverStarted},
	{live.ErrEnded, ended},
	{live.ErrExists, conflict},
	{live.ErrClosed, unavailable},
	{live.ErrShape, badRequest},
	{live.ErrInput, badRequest},
	{model.ErrLimit, tooLarge},
	{model.ErrInput, badRequest},
	{task.ErrArgument, badRequest},
	{data.ErrData, badRequest},
}

// failed says an error of the packages below as a request's.
func failed(err error) *failure {
	var f *failure
	if errors.As(err, &f) {
		return f
	}
	for _, k := range kinds {
		if !errors.Is(err, k.err) {
			continue
		}
		f = failf(k.kind, "%s", err)
		var e *live.Error
		if k.kind == wrongStep && errors.As(err, &e) {
			f.steps = int64(e.Steps)
		}
		return f
	}
	return failf(internal, "%s", err)
}
