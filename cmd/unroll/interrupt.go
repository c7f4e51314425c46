package main

import (
	"context"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/unroll-ml/unroll/internal/atomicfile"
)

// grace is how long a command may take to end by itself after a signal.
const grace = 500 * time.Millisecond

// interrupt is the signal that asked the command to end; it is the cause of the
// context's end.
type interrupt struct{ os.Signal }

func (i interrupt) Error() string {
	if i.Signal == os.Interrupt {
		return "interrupted"
	}
	return "ended by signal: " + i.String()
}

// code is the exit code by the shell's custom: 128 and the signal's number.
func (i interrupt) code() int {
	if n, ok := i.Signal.(syscall.Signal); ok {
		return 128 + int(n)
	}
	return 130
}

// interrupted returns the signal that ended ctx, if one did.
func interrupted(ctx context.Context) (i interrupt, ok bool) {
	i, ok = context.Cause(ctx).(interrupt)
	return i, ok
}

// ending ends the process after a signal, whatever it is at: a long product, a
// read that waits, a page of a million numbers. The first signal ends the context,
// and after grace the process; a command that holds on ends by itself. The second
// signal ends the process at once. No output is half there: atomic files are
// abandoned first.
type ending struct {
	exit    func(code int)
	abandon func() // outputs in the midst of being written
	grace   time.Duration

	mu    sync.Mutex
	holds int
	free  chan struct{} // closed when nothing holds on
	last  []func()      // what is to be given back
}

type endingKey struct{}

// watchSignals returns the context of a command.
func watchSignals() context.Context {
	e := &ending{exit: os.Exit, abandon: atomicfile.Abandon, grace: grace}
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	return e.watch(context.Background(), signals)
}

func (e *ending) watch(parent context.Context, signals <-chan os.Signal) context.Context {
	ctx, cancel := context.WithCancelCause(context.WithValue(parent, endingKey{}, e))
	e.free = make(chan struct{})
	close(e.free)
	go func() {
		i := interrupt{<-signals}
		cancel(i)
		timer := time.NewTimer(e.grace)
		for waited := false; ; {
			var free chan struct{} // nil until the time is over, which never comes
			if waited {
				e.mu.Lock()
				free = e.free
				e.mu.Unlock()
			}
			select {
			case again := <-signals:
				e.end(interrupt{again}.code())
				return
			case <-timer.C:
				waited = true
			case <-free:
				e.end(i.code())
				return
			}
		}
	}()
	return ctx
}

// end gives back what is held and ends the process.
func (e *ending) end(code int) {
	e.abandon()
	e.mu.Lock()
	last := e.last
	e.mu.Unlock()
	for _, f := range last {
		f()
	}
	e.exit(code)
}

// holdOn keeps the first signal from ending the process until done is called: the
// command sees the end of its context and saves.
func holdOn(ctx context.Context) (done func()) {
	e, ok := ctx.Value(endingKey{}).(*ending)
	if !ok {
		return func() {}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.holds++; e.holds == 1 {
		e.free = make(chan struct{})
	}
	return sync.OnceFunc(func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		if e.holds--; e.holds == 0 {
			close(e.free)
		}
	})
}

// atEnd has f called where a signal ends the process before the command returns.
func atEnd(ctx context.Context, f func()) {
	if e, ok := ctx.Value(endingKey{}).(*ending); ok {
		e.mu.Lock()
		e.last = append(e.last, f)
		e.mu.Unlock()
	}
}
